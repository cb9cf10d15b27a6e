#pragma once

#include <chrono>
#include <cstdlib>

namespace atcd::tests {

/// How long a condition is waited for: a minute, or ATCD_TEST_DEADLINE_S, since sanitizers slow everything
/// down. No statement about speed.
inline std::chrono::seconds deadline() {
  const char* seconds = std::getenv("ATCD_TEST_DEADLINE_S");
  return std::chrono::seconds(seconds == nullptr ? 60 : std::atoi(seconds));
}

}  // namespace atcd::tests
