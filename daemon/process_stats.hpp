#pragma once

#include <cstdint>

namespace atcd::daemon {

/// This process as the kernel counts it. What /proc does not tell is 0.
struct ProcessStats {
  double cpu_s = 0;  // user and system
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t open_files = 0;
  std::uint64_t most_files = 0;  // the limit on open files
  std::uint64_t threads = 0;
};

ProcessStats process_stats();

}  // namespace atcd::daemon
