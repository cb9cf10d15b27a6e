#include "daemon/bar_csv.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace atcd::daemon {
namespace {

using engine::Bar;

constexpr std::size_t kShown = 80;

/// Cuts off what lies before `until`, and that itself.
std::string_view take(std::string_view& text, char until) {
  const std::size_t end = std::min(text.find(until), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part.ends_with('\r') ? part.substr(0, part.size() - 1) : part;
}

template <class Value>
void append(std::string& text, Value value, char after) {
  std::array<char, 32> digits;
  text.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
  text += after;
}

}  // namespace

BarCsvReader::BarCsvReader(std::string_view text, const engine::Interval& interval, std::int64_t now_ms)
    : rest_(text), interval_(interval), now_ms_(now_ms) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (rest_.starts_with(kByteOrderMark)) rest_.remove_prefix(kByteOrderMark.size());
  for (std::string_view header = take(rest_, '\n'); !header.empty(); ++columns_) {
    const std::string_view name = take(header, ',');
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      if (name != kColumns[i] && (i != 0 || name != "open_time_ms")) continue;
      if (at_[i] >= 0) refuse("there are two columns " + std::string(kColumns[i]));
      at_[i] = columns_;
    }
  }
  for (std::size_t i = 0; i < kColumns.size(); ++i) {
    if (at_[i] < 0) refuse("there is no column " + std::string(kColumns[i]));
  }
}

std::optional<Bar> BarCsvReader::next() {
  std::string_view row;
  while (row.empty()) {  // an empty line is none
    if (rest_.empty()) return std::nullopt;
    ++line_;
    row = take(rest_, '\n');
  }
  const std::string shown(row.substr(0, kShown));
  std::array<std::string_view, kColumns.size()> fields;
  int column = 0;
  for (; !row.empty(); ++column) {
    const std::string_view field = take(row, ',');
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      if (at_[i] == column) fields[i] = field;
    }
  }
  Bar bar;
  read(fields[0], bar.open_time_ms, 0);
  double* const values[] = {&bar.open, &bar.high, &bar.low, &bar.close, &bar.volume};
  for (std::size_t i = 1; i < kColumns.size(); ++i) read(fields[i], *values[i - 1], i);
  if (column > columns_) {  // as where decimals have a comma
    refuse("there are " + std::to_string(column) + " fields, but the header has " + std::to_string(columns_));
  }
  if (!interval_.is_boundary(bar.open_time_ms)) {
    refuse("open_ms " + std::to_string(bar.open_time_ms) + " is no boundary of " + interval_.text());
  }
  bar.close_time_ms = interval_.close_time_ms(bar.open_time_ms);
  if (bar.close_time_ms > now_ms_) {
    refuse("the bar of open_ms " + std::to_string(bar.open_time_ms) +
           " ends in the future: it has not closed, or the times are no milliseconds");
  }
  if (!is_valid(bar)) {
    refuse("\"" + shown + "\" is no bar: prices above 0, low <= open, close <= high, volume >= 0");
  }
  if (bar.open_time_ms < end_ms_) refuse("the bar does not come after the one before it");
  end_ms_ = bar.close_time_ms;
  return bar;
}

void BarCsvReader::refuse(const std::string& why) const {
  throw std::runtime_error("line " + std::to_string(line_) + ": " + why);
}

template <class Number>
void BarCsvReader::read(std::string_view text, Number& value, std::size_t column) const {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size()) return;
  refuse(std::string(kColumns[column]) + " \"" + std::string(text.substr(0, kShown)) + "\" is no number");
}

void append_csv_row(std::string& text, const Bar& bar) {
  append(text, bar.open_time_ms, ',');
  append(text, bar.close_time_ms, ',');
  for (const double value : {bar.open, bar.high, bar.low, bar.close}) append(text, value, ',');
  append(text, bar.volume, '\n');
}

}  // namespace atcd::daemon
