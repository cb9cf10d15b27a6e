#include "daemon/compare.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <string>

#include "daemon/commands/table_text.hpp"

namespace atcd::daemon {
namespace {

/// More than these say nothing: the golden vectors are held to as many.
constexpr int kMostDecimals = 9;

std::string plain(std::string_view name) {
  std::string result;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') result += static_cast<char>(c - 'A' + 'a');
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) result += c;
  }
  return result;
}

/// Charts write what is undefined as NaN, or not at all.
bool read_chart_value(std::string_view text, double& value) {
  if (text == "NaN" || text == "na") text = {};
  return read_csv_real(text, value) && !std::isinf(value);
}

/// Digits after the point: 2 of "1.25", 5 of "1.5e-4".
int decimals_of_text(std::string_view text) {
  int exponent = 0;
  if (const auto e = text.find_first_of("eE"); e != std::string_view::npos) {
    std::from_chars(text.data() + e + 1, text.data() + text.size(), exponent);
    text = text.substr(0, e);
  }
  const auto point = text.find('.');
  const int written = point == std::string_view::npos ? 0 : static_cast<int>(text.size() - point - 1);
  // Any text may stand there, also an exponent that leaves no room to subtract.
  return std::clamp(written - std::clamp(exponent, -kMostDecimals, 400), 0, kMostDecimals);
}

bool same_value(double ours, double charts, int decimals) {
  if (std::isnan(ours) || std::isnan(charts)) return std::isnan(ours) && std::isnan(charts);
  // Half of the last place that is shown, and what the sum itself may be off.
  const double half = decimals == kMostDecimals ? 1e-9 : 0.5 * std::pow(10, -decimals);
  return std::abs(ours - charts) <= half + 4e-16 * std::abs(ours);
}

std::string shown(std::string_view text) { return text.empty() ? "undefined" : std::string(text); }

/// Takes a number of so many digits off the text.
bool take_digits(std::string_view& text, std::size_t count, int& number) {
  if (text.size() < count) return false;
  const auto [at, error] = std::from_chars(text.data(), text.data() + count, number);
  if (error != std::errc() || at != text.data() + count || number < 0) return false;
  text.remove_prefix(count);
  return true;
}

bool take_one_of(std::string_view& text, std::string_view allowed) {
  if (text.empty() || allowed.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

/// "", "Z" or "+01:00", in minutes.
bool take_offset(std::string_view& text, int& minutes) {
  minutes = 0;
  if (text.empty() || take_one_of(text, "Z")) return true;
  const bool west = text.front() == '-';
  int hours = 0;
  if (!take_one_of(text, "+-") || !take_digits(text, 2, hours)) return false;
  take_one_of(text, ":");
  if (!take_digits(text, 2, minutes)) return false;
  minutes = (west ? -1 : 1) * (hours * 60 + minutes);
  return true;
}

std::optional<std::int64_t> iso_time_ms(std::string_view text) {
  using namespace std::chrono;
  int y = 0, m = 0, d = 0, hour = 0, minute = 0, second = 0, offset = 0;
  if (!take_digits(text, 4, y) || !take_one_of(text, "-") || !take_digits(text, 2, m) ||
      !take_one_of(text, "-") || !take_digits(text, 2, d)) {
    return std::nullopt;
  }
  if (take_one_of(text, "T ")) {
    if (!take_digits(text, 2, hour) || !take_one_of(text, ":") || !take_digits(text, 2, minute))
      return std::nullopt;
    if (take_one_of(text, ":") && !take_digits(text, 2, second)) return std::nullopt;
    if (take_one_of(text, ".")) text.remove_prefix(std::min(text.size(), text.find_first_not_of('0')));
  }
  const year_month_day date = year{y} / m / d;
  if (!take_offset(text, offset) || !text.empty() || !date.ok() || hour > 23 || minute > 59 || second > 60)
    return std::nullopt;
  return duration_cast<milliseconds>(
             (sys_days{date} + hours{hour} + minutes{minute - offset} + seconds{second}).time_since_epoch())
      .count();
}

}  // namespace

std::optional<std::int64_t> chart_time_ms(std::string_view text) {
  constexpr std::int64_t kLeastMs = 100'000'000'000;  // 1973; in seconds the year 5138
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc() && at == end)
    return number > -kLeastMs && number < kLeastMs ? number * 1000 : number;
  return iso_time_ms(text);
}

Comparison::Comparison(std::string chart_text) : text_(std::move(chart_text)) { read_chart(); }

void Comparison::read_chart() {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  std::string_view rest = text_;
  if (rest.starts_with(kByteOrderMark)) rest.remove_prefix(kByteOrderMark.size());
  split_csv_line(take_csv_line(rest), names_);
  for (std::size_t number = 2; !rest.empty(); ++number) {
    const std::string_view line = take_csv_line(rest);
    if (line.empty()) continue;
    split_csv_line(line, chart_fields_);
    if (chart_fields_.size() != names_.size()) {
      error_ = "line " + std::to_string(number) + ": there are " + std::to_string(chart_fields_.size()) +
               " fields, but the header has " + std::to_string(names_.size());
      return;
    }
    lines_.emplace_back(number, line);
  }
  const auto time = std::find_if(names_.begin(), names_.end(), [](std::string_view name) {
    const std::string known = plain(name);
    return known == "time" || known == "date" || known == "openms";
  });
  if (time != names_.end()) error_ = read_times(static_cast<std::size_t>(time - names_.begin()));
}

