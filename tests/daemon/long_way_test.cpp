// Where bar 0 lies years back: the way from there is gone in pieces, to the same bits.
#include <gtest/gtest.h>

#include <random>

#include "daemon/signal_series.hpp"
#include "engine/plan.hpp"

namespace atcd::daemon {
namespace {

using engine::Bar;
using engine::Interval;

const Interval kMinute(1, Interval::Unit::minute);
constexpr std::int64_t kFirstSlot = 28'000'000;
constexpr std::size_t kBars = 3 * SignalSeries::kLongWay;

std::vector<Bar> some_bars() {
  std::mt19937 random(11);
  std::vector<Bar> bars;
  double price = 100;
  for (std::int64_t slot = kFirstSlot; bars.size() < kBars; ++slot) {
    price *= 1 + (static_cast<double>(random() % 2001) - 1000) * 1e-5;
    if (random() % 100 < 5) continue;
    const std::int64_t open_ms = kMinute.open_time_ms(slot);
    bars.push_back({open_ms, open_ms + 60'000, price, price, price, price, 1});
  }
  return bars;
}

class LongWayTest : public testing::Test {
 protected:
  LongWayTest() { rule_.fixed_anchor_ms = kMinute.open_time_ms(kFirstSlot); }

  BarHistory first(std::size_t count) const { return {std::span(bars_).first(count), kFirstSlot}; }
  std::unique_ptr<SignalSeries> series() const {
    return std::make_unique<SignalSeries>(plan_, rule_, kMinute, "binance:spot:BTCUSDT:1m:default");
  }
  AnchoredSignal by_definition(std::size_t index) const {
    const auto fresh = series();
    return *SignalSeries::Replay(*fresh).at(first(kBars), index);
  }
  /// How often it was asked in vain.
  static std::size_t pieces(SignalSeries& series, const BarHistory& history, std::size_t index,
                            std::optional<AnchoredSignal>& signal) {
    for (std::size_t asked = 0;; ++asked) {
      auto walk = series.walk_to(history, index);
      if (!walk) continue;
      signal = walk->at(history, index);
      return asked;
    }
  }

  std::vector<Bar> bars_ = some_bars();
  std::shared_ptr<const engine::Plan> plan_ = std::make_shared<const engine::Plan>(engine::Parameters());
  engine::AnchorRule rule_;
};

TEST_F(LongWayTest, IsGoneInPiecesAndWhatWasGoneIsKept) {
  const auto series = this->series();
  std::optional<AnchoredSignal> signal;
  EXPECT_EQ(pieces(*series, first(kBars), SignalSeries::kLongWay, signal), 0U) << "that near at once";
  EXPECT_TRUE(same_bits(*signal, by_definition(SignalSeries::kLongWay)));
  const std::size_t far = kBars - 500;
  EXPECT_GT(pieces(*series, first(kBars), far, signal), 5U);
  EXPECT_TRUE(same_bits(*signal, by_definition(far)));
  for (const std::size_t index : {far, far + 1, far + 400}) {
    EXPECT_EQ(pieces(*series, first(kBars), index, signal), 0U) << index;
    EXPECT_TRUE(same_bits(*signal, by_definition(index))) << index;
  }
  EXPECT_GT(pieces(*series, first(kBars), far - 2000, signal), 2U) << "back";
  EXPECT_TRUE(same_bits(*signal, by_definition(far - 2000)));
}

TEST_F(LongWayTest, ABarThatClosesIsNoReasonToGoItAtOnceAndTheEngineTakesOverWhereTheWalkEnds) {
  const auto series = this->series();
  EXPECT_FALSE(series->long_way(first(SignalSeries::kLongWay + 1)));
  const std::size_t count = kBars - 1;
  EXPECT_TRUE(series->long_way(first(count)));
  EXPECT_FALSE(series->corrected(first(count)));
  std::optional<AnchoredSignal> signal;
  pieces(*series, first(count), count - 1, signal);
  auto walk = series->walk_to(first(count), count - 1);
  ASSERT_TRUE(walk);
  walk->at(first(count), count - 1);
  ASSERT_TRUE(series->take_over(*walk, first(count)));
  EXPECT_TRUE(same_bits(*series->held(bars_[count - 1]), by_definition(count - 1)));
  EXPECT_FALSE(series->long_way(first(kBars)));
  EXPECT_TRUE(same_bits(*series->newest(first(kBars)), by_definition(kBars - 1)));
  EXPECT_TRUE(same_bits(*series->corrected(first(kBars)), by_definition(kBars - 1)));
}

TEST_F(LongWayTest, WhatWasGoneIsForgottenWithABarThatWasAnother) {
  const auto series = this->series();
  std::optional<AnchoredSignal> signal;
  const std::size_t index = kBars - 1023;  // one after what is gone in pieces
  pieces(*series, first(kBars), index, signal);
  const AnchoredSignal before = *signal;
  bars_[index - 3].close *= 1.2;
  bars_[index - 3].high = bars_[index - 3].close;
  series->forget();
  pieces(*series, first(kBars), index, signal);
  EXPECT_TRUE(same_bits(*signal, by_definition(index)));
  EXPECT_FALSE(same_bits(*signal, before));
}

}  // namespace
}  // namespace atcd::daemon
