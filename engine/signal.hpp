#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace atcd::engine {

inline constexpr std::size_t kFamilies = 6;  // ema, hma, wma, dema, lsma, kama, in this order everywhere
inline constexpr std::size_t kLengthsPerFamily = 9;
inline constexpr std::size_t kAverages = kFamilies * kLengthsPerFamily;

/// What one bar of one series says. Undefined values are NaN.
struct Signal {
  std::array<double, kFamilies> layer1{};  // <family>_signal: -1..1, rounded to two decimals
  std::array<double, kFamilies> equity{};  // <family>_equity: the layer-2 equity, >= 0.25 after its first bar
  double average = 0;                      // the published average signal, -1..1
  std::int64_t bar_index = 0;              // counted from the anchor
  std::int64_t trend_since_ms = 0;         // close time of the bar at which the present trend began
  std::int8_t trend = 0;                   // -1, 0, +1
  std::int8_t previous_trend = 0;          // that of the bar before; 0 at bar 0
};

}  // namespace atcd::engine
