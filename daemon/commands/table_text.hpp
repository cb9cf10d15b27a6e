#pragma once

#include <unistd.h>
#include <array>
#include <cstdint>
#include <ctime>
#include <iostream>
#include <string>
#include <string_view>

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

/// Texts of others, as symbols in an exchange's list, steer no terminal: control characters become '?', also
/// those beyond ASCII.
inline std::string without_controls(std::string_view text) {
  std::string shown;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : '\0');
    const bool two_bytes = byte == 0xc2 && next >= 0x80 && next < 0xa0;
    i += two_bytes ? 1 : 0;
    shown += two_bytes || byte < ' ' || byte == 0x7f ? '?' : static_cast<char>(byte);
  }
  return shown;
}

/// Work that takes long says how far it is, on a terminal.
inline void print_progress(const std::string& text) {
  if (isatty(STDERR_FILENO) != 0) std::cerr << '\r' << text << "\x1b[K" << std::flush;
}
inline void end_progress() { print_progress(""); }

}  // namespace atcd::daemon
