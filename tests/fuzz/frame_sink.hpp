#pragma once

#include <cmath>
#include <cstdlib>

#include "engine/interval.hpp"
#include "feeds/exchange.hpp"

namespace atcd::fuzz {

/// Counts what a parser tells, and aborts where it is none that may be told.
struct FrameSink final : feeds::FrameSink {
  std::size_t klines = 0, trades = 0;
  feeds::Kline last;
  feeds::Trade last_trade;
  void on_trade(const feeds::Trade& trade) override {
    ++trades;
    last_trade = trade;
    const bool valid = !trade.symbol.empty() && trade.price > 0 && trade.quantity > 0 &&
                       std::isfinite(trade.price) && std::isfinite(trade.quantity) && trade.time_ms >= 0 &&
                       trade.first_id >= 0 && trade.last_id >= trade.first_id;
    if (!valid) std::abort();
  }
  void on_kline(const feeds::Kline& kline) override {
    ++klines;
    last = kline;
    const auto interval = engine::Interval::parse(kline.interval);
    if (!interval || kline.symbol.empty() || !engine::is_valid(kline.bar) ||
        !interval->is_boundary(kline.bar.open_time_ms) ||
        interval->close_time_ms(kline.bar.open_time_ms) != kline.bar.close_time_ms)
      std::abort();
  }
};

}  // namespace atcd::fuzz
