#include "daemon/csv_table.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include "daemon/compare.hpp"
#include "daemon/gzip_reader.hpp"

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

}  // namespace

std::string_view take_csv_line(std::string_view& text) {
  const auto end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

void split_csv_line(std::string_view line, std::vector<std::string_view>& fields) {
  fields.clear();
  while (true) {
    const auto end = line.find(',');
    fields.push_back(trimmed(line.substr(0, end)));
    if (end == std::string_view::npos) return;
    line.remove_prefix(end + 1);
  }
}

bool read_csv_real(std::string_view text, double& value) {
  value = std::numeric_limits<double>::quiet_NaN();
  if (text.empty()) return true;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && at == end;
}

namespace {

bool read_integer(std::string_view text, std::int64_t& value) {
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && at == end;
}

struct Header {
  std::size_t fields = 0;
  std::optional<std::size_t> close, source, open, open_ms;
  struct OtherTime {
    std::size_t field;
    std::string name;
  };
  std::vector<OtherTime> other_times;  // only where there is no open_ms; the finest first
};

/// What others call the time of a bar, the finest first, in small letters.
constexpr std::array<std::string_view, 8> kTimeNames = {"open_time_ms", "open_time", "open time", "timestamp",
                                                        "unix",         "datetime",  "time",      "date"};

void find_other_times(const std::vector<std::string_view>& names, Header& header) {
  const auto small = [](std::string_view name) {
    std::string result(name);
    for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return result;
  };
  for (const std::string_view known : kTimeNames) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (small(names[i]) == known) header.other_times.push_back({i, std::string(names[i])});
    }
  }
}

std::string read_header(const std::vector<std::string_view>& names, bool opens, Header& header) {
  header.fields = names.size();
  const auto find = [&](std::string_view name, std::optional<std::size_t>& at) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) return true;
    at = static_cast<std::size_t>(found - names.begin());
    return std::find(found + 1, names.end(), name) == names.end();
  };
  for (const auto& [name, at] : {std::pair{"close", &header.close},
                                 {"src", &header.source},
                                 {"open", &header.open},
                                 {"open_ms", &header.open_ms}}) {
    if (at == &header.open && !opens) continue;
    if (!find(name, *at))
      return "line 1: the column " + std::string(name) + " stands there twice, but must be the only one";
  }
  if (!header.close) {
    std::string found;
    for (const auto name : names) found += (found.empty() ? "" : ", ") + std::string(name);
    return "line 1: the header has no column close; it has: " + found;
  }
  if (!header.open_ms) find_other_times(names, header);
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
  if (!read_csv_real(fields[*header.close], value))
    return refuse(line, "close", fields[*header.close], kReal);
  bars.closes.push_back(value);
  if (header.source) {
    if (!read_csv_real(fields[*header.source], value))
      return refuse(line, "src", fields[*header.source], kReal);
    bars.sources.push_back(value);
  }
  if (header.open) {
    if (!read_csv_real(fields[*header.open], value)) return refuse(line, "open", fields[*header.open], kReal);
    bars.opens.push_back(value);
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

/// Takes the lines of a file, one by one.
class Parser {
 public:
  explicit Parser(bool opens = false) : opens_(opens) {}

  std::string take(std::string_view line, CsvBars& bars) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    ++line_;
    if (line_ == 1 && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
    // An empty line is a missing close where close is the only column, and nothing in a wider file.
    if (line_ > 1 && line.empty() && header_.fields > 1) return {};
    split_csv_line(line, fields_);
    if (line_ == 1) return read_header(fields_, opens_, header_);
    std::string refusal = read_row(header_, fields_, line_, bars);
    if (refusal.empty()) refusal = check_order();
    return refusal;
  }

  std::string end() const {
    return line_ > 0 ? "" : "line 1: there is no header row, but one with a column close is needed";
  }

  std::size_t line() const { return line_; }

 private:
  /// Many files have the newest bar first, which would give signals too. Of several columns the finest that
  /// tells a time counts: a time of day beside a date tells none.
  std::string check_order() {
    if (!time_) {
      const auto tells = [this](const Header::OtherTime& each) { return time_of(each).has_value(); };
      const auto found = std::find_if(header_.other_times.begin(), header_.other_times.end(), tells);
      if (found != header_.other_times.end()) time_ = *found;
    }
    const auto time_ms = time_ ? time_of(*time_) : std::nullopt;
    const bool earlier = time_ms && time_ms_ && *time_ms < *time_ms_ && !is_turned_back(*time_ms);
    if (time_ms && time_ms_) step_ms_ = *time_ms - *time_ms_;
    if (time_ms) time_ms_ = time_ms;
    return earlier ? refuse(line_, time_->name, fields_[time_->field],
                            "no earlier than that of the bar before: the oldest bar comes first")
                   : "";
  }

  /// As local clocks are once a year, on a Sunday, by an hour or a half: from one bar's beginning to the
  /// next's.
  bool is_turned_back(std::int64_t time_ms) {
    constexpr std::int64_t kHalfHourMs = 1'800'000, kDayMs = 86'400'000;
    const std::string_view text = fields_[time_->field];
    const bool local = text.size() > 10 && !is_digits(text) && text.find_first_of("+-Zz", 10) == text.npos;
    const std::int64_t back_ms = *time_ms_ - time_ms + step_ms_;
    const bool usual = step_ms_ > 0 && (back_ms == kHalfHourMs || back_ms == 2 * kHalfHourMs);
    const bool sunday = (time_ms / kDayMs + 4) % 7 == 0;  // 1970 began on a Thursday
    if (!local || !usual || !sunday) return false;
    const bool again = turned_back_ms_ && time_ms - *turned_back_ms_ < 150 * kDayMs;
    turned_back_ms_ = time_ms;
    return !again;
  }

  /// None of a time of day, as 0930 or 093000, nor of what is no time that can be read. Eight digits are a
  /// day where they can be one, year first, which is in order as a number too.
  std::optional<std::int64_t> time_of(const Header::OtherTime& column) const {
    const std::string_view text = fields_[column.field];
    if (!is_digits(text) || text.size() > 8) return chart_time_ms(text);
    const bool day =
        text.size() == 8 && text.substr(4, 2) <= "12" && text.substr(6) <= "31" && text >= "1900";
    return day ? chart_time_ms(text) : std::nullopt;
  }

  static bool is_digits(std::string_view text) {
    return text.find_first_not_of("0123456789") == std::string_view::npos;
  }

  bool opens_;
  Header header_;
  std::vector<std::string_view> fields_;
  std::optional<Header::OtherTime> time_;       // the column whose order is checked
  std::optional<std::int64_t> time_ms_;         // of the row before
  std::int64_t step_ms_ = 0;                    // to it from the one before it
  std::optional<std::int64_t> turned_back_ms_;  // when clocks were, the last time
  std::size_t line_ = 0;
};

}  // namespace

