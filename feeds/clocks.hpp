#pragma once

#include <chrono>
#include <cstdint>

namespace atcd::feeds {

/// Our clock, which may be set at any time. Any thread.
inline std::int64_t utc_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

/// Never jumps, for timers. Any thread.
inline std::int64_t monotonic_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

}  // namespace atcd::feeds
