#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/bar.hpp"
#include "engine/interval.hpp"

namespace atcd::daemon {

/// Reads closed bars from CSV: a header row with open_ms (or open_time_ms), open, high, low, close and volume
/// in any order, other columns ignored; then a bar a row, in order of time. Prices are the nearest double of
/// their text. A bar that ends after `now_ms` has not closed: it is refused. Throws std::runtime_error with a
/// sentence that names the line; the next line can be read then.
class BarCsvReader {
 public:
  BarCsvReader(std::string_view text, const engine::Interval& interval, std::int64_t now_ms);

  /// Empty at the end.
  std::optional<engine::Bar> next();
  /// The line that was read last, from 1.
  std::size_t line() const { return line_; }

 private:
  static constexpr std::array<std::string_view, 6> kColumns = {"open_ms", "open",  "high",
                                                               "low",     "close", "volume"};

  [[noreturn]] void refuse(const std::string& why) const;
  template <class Number>
  void read(std::string_view text, Number& value, std::size_t column) const;

  std::string_view rest_;
  engine::Interval interval_;
  std::int64_t now_ms_;
  int columns_ = 0;
  std::array<int, kColumns.size()> at_ = {-1, -1, -1, -1, -1, -1};
  std::size_t line_ = 1;
  std::int64_t end_ms_ = 0;
};

/// The header row of what append_csv_row writes; BarCsvReader reads it.
inline constexpr std::string_view kBarCsvHeader = "open_ms,close_ms,open,high,low,close,volume\n";
/// Numbers in shortest round-trip form.
void append_csv_row(std::string& text, const engine::Bar& bar);

}  // namespace atcd::daemon
