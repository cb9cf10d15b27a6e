#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace atcd::daemon {

/// What `atcd compute` reads: a header row, then one bar a row. Other columns than these are ignored.
struct CsvBars {
  std::vector<double> closes;         // NaN where the field is empty
  std::vector<double> sources;        // column src; empty where there is none
  std::vector<std::int64_t> open_ms;  // column open_ms; empty where there is none
  std::vector<std::size_t> lines;     // line of the file, from 1, that each bar stands on
};

struct CsvResult {
  CsvBars bars;
  std::string error;  // names the line and the value; empty when all is well
};

/// Parses the text of a CSV file: fields separated by commas, blanks and double quotes around them allowed,
/// lines ended by LF or CRLF. Numbers are the nearest double of their text.
CsvResult parse_csv_bars(std::string_view text);

struct TextResult {
  std::string text;
  std::string error;
};

/// The whole of a file, gzip or plain; "-" is standard input. More than kLargestText is an error.
inline constexpr std::size_t kLargestText = std::size_t{1} << 31;
TextResult read_text(const std::string& path);

}  // namespace atcd::daemon
