#pragma once

#include <cstdint>
#include <string_view>

#include "engine/interval.hpp"
#include "feeds/exchange.hpp"

namespace atcd::feeds {

/// An interval as Binance writes it.
struct BinanceInterval {
  std::string_view text;
  engine::Interval interval;
  std::int64_t length_ms;  // 0: months
  std::int64_t first_ms;   // any boundary
};

/// What must hold of a kline, however its frame was read. One per parser: it remembers the last interval.
class BinanceKlineCheck {
 public:
  BinanceKlineCheck();
  /// Null, or why the kline is refused. `last_ms`: its "T". Fills in close_time_ms and makes `interval` a
  /// view of a static text.
  const char* refusal(Kline& kline, std::int64_t last_ms);

 private:
  const BinanceInterval* last_interval_;
};

}  // namespace atcd::feeds
