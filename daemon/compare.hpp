#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/csv_table.hpp"

namespace atcd::daemon {

/// What `atcd compute` writes, held against a chart's export: a CSV file with plotted columns and, mostly, a
/// column time. Columns are the same where their names are but for capitals and whatever is no letter or
/// digit ("Average Signal" is Average_Signal). Rows are the same where their times are, or, where one side
/// has no times, where their numbers are.
class Comparison {
 public:
  explicit Comparison(std::string chart_text);

  /// The bars from `begin` on are new; called before their rows come.
  void take_bars(const CsvBars& bars, std::size_t begin);
  /// Whole rows as compute_csv writes them, the header first. False from the first error on.
  bool take_rows(std::string_view text);

  /// Why the two can't be compared, as a sentence; empty when they can. To be asked at the end.
  std::string error() const;
  /// A line on the rows, and one for each column that both have.
  std::string report() const;
  /// Of all rows that both have, all columns that both have.
  bool agrees() const;

 private:
  struct Column {
    std::string name;
    std::size_t ours, charts;  // places in a row
    int decimals;
    std::size_t agreed = 0;
    std::string first_difference{};
  };

  void read_chart();
  std::string read_times(std::size_t column);
  int decimals_of(std::size_t column) const;
  void match_columns(std::string_view header);
  std::optional<std::size_t> chart_row_of(std::size_t row) const;
  void compare_row(std::size_t row, std::size_t chart_row);

  std::string text_;
  std::vector<std::string_view> names_;  // of the chart's columns
  std::vector<std::pair<std::size_t, std::string_view>>
      lines_;  // rows of the chart, with their line's number
  std::vector<std::pair<std::int64_t, std::size_t>> chart_times_;  // in ms, with the row; in order
  std::vector<std::int64_t> times_;                                // of our rows, by their number
  std::vector<Column> columns_;
  std::vector<std::string_view> fields_, chart_fields_;  // of the rows that are being compared
  bool has_header_ = false;
  std::size_t rows_ = 0, common_rows_ = 0;
  std::string error_;
};

/// A chart's time in milliseconds since 1970: seconds, milliseconds (from 10^11 on), or ISO 8601, in UTC
/// where it names no offset.
std::optional<std::int64_t> chart_time_ms(std::string_view text);

}  // namespace atcd::daemon
