// Where a series' engine stands: whatever was asked of it before, its signal is that of the bars that are
// there.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "daemon/signal_series.hpp"
#include "engine/plan.hpp"

namespace atcd::daemon {
namespace {

using engine::Bar;

class SignalEngineTest : public ::testing::Test {
 protected:
  static constexpr std::int64_t kFirstSlot = 28'000'000;
  static constexpr std::int64_t kBars = 400;

  SignalEngineTest() {
    engine::Parameters parameters;
    parameters.lengths = {10, 11, 12, 10, 11, 9};
    plan_ = std::make_shared<const engine::Plan>(parameters);
    rule_.history_bars = 100;
    rule_.anchor_period = 60;
    for (std::int64_t i = 0; i < kBars; ++i) {
      const double price = 100 + 5 * std::sin(static_cast<double>(i) * 0.37) + static_cast<double>(i % 7) / 3;
      const std::int64_t open_ms = kMinute.open_time_ms(kFirstSlot + i);
      bars_.push_back({open_ms, open_ms + 60'000, price, price, price, price, 1});
    }
  }

  SignalSeries series() const { return {plan_, rule_, kMinute, "binance:spot:BTCUSDT:1m:default"}; }
  /// The bars from `first` on to before `end`, and that what lies before them is not known.
  BarHistory known(std::size_t end, std::size_t first = 0) const {
    return {std::span(bars_).subspan(first, end - first), kFirstSlot + static_cast<std::int64_t>(first)};
  }
  /// Of an engine that was asked for nothing before.
  std::optional<AnchoredSignal> anew(const BarHistory& history) const { return series().newest(history); }
  void expect_newest(const std::optional<AnchoredSignal>& signal, std::size_t end) const {
    ASSERT_TRUE(signal);
    EXPECT_TRUE(same_bits(*signal, *anew(known(end)))) << end;
  }

  const engine::Interval kMinute{1, engine::Interval::Unit::minute};
  std::shared_ptr<const engine::Plan> plan_;
  engine::AnchorRule rule_;
  std::vector<Bar> bars_;
};

TEST_F(SignalEngineTest, StandsAtTheBarThatItTookLast) {
  SignalSeries live = series();
  const auto newest = live.newest(known(300));
  const auto held = live.held(bars_[299]);
  ASSERT_TRUE(newest && held);
  EXPECT_TRUE(same_bits(*held, *newest));
  EXPECT_FALSE(live.held(bars_[298]));
  live.catch_up(known(305));
  expect_newest(live.held(bars_[304]), 305);
}

TEST_F(SignalEngineTest, HoldsNoSignalWhileItWarmsUp) {
  SignalSeries young = series();
  const BarHistory few{std::span(bars_).first(5), kFirstSlot - 1000};  // of a listing that began with them
  EXPECT_FALSE(young.newest(few));
  EXPECT_FALSE(young.held(bars_[4]));
}

TEST_F(SignalEngineTest, ForgetsWhatItTookOfABarThatWasReplaced) {
  SignalSeries live = series();
  live.newest(known(300));
  bars_[290].close *= 1.02;
  live.forget();
  std::vector<std::byte> saved;
  EXPECT_FALSE(live.save(saved)) << "a snapshot would keep it";
  EXPECT_FALSE(live.held(bars_[299]));
  expect_newest(live.newest(known(300)), 300);
}

TEST_F(SignalEngineTest, ACorrectionOfABarThatItHasNotTakenTakesNoOtherBack) {
  SignalSeries live = series();
  live.newest(known(300));
  expect_newest(live.corrected(known(303)), 303);
}

TEST_F(SignalEngineTest, AReplayMayGoBack) {
  const SignalSeries live = series();
  SignalSeries::Replay replay(live);
  replay.at(known(kBars), 305);
  expect_newest(replay.at(known(kBars), 299), 300);
}

TEST_F(SignalEngineTest, WithoutTheBarsOfTheAnchorThereIsNoSignalHoweverItWasPrepared) {
  constexpr std::size_t kFirst = 140;
  SignalSeries live = series();
  int without = 0;
  for (std::size_t end = kFirst + 1; end <= kBars; ++end) {
    const BarHistory history = known(end, kFirst);
    const auto expected = anew(history);
    const auto signal = live.newest(history);
    ASSERT_EQ(signal.has_value(), expected.has_value()) << end;
    if (expected) {
      EXPECT_TRUE(same_bits(*signal, *expected)) << end;
    } else {
      EXPECT_EQ(live.replay_to_newest(history), nullptr) << end;
    }
    without += expected ? 0 : 1;
    live.prepare(history, nullptr);
  }
  EXPECT_GT(without, 60) << "more than a segment";
}

}  // namespace
}  // namespace atcd::daemon
