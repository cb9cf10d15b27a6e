#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace atcd::feeds {

/// An exchange's clock as its answers tell it, and how far one answer is believed. Machines behind one
/// address need not agree, and a clock that is set jumps: what is later than the time told before, the time
/// that has passed here since, and a tolerance, is believed only when the next answer confirms it. With the
/// settling time as tolerance no single answer makes a bar final before its end. A jump back is believed at
/// once: it makes nothing final. Pure; one thread.
class ExchangeClock {
 public:
  explicit ExchangeClock(std::int64_t tolerance_ms) : tolerance_ms_(tolerance_ms) {}

  /// The time to go by; 0 where the answer told none.
  std::int64_t believe(std::int64_t told_ms, std::int64_t monotonic_ms) {
    if (told_ms == 0) return 0;
    const std::int64_t offset_ms = told_ms - monotonic_ms;
    const std::int64_t most_ms = last_offset_ms_.value_or(offset_ms) + tolerance_ms_;
    last_offset_ms_ = offset_ms;
    return monotonic_ms + std::min(offset_ms, most_ms);
  }

 private:
  std::int64_t tolerance_ms_;
  std::optional<std::int64_t> last_offset_ms_;  // of the exchange's clock from ours
};

}  // namespace atcd::feeds
