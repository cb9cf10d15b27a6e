#pragma once

#include <chrono>
#include <cstdint>

namespace atcd::feeds {

/// Our clock, which may be set at any time. Any thread.
inline std::int64_t utc_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

/// On the clock of monotonic_ms.
inline std::int64_t in_ms(std::chrono::steady_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

/// Never jumps, for timers. Any thread.
inline std::int64_t monotonic_ms() { return in_ms(std::chrono::steady_clock::now()); }

}  // namespace atcd::feeds
