// A series whose bars are built from trades: what is proven is closed here, REST decides about the rest.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "feeds/series.hpp"
#include "feeds/trade_bars.hpp"

namespace atcd::feeds {
namespace {

using engine::Bar;
using engine::Interval;

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kStartMs = 1'795'392'000'000;  // 2026-11-23
constexpr std::int64_t kSettlingMs = 3000;
const Interval kMinute(1, Interval::Unit::minute);

SeriesRules rules() {
  SeriesRules rules{kMinute, kSettlingMs, 100, 3000 + kSettlingMs, 600'000};
  rules.built_here = true;
  rules.ask_after_ms = 10'000 + kSettlingMs;
  return rules;
}

struct MadeTrade {
  std::int64_t at, id;
  double price, quantity;
};

/// An exchange that makes trades and tells its bars over REST, flat where nothing was traded.
struct Market {
  std::vector<MadeTrade> trades;

  Bar bar(std::int64_t slot, std::int64_t now = INT64_MAX) const {
    Bar bar{kStartMs + slot * kMinuteMs, kStartMs + (slot + 1) * kMinuteMs, 0, 0, 0, 0, 0};
    double before = 77;
    for (const MadeTrade& trade : trades) {
      if (trade.at / kMinuteMs > slot || trade.at > now) break;
      if (trade.at / kMinuteMs < slot) {
        before = trade.price;
        continue;
      }
      if (bar.open == 0) bar.open = bar.high = bar.low = trade.price;
      bar.high = std::max(bar.high, trade.price);
      bar.low = std::min(bar.low, trade.price);
      bar.close = trade.price;
      bar.volume += trade.quantity;
    }
    if (bar.open == 0) bar.open = bar.high = bar.low = bar.close = before;
    return bar;
  }
};

struct Rig final : SeriesHandler, TradeBarsHandler {
  explicit Rig(const Market& of) : market(of) {}

  const Market& market;
  std::int64_t now = 0;
  std::vector<Bar> told;
  std::vector<std::pair<Bar, Bar>> corrections, conflicts;
  Series series{rules(), kStartMs, *this};
  TradeBars bars{{"BTCUSDT", "1m"}, kMinute, {kSettlingMs, false}, *this};
  struct Asked {
    std::int64_t from, to;
  };
  std::optional<Asked> asked;
  std::size_t requests = 0;

  std::int64_t ahead = 0;  // our clock, of the exchange's

  Now clock() const { return {now + 1'000'000, kStartMs + now + ahead}; }

  void on_built(const Kline& kline, bool, std::int64_t) override { series.on_kline(kline, 1, clock()); }
  void on_bar(const Bar& bar, std::int64_t) override { told.push_back(bar); }
  void on_correction(const Bar& before, const Bar& after, std::int64_t) override {
    corrections.emplace_back(before, after);
    told.back() = after;
  }
  void on_conflict(const Bar& used, const Bar& other) override { conflicts.emplace_back(used, other); }
  void on_state(SeriesState, std::string_view) override {}
  void on_earlier(std::span<const Bar>, std::int64_t) override {}
  void on_covered() override {}
  void fetch(std::int64_t from_ms, std::int64_t to_ms, int) override {
    EXPECT_FALSE(asked.has_value()) << "one at a time";
    ++requests;
    asked = Asked{(from_ms - kStartMs) / kMinuteMs, (to_ms - kStartMs) / kMinuteMs};
  }
  void resubscribe() override {}
  void ask_listing() override {}

  HistoryResult rows(std::int64_t from, std::int64_t to) const {
    HistoryResult result;
    result.server_time_ms = kStartMs + now;
    for (std::int64_t slot = from; slot <= std::min(to, now / kMinuteMs); ++slot)
      result.rows.push_back(market.bar(slot, now));
    return result;
  }
  void answer() {
    const Asked request = *asked;
    asked.reset();
    series.on_history(rows(request.from, request.to), 1, clock());
  }
  void trade(const MadeTrade& made) {
    bars.on_trade({"BTCUSDT", made.price, made.quantity, kStartMs + made.at, made.id, made.id, 0}, 1,
                  clock().monotonic_ms);
  }
  void up() {
    bars.begin_anew();
    series.on_stream_up(clock());
  }
  void down() {
    bars.begin_anew();
    series.on_stream_down(clock(), "cut");
  }
  void second() {
    bars.on_timer(1, clock().monotonic_ms);
    series.on_timer(clock());
  }
  void time(std::int64_t ms) {
    now = ms;
    second();
  }
  /// Begins at once, with the first slot running.
  void go_live() {
    series.start(clock());
    up();
    while (asked) answer();
    ASSERT_EQ(series.state(), SeriesState::live);
  }
};

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
  rig.series.compare(unsettled, 1);
  EXPECT_TRUE(rig.corrections.empty()) << "a row that is not final proves nothing";
  rig.series.compare(rig.rows(0, 4), 1);
  ASSERT_EQ(rig.corrections.size(), 1U);
  EXPECT_EQ(rig.corrections[0].second, market.bar(3));
  ASSERT_EQ(rig.conflicts.size(), 1U);
  EXPECT_EQ(rig.conflicts[0].second, market.bar(2));
  EXPECT_EQ(rig.series.counters().compared, 4U) << "the running row is not one of them";
  EXPECT_EQ(rig.series.counters().corrections, 1U);
  EXPECT_EQ(rig.series.counters().conflicting, 1U);
}

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

TEST(TradeSeries, NoBarIsInventedForAHalt) {
  for (const std::int64_t slots : {2, 5, 30}) {
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

TEST(TradeSeries, ABarWithoutATradeWaitsForRestWhileItIsNotKnownWhatWasMissed) {
  const Market market{{{1'000, 1, 10, 1}, {61'000, 2, 11, 1}, {181'000, 3, 12, 1}, {241'000, 4, 13, 1}}};
  Rig rig(market);
  rig.now = 500;
  rig.go_live();
  for (const MadeTrade& made : market.trades) {
    rig.now = made.at;
    rig.trade(made);
    rig.second();
    if (made.id == 2) {
      rig.time(61'000 + 2 * kSettlingMs);
      rig.answer();
    }
    if (made.id == 3) rig.series.on_stream_up(rig.clock());  // the list woke it, say
  }
  rig.time(241'000 + kSettlingMs);
  ASSERT_EQ(rig.told.size(), 2U) << "the flat one is not let through";
  EXPECT_TRUE(rig.series.has_pending());
  while (rig.asked) rig.answer();
  EXPECT_EQ(rig.told.size(), 4U);
  EXPECT_EQ(rig.told[2], market.bar(2)) << "the exchange has it";
  EXPECT_EQ(rig.series.state(), SeriesState::live);
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
