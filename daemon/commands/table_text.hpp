#pragma once

#include <unistd.h>
#include <array>
#include <cstdint>
#include <ctime>
#include <iostream>
#include <string>

namespace atcd::daemon {

/// How tables show a time and a trend.
inline std::string time_text(std::int64_t time_ms) {
  const std::time_t seconds = static_cast<std::time_t>(time_ms / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 32> buffer{};
  std::strftime(buffer.data(), buffer.size(), "%Y-%m-%d %H:%M:%S", &utc);
  return buffer.data();
}

inline std::string trend_text(std::int64_t trend) { return trend > 0 ? "up" : trend < 0 ? "down" : "flat"; }

/// Work that takes long says how far it is, on a terminal.
inline void print_progress(const std::string& text) {
  if (isatty(STDERR_FILENO) != 0) std::cerr << '\r' << text << "\x1b[K" << std::flush;
}
inline void end_progress() { print_progress(""); }

}  // namespace atcd::daemon
