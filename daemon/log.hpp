#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "daemon/config.hpp"

namespace atcd::daemon {

enum class Level : std::uint8_t { debug, info, warning, error };

/// One key and value of a line; numbers are written as they are, text is quoted where it needs to be.
struct LogField {
  LogField(std::string_view field_key, std::string_view text) : key(field_key), value(text), is_text(true) {}
  LogField(std::string_view field_key, const std::string& text)
      : LogField(field_key, std::string_view(text)) {}
  LogField(std::string_view field_key, const char* text) : LogField(field_key, std::string_view(text)) {}
  template <typename Number>
  requires std::is_arithmetic_v<Number> LogField(std::string_view field_key, Number number)
      : key(field_key), value(std::to_string(number)), is_text(false) {}

  std::string_view key;
  std::string value;
  bool is_text;
};

/// One line without its end, as the format wants it; control characters never break it.
std::string format_line(std::string_view format, std::int64_t utc_us, Level level, std::string_view event,
                        std::initializer_list<LogField> fields);

/// Begins logging to standard error. The queue to the writer is bounded; the oldest lines give way and are
/// counted.
void start_logging(const LogConfig& config);
/// From now on lines of this level and above are written. False where it is none of debug, info, warning and
/// error.
bool set_log_level(std::string_view level);
/// Writes what is queued.
void stop_logging();
/// Lines that wait for the writer.
std::size_t queued_log_lines();
inline constexpr std::size_t kMostQueuedLogLines = 8192;
/// Lines that gave way so far.
std::size_t lost_log_lines();
void log_event(Level level, std::string_view event, std::initializer_list<LogField> fields);

/// A warning or an error as it was logged.
struct LoggedProblem {
  std::int64_t at_us = 0;  // UTC
  Level level = Level::error;
  std::string event;
  std::string text;  // its fields, as logfmt
};
/// The newest kMostProblems warnings and as many errors, whatever level is logged, oldest first.
std::vector<LoggedProblem> logged_problems();
inline constexpr std::size_t kMostProblems = 10;

}  // namespace atcd::daemon
