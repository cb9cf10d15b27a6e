#include "engine/incremental.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <memory>
#include <vector>

#include "engine/dispatch.hpp"
#include "engine/plan.hpp"
#include "tests/engine/columns.hpp"
#include "tests/engine/trials.hpp"

namespace atcd::engine {
namespace {

using trials::Maker;
using trials::same_bits;

bool same_signal(const Signal& a, const Signal& b) {
  for (std::size_t f = 0; f < kFamilies; ++f) {
    if (!same_bits(a.layer1[f], b.layer1[f]) || !same_bits(a.equity[f], b.equity[f])) return false;
  }
  return same_bits(a.average, b.average) && a.bar_index == b.bar_index &&
         a.trend_since_ms == b.trend_since_ms && a.trend == b.trend && a.previous_trend == b.previous_trend;
}

std::vector<Bar> bars_of(Maker& maker, std::size_t count) {
  std::vector<Bar> bars;
  const auto prices = maker.prices(count);
  for (std::size_t i = 0; i < count; ++i) {
    const double price = prices[i];
    const std::int64_t open_ms = 1'700'000'000'000 + 60'000 * static_cast<std::int64_t>(i);
    bars.push_back({open_ms, open_ms + 60'000, price * 0.999, price * 1.002, price * 0.998, price, 1});
  }
  return bars;
}

std::shared_ptr<const Plan> some_plan(Maker& maker) {
  Parameters parameters = maker.parameters();
  parameters.ma_source = static_cast<MaSource>(maker.from_to(0, 6));
  return std::make_shared<const Plan>(parameters);
}

const Kernel& some_kernel(Maker& maker) {
  const auto kernels = available_kernels();
  return *kernels[static_cast<std::size_t>(maker.from_to(0, static_cast<int>(kernels.size()) - 1))];
}

RC_GTEST_PROP(IncrementalTest, APreviewIsTheUpdateThatFollowsAndLeavesNoTrace, ()) {
  Maker maker(*rc::gen::arbitrary<std::uint64_t>());
  for (int i = 0; i < 5; ++i) {
    const auto plan = some_plan(maker);
    const auto bars = bars_of(maker, 200);
    const Kernel& kernel = some_kernel(maker);
    Incremental plain(plan, kernel), previewed(plan, kernel);
    for (const Bar& bar : bars) {
      if (maker.one_in(2)) previewed.prepare();
      Bar forming = bar;
      const auto looks = maker.from_to(0, 3);
      for (std::int64_t look = 0; look < looks; ++look) {
        forming.close = bar.close * maker.real(0.9, 1.1);
        previewed.preview(forming);
      }
      const Signal preview = previewed.preview(bar);
      if (maker.one_in(3)) previewed.preview(forming);
      RC_ASSERT(previewed.bars() == plain.bars());
      const Signal expected = plain.update(bar);
      RC_ASSERT(same_signal(preview, expected));
      RC_ASSERT(same_signal(previewed.update(bar), expected));
    }
  }
}

RC_GTEST_PROP(IncrementalTest, SteppingBackIsNeverHavingTakenTheBar, ()) {
  Maker maker(*rc::gen::arbitrary<std::uint64_t>());
  for (int i = 0; i < 5; ++i) {
    const auto plan = some_plan(maker);
    const auto bars = bars_of(maker, 200);
    const Kernel& kernel = some_kernel(maker);
    Incremental plain(plan, kernel), corrected(plan, kernel);
    for (const Bar& bar : bars) {
      while (maker.one_in(3)) {
        Bar wrong = bar;
        wrong.close = bar.close * maker.real(0.9, 1.1);
        wrong.open = wrong.high = wrong.low = wrong.close;
        wrong.close_time_ms += 5;
        corrected.update(wrong);
        if (maker.one_in(2)) corrected.prepare();
        if (maker.one_in(2)) corrected.preview(bar);
        RC_ASSERT(corrected.step_back());
        RC_ASSERT(!corrected.step_back());
        if (maker.one_in(2)) corrected.preview(wrong);
      }
      RC_ASSERT(corrected.bars() == plain.bars());
      const Signal expected = plain.update(bar);
      RC_ASSERT(same_signal(corrected.update(bar), expected));
      const auto a = plain.inner(), b = corrected.inner();
      for (std::size_t k = 0; k < kAverages; ++k) {
        RC_ASSERT(same_bits(a.averages[k], b.averages[k]));
        RC_ASSERT(same_bits(a.states[k], b.states[k]));
        RC_ASSERT(same_bits(a.equities[k], b.equities[k]));
      }
    }
  }
}

RC_GTEST_PROP(IncrementalTest, ARestoredStateGoesOnWithTheSameBitsOnAnyKernel, ()) {
  Maker maker(*rc::gen::arbitrary<std::uint64_t>());
  for (int i = 0; i < 5; ++i) {
    const auto plan = some_plan(maker);
    const auto bars = bars_of(maker, 200);
    const auto saved_at = static_cast<std::size_t>(maker.from_to(0, 199));
    Incremental whole(plan, some_kernel(maker)), resumed(plan, some_kernel(maker));
    for (const Bar& bar : bars_of(maker, 30)) resumed.update(bar);  // whatever it did before
    Signal last;
    for (std::size_t bar = 0; bar < bars.size(); ++bar) {
      if (bar == saved_at) {
        std::vector<std::byte> saved(whole.saved_bytes());
        if (maker.one_in(2)) whole.prepare();
        if (maker.one_in(2)) whole.preview(bars[bar]);
        whole.save(saved);
        RC_ASSERT(resumed.restore(saved));
        RC_ASSERT(resumed.bars() == whole.bars());
        RC_ASSERT(bar == 0 || same_signal(resumed.last(), last));
        RC_ASSERT(!resumed.step_back());
      }
      last = whole.update(bars[bar]);
      RC_ASSERT(same_signal(whole.last(), last));
      if (bar >= saved_at) RC_ASSERT(same_signal(resumed.update(bars[bar]), last));
    }
  }
}

TEST(IncrementalTest, BytesThatAreNoSavedStateAreRefused) {
  const auto plan = std::make_shared<const Plan>(Parameters{});
  Incremental engine(plan);
  Maker maker(1);
  const auto bars = bars_of(maker, 100);
  for (const Bar& bar : bars) engine.update(bar);
  std::vector<std::byte> saved(engine.saved_bytes());
  engine.save(saved);
  EXPECT_FALSE(engine.restore(std::span(saved).first(saved.size() - 1)));
  std::vector<std::byte> ones(saved.size(), std::byte{0xff});
  EXPECT_FALSE(engine.restore(ones));
  ones.assign(saved.size(), std::byte{0});
  EXPECT_FALSE(engine.restore(ones));
  EXPECT_EQ(engine.bars(), 100) << "a refusal changes nothing";
  EXPECT_TRUE(engine.step_back());
}

TEST(IncrementalTest, NothingCanBeTakenBackBeforeTheFirstBar) {
  Incremental engine(std::make_shared<const Plan>(Parameters{}));
  EXPECT_FALSE(engine.step_back());
  EXPECT_EQ(engine.bars(), 0);
}

TEST(IncrementalTest, TheMaSourceIsTakenFromTheBar) {
  const Bar bar{0, 60'000, 101, 110, 99, 103, 5};
  const std::array<double, 7> expected = {
      103, 101, 110, 99, (110.0 + 99) / 2, (110.0 + 99 + 103) / 3, (101.0 + 110 + 99 + 103) / 4};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    Parameters parameters;
    parameters.ma_source = static_cast<MaSource>(i);
    Incremental engine(std::make_shared<const Plan>(parameters));
    engine.update(bar);
    EXPECT_EQ(engine.inner().averages[kAverages - 1], expected[i]) << kMaSourceNames[i];  // KAMA at bar 0
  }
}

TEST(IncrementalTest, TheTrendKnowsSinceWhenItHolds) {
  const auto plan = std::make_shared<const Plan>(Parameters{});
  Maker maker(3);
  Incremental engine(plan);
  double price = 100;
  Signal before{};
  int changes = 0;
  for (std::int64_t i = 0; i < 600; ++i) {
    price *= 1 + maker.real(-0.02, 0.02);
    const std::int64_t close_ms = (i + 1) * 60'000;
    const Signal signal = engine.update(price, price, close_ms);
    EXPECT_EQ(signal.bar_index, i);
    EXPECT_EQ(signal.previous_trend, i == 0 ? 0 : before.trend);
    const bool changed = i == 0 || signal.trend != before.trend;
    EXPECT_EQ(signal.trend_since_ms, changed ? close_ms : before.trend_since_ms);
    const int expected = signal.average > 0.1 ? 1 : signal.average < -0.1 ? -1 : before.trend;
    EXPECT_EQ(signal.trend, expected);
    changes += changed;
    before = signal;
  }
  EXPECT_GT(changes, 3);
}

}  // namespace
}  // namespace atcd::engine
