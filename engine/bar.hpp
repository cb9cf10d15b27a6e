#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace atcd::engine {

/// One closed or forming bar of one series, times in UTC milliseconds.
/// Ranges: close_time_ms > open_time_ms; close_time_ms is the next boundary, exclusive. Prices are finite and
/// positive with high >= open, close, low and low <= open, close; volume is finite and >= 0. Prices are the
/// nearest double of the exchange's text.
struct Bar {
  std::int64_t open_time_ms = 0;
  std::int64_t close_time_ms = 0;
  double open = 0;
  double high = 0;
  double low = 0;
  double close = 0;
  double volume = 0;

  bool operator==(const Bar&) const = default;
};

static_assert(std::is_trivially_copyable_v<Bar> && sizeof(Bar) == 56 && alignof(Bar) == 8);
static_assert(offsetof(Bar, close) == 40, "history files and kernels read the close by offset");

/// Whether the bar keeps the ranges stated above. Live bars that do not are refused at the parser.
inline bool is_valid(const Bar& bar) {
  return bar.close_time_ms > bar.open_time_ms && std::isfinite(bar.open) && std::isfinite(bar.high) &&
         std::isfinite(bar.low) && std::isfinite(bar.close) && std::isfinite(bar.volume) && bar.low > 0 &&
         bar.volume >= 0 && bar.low <= bar.open && bar.low <= bar.close && bar.high >= bar.open &&
         bar.high >= bar.close;
}

/// Whether open, high, low and close are the same. Volumes of bars that were built from trades or folded may
/// differ in their last bits from the exchange's.
inline bool same_prices(const Bar& a, const Bar& b) {
  return a.open == b.open && a.high == b.high && a.low == b.low && a.close == b.close;
}

}  // namespace atcd::engine
