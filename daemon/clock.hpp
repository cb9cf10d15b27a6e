#pragma once

#include <chrono>
#include <cstdint>

#include "feeds/series.hpp"

namespace atcd::daemon {

/// UTC in microseconds, for what is written down; never decides anything.
inline std::int64_t utc_us() {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

inline std::int64_t utc_ms() { return utc_us() / 1000; }

/// Milliseconds that never jump, for timers.
inline std::int64_t monotonic_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

inline feeds::Now now() { return {monotonic_ms(), utc_ms()}; }

}  // namespace atcd::daemon
