// Bars from trades without numbers, as Bybit's: known by their identity, proven by one connection's order,
// opening at the close before.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "feeds/trade_bars.hpp"

namespace atcd::feeds {
namespace {

using engine::Bar;
using engine::Interval;

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kStartMs = 1'795'392'000'000;  // 2026-11-23, a minute's boundary
constexpr std::int64_t kSettlingMs = 3000;

struct Trading final : TradeBarsHandler {
  std::vector<Bar> closed;
  std::vector<std::pair<Bar, bool>> running;
  TradeBars bars{{"BTCUSDT", "1m"}, Interval(1, Interval::Unit::minute), {kSettlingMs, true}, *this};
  std::int64_t now = 0;
  std::uint64_t next_identity = 1;

  void on_built(const Kline& kline, bool whole, std::int64_t) override {
    if (kline.closed) return closed.push_back(kline.bar);
    running.emplace_back(kline.bar, whole);
  }
  Trade made(std::int64_t at, double price, double quantity = 1) {
    return {"BTCUSDT", price, quantity, kStartMs + at, 0, 0, kStartMs + at + 1, next_identity++, false};
  }
  void hear(const Trade& trade) { bars.on_trade(trade, 1, now); }
  /// A trade that is told when it is made.
  Trade prompt(std::int64_t at, double price, double quantity = 1) {
    now = at;
    const Trade trade = made(at, price, quantity);
    hear(trade);
    return trade;
  }
  void time(std::int64_t ms) {
    now = ms;
    bars.on_timer(1, now);
  }
};

Bar minute_bar(std::int64_t slot, double open, double high, double low, double close, double volume) {
  const std::int64_t open_ms = kStartMs + slot * kMinuteMs;
  return {open_ms, open_ms + kMinuteMs, open, high, low, close, volume};
}

TEST(UnnumberedTrades, ABarOpensAtTheCloseBefore) {
  Trading t;
  t.prompt(1'000, 90);
  t.prompt(60'000, 100, 2);
  t.prompt(70'000, 130, 3);
  t.prompt(120'000, 131);
  EXPECT_EQ(t.running.back().first, minute_bar(2, 130, 131, 130, 131, 1)) << "the running one too";
  EXPECT_TRUE(t.running.back().second);
  t.prompt(180'000, 129);
  t.prompt(6 * kMinuteMs, 135);
  t.time(7 * kMinuteMs);
  ASSERT_EQ(t.closed.size(), 5U);
  EXPECT_EQ(t.closed[0], minute_bar(1, 90, 130, 90, 130, 5)) << "which is its low";
  EXPECT_EQ(t.closed[1], minute_bar(2, 130, 131, 130, 131, 1));
  EXPECT_EQ(t.closed[2], minute_bar(3, 131, 131, 129, 129, 1)) << "and its high";
  EXPECT_EQ(t.closed[3], minute_bar(4, 129, 129, 129, 129, 0));
  EXPECT_EQ(t.closed[4], minute_bar(5, 129, 129, 129, 129, 0));
}

TEST(UnnumberedTrades, ALateTradeOfTheSlotBeforeMovesTheOpen) {
  Trading t;
  t.prompt(1'000, 90);
  t.prompt(60'000, 100);
  t.prompt(120'100, 101);
  t.now = 121'000;
  t.hear(t.made(119'900, 104));
  t.prompt(180'000, 102);
  t.time(200'000);
  ASSERT_EQ(t.closed.size(), 2U);
  EXPECT_EQ(t.closed[0], minute_bar(1, 90, 104, 90, 104, 2));
  EXPECT_EQ(t.closed[1], minute_bar(2, 104, 104, 101, 101, 1));
}

TEST(UnnumberedTrades, OneThatIsToldAgainCountsOnce) {
  Trading t;
  const Trade first = t.prompt(1'000, 90);
  std::vector<Trade> frame;
  for (int i = 0; i < 1000; ++i) frame.push_back(t.made(60'000, 100 + i % 3));
  t.now = 60'010;
  for (int told = 0; told < 3; ++told) {
    for (const Trade& each : frame) t.hear(each);
  }
  t.hear(first);
  t.prompt(120'000, 100);
  t.time(130'000);
  ASSERT_EQ(t.closed.size(), 1U);
  EXPECT_EQ(t.closed[0].volume, 1000);
  EXPECT_EQ(t.bars.counters().duplicates, 2001U);
}

TEST(UnnumberedTrades, TwoAlikeAreTwoWhereTheyHaveTheirOwnIdentity) {
  Trading t;
  t.prompt(1'000, 90);
  t.prompt(60'000, 100);
  t.prompt(60'000, 100);
  Trade nameless = t.made(60'000, 100);
  nameless.identity = 0;
  t.hear(nameless);
  t.hear(nameless);
  t.prompt(120'000, 100);
  t.time(130'000);
  ASSERT_EQ(t.closed.size(), 1U);
  EXPECT_EQ(t.closed[0].volume, 4) << "what has none can't be told from another";
}

TEST(UnnumberedTrades, AnInterruptionLeavesItsSlotAndTheNextOpenWithoutAPriceToRest) {
  Trading t;
  t.prompt(1'000, 90);
  t.prompt(60'000, 100);
  t.prompt(119'000, 101);
  t.bars.begin_anew();
  EXPECT_EQ(t.bars.counters().unproven, 2U);
  t.prompt(121'000, 102);
  EXPECT_FALSE(t.running.back().second);
  t.prompt(180'000, 103);
  t.prompt(240'000, 104);
  t.time(250'000);
  ASSERT_EQ(t.closed.size(), 1U) << "the slot of the first trade is not proven, but its last price is known";
  EXPECT_EQ(t.closed[0], minute_bar(3, 102, 103, 102, 103, 1));
}

TEST(UnnumberedTrades, OneToldLongAfterItWasMadeProvesNothingAboutWhatCameBetween) {
  Trading t;
  Trade old = t.made(1'000, 90);
  old.event_time_ms = kStartMs + 5 * kMinuteMs + 30'000;  // as a snapshot with a subscription would be
  t.now = 5 * kMinuteMs + 30'000;
  t.hear(old);
  t.prompt(5 * kMinuteMs + 40'000, 91);
  t.prompt(6 * kMinuteMs, 92);
  t.prompt(7 * kMinuteMs, 93);
  t.time(8 * kMinuteMs);
  ASSERT_EQ(t.closed.size(), 1U);
  EXPECT_EQ(t.closed[0], minute_bar(6, 91, 92, 91, 92, 1));
}

TEST(UnnumberedTrades, WhatWasAgreedOnOutsideOfTheBookLeavesItsBarToRest) {
  Trading t;
  t.prompt(1'000, 90);
  t.prompt(60'000, 100);
  Trade block = t.made(61'000, 150, 1000);
  block.off_book = true;
  t.hear(block);
  t.hear(block);
  t.prompt(120'000, 101);
  EXPECT_FALSE(t.running.back().second) << "whether the bar before closed at it is not known";
  t.prompt(180'000, 102);
  EXPECT_TRUE(t.running.back().second);
  t.prompt(240'000, 103);
  t.time(250'000);
  ASSERT_EQ(t.closed.size(), 1U);
  EXPECT_EQ(t.closed[0], minute_bar(3, 101, 102, 101, 102, 1));
  EXPECT_EQ(t.bars.counters().off_book, 1U);
  EXPECT_EQ(t.bars.counters().duplicates, 1U);
}

TEST(UnnumberedTrades, WhateverIsToldTwiceLateOrAfterAnInterruptionAClosedBarIsTheTruth) {
  std::mt19937 random(20261127);
  std::size_t closed = 0;
  for (int round = 0; round < 200; ++round) {
    Trading t;
    std::vector<Trade> made;
    std::vector<Bar> truth;  // of every slot, flat where nothing was traded
    std::int64_t at = static_cast<std::int64_t>(random() % 60'000);
    double price = 77;
    for (int i = 0; i < 200; ++i) {
      at += static_cast<std::int64_t>(random() % (random() % 20 == 0 ? 200'000 : 15'000));
      while (static_cast<std::int64_t>(truth.size()) <= at / kMinuteMs)
        truth.push_back(minute_bar(static_cast<std::int64_t>(truth.size()), price, price, price, price, 0));
      price = 50 + static_cast<double>(random() % 100);
      Bar& bar = truth.back();
      bar.high = std::max(bar.high, price);
      bar.low = std::min(bar.low, price);
      bar.close = price;
      made.push_back(t.made(at, price, static_cast<double>(1 + random() % 9)));
      bar.volume += made.back().quantity;
    }
    bool lost = false;
    for (std::size_t i = 0; i < made.size(); ++i) {
      if (round % 2 != 0 && random() % 25 == 0) lost = true;
      if (round % 2 != 0 && lost && random() % 3 != 0) continue;  // while nobody listens
      if (std::exchange(lost, false)) t.bars.begin_anew();
      t.now = made[i].time_ms - kStartMs;
      t.hear(made[i]);
      if (random() % 10 == 0) t.hear(made[random() % (i + 1)]);
      if (random() % 3 == 0) t.time(t.now + static_cast<std::int64_t>(random() % 500));
    }
    t.time(t.now + kSettlingMs);
    for (const Bar& bar : t.closed)
      EXPECT_EQ(bar, truth.at(static_cast<std::size_t>((bar.open_time_ms - kStartMs) / kMinuteMs)))
          << "round " << round;
    closed += t.closed.size();
  }
  EXPECT_GT(closed, 3000U);
}

}  // namespace
}  // namespace atcd::feeds
