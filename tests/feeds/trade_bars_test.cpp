#include "feeds/trade_bars.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

namespace atcd::feeds {
namespace {

using engine::Bar;
using engine::Interval;

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kStartMs = 1'795'392'000'000;  // 2026-11-23, a minute's boundary
constexpr std::int64_t kSettlingMs = 3000;
const Interval kMinute(1, Interval::Unit::minute);

struct Built final : TradeBarsHandler {
  std::vector<Bar> closed;
  std::vector<std::pair<Bar, bool>> running;
  void on_built(const Kline& kline, bool whole, std::int64_t) override {
    EXPECT_EQ(kline.symbol, "BTCUSDT");
    EXPECT_EQ(kline.interval, "1m");
    if (kline.closed) {
      EXPECT_TRUE(whole);
      closed.push_back(kline.bar);
    } else {
      running.emplace_back(kline.bar, whole);
    }
  }
};

/// Trades of one symbol as they arrive: now is when, in ms since the start.
struct Trading {
  Built built;
  TradeBars bars{{"BTCUSDT", "1m"}, kMinute, {kSettlingMs, false}, built};
  std::int64_t now = 0;
  std::int64_t next_id = 1000;

  /// A trade made `at` ms after the start; numbered unless `id` is 0.
  void trade(std::int64_t at, double price, double quantity = 1, std::int64_t id = -1) {
    if (id < 0) id = next_id++;
    bars.on_trade({"BTCUSDT", price, quantity, kStartMs + at, id, id, 0}, 1, now);
  }
  void time(std::int64_t ms) {
    now = ms;
    bars.on_timer(1, now);
  }
  /// The trade arrives when it is made.
  void prompt(std::int64_t at, double price, double quantity = 1) {
    now = at;
    trade(at, price, quantity);
  }
};

Bar minute_bar(std::int64_t slot, double open, double high, double low, double close, double volume) {
  const std::int64_t open_ms = kStartMs + slot * kMinuteMs;
  return {open_ms, open_ms + kMinuteMs, open, high, low, close, volume};
}

TEST(TradeBars, ABarIsClosedWhenATradeOfALaterSlotHasSettled) {
  Trading t;
  t.prompt(59'000, 90);
  t.prompt(60'000, 100, 2);
  t.prompt(70'000, 130, 3);
  t.prompt(80'000, 80, 4);
  t.prompt(119'999, 110, 5);
  t.prompt(120'000, 111, 6);  // the slot that begins with it is the next one
  t.time(120'000 + kSettlingMs - 1);
  EXPECT_TRUE(t.built.closed.empty());
  t.time(120'000 + kSettlingMs);
  ASSERT_EQ(t.built.closed.size(), 1U);
  EXPECT_EQ(t.built.closed[0], minute_bar(1, 100, 130, 80, 110, 14));
  EXPECT_EQ(t.bars.counters().closed, 1U);
  EXPECT_EQ(t.bars.counters().unproven, 1U) << "the slot in which the trades began";
}

TEST(TradeBars, NoTimePassesWithoutATradeOfALaterSlot) {
  Trading t;
  t.prompt(1'000, 90);
  t.prompt(61'000, 100);
  t.time(100 * kMinuteMs);
  EXPECT_TRUE(t.built.closed.empty()) << "our clock closes nothing";
  t.now = 100 * kMinuteMs;
  t.trade(121'000, 105);
  t.trade(122'000, 106);
  EXPECT_TRUE(t.built.closed.empty()) << "it settles from when the later one came";
  t.now += kSettlingMs;
  t.trade(123'000, 107);
  EXPECT_EQ(t.built.closed.size(), 1U) << "a trade is as good as the timer";
}

TEST(TradeBars, ALateTradeIsTakenWhileItsSlotIsOpenAndCountedAfterThat) {
  Trading t;
  t.prompt(1'000, 90);
  t.prompt(60'500, 100);
  t.prompt(119'000, 101);
  t.next_id += 2;          // two are on another way
  t.prompt(120'100, 103);  // ends the slot
  t.now = 121'000;
  t.trade(119'500, 99, 1, 1003);
  t.trade(119'600, 102, 1, 1004);
  t.time(124'000);
  ASSERT_EQ(t.built.closed.size(), 1U);
  EXPECT_EQ(t.built.closed[0], minute_bar(1, 100, 102, 99, 102, 4));
  EXPECT_EQ(t.bars.counters().lost, 0U);
  t.trade(119'700, 500);
  EXPECT_EQ(t.bars.counters().late, 1U);
  EXPECT_EQ(t.built.closed.size(), 1U);
}

TEST(TradeBars, ASlotThatALateTradeBeginsEndsAsThoseBesideIt) {
  Trading t;
  for (const std::int64_t slot : {0, 1}) t.prompt(slot * kMinuteMs, 100);
  t.now = 3 * kMinuteMs;
  t.trade(3 * kMinuteMs, 100, 1, 1003);
  t.trade(2 * kMinuteMs, 100, 1, 1002);
  t.time(3 * kMinuteMs + kSettlingMs);
  EXPECT_EQ(t.built.closed.size(), 2U);
  t.trade(3 * kMinuteMs - 1, 100, 1, 1005);  // 1004 may be of slot 3 as well
  for (const std::int64_t slot : {4, 5}) t.trade(slot * kMinuteMs, 100, 1, 1002 + slot);
  t.time(5 * kMinuteMs + kSettlingMs);
  ASSERT_EQ(t.built.closed.size(), 3U);
  EXPECT_EQ(t.built.closed[2].open_time_ms, kStartMs + 4 * kMinuteMs);
}

TEST(TradeBars, TheOrderIsThatOfTheNumbersNotOfArrival) {
  Trading t;
  t.prompt(1'000, 90);
  t.now = 60'000;
  t.trade(60'400, 104, 1, 1004);
  t.trade(60'200, 102, 1, 1002);
  t.trade(60'100, 101, 1, 1001);
  t.trade(60'300, 103, 1, 1003);
  t.next_id = 1005;
  t.prompt(120'000, 105);
  t.time(130'000);
  ASSERT_EQ(t.built.closed.size(), 1U);
  EXPECT_EQ(t.built.closed[0], minute_bar(1, 101, 104, 101, 104, 4));
}

TEST(TradeBars, ATradeThatIsToldTwiceCountsOnce) {
  Trading t;
  t.prompt(1'000, 90);
  t.prompt(60'000, 100, 2);
  for (int i = 0; i < 3; ++i) t.trade(60'000, 100, 2, 1001);
  t.trade(1'000, 90, 1, 1000);
  t.prompt(120'000, 100);
  t.time(130'000);
  ASSERT_EQ(t.built.closed.size(), 1U);
  EXPECT_EQ(t.built.closed[0].volume, 2);
  EXPECT_EQ(t.bars.counters().duplicates, 4U);
}

TEST(TradeBars, SlotsWithoutATradeAreClosedFlatWhereTheNumbersHaveNoHole) {
  Trading t;
  t.prompt(1'000, 90);
  t.prompt(60'000, 100);
  t.prompt(4 * kMinuteMs + 1, 105);
  t.time(5 * kMinuteMs);
  ASSERT_EQ(t.built.closed.size(), 3U);
  EXPECT_EQ(t.built.closed[1], minute_bar(2, 100, 100, 100, 100, 0));
  EXPECT_EQ(t.built.closed[2], minute_bar(3, 100, 100, 100, 100, 0));
  EXPECT_EQ(t.bars.counters().empty, 2U);
}

TEST(TradeBars, WhereNumbersAreMissingNothingIsClosedFromTheTradeBeforeToTheTradeAfter) {
  Trading t;
  t.prompt(1'000, 90);
  t.prompt(60'000, 100);
  t.prompt(121'000, 101);
  t.next_id += 3;
  t.prompt(4 * kMinuteMs + 1, 105);
  EXPECT_FALSE(t.built.running.back().second) << "nor is the running one whole";
  t.prompt(5 * kMinuteMs + 1, 106);
  t.prompt(6 * kMinuteMs + 1, 107);
  t.time(7 * kMinuteMs);
  ASSERT_EQ(t.built.closed.size(), 2U);
  EXPECT_EQ(t.built.closed[0].open_time_ms, kStartMs + 1 * kMinuteMs) << "before";
  EXPECT_EQ(t.built.closed[1].open_time_ms, kStartMs + 5 * kMinuteMs) << "after";
  EXPECT_EQ(t.bars.counters().lost, 3U);
  EXPECT_EQ(t.bars.counters().unproven, 4U);
}

TEST(TradeBars, WithoutNumbersAnUninterruptedConnectionIsTheProof) {
  Trading t;
  const auto at = [&](std::int64_t ms, double price) {
    t.now = ms;
    t.trade(ms, price, 1, 0);
  };
  at(1'000, 90);
  at(60'000, 100);
  at(60'000, 101);  // at the same time: the later one is the last
  at(3 * kMinuteMs, 105);
  t.time(4 * kMinuteMs);
  ASSERT_EQ(t.built.closed.size(), 2U);
  EXPECT_EQ(t.built.closed[0], minute_bar(1, 100, 101, 100, 101, 2));
  EXPECT_EQ(t.built.closed[1], minute_bar(2, 101, 101, 101, 101, 0));
  t.bars.begin_anew();
  at(4 * kMinuteMs + 1, 106);
  at(5 * kMinuteMs, 107);
  at(6 * kMinuteMs, 108);
  t.time(7 * kMinuteMs);
  ASSERT_EQ(t.built.closed.size(), 3U) << "slots 3 and 4 had an interruption";
  EXPECT_EQ(t.built.closed[2].open_time_ms, kStartMs + 5 * kMinuteMs);
}

TEST(TradeBars, AnotherConnectionBeginsAnew) {
  Trading t;
  t.prompt(1'000, 90);
  t.prompt(60'000, 100);
  t.prompt(120'000, 101);
  t.bars.begin_anew();
  t.time(10 * kMinuteMs);
  EXPECT_TRUE(t.built.closed.empty()) << "REST is asked for all of it anyway";
  t.prompt(10 * kMinuteMs, 102);
  t.prompt(11 * kMinuteMs, 103);
  t.prompt(12 * kMinuteMs, 104);
  t.time(20 * kMinuteMs);
  ASSERT_EQ(t.built.closed.size(), 1U);
  EXPECT_EQ(t.built.closed[0].open_time_ms, kStartMs + 11 * kMinuteMs);
}

TEST(TradeBars, TheRunningBarIsToldAtItsBeginningAndThenNowAndThen) {
  Trading t;
  for (std::int64_t ms = 50'000; ms < 70'000; ++ms) t.prompt(ms, 100 + static_cast<double>(ms % 7));
  EXPECT_EQ(t.built.running.size(), 80U) << "four times a second";
  const auto first = std::find_if(t.built.running.begin(), t.built.running.end(), [](const auto& each) {
    return each.first.open_time_ms == kStartMs + kMinuteMs;
  });
  ASSERT_NE(first, t.built.running.end());
  EXPECT_EQ(first->first.volume, 1);
  EXPECT_TRUE(first->second);
  EXPECT_FALSE(t.built.running.front().second) << "it began before us";
}

TEST(TradeBars, MemoryIsBoundedWhateverComes) {
  Trading t;
  t.prompt(0, 100);
  for (std::int64_t i = 1; i < 50'000; ++i) {  // each in another slot, with a hole in the numbers before it
    t.trade(i * kMinuteMs, 100, 1, 1000 + 2 * i);
  }
  EXPECT_GE(t.bars.counters().unproven, 48'000U) << "slots that were given up";
  t.trade(kMinuteMs, 100, 1, 1001);
  EXPECT_EQ(t.bars.counters().duplicates, 1U) << "its hole was given up too";
  EXPECT_TRUE(t.built.closed.empty());
  t.trade(200'000'000'000, 100, 1, 1'000'000);  // 6 years on
  t.now += kSettlingMs;
  t.trade(200'000'060'000, 100, 1, 1'000'001);
  t.trade(200'000'120'000, 100, 1, 1'000'002);
  t.time(t.now + kSettlingMs);
  EXPECT_LE(t.built.closed.size(), 1U);
  EXPECT_GT(t.bars.counters().unproven, 3'000'000U);
}

TEST(TradeBars, WhateverTheOrderAndWhateverIsLostAClosedBarIsTheTruth) {
  std::mt19937 random(20261123);
  std::size_t closed_bars = 0, open_to_rest = 0, empty_bars = 0;
  for (int round = 0; round < 300; ++round) {
    // The truth: a minute's trades, some minutes without any.
    struct Made {
      std::int64_t at, id;
      double price, quantity;
    };
    std::vector<Made> made;
    std::map<std::int64_t, Bar> truth;
    std::int64_t at = static_cast<std::int64_t>(random() % 60'000);
    double price = 100;
    for (std::int64_t id = 1000; id < 1200; ++id) {
      at += static_cast<std::int64_t>(random() % (random() % 20 == 0 ? 300'000 : 15'000));
      price = 50 + static_cast<double>(random() % 100);
      made.push_back({at, id, price, static_cast<double>(1 + random() % 9)});
      const auto [bar, fresh] =
          truth.try_emplace(at / kMinuteMs, minute_bar(at / kMinuteMs, price, price, price, price, 0));
      bar->second.high = std::max(bar->second.high, price);
      bar->second.low = std::min(bar->second.low, price);
      bar->second.close = price;
      bar->second.volume += made.back().quantity;
    }
    // On their way some are late by up to what is allowed, some are told twice, and in two of three rounds
    // some are lost.
    struct Arrival {
      std::int64_t now;
      Made trade;
    };
    std::vector<Arrival> arrivals;
    std::set<std::int64_t> lost_slots;
    for (std::size_t i = 0; i < made.size(); ++i) {
      const Made& trade = made[i];
      if (round % 3 != 0 && random() % 20 == 0) {
        const std::int64_t from = (i == 0 ? trade : made[i - 1]).at / kMinuteMs;
        const std::int64_t to = (i + 1 == made.size() ? trade : made[i + 1]).at / kMinuteMs;
        for (std::int64_t slot = from; slot <= to; ++slot) lost_slots.insert(slot);
        continue;
      }
      const auto late = static_cast<std::int64_t>(random() % 4 == 0 ? random() % kSettlingMs : 0);
      arrivals.push_back({trade.at + late, trade});
      if (random() % 10 == 0)
        arrivals.push_back({trade.at + late + static_cast<std::int64_t>(random() % 9000), trade});
    }
    std::stable_sort(arrivals.begin(), arrivals.end(),
                     [](const Arrival& a, const Arrival& b) { return a.now < b.now; });
    Trading t;
    for (const Arrival& each : arrivals) {
      if (random() % 3 == 0) t.time(each.now);
      t.now = each.now;
      t.trade(each.trade.at, each.trade.price, each.trade.quantity, each.trade.id);
    }
    t.time(t.now + kSettlingMs);
    const std::int64_t first = arrivals.front().trade.at / kMinuteMs;
    std::set<std::int64_t> closed;
    for (const Bar& bar : t.built.closed) {
      const std::int64_t slot = (bar.open_time_ms - kStartMs) / kMinuteMs;
      EXPECT_TRUE(closed.insert(slot).second) << "once";
      EXPECT_GT(slot, first) << "the trades began in it";
      const auto expected = truth.find(slot);
      if (expected != truth.end()) {
        EXPECT_EQ(bar, expected->second) << "round " << round << " slot " << slot;
        ++closed_bars;
      } else {
        const double before = std::prev(truth.lower_bound(slot))->second.close;
        EXPECT_EQ(bar, minute_bar(slot, before, before, before, before, 0));
        ++empty_bars;
      }
      EXPECT_FALSE(lost_slots.contains(slot)) << "a trade is missing there";
    }
    if (round % 3 == 0) {
      const std::int64_t slots = made.back().at / kMinuteMs - first;
      EXPECT_EQ(static_cast<std::int64_t>(closed.size()), slots - 1)
          << "all but the first and the running one";
      EXPECT_EQ(t.bars.counters().lost, 0U);
    } else {
      open_to_rest += t.bars.counters().unproven - 1;
    }
  }
  EXPECT_GT(closed_bars, 2000U);
  EXPECT_GT(empty_bars, 500U);
  EXPECT_GT(open_to_rest, 2000U);
}

/// A row that tells several trades has the number of the last and a count, and is read as if they were in a
/// row. Where they are not (those of two sources between each other) some numbers are told twice and others
/// never, so that no bar with a row left out is closed.
TEST(TradeBars, NumbersThatARowOnlySeemsToHaveCloseNothingWrong) {
  std::mt19937 random(20261127);
  std::size_t closed = 0, unproven = 0;
  for (int round = 0; round < 300; ++round) {
    Trading t;
    std::map<std::int64_t, Bar> truth;
    std::int64_t id = 1000, at = 0;
    while (id < 1200) {
      at += static_cast<std::int64_t>(random() % 20'000);
      // One taker's trades at one price, each of one of two sources.
      const bool mixed = random() % 20 == 0;
      std::map<bool, std::pair<std::int64_t, std::int64_t>> rows;  // by source: last number, count
      for (std::size_t left = 1 + random() % 4; left > 0; --left) {
        auto& row = rows[mixed && random() % 2 == 0];
        row.first = id++;
        ++row.second;
      }
      const double price = 50 + static_cast<double>(random() % 100);
      const auto [bar, fresh] =
          truth.try_emplace(at / kMinuteMs, minute_bar(at / kMinuteMs, price, price, price, price, 0));
      bar->second.high = std::max(bar->second.high, price);
      bar->second.low = std::min(bar->second.low, price);
      bar->second.close = price;
      t.now = at;
      for (const auto& [source, row] : rows) {
        bar->second.volume += static_cast<double>(row.second);
        t.bars.on_trade({"BTCUSDT", price, static_cast<double>(row.second), kStartMs + at,
                         row.first - row.second + 1, row.first, 0},
                        1, t.now);
      }
    }
    t.time(t.now + kSettlingMs);
    for (const Bar& bar : t.built.closed) {
      const auto expected = truth.find((bar.open_time_ms - kStartMs) / kMinuteMs);
      if (expected != truth.end()) {
        EXPECT_EQ(bar, expected->second) << "round " << round;
      }
    }
    closed += t.built.closed.size();
    unproven += t.bars.counters().unproven - 1;
  }
  EXPECT_GT(closed, 2000U);
  EXPECT_GT(unproven, 100U);
}

}  // namespace
}  // namespace atcd::feeds
