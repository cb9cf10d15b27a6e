#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "feeds/exchange.hpp"

namespace atcd::daemon {

/// By how many milliseconds each exchange's clock is ahead of ours, as one thread measures it, by the row of
/// the exchange table. That thread writes, any reads.
class ClockOffsets {
 public:
  ClockOffsets() : offsets_ms_(feeds::exchange_count()) {
    for (auto& each : offsets_ms_) each = kUnknown;
  }

  void set(std::size_t exchange, std::optional<std::int64_t> offset_ms) {
    offsets_ms_[exchange] = offset_ms.value_or(kUnknown);
  }
  /// Empty: not known.
  std::optional<std::int64_t> of(std::size_t exchange) const {
    const std::int64_t offset_ms = offsets_ms_[exchange];
    return offset_ms == kUnknown ? std::nullopt : std::optional(offset_ms);
  }

 private:
  static constexpr std::int64_t kUnknown = std::numeric_limits<std::int64_t>::min();
  std::vector<std::atomic<std::int64_t>> offsets_ms_;
};

/// Of two measurements of one clock the better: what is on its way longer makes a clock look further behind.
/// Empty is below all others.
inline std::optional<std::int64_t> better_offset(std::optional<std::int64_t> a,
                                                 std::optional<std::int64_t> b) {
  return std::max(a, b);
}

}  // namespace atcd::daemon