std::string Comparison::read_times(std::size_t column) {
  for (std::size_t row = 0; row < lines_.size(); ++row) {
    split_csv_line(lines_[row].second, chart_fields_);
    const auto time_ms = chart_time_ms(chart_fields_[column]);
    if (!time_ms) {
      return "line " + std::to_string(lines_[row].first) + ": " + std::string(names_[column]) + " is \"" +
             std::string(chart_fields_[column]) +
             "\", but must be seconds or milliseconds since 1970, or as 2024-01-31T00:00:00Z";
    }
    chart_times_.emplace_back(*time_ms, row);
  }
  std::sort(chart_times_.begin(), chart_times_.end());
  return {};
}

int Comparison::decimals_of(std::size_t column) const {
  int most = 0;
  std::vector<std::string_view> fields;
  for (const auto& [number, line] : lines_) {
    split_csv_line(line, fields);
    most = std::max(most, decimals_of_text(fields[column]));
  }
  return most;
}

void Comparison::match_columns(std::string_view header) {
  std::vector<std::string_view> ours;
  split_csv_line(header, ours);
  for (std::size_t place = 0; place < ours.size(); ++place) {
    const auto is_it = [&](std::string_view name) { return plain(name) == plain(ours[place]); };
    const auto found = std::find_if(names_.begin(), names_.end(), is_it);
    if (found == names_.end() || ours[place] == "time") continue;
    if (std::any_of(found + 1, names_.end(), is_it))
      error_ = "line 1: the column " + std::string(*found) + " stands there twice, but must be the only one";
    const auto charts = static_cast<std::size_t>(found - names_.begin());
    columns_.push_back({std::string(ours[place]), place, charts, decimals_of(charts)});
  }
}

void Comparison::take_bars(const CsvBars& bars, std::size_t begin) {
  for (std::size_t i = begin; i < bars.open_ms.size(); ++i) times_.push_back(bars.open_ms[i]);
}

bool Comparison::take_rows(std::string_view text) {
  while (error_.empty() && !text.empty()) {
    const std::string_view line = take_csv_line(text);
    if (!has_header_) {
      match_columns(line);
      has_header_ = true;
      continue;
    }
    const std::size_t row = rows_++;
    const auto chart_row = chart_row_of(row);
    if (!chart_row) continue;
    split_csv_line(line, fields_);
    compare_row(row, *chart_row);
  }
  return error_.empty();
}

std::optional<std::size_t> Comparison::chart_row_of(std::size_t row) const {
  if (times_.empty() || chart_times_.empty()) {
    return row < lines_.size() ? std::optional(row) : std::nullopt;
  }
  const auto found = std::lower_bound(chart_times_.begin(), chart_times_.end(),
                                      std::pair<std::int64_t, std::size_t>{times_[row], 0});
  if (found == chart_times_.end() || found->first != times_[row]) return std::nullopt;
  return found->second;
}

void Comparison::compare_row(std::size_t row, std::size_t chart_row) {
  const auto& [number, line] = lines_[chart_row];
  split_csv_line(line, chart_fields_);
  ++common_rows_;
  for (Column& column : columns_) {
    const std::string_view ours = fields_[column.ours], charts = chart_fields_[column.charts];
    double our_value = 0, chart_value = 0;
    read_csv_real(ours, our_value);
    if (!read_chart_value(charts, chart_value)) {
      error_ = "line " + std::to_string(number) + ": " + std::string(names_[column.charts]) + " is \"" +
               std::string(charts) + "\", but must be a number, or empty or NaN";
      return;
    }
    if (same_value(our_value, chart_value, column.decimals)) {
      ++column.agreed;
    } else if (column.first_difference.empty()) {
      if (!times_.empty()) column.first_difference = time_text(times_[row]) + " UTC, ";
      column.first_difference += "bar " + std::to_string(row) + ": " + shown(ours) + ", in the chart (line " +
                                 std::to_string(number) + ") " + shown(charts);
    }
  }
}

std::string Comparison::error() const {
  if (!error_.empty() || !has_header_) return error_;
  if (columns_.empty()) {
    std::string found;
    for (const auto name : names_) found += (found.empty() ? "" : ", ") + std::string(name);
    return "line 1: no column has the name of one that is computed; it has: " + found;
  }
  return common_rows_ > 0 ? "" : "no row is one of a bar that is computed";
}

std::string Comparison::report() const {
  const bool by_time = !times_.empty() && !chart_times_.empty();
  std::string text =
      "rows that both have, by " + std::string(by_time ? "time" : "number") + ": " +
      std::to_string(common_rows_) + "; only computed: " + std::to_string(rows_ - common_rows_) +
      "; only in the chart: " + std::to_string(lines_.size() - std::min(common_rows_, lines_.size())) + '\n';
  for (const Column& column : columns_) {
    text += column.name + ": " + std::to_string(column.agreed) + " of " + std::to_string(common_rows_) +
            " agree to " + std::to_string(column.decimals) + " decimals";
    if (!column.first_difference.empty()) text += "; first difference: " + column.first_difference;
    text += '\n';
  }
  return text;
}

bool Comparison::agrees() const {
  return std::all_of(columns_.begin(), columns_.end(),
                     [this](const Column& column) { return column.agreed == common_rows_; });
}

}  // namespace atcd::daemon
