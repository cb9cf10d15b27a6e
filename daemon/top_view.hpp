#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace atcd::daemon {

/// What `atcd top` shows, as the daemon's answers give it.
struct TopData {
  struct Row {
    std::string series, state;
    std::int64_t close_ms = 0;  // of the newest bar; 0: none
    double close = 0;
    double average = 0;  // NaN: undefined
    std::int64_t trend = 0;
    std::int64_t published_ms = 0;  // close of the newest bar that Redis acknowledged; 0: none
    std::int64_t lag_ms = 0;
  };
  struct Feed {
    std::int64_t series = 0, connections = 0, frames = 0, malformed = 0, rest_errors = 0;
  };

  std::int64_t now_ms = 0;
  std::string instance, version;
  std::int64_t started_ms = 0, unpublished = 0;
  bool redis_connected = false;
  std::vector<Row> rows;
  std::map<std::string, Feed> feeds;  // by exchange:market, of all workers together
};

// Each takes one answer up into the data; throws std::runtime_error where it is an error or no JSON.
void take_status(TopData& data, std::string_view json);
void take_feeds(TopData& data, std::string_view json);
/// Gives what the next page is asked with; empty: that was the last.
std::string take_rows(TopData& data, std::string_view json);

/// The view of it: what is sorted by, filtered for and scrolled to. Pure: keys in, lines out.
class TopView {
 public:
  enum class Column : std::uint8_t { series, state, average, trend, age, lag };

  /// Returns false when the key asks for the end. Escape sequences come as they are: "\x1b[A".
  bool on_key(std::string_view key);
  /// The screen, as many lines as it is high, each at most so wide, with escape codes for what stands out.
  std::vector<std::string> screen(const TopData& data, std::size_t width, std::size_t height);
  /// All of it once, without escape codes.
  std::string plain(const TopData& data);

 private:
  std::vector<const TopData::Row*> chosen(const TopData& data) const;
  void type(std::string_view key);
  std::string last_line(std::size_t shown, std::size_t all) const;

  Column by_ = Column::series;
  bool reversed_ = false;
  bool typing_ = false;  // the filter
  std::string filter_;
  std::size_t top_ = 0;   // the row that stands first
  std::size_t page_ = 1;  // rows on the last screen
};

}  // namespace atcd::daemon
