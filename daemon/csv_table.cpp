#include "daemon/csv_table.hpp"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

namespace atcd::daemon {
namespace {

std::string_view trimmed(std::string_view field) {
  while (!field.empty() && (field.front() == ' ' || field.front() == '\t')) field.remove_prefix(1);
  while (!field.empty() && (field.back() == ' ' || field.back() == '\t')) field.remove_suffix(1);
  if (field.size() >= 2 && field.front() == '"' && field.back() == '"') {
    field.remove_prefix(1);
    field.remove_suffix(1);
  }
  return field;
}

/// Takes the first line off the text, without its ending.
std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

void split(std::string_view line, std::vector<std::string_view>& fields) {
  fields.clear();
  while (true) {
    const auto end = line.find(',');
    fields.push_back(trimmed(line.substr(0, end)));
    if (end == std::string_view::npos) return;
    line.remove_prefix(end + 1);
  }
}

/// Empty text is a missing value. False where the text is not a number that a double can hold.
bool read_real(std::string_view text, double& value) {
  value = std::numeric_limits<double>::quiet_NaN();
  if (text.empty()) return true;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && at == end;
}

bool read_integer(std::string_view text, std::int64_t& value) {
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && at == end;
}

struct Header {
  std::size_t fields = 0;
  std::optional<std::size_t> close, source, open_ms;
};

std::string read_header(const std::vector<std::string_view>& names, Header& header) {
  header.fields = names.size();
  const auto find = [&](std::string_view name, std::optional<std::size_t>& at) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) return true;
    at = static_cast<std::size_t>(found - names.begin());
    return std::find(found + 1, names.end(), name) == names.end();
  };
  for (const auto& [name, at] :
       {std::pair{"close", &header.close}, {"src", &header.source}, {"open_ms", &header.open_ms}}) {
    if (!find(name, *at))
      return "line 1: the column " + std::string(name) + " stands there twice, but must be the only one";
  }
  if (!header.close) {
    std::string found;
    for (const auto name : names) found += (found.empty() ? "" : ", ") + std::string(name);
    return "line 1: the header has no column close; it has: " + found;
  }
  return {};
}

std::string refuse(std::size_t line, std::string_view column, std::string_view value, const char* allowed) {
  return "line " + std::to_string(line) + ": " + std::string(column) + " is \"" + std::string(value) +
         "\", but must be " + allowed;
}

constexpr const char* kReal = "a number within a double's range, or empty";
constexpr const char* kTime = "a whole number of milliseconds since 1970";

std::string read_row(const Header& header, const std::vector<std::string_view>& fields, std::size_t line,
                     CsvBars& bars) {
  if (fields.size() != header.fields) {
    return "line " + std::to_string(line) + ": there are " + std::to_string(fields.size()) +
           " fields, but the header has " + std::to_string(header.fields);
  }
  double value = 0;
  if (!read_real(fields[*header.close], value)) return refuse(line, "close", fields[*header.close], kReal);
  bars.closes.push_back(value);
  if (header.source) {
    if (!read_real(fields[*header.source], value)) return refuse(line, "src", fields[*header.source], kReal);
    bars.sources.push_back(value);
  }
  if (header.open_ms) {
    std::int64_t time = 0;
    if (!read_integer(fields[*header.open_ms], time))
      return refuse(line, "open_ms", fields[*header.open_ms], kTime);
    bars.open_ms.push_back(time);
  }
  bars.lines.push_back(line);
  return {};
}

struct CloseGz {
  void operator()(gzFile file) const { gzclose(file); }
};

}  // namespace

CsvResult parse_csv_bars(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  CsvResult result;
  if (text.empty()) {
    result.error = "line 1: there is no header row, but one with a column close is needed";
    return result;
  }
  std::vector<std::string_view> fields;
  split(take_line(text), fields);
  Header header;
  result.error = read_header(fields, header);
  for (std::size_t line = 2; result.error.empty() && !text.empty(); ++line) {
    const std::string_view row = take_line(text);
    // An empty line is a missing close where close is the only column, and nothing in a wider file.
    if (row.empty() && header.fields > 1) continue;
    split(row, fields);
    result.error = read_row(header, fields, line, result.bars);
  }
  return result;
}

TextResult read_text(const std::string& path) {
  TextResult result;
  const std::string name = path == "-" ? "standard input" : path;
  errno = 0;
  // zlib reads what is not gzip as it is.
  const std::unique_ptr<gzFile_s, CloseGz> file(path == "-" ? gzdopen(dup(STDIN_FILENO), "rb")
                                                            : gzopen(path.c_str(), "rb"));
  if (!file) {
    result.error = "cannot open " + name + ": " + std::strerror(errno);
    return result;
  }
  constexpr std::size_t kChunk = 1 << 18;
  std::size_t size = 0;
  while (true) {
    result.text.resize(size + kChunk);
    const int got = gzread(file.get(), result.text.data() + size, kChunk);
    int status = Z_OK;
    const char* const message = gzerror(file.get(), &status);
    // A gzip file that stops short gives what it has and then this status.
    if (got < 0 || status == Z_BUF_ERROR) {
      result.error = "cannot read " + name + ": " + (status == Z_ERRNO ? std::strerror(errno) : message);
      return result;
    }
    size += static_cast<std::size_t>(got);
    if (got == 0) break;
    if (size > kLargestText) {
      result.error = "cannot read " + name + ": it is longer than " + std::to_string(kLargestText) + " bytes";
      return result;
    }
  }
  result.text.resize(size);
  return result;
}

}  // namespace atcd::daemon
