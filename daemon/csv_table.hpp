#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace atcd::daemon {

class GzipReader;

/// What `atcd compute` reads: a header row, then one bar a row. Other columns than these are ignored.
struct CsvBars {
  std::vector<double> closes;         // NaN where the field is empty
  std::vector<double> sources;        // column src; empty where there is none
  std::vector<double> opens;          // column open, only where it is asked for; empty where there is none
  std::vector<std::int64_t> open_ms;  // column open_ms; empty where there is none
  std::vector<std::size_t> lines;     // line of the file, from 1, that each bar stands on

  std::size_t size() const { return closes.size(); }
  /// Forgets the first so many bars.
  void drop(std::size_t count);
};

struct CsvResult {
  CsvBars bars;
  std::string error;  // names the line and the value; empty when all is well
};

/// Parses the text of a CSV file: fields separated by commas, blanks and double quotes around them allowed,
/// lines ended by LF or CRLF. Numbers are the nearest double of their text.
CsvResult parse_csv_bars(std::string_view text);

/// Takes the first line off the text, without its ending.
std::string_view take_csv_line(std::string_view& text);
/// The fields of a line, without the blanks and quotes around them. A comma always ends one.
void split_csv_line(std::string_view line, std::vector<std::string_view>& fields);
/// A missing value (NaN) where the text is empty. False where it is no number that a double can hold.
bool read_csv_real(std::string_view text, double& value);

/// A file that is read piece by piece, gzip or plain; "-" is standard input.
class TextFile {
 public:
  explicit TextFile(const std::string& path);
  ~TextFile();

  /// Adds the next bytes to `text`, at most so many; none: the end, or error() says what went wrong.
  std::size_t read(std::string& text, std::size_t most);
  /// "cannot read it: unexpected end of file"; empty when all is well.
  const std::string& error() const { return error_; }

 private:
  std::unique_ptr<GzipReader> reader_;
  std::string error_;
};

/// The bars of a CSV file as parse_csv_bars reads them, some at a time: memory does not grow with the file.
class CsvBarFile {
 public:
  /// A longer line is refused.
  static constexpr std::size_t kLongestLine = 1 << 20;

  enum class Opens : bool { ignored, read };
  explicit CsvBarFile(const std::string& path, Opens opens = Opens::ignored);
  ~CsvBarFile();

  /// Adds the next bars, at most so many; fewer: that was the last of them. A sentence that names the line
  /// and the value where something is wrong; empty when all is well.
  std::string read(std::size_t most, CsvBars& bars);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct TextResult {
  std::string text;
  std::string error;
};

/// The whole of a file. More than kLargestText is an error.
inline constexpr std::size_t kLargestText = std::size_t{1} << 31;
TextResult read_text(const std::string& path);

}  // namespace atcd::daemon
