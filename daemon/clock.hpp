#pragma once

#include <chrono>
#include <cstdint>

#include "feeds/clocks.hpp"

namespace atcd::daemon {

using feeds::monotonic_ms;
using feeds::utc_ms;

/// UTC in microseconds, for what is written down; never decides anything.
inline std::int64_t utc_us() {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace atcd::daemon