void CsvBars::drop(std::size_t count) {
  const auto drop_of = [count](auto& column) {
    const auto some = static_cast<std::ptrdiff_t>(std::min(count, column.size()));
    column.erase(column.begin(), column.begin() + some);
  };
  drop_of(closes);
  drop_of(sources);
  drop_of(opens);
  drop_of(open_ms);
  drop_of(lines);
}

CsvResult parse_csv_bars(std::string_view text) {
  CsvResult result;
  Parser parser;
  while (result.error.empty() && !text.empty()) result.error = parser.take(take_csv_line(text), result.bars);
  if (result.error.empty()) result.error = parser.end();
  return result;
}

TextFile::TextFile(const std::string& path) : reader_(std::make_unique<GzipReader>(path)) {
  if (!reader_->opened()) error_ = std::string("cannot open it: ") + std::strerror(errno);
}
TextFile::~TextFile() = default;

std::size_t TextFile::read(std::string& text, std::size_t most) {
  if (!error_.empty()) return 0;
  const std::size_t size = text.size();
  text.resize(size + most);
  const std::size_t got = reader_->read(text.data() + size, most);
  if (!reader_->error().empty()) error_ = "cannot read it: " + reader_->error();
  text.resize(size + got);
  return got;
}

struct CsvBarFile::State {
  State(const std::string& path, Opens opens) : file(path), parser(opens == Opens::read) {}

  /// The next line without its ending; false at the end, or where file.error() says why.
  bool next_line(std::string_view& line) {
    std::size_t end = buffer.find('\n', at);
    while (end == std::string::npos) {
      buffer.erase(0, std::exchange(at, 0));
      const std::size_t searched = buffer.size();
      if (searched > kLongestLine || file.read(buffer, kPiece) == 0) break;
      end = buffer.find('\n', searched);
    }
    if (end == std::string::npos && (buffer.empty() || !file.error().empty())) return false;
    std::string_view rest = std::string_view(buffer).substr(at);
    const std::size_t left = rest.size();
    line = take_csv_line(rest);
    at += left - rest.size();
    return true;
  }

  static constexpr std::size_t kPiece = 1 << 18;

  TextFile file;
  Parser parser;
  std::string buffer;  // read, of which what lies before `at` was taken
  std::size_t at = 0;
};

CsvBarFile::CsvBarFile(const std::string& path, Opens opens) : state_(std::make_unique<State>(path, opens)) {}
CsvBarFile::~CsvBarFile() = default;

std::string CsvBarFile::read(std::size_t most, CsvBars& bars) {
  const std::size_t wanted = bars.size() + most;
  std::string_view line;
  while (bars.size() < wanted) {
    if (!state_->next_line(line))
      return state_->file.error().empty() ? state_->parser.end() : state_->file.error();
    if (line.size() > kLongestLine) {
      return "line " + std::to_string(state_->parser.line() + 1) + ": it is longer than " +
             std::to_string(kLongestLine) + " bytes";
    }
    std::string refusal = state_->parser.take(line, bars);
    if (!refusal.empty()) return refusal;
  }
  return {};
}

TextResult read_text(const std::string& path) {
  constexpr std::size_t kChunk = 1 << 18;
  TextResult result;
  TextFile file(path);
  while (file.read(result.text, kChunk) != 0 && result.text.size() <= kLargestText) {
  }
  const std::string name = path == "-" ? "standard input" : path;
  if (!file.error().empty()) {
    result.error = name + ": " + file.error();
  } else if (result.text.size() > kLargestText) {
    result.error = name + ": it is longer than " + std::to_string(kLargestText) + " bytes";
  }
  return result;
}

}  // namespace atcd::daemon
