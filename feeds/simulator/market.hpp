#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "feeds/simulator/source.hpp"

namespace atcd::feeds::simulator {

/// The logarithm of a price over its level, at any time since 1970: octaves of smoothed noise, each twice as
/// long as the one before, from 10 s to two months. Within a cell of one octave the sum of it and all longer
/// ones is one cubic; a path remembers those of the cells it is in, so that neighbouring times cost little.
/// Every time has the same bits however it was come to.
class LogPrice {
 public:
  explicit LogPrice(std::uint64_t key);
  /// `time_ms` at least 0.
  double at(std::int64_t time_ms);

 private:
  static constexpr std::size_t kOctaves = 20;
  struct Cubic {
    double c0 = 0, c1 = 0, c2 = 0, c3 = 0;
  };

  Cubic cubic_of(std::size_t octave, std::int64_t cell) const;

  std::array<std::uint64_t, kOctaves> keys_;
  std::array<double, kOctaves> amplitudes_;
  std::array<std::int64_t, kOctaves> cells_;
  std::array<Cubic, kOctaves> cubics_{};  // about the left end of the cell, over its length
};

struct MarketOptions {
  std::uint64_t seed = 1;
  double quiet_share = 0;            // of the minutes, 0 to 0.9: without a trade, as of an illiquid symbol
  bool opens_at_last_close = false;  // a bar opens at the last price before it, not at its first trade
};

/// A market whose whole history follows from a seed: what a symbol trades at is a pure function of the seed,
/// the symbol's name and the time, so that any bar of the past can be had without running the market up to
/// it. Trades lie on a grid: one each 10 s, and one each 250 ms for bars shorter than a minute, which are
/// therefore no parts of the longer ones. Longer bars are exactly what their minutes add up to. One thread.
class Market final : public Source {
 public:
  /// No two symbols of one name.
  Market(std::vector<MarketSymbol> symbols, const MarketOptions& options);
  Market(const Market&) = delete;
  Market& operator=(const Market&) = delete;

  const std::vector<MarketSymbol>& symbols() const override { return symbols_; }
  std::optional<std::size_t> find(std::string_view symbol) const override;
  bool trading(std::size_t symbol, std::int64_t now_ms) const override;
  std::vector<Kline> klines(const KlineQuery& query) const override;

  /// The bar that holds `time_ms` as known at `now_ms`. Empty where there is none: before the listing, or all
  /// of it in a halt.
  std::optional<Kline> kline(std::size_t symbol, const engine::Interval& interval, std::int64_t time_ms,
                             std::int64_t now_ms) const;

  /// What was traded at that very time, on the grid of bars of a minute and longer, which add up to it: all
  /// prices are one. Empty where nothing was.
  std::optional<Kline> trade(std::size_t symbol, std::int64_t time_ms) const;
  /// The first time after `time_ms` at which there may be a trade.
  static std::int64_t next_trade_ms(std::int64_t time_ms);

  /// From now on the bar that holds `time_ms` closes one tick above its high: the exchange corrects itself.
  /// The bar as it is now; empty where there is none.
  std::optional<Kline> correct(std::size_t symbol, const engine::Interval& interval, std::int64_t time_ms,
                               std::int64_t now_ms);

  /// No trade from now on, until resumed: bars without a trade do not exist.
  void halt(std::size_t symbol, std::int64_t now_ms);
  void resume(std::size_t symbol, std::int64_t now_ms);

 private:
  friend class RunningBar;
  struct Halt {
    std::int64_t from_ms, to_ms;  // exclusive
  };
  /// The next time from which there is trade, or the last one; empty where there is none any more.
  std::optional<std::int64_t> traded_from(std::size_t symbol, std::int64_t time_ms) const;
  std::optional<std::int64_t> traded_until(std::size_t symbol, std::int64_t time_ms) const;
  const Halt* halt_at(std::size_t symbol, std::int64_t time_ms) const;
  bool quiet(std::uint64_t key, std::int64_t minute) const;

  std::vector<MarketSymbol> symbols_;
  std::vector<std::uint64_t> keys_;
  std::vector<std::vector<Halt>> halts_;  // in order of time
  // How often which bar was corrected: by symbol, open and close time.
  std::map<std::tuple<std::size_t, std::int64_t, std::int64_t>, std::int64_t> corrections_;
  std::unordered_map<std::string_view, std::size_t> by_name_;
  std::uint64_t quiet_below_;  // of 2^32
  bool opens_at_last_close_;
};

/// The bar of one series that holds a time, taking in the trades up to now. Lives no longer than its market.
class RunningBar {
 public:
  RunningBar(const Market& market, std::size_t symbol, const engine::Interval& interval,
             std::int64_t time_ms);

  /// Leaves out what was traded before.
  void skip_to(std::int64_t time_ms);
  /// Takes in the trades up to and including `now_ms`, those of the bar at most.
  void extend(std::int64_t now_ms);
  /// Without a trade so far there is no bar.
  bool empty() const { return samples_ == 0; }
  Kline kline() const;
  std::int64_t open_ms() const { return open_ms_; }
  std::int64_t close_ms() const { return close_ms_; }

 private:
  void take(std::int64_t time_ms);
  std::int64_t traded_at(std::int64_t time_ms) const;
  std::int64_t ticks_at(std::int64_t traded_ms);
  void open_at_last_close();

  const Market* market_;
  std::size_t symbol_;
  LogPrice path_;
  std::int64_t open_ms_, close_ms_, grid_ms_, next_ms_;
  double level_ticks_ = 0;
  std::uint64_t most_lots_ = 0;  // of one trade
  std::int64_t samples_ = 0, trades_ = 0, lots_ = 0, taker_lots_ = 0;
  std::int64_t open_ticks_ = 0, high_ticks_ = 0, low_ticks_ = 0, close_ticks_ = 0;
  double quote_ = 0, taker_quote_ = 0;  // lots times ticks
};

}  // namespace atcd::feeds::simulator
