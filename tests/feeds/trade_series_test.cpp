// A series whose bars are built from trades: what is proven is closed here, REST decides about the rest.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

#include "tests/feeds/trade_series_rig.hpp"

namespace atcd::feeds {
namespace {

using namespace testing::trade_series;
using engine::Bar;

TEST(TradeSeries, AProvenBarIsClosedWithoutRest) {
  const Market market{{{1'000, 1, 10, 1}, {61'000, 2, 11, 1}, {62'000, 3, 12, 1}, {121'000, 4, 13, 1}}};
  Rig rig(market);
  rig.now = 500;
  rig.go_live();
  for (const MadeTrade& made : market.trades) {
    rig.now = made.at;
    rig.trade(made);
    rig.second();
    if (made.id == 2) {  // the slot in which it all began is REST's
      rig.time(61'000 + 2 * kSettlingMs);
      ASSERT_TRUE(rig.asked.has_value()) << "a bar is overdue";
      rig.answer();
    }
  }
  const std::size_t before = rig.requests;
  rig.time(121'000 + kSettlingMs);
  EXPECT_EQ(rig.told, (std::vector<Bar>{market.bar(0), market.bar(1)}));
  EXPECT_EQ(rig.series.counters().closed_by_frame, 1U);
  EXPECT_EQ(rig.requests, before);
  EXPECT_EQ(rig.series.state(), SeriesState::live);
}

TEST(TradeSeries, AQuietMarketsBarsComeFromRestOncePerBar) {
  const Market market{{{1'000, 1, 10, 1}}};
  Rig rig(market);
  rig.now = 1'000;
  rig.go_live();
  rig.trade(market.trades[0]);
  const std::size_t before = rig.requests;
  for (std::int64_t ms = 2'000; ms < 6 * kMinuteMs; ms += 1'000) {
    rig.time(ms);
    if (rig.asked) rig.answer();
  }
  ASSERT_EQ(rig.told.size(), 5U);
  for (std::size_t slot = 0; slot < 5; ++slot)
    EXPECT_EQ(rig.told[slot], market.bar(static_cast<std::int64_t>(slot)));
  EXPECT_EQ(rig.requests - before, 5U);
  EXPECT_EQ(rig.series.state(), SeriesState::live);
}

TEST(TradeSeries, AClockThatIsAheadOnlyAsksOnce) {
  const Market market{{{1'000, 1, 10, 1}}};
  Rig rig(market);
  rig.now = 1'000;
  rig.go_live();
  rig.trade(market.trades[0]);
  rig.ahead = 10 * kMinuteMs;
  const std::size_t before = rig.requests;
  for (std::int64_t ms = 2'000; ms < 50'000; ms += 1'000) {
    rig.time(ms);
    if (rig.asked) rig.answer();
  }
  EXPECT_EQ(rig.requests - before, 1U);
  EXPECT_TRUE(rig.told.empty());
}

TEST(TradeSeries, ARowThatIsFinalOutranksABuiltBarThatWaitedBehindAHole) {
  const Market market{
      {{1'000, 1, 10, 1}, {61'000, 2, 11, 1}, {121'000, 3, 12, 1}, {181'000, 4, 13, 1}, {241'000, 5, 14, 1}}};
  Rig rig(market);
  rig.now = 500;
  rig.go_live();
  for (MadeTrade made : market.trades) {
    if (made.id == 2) continue;  // slots 0 to 2 have a hole
    if (made.id == 4) made.price = 500;
    rig.now = made.at;
    rig.trade(made);
  }
  rig.bars.on_timer(1, rig.clock().monotonic_ms + kSettlingMs);
  ASSERT_TRUE(rig.series.has_pending());
  rig.now += kSettlingMs;
  ASSERT_TRUE(rig.asked.has_value());
  rig.answer();
  ASSERT_EQ(rig.told.size(), 4U);
  EXPECT_EQ(rig.told[3], market.bar(3));
  EXPECT_TRUE(rig.corrections.empty()) << "it is told once";
}

/// A row without a later one, which may be from before the bar's last trades.
TEST(TradeSeries, ARowOfABarThatHasJustClosedLeavesTheBuiltOneThatWaits) {
  const Market market{
      {{1'000, 1, 10, 1}, {61'000, 2, 11, 1}, {121'000, 3, 12, 1}, {181'000, 4, 13, 1}, {241'000, 5, 14, 1}}};
  Rig rig(market);
  rig.now = 500;
  rig.go_live();
  for (const MadeTrade& made : market.trades) {
    if (made.id == 2) continue;  // slots 0 to 2 have a hole
    rig.now = made.at;
    rig.trade(made);
  }
  rig.bars.on_timer(1, rig.clock().monotonic_ms + kSettlingMs);
  ASSERT_TRUE(rig.series.has_pending());
  rig.now += kSettlingMs;
  ASSERT_TRUE(rig.asked.has_value());
  HistoryResult behind = rig.rows(rig.asked->from, 3);
  behind.rows.back().close = behind.rows.back().low = 5;
  rig.asked.reset();
  rig.series.on_history(behind, 1, rig.clock());
  ASSERT_EQ(rig.told.size(), 4U);
  EXPECT_EQ(rig.told[3], market.bar(3));
  EXPECT_EQ(rig.unproven, 1);
}

/// And where the row came first, what is built takes its place.
TEST(TradeSeries, ABuiltBarCorrectsARowThatProvedNothing) {
  const Market market{{{1'000, 1, 10, 1}, {61'000, 2, 11, 1}, {119'000, 3, 12, 1}, {121'000, 4, 13, 1}}};
  Rig rig(market);
  rig.now = 500;
  rig.go_live();
  for (const MadeTrade& made : market.trades) {
    rig.now = made.at;
    rig.trade(made);
    if (made.id == 2) rig.time(61'000 + 2 * kSettlingMs);
    if (rig.asked) rig.answer();
  }
  rig.now = 120'000 + kSettlingMs;
  rig.series.on_stream_down(rig.clock(), "another subscription");  // the builder goes on
  rig.series.on_stream_up(rig.clock());
  HistoryResult behind = rig.rows(0, 1);
  behind.rows[1].close = behind.rows[1].high = 11;
  ASSERT_TRUE(rig.asked.has_value());
  rig.asked.reset();
  rig.series.on_history(behind, 1, rig.clock());
  ASSERT_EQ(rig.told.size(), 2U);
  ASSERT_NE(rig.told[1], market.bar(1));
  rig.time(121'000 + kSettlingMs);
  ASSERT_EQ(rig.corrections.size(), 1U);
  EXPECT_EQ(rig.corrections[0].second, market.bar(1));
}

TEST(TradeSeries, WhatRestSaidStandsAgainstWhatIsBuiltLater) {
  Market market{{{1'000, 1, 10, 1}, {61'000, 2, 11, 1}, {121'000, 3, 12, 1}, {181'000, 4, 13, 1}}};
  Rig rig(market);
  rig.now = 500;
  rig.go_live();
  rig.now = 1'000;
  rig.trade(market.trades[0]);
  rig.now = 61'000;
  rig.trade(market.trades[1]);
  rig.time(135'000);  // nothing came yet of the third slot: REST is asked
  ASSERT_TRUE(rig.asked.has_value());
  rig.answer();
  ASSERT_EQ(rig.told.size(), 2U);
  MadeTrade other = market.trades[1];
  other.id = 3;
  other.price = 500;
  rig.trade(other);  // not one that the exchange's bars have
  rig.now = 181'000;
  rig.trade({181'000, 4, 13, 1});
  rig.time(181'000 + kSettlingMs);
  EXPECT_EQ(rig.told[1], market.bar(1));
  EXPECT_TRUE(rig.corrections.empty());
  EXPECT_EQ(rig.series.counters().built_otherwise, 1U);
}

/// It may be from before the last trades of a bar that has just closed.
TEST(TradeSeries, ARowWithoutALaterOneDoesNotCorrectABuiltBar) {
  const Market market{{{1'000, 1, 10, 1}, {61'000, 2, 11, 1}, {119'000, 3, 12, 1}, {121'000, 4, 13, 1}}};
  Rig rig(market);
  rig.now = 500;
  rig.go_live();
  for (const MadeTrade& made : market.trades) {
    rig.now = made.at;
    rig.trade(made);
    rig.second();
    if (made.id == 2) rig.time(61'000 + 2 * kSettlingMs);
    if (rig.asked) rig.answer();
  }
  rig.time(121'000 + kSettlingMs);
  ASSERT_EQ(rig.told.size(), 2U);
  ASSERT_EQ(rig.told[1], market.bar(1));
  HistoryResult before = rig.rows(1, 1);
  before.rows[0].close = before.rows[0].high = 11;
  rig.down();
  rig.up();
  ASSERT_TRUE(rig.asked.has_value());
  rig.asked.reset();
  rig.series.on_history(before, 1, rig.clock());
  EXPECT_TRUE(rig.corrections.empty());
  EXPECT_TRUE(rig.conflicts.empty());
  EXPECT_EQ(rig.unproven, 1) << "it is asked for once more";
  HistoryResult later = rig.rows(1, 2);
  later.rows[0].close = 11.5;
  rig.down();
  rig.up();
  ASSERT_TRUE(rig.asked.has_value());
  rig.asked.reset();
  rig.series.on_history(later, 1, rig.clock());
  EXPECT_EQ(rig.corrections.size(), 1U);
}

TEST(TradeSeries, AComparisonCorrectsTheNewestBarAndTellsOfOlderOnes) {
  const Market market{
      {{1'000, 1, 10, 1}, {61'000, 2, 11, 1}, {121'000, 3, 12, 1}, {181'000, 4, 13, 1}, {241'000, 5, 14, 1}}};
  Rig rig(market);
  rig.now = 500;
  rig.go_live();
  for (MadeTrade made : market.trades) {
    rig.now = made.at;
    if (made.id == 3 || made.id == 4) made.price += 1;  // we are told something else
    rig.trade(made);
    rig.second();
    if (made.id == 2) rig.time(61'000 + 2 * kSettlingMs);
    if (rig.asked) rig.answer();
  }
  rig.time(241'000 + kSettlingMs);
  ASSERT_EQ(rig.told.size(), 4U);
  EXPECT_NE(rig.told[3], market.bar(3));
  HistoryResult unsettled = rig.rows(3, 3);
  unsettled.server_time_ms = kStartMs + 4 * kMinuteMs + kSettlingMs - 1;
  rig.series.compare(unsettled, true, 1);
  EXPECT_TRUE(rig.corrections.empty()) << "a row that is not final proves nothing";
  rig.series.compare(rig.rows(0, 4), true, 1);
  ASSERT_EQ(rig.corrections.size(), 1U);
  EXPECT_EQ(rig.corrections[0].second, market.bar(3));
  ASSERT_EQ(rig.conflicts.size(), 1U);
  EXPECT_EQ(rig.conflicts[0].second, market.bar(2));
  EXPECT_EQ(rig.series.counters().compared, 4U) << "the running row is not one of them";
  EXPECT_EQ(rig.series.counters().corrections, 1U);
  EXPECT_EQ(rig.series.counters().conflicting, 1U);
}

TEST(TradeSeries, WhateverBecomesOfTradesAndConnectionsTheBarsAreTheTruthInTheEnd) {
  std::mt19937 random(20261127);
  std::uint64_t closed_here = 0, closed_by_rest = 0;
  for (int round = 0; round < 150; ++round) {
    Market market;
    std::int64_t at = 1000;
    for (std::int64_t id = 1; id <= 150; ++id) {
      market.trades.push_back(
          {at, id, 50 + static_cast<double>(random() % 100), 1 + static_cast<double>(random() % 9)});
      at += 1 + static_cast<std::int64_t>(random() % (random() % 15 == 0 ? 250'000 : 20'000));
    }
    // How each trade arrives: promptly, late (also too late), twice, never.
    std::multimap<std::int64_t, MadeTrade> arrivals;
    for (const MadeTrade& made : market.trades) {
      const auto fate = random() % 40;
      const auto late = static_cast<std::int64_t>(fate < 8    ? random() % 2'000
                                                  : fate < 10 ? random() % 30'000
                                                              : 0);
      if (fate == 39 && round % 2 != 0) continue;
      arrivals.emplace(made.at + late, made);
      if (fate > 30 && fate < 34)
        arrivals.emplace(made.at + late + static_cast<std::int64_t>(random() % 5'000), made);
    }
    Rig rig(market);
    rig.now = 0;
    rig.series.start(rig.clock());
    rig.up();
    std::int64_t answer_at = 0, up_at = 0;
    const std::int64_t end = at + 4 * kMinuteMs;
    auto next = arrivals.begin();
    for (std::int64_t now = 0; now < end; now += 250) {
      rig.now = now;
      if (up_at == 0 && random() % 3000 == 0) {
        rig.down();
        up_at = now + static_cast<std::int64_t>(random() % 100'000);
      } else if (up_at != 0 && now >= up_at) {
        up_at = 0;
        rig.up();
      }
      for (; next != arrivals.end() && next->first <= now; ++next) {
        if (up_at == 0) rig.trade(next->second);
      }
      if (now % 1000 == 0) rig.second();
      if (rig.asked && answer_at == 0) answer_at = now + static_cast<std::int64_t>(random() % 2'000);
      if (rig.asked && now >= answer_at) {
        answer_at = 0;
        rig.answer();
      }
    }
    if (up_at != 0) rig.up();
    while (rig.asked) rig.answer();
    rig.time(end);
    while (rig.asked) rig.answer();
    ASSERT_GE(static_cast<std::int64_t>(rig.told.size()), at / kMinuteMs) << "round " << round;
    for (std::size_t slot = 0; slot < rig.told.size(); ++slot)
      ASSERT_EQ(rig.told[slot], market.bar(static_cast<std::int64_t>(slot)))
          << "round " << round << " slot " << slot;
    EXPECT_TRUE(rig.corrections.empty()) << "nothing was closed that was not the truth";
    EXPECT_TRUE(rig.conflicts.empty());
    closed_here += rig.series.counters().closed_by_frame;
    closed_by_rest += rig.series.counters().closed_by_history;
  }
  EXPECT_GT(closed_here, 1500U);
  EXPECT_GT(closed_by_rest, 1500U);
}

}  // namespace
}  // namespace atcd::feeds
