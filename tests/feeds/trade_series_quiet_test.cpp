// Slots in which nothing was traded: a quiet market's bars are flat, a halted one has none, and only REST
// knows which.
#include <gtest/gtest.h>

#include "tests/feeds/trade_series_rig.hpp"

namespace atcd::feeds {
namespace {

using namespace testing::trade_series;

/// Trade up to 12:00:50, then none for `halted_slots` whole minutes, in which the exchange has no bars.
struct HaltedMarket {
  explicit HaltedMarket(std::int64_t halted_slots)
      : resumed_at((halted_slots + 1) * kMinuteMs + 5'000), slots(halted_slots) {
    market.trades = {{10'000, 1, 10, 1},
                     {50'000, 2, 11, 1},
                     {resumed_at, 3, 12, 1},
                     {resumed_at + kMinuteMs, 4, 13, 1},
                     {resumed_at + 2 * kMinuteMs, 5, 14, 1}};
  }
  /// Drives the rig second by second; REST answers at once, without the bars of the halt.
  void run(Rig& rig) const {
    auto next = market.trades.begin();
    for (std::int64_t now = 1'000; now <= resumed_at + 2 * kMinuteMs + 2 * kSettlingMs; now += 1'000) {
      rig.now = now;
      for (; next != market.trades.end() && next->at <= now; ++next) rig.trade(*next);
      rig.second();
      if (!rig.asked) continue;
      const Rig::Asked request = *rig.asked;
      rig.asked.reset();
      HistoryResult result = rig.rows(request.from, request.to);
      std::erase_if(result.rows, [&](const Bar& row) {
        const std::int64_t slot = (row.open_time_ms - kStartMs) / kMinuteMs;
        return (slot >= 1 && slot <= slots) || (slot == slots + 1 && now < resumed_at);
      });
      rig.series.on_history(result, 1, rig.clock());
    }
  }
  Market market;
  std::int64_t resumed_at, slots;
};

TEST(QuietTradeSeries, NoBarIsInventedForAHalt) {
  for (const std::int64_t slots : {1, 2, 5, 30}) {
    const HaltedMarket halt(slots);
    Rig rig(halt.market);
    rig.now = 0;
    rig.go_live();
    halt.run(rig);
    EXPECT_GT(rig.bars.counters().empty, 0U) << "the numbers have no hole";
    ASSERT_EQ(rig.told.size(), 3U) << slots << " slots without trade";
    EXPECT_EQ(rig.told[0], halt.market.bar(0));
    EXPECT_EQ(rig.told[1], halt.market.bar(slots + 1));
    EXPECT_EQ(rig.told[2], halt.market.bar(slots + 2));
    EXPECT_EQ(rig.series.state(), SeriesState::live);
    EXPECT_TRUE(rig.corrections.empty());
  }
}

TEST(QuietTradeSeries, ABarWithoutATradeWaitsForRestAndTheSeriesStaysLive) {
  const Market market{{{1'000, 1, 10, 1},
                       {61'000, 2, 11, 1},
                       {62'000, 3, 11.5, 1},
                       {181'000, 4, 12, 1},
                       {241'000, 5, 13, 1}}};
  Rig rig(market);
  rig.now = 500;
  rig.go_live();
  for (const MadeTrade& made : market.trades) {
    rig.now = made.at;
    rig.trade(made);
    if (made.id == 2) {
      rig.time(61'000 + 2 * kSettlingMs);
      rig.answer();
    }
    if (made.id != 4) continue;
    rig.bars.on_timer(1, rig.clock().monotonic_ms + kSettlingMs);
    EXPECT_EQ(rig.told.size(), 2U) << "the flat one is not let through";
    EXPECT_TRUE(rig.series.has_pending());
    EXPECT_EQ(rig.series.state(), SeriesState::live);
    ASSERT_TRUE(rig.asked.has_value());
    rig.asked.reset();
    rig.series.on_history(rig.rows(2, 1), 1, rig.clock());  // REST lags
    EXPECT_EQ(rig.told.size(), 2U);
    rig.time(185'000);
    ASSERT_TRUE(rig.asked.has_value()) << "it is asked again";
    rig.answer();
    ASSERT_EQ(rig.told.size(), 3U);
    EXPECT_EQ(rig.told[2], market.bar(2)) << "the exchange has it";
    EXPECT_FALSE(rig.series.has_pending());
    EXPECT_EQ(rig.series.state(), SeriesState::live);
  }
  const std::size_t before = rig.requests;
  rig.time(241'000 + kSettlingMs);
  EXPECT_EQ(rig.told.size(), 4U);
  EXPECT_EQ(rig.requests, before) << "with a trade it needs no row";
}

/// A signal of it is live, and is pushed.
TEST(QuietTradeSeries, ABarThatRestTellsBeforeItsSuccessorBeginsIsTheNewest) {
  const Market market{{{1'000, 1, 10, 1}, {61'000, 2, 11, 1}, {62'000, 3, 11.5, 1}, {181'000, 4, 12, 1}}};
  Rig rig(market);
  rig.now = 500;
  rig.go_live();
  for (const MadeTrade& made : market.trades) {
    rig.now = made.at;
    rig.trade(made);
    if (made.id != 2) continue;
    rig.time(61'000 + 2 * kSettlingMs);
    rig.answer();
  }
  rig.bars.on_timer(1, rig.clock().monotonic_ms + kSettlingMs);
  ASSERT_TRUE(rig.series.has_pending()) << "nothing was traded in it";
  ASSERT_TRUE(rig.asked.has_value());
  rig.asked.reset();
  rig.now = 180'000 + kSettlingMs;
  HistoryResult only_it = rig.rows(2, 2);  // REST lags: no row that runs, which would prove it
  rig.series.on_history(only_it, 1, rig.clock());
  ASSERT_EQ(rig.told.size(), 3U);
  EXPECT_EQ(rig.told[2], market.bar(2));
  EXPECT_FALSE(rig.later[2]);
}

}  // namespace
}  // namespace atcd::feeds
