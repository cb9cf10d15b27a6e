#include "daemon/signal_series.hpp"

#include <gtest/gtest.h>

#include <random>

#include "engine/plan.hpp"

namespace atcd::daemon {
namespace {

using engine::Bar;
using engine::Interval;

const Interval kMinute(1, Interval::Unit::minute);
constexpr std::string_view kName = "binance:spot:BTCUSDT:1m:default";

std::shared_ptr<const engine::Plan> small_plan() {
  engine::Parameters parameters;
  parameters.lengths = {10, 11, 12, 10, 11, 9};
  return std::make_shared<const engine::Plan>(parameters);
}

/// A walk from `first_slot`, with some slots missing.
std::vector<Bar> walk(std::int64_t first_slot, std::size_t count, std::uint32_t seed, int missing_percent) {
  std::mt19937 random(seed);
  std::vector<Bar> bars;
  double price = 100;
  for (std::int64_t slot = first_slot; bars.size() < count; ++slot) {
    price *= 1 + (static_cast<double>(random() % 2001) - 1000) * 1e-5;
    if (static_cast<int>(random() % 100) < missing_percent) continue;
    const std::int64_t open_ms = kMinute.open_time_ms(slot);
    bars.push_back({open_ms, open_ms + 60'000, price, price, price, price, 1});
  }
  return bars;
}

/// The definition, written out: bar 0 by the anchor rule, then every bar up to the one asked for.
std::optional<AnchoredSignal> by_definition(const std::shared_ptr<const engine::Plan>& plan,
                                            const engine::AnchorRule& rule, const std::vector<Bar>& bars,
                                            std::size_t index) {
  const std::int64_t phase = engine::anchor_phase(kName, rule.anchor_period);
  const auto segment = engine::segment_of(rule, kMinute, phase, kMinute.ordinal(bars[index].open_time_ms));
  if (!segment) return std::nullopt;
  engine::Incremental engine(plan);
  std::optional<AnchoredSignal> result;
  for (std::size_t i = 0; i <= index; ++i) {
    if (kMinute.ordinal(bars[i].open_time_ms) < segment->anchor_ordinal) continue;
    if (!result) result = AnchoredSignal{{}, bars[i].open_time_ms};
    result->signal = engine.update(bars[i]);
  }
  if (engine.bars() < plan->minimum_bars()) return std::nullopt;
  return result;
}

class SignalSeriesTest : public testing::TestWithParam<engine::AnchorRule> {};

TEST_P(SignalSeriesTest, LiveReplayAndDefinitionGiveTheSameBitsWhereverTheyBegin) {
  const auto plan = small_plan();
  const engine::AnchorRule rule = GetParam();
  const std::int64_t first_slot = 28'000'000;
  const std::vector<Bar> bars = walk(first_slot, 420, 5, 10);
  for (const std::size_t begin : {150UL, 151UL, 233UL}) {
    SignalSeries live(plan, rule, kMinute, kName);
    SignalSeries unprepared(plan, rule, kMinute, kName);
    SignalSeries::Replay replay(live);
    for (std::size_t i = begin; i < bars.size(); ++i) {
      const BarHistory known{std::span(bars).first(i + 1), first_slot};
      const auto expected = by_definition(plan, rule, bars, i);
      const auto newest = live.newest(known);
      const auto late = unprepared.newest(known);
      const auto replayed = replay.at({bars, first_slot}, i);
      ASSERT_EQ(newest.has_value(), expected.has_value()) << i;
      ASSERT_EQ(replayed.has_value(), expected.has_value()) << i;
      if (expected) {
        EXPECT_TRUE(same_bits(*newest, *expected)) << i;
        EXPECT_TRUE(same_bits(*late, *expected)) << i;
        EXPECT_TRUE(same_bits(*replayed, *expected)) << i;
      }
      live.prepare(known);
      if (HasFailure()) return;
    }
  }
}

TEST_P(SignalSeriesTest, APreviewIsTheSignalThatTheBarGivesWhenItCloses) {
  const auto plan = small_plan();
  const engine::AnchorRule rule = GetParam();
  const std::int64_t first_slot = 28'000'000;
  const std::vector<Bar> bars = walk(first_slot, 330, 6, 5);
  SignalSeries series(plan, rule, kMinute, kName);
  int previews = 0;
  for (std::size_t i = 150; i < bars.size(); ++i) {
    const auto before =
        i > 150 ? series.preview({std::span(bars).first(i), first_slot}, bars[i]) : std::nullopt;
    const auto closed = series.newest({std::span(bars).first(i + 1), first_slot});
    if (before && closed) {
      ++previews;
      EXPECT_TRUE(same_bits(*before, *closed)) << i;
    }
    series.prepare({std::span(bars).first(i + 1), first_slot});
  }
  EXPECT_GT(previews, 140);
}

TEST_P(SignalSeriesTest, ACorrectedBarGivesWhatItWouldHaveGivenAtOnce) {
  const auto plan = small_plan();
  const engine::AnchorRule rule = GetParam();
  const std::int64_t first_slot = 28'000'000;
  std::vector<Bar> bars = walk(first_slot, 300, 7, 5);
  SignalSeries series(plan, rule, kMinute, kName);
  for (std::size_t i = 150; i < bars.size(); ++i) {
    const Bar right = bars[i];
    bars[i].close *= 1.05;
    bars[i].high = bars[i].close;
    series.newest({std::span(bars).first(i + 1), first_slot});
    if (i % 2 == 0) series.prepare({std::span(bars).first(i + 1), first_slot});
    bars[i] = right;
    const BarHistory known{std::span(bars).first(i + 1), first_slot};
    const auto corrected = series.corrected(known);
    const auto expected = by_definition(plan, rule, bars, i);
    ASSERT_EQ(corrected.has_value(), expected.has_value());
    if (expected) {
      EXPECT_TRUE(same_bits(*corrected, *expected)) << i;
    }
    series.prepare(known);
  }
}

// The definition again: a segment sees a bar as it was last told before its first slot.
TEST_P(SignalSeriesTest, ALateBarHoldsFromTheNextSegmentOn) {
  const auto plan = small_plan();
  const engine::AnchorRule rule = GetParam();
  const std::int64_t first_slot = 28'000'000;
  const std::vector<Bar> bars = walk(first_slot, 420, 11, 5);
  const std::int64_t phase = engine::anchor_phase(kName, rule.anchor_period);
  std::vector<state::LateBar> late;
  SignalSeries live(plan, rule, kMinute, kName);
  int changed = 0;
  for (std::size_t i = 200; i < bars.size(); ++i) {
    const auto segment = engine::segment_of(rule, kMinute, phase, kMinute.ordinal(bars[i].open_time_ms));
    std::vector<Bar> as_seen(bars.begin(), bars.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    bool differs = false;
    for (const state::LateBar& each : late) {
      for (Bar& bar : as_seen) {
        if (bar.open_time_ms != each.bar.open_time_ms) continue;
        if (!segment || kMinute.ordinal(each.after_ms) > segment->first_ordinal) continue;
        bar = each.bar;
        differs = true;
      }
    }
    const auto expected = by_definition(plan, rule, as_seen, i);
    const auto got = live.newest({std::span(bars).first(i + 1), first_slot, late});
    ASSERT_EQ(got.has_value(), expected.has_value()) << i;
    if (expected) {
      ASSERT_TRUE(same_bits(*got, *expected)) << i;
      SignalSeries::Replay replay(live);
      ASSERT_TRUE(same_bits(*replay.at({bars, first_slot, late}, i), *expected)) << i;
      changed += differs && !same_bits(*expected, *by_definition(plan, rule, bars, i)) ? 1 : 0;
    }
    if (i % 9 == 0) {  // a bar some way back is told anew, one of them twice
      const Bar& old = bars[i % 18 == 0 ? i - 25 : i];
      Bar told = old;
      told.close = old.close * (1.01 + 0.001 * static_cast<double>(i % 5));
      late.push_back({told, bars[i].close_time_ms});
      live.forget_next();
    }
    live.prepare({std::span(bars).first(i + 1), first_slot, late});
  }
  if (!rule.fixed_anchor_ms) {
    EXPECT_GT(changed, 50) << "the late bars made no difference";
  }
}

/// Keeps what it is asked for until the test has it answered, in whatever order, or never.
class Held final : public Replays {
 public:
  bool ask(std::shared_ptr<ReplayJob> job) override {
    if (jobs.size() == 3) return false;
    jobs.push_back(std::move(job));
    return true;
  }
  void taken_up() override { ++taken; }
  void answer(std::size_t which) {
    ReplayJob& job = *jobs[which];
    job.engine.emplace(job.plan);
    for (std::size_t i = 0; i < job.closes.size(); ++i) {
      job.engine->update(job.closes[i], job.sources.empty() ? job.closes[i] : job.sources[i],
                         job.close_times_ms[i]);
    }
    job.done = true;
    lose(which);
  }
  void lose(std::size_t which) { jobs.erase(jobs.begin() + static_cast<std::ptrdiff_t>(which)); }

  std::vector<std::shared_ptr<ReplayJob>> jobs;
  int taken = 0;
};

/// What can happen to a series, at random; twice the same but that one has its next segments built elsewhere.
class WithAndWithout {
 public:
  WithAndWithout(const engine::AnchorRule& rule, engine::MaSource source, std::uint32_t seed)
      : random_(seed),
        all_(walk(28'000'000, 500, seed, 8)),
        plan_(plan_with(source)),
        with_(plan_, rule, kMinute, kName),
        without_(plan_, rule, kMinute, kName) {
    for (Bar& bar : all_) bar.high = bar.close * (1 + static_cast<double>(random_() % 100) * 1e-5);
    bars_.assign(all_.begin(), all_.begin() + 180);
  }

  void go_on() {
    bars_.push_back(all_[bars_.size()]);
    compare(with_.newest(known()), without_.newest(known()));
    if (happens(4)) {  // the newest is corrected
      change(bars_.back());
      compare(with_.corrected(known()), without_.corrected(known()));
    }
    if (happens(4)) {  // one some way back is told anew, for the next segment
      Bar told = bars_[bars_.size() - 1 - random_() % 30];
      change(told);
      late_.push_back({told, bars_.back().close_time_ms});
      with_.forget_next();
      without_.forget_next();
    }
    if (happens(2)) {  // one was wrong
      change(bars_[bars_.size() - 1 - random_() % 60]);
      with_.forget();
      without_.forget();
    }
    while (!held.jobs.empty() && happens(30)) {
      const std::size_t which = random_() % held.jobs.size();
      happens(90) ? held.answer(which) : held.lose(which);
    }
    if (happens(85)) {
      with_.prepare(known(), &held);
      without_.prepare(known());
    }
  }
  bool over() const { return bars_.size() == all_.size() || testing::Test::HasFailure(); }

  Held held;
  int compared = 0;

 private:
  static std::shared_ptr<const engine::Plan> plan_with(engine::MaSource source) {
    engine::Parameters parameters = small_plan()->parameters();
    parameters.ma_source = source;
    return std::make_shared<const engine::Plan>(parameters);
  }
  BarHistory known() const { return {bars_, 28'000'000, late_}; }
  bool happens(std::uint32_t percent) { return random_() % 100 < percent; }
  void change(Bar& bar) {
    bar.close *= 1 + static_cast<double>(1 + random_() % 100) * 1e-4;
    bar.high = std::max(bar.high, bar.close);
  }
  void compare(const std::optional<AnchoredSignal>& with, const std::optional<AnchoredSignal>& without) {
    ASSERT_EQ(with.has_value(), without.has_value()) << bars_.size();
    if (!with) return;
    ASSERT_TRUE(same_bits(*with, *without)) << bars_.size();
    ++compared;
  }

  std::mt19937 random_;
  std::vector<Bar> all_, bars_;
  std::vector<state::LateBar> late_;
  std::shared_ptr<const engine::Plan> plan_;
  SignalSeries with_, without_;
};

TEST_P(SignalSeriesTest, ReplayedElsewhereTheNextSegmentsHaveTheSameBitsWheneverTheAnswerComes) {
  int compared = 0, taken = 0;
  for (std::uint32_t seed = 1; seed <= 30 && !HasFailure(); ++seed) {
    const auto source = seed % 3 == 0 ? engine::MaSource::hlc3 : engine::MaSource::close;
    WithAndWithout both(GetParam(), source, seed);
    while (!both.over()) both.go_on();
    compared += both.compared;
    taken += both.held.taken;
  }
  EXPECT_GT(compared, 2000);
  const bool there_is_time = !GetParam().fixed_anchor_ms && GetParam().anchor_period > 8;
  if (there_is_time) {
    EXPECT_GT(taken, 10) << "hardly an answer was of use";
  } else {
    EXPECT_EQ(taken, 0);
  }
}

TEST_P(SignalSeriesTest, AReplayUpToTheNewestBarIsGoneOnFrom) {
  const auto plan = small_plan();
  const std::int64_t first_slot = 28'000'000;
  const std::vector<Bar> bars = walk(first_slot, 300, 12, 0);
  for (std::size_t begin = 160; begin < 280; begin += 7) {
    const BarHistory at_start{std::span(bars).first(begin), first_slot};
    SignalSeries series(plan, GetParam(), kMinute, kName);
    Held held;
    auto job = series.replay_to_newest(at_start);
    ASSERT_TRUE(job) << begin;
    EXPECT_FALSE(series.go_on_from(*job, at_start));
    EXPECT_FALSE(series.held(bars[begin - 1]));
    held.ask(job);
    held.answer(0);
    ASSERT_TRUE(series.go_on_from(*job, at_start));
    ASSERT_TRUE(series.held(bars[begin - 1]));
    EXPECT_TRUE(same_bits(*series.held(bars[begin - 1]), *by_definition(plan, GetParam(), bars, begin - 1)));
    for (std::size_t i = begin; i < begin + 20; ++i) {
      const auto next = series.newest({std::span(bars).first(i + 1), first_slot});
      ASSERT_TRUE(next && same_bits(*next, *by_definition(plan, GetParam(), bars, i))) << begin << " " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, SignalSeriesTest,
                         testing::Values(engine::AnchorRule{60, 50, {}}, engine::AnchorRule{40, 7, {}},
                                         engine::AnchorRule{30, 100, {}}, engine::AnchorRule{20, 1, {}},
                                         engine::AnchorRule{1500, 1500, kMinute.open_time_ms(28'000'100)}));

TEST(SignalSeries, SaysNothingWhereHistoryDoesNotReachTheAnchor) {
  const auto plan = small_plan();
  const std::vector<Bar> bars = walk(28'000'000, 100, 8, 0);
  SignalSeries series(plan, {1500, 1500, {}}, kMinute, kName);
  EXPECT_FALSE(series.newest({bars, 28'000'000}).has_value());
}

TEST(SignalSeries, AListingYoungerThanItsAnchorBeginsWithItsFirstBarAndWarmsUp) {
  const auto plan = small_plan();
  const std::vector<Bar> bars = walk(28'000'000, 100, 9, 0);
  const std::int64_t covered_from = 28'000'000 - 3100;  // REST showed that there is nothing before
  SignalSeries series(plan, {1500, 1500, {}}, kMinute, kName);
  const auto minimum = static_cast<std::size_t>(plan->minimum_bars());
  for (std::size_t i = 0; i < bars.size(); ++i) {
    const BarHistory known{std::span(bars).first(i + 1), covered_from};
    const auto signal = series.newest(known);
    EXPECT_EQ(signal.has_value(), i + 1 >= minimum);
    EXPECT_EQ(series.warming(known), i + 1 < minimum);
    if (signal) {
      EXPECT_EQ(signal->anchor_ms, bars[0].open_time_ms);
      EXPECT_EQ(signal->signal.bar_index, static_cast<std::int64_t>(i));
    }
  }
}

TEST(SignalSeries, GoesOnFromASavedEngineAcrossSegmentsWithTheSameBits) {
  const auto plan = small_plan();
  const engine::AnchorRule rule{100, 40, {}};
  const auto bars = walk(28'000'000, 400, 5, 3);
  const std::int64_t from = kMinute.ordinal(bars.front().open_time_ms);
  for (std::size_t saved_at = 200; saved_at < 260; ++saved_at) {
    SignalSeries before(plan, rule, kMinute, kName), after(plan, rule, kMinute, kName);
    std::optional<AnchoredSignal> last;
    for (std::size_t i = 190; i <= saved_at; ++i) last = before.newest({std::span(bars).first(i + 1), from});
    std::vector<std::byte> engine;
    const auto saved = before.save(engine);
    ASSERT_TRUE(saved && last);
    // Some bars came before the end that the snapshot does not have.
    const std::size_t held = saved_at + 1 + saved_at % 3;
    const std::string_view why = after.restore(*saved, std::span(bars).first(held));
    if (why.empty() && held == saved_at + 1) {
      ASSERT_TRUE(after.held(bars[saved_at]));
      ASSERT_TRUE(same_bits(*after.held(bars[saved_at]), *last));
    }
    for (std::size_t i = held; i < held + 60; ++i) {
      const BarHistory history{std::span(bars).first(i + 1), from};
      const auto expected = by_definition(plan, rule, bars, i);
      const auto computed = after.newest(history);
      ASSERT_EQ(expected.has_value(), computed.has_value());
      if (expected) {
        ASSERT_TRUE(same_bits(*expected, *computed)) << saved_at << " " << i;
      }
      if (i % 2 == 0) after.prepare(history);
    }
  }
}

TEST(SignalSeries, ASavedEngineOfAnotherAnchorIsRefusedWithAReason) {
  const auto plan = small_plan();
  const auto bars = walk(28'000'000, 300, 5, 0);
  const std::int64_t from = kMinute.ordinal(bars.front().open_time_ms);
  SignalSeries before(plan, {100, 40, {}}, kMinute, kName), other(plan, {100, 41, {}}, kMinute, kName);
  before.newest({std::span(bars).first(250), from});
  std::vector<std::byte> engine;
  auto saved = before.save(engine);
  ASSERT_TRUE(saved);
  EXPECT_EQ(other.restore(*saved, std::span(bars).first(250)), "it has another anchor");
  EXPECT_EQ(before.restore(*saved, std::span(bars).first(290)), "its segment has ended since");
  saved->engine = saved->engine.first(10);
  EXPECT_EQ(before.restore(*saved, std::span(bars).first(250)),
            "its engine's state is not one of this version");
}

}  // namespace
}  // namespace atcd::daemon
