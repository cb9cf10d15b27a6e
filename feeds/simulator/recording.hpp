#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace atcd::feeds::simulator {

/// One received frame.
struct RecordedLine {
  std::string text;
  std::optional<std::int64_t> received_us;  // UTC; empty where the recording has no times
  bool first_of_file = false;
};

/// Recorded frames of several files, one after the other: one frame a line, plain or gzip. X.jsonl.gz has its
/// receive times in X.ts.gz beside it, a line each: seconds with a fraction, or whole nanoseconds.
class Recording {
 public:
  /// Throws std::runtime_error for a file that can't be opened.
  explicit Recording(std::vector<std::string> files);
  ~Recording();

  /// Empty at the end. Throws for a damaged file, a line over 16 MiB and a time that is none.
  std::optional<RecordedLine> next();
  void rewind();
  /// "FILE:LINE" of the line read last.
  std::string place() const;

 private:
  class Lines;
  void open_file();

  std::vector<std::string> files_;
  std::size_t file_ = 0;
  std::uint64_t line_ = 0;
  std::unique_ptr<Lines> frames_, times_;
};

}  // namespace atcd::feeds::simulator
