#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "feeds/series.hpp"
#include "feeds/trade_bars.hpp"

/// A series whose bars are built from trades, and an exchange that makes them, for the tests of both.
namespace atcd::feeds::testing::trade_series {

using engine::Bar;
using engine::Interval;

inline constexpr std::int64_t kMinuteMs = 60'000;
inline constexpr std::int64_t kStartMs = 1'795'392'000'000;  // 2026-11-23
inline constexpr std::int64_t kSettlingMs = 3000;
inline const Interval kMinute(1, Interval::Unit::minute);

inline SeriesRules rules() {
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
  std::vector<bool> later;  // of each: later ones were known to have closed
  std::vector<std::pair<Bar, Bar>> corrections, conflicts;
  int unproven = 0;
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
  void on_bar(const Bar& bar, std::int64_t) override {
    told.push_back(bar);
    later.push_back(series.later_closed());
  }
  void on_correction(const Bar& before, const Bar& after, std::int64_t) override {
    corrections.emplace_back(before, after);
    told.back() = after;
  }
  void on_conflict(const Bar& used, const Bar& other) override { conflicts.emplace_back(used, other); }
  void on_unproven() override { ++unproven; }
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

}  // namespace atcd::feeds::testing::trade_series
