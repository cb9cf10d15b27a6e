#include "feeds/simulator/recording.hpp"

#include <zlib.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string_view>

namespace atcd::feeds::simulator {
namespace {

constexpr std::size_t kLongestLine = 16U << 20;

/// X.jsonl.gz -> X.ts.gz, X.jsonl -> X.ts; empty for another ending.
std::string times_file(const std::string& file) {
  for (const std::string_view ending : {".jsonl.gz", ".jsonl"}) {
    if (!file.ends_with(ending)) continue;
    return file.substr(0, file.size() - ending.size()) + (ending == ".jsonl" ? ".ts" : ".ts.gz");
  }
  return "";
}

/// "1617566591.326123" or "1723161253937085768"; empty for what is neither.
std::optional<std::int64_t> to_microseconds(std::string_view text) {
  constexpr double kSecondsBelow = 1e11, kNanosecondsFrom = 1e17;
  std::int64_t whole = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, whole);
  if (read.ec == std::errc{} && read.ptr == end && static_cast<double>(whole) >= kNanosecondsFrom)
    return whole / 1000;
  double seconds = 0;
  const auto fraction = std::from_chars(text.data(), end, seconds);
  if (fraction.ec != std::errc{} || fraction.ptr != end || !(seconds >= 0 && seconds < kSecondsBelow))
    return std::nullopt;
  return std::llround(seconds * 1e6);
}

}  // namespace

/// The lines of one file.
class Recording::Lines {
 public:
  explicit Lines(const std::string& file) : file_(file), gz_(gzopen(file.c_str(), "rb")) {
    if (gz_ == nullptr) throw std::runtime_error("cannot open " + file + ": " + std::strerror(errno));
  }
  ~Lines() { gzclose(gz_); }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  bool next(std::string& line) {
    line.clear();
    while (true) {
      if (at_ == size_ && !fill()) return !line.empty();
      const std::string_view rest(buffer_.data() + at_, size_ - at_);
      const auto length = rest.find('\n');
      line += rest.substr(0, length);
      if (line.size() > kLongestLine) throw std::runtime_error(file_ + ": a line longer than 16 MiB");
      at_ = length == std::string_view::npos ? size_ : at_ + length + 1;
      if (length != std::string_view::npos) return true;
    }
  }

 private:
  bool fill() {
    const int read = gzread(gz_, buffer_.data(), static_cast<unsigned>(buffer_.size()));
    int error = Z_OK;
    const char* message = gzerror(gz_, &error);
    if (read < 0 || error == Z_BUF_ERROR)
      throw std::runtime_error(file_ + ": damaged: " + (*message == 0 ? "cut short" : message));
    at_ = 0;
    size_ = static_cast<std::size_t>(read);
    return size_ > 0;
  }

  std::string file_;
  gzFile gz_;
  std::array<char, 1U << 16> buffer_;
  std::size_t at_ = 0, size_ = 0;
};

Recording::Recording(std::vector<std::string> files) : files_(std::move(files)) { rewind(); }

Recording::~Recording() = default;

void Recording::rewind() {
  file_ = 0;
  open_file();
}

void Recording::open_file() {
  line_ = 0;
  frames_.reset();
  times_.reset();
  if (file_ >= files_.size()) return;
  frames_ = std::make_unique<Lines>(files_[file_]);
  const std::string times = times_file(files_[file_]);
  if (times.empty()) return;
  try {
    times_ = std::make_unique<Lines>(times);
  } catch (const std::runtime_error&) {
    // Some recordings have no times: those within the frames do then.
  }
}

std::string Recording::place() const {
  return file_ < files_.size() ? files_[file_] + ":" + std::to_string(line_) : "the end";
}

std::optional<RecordedLine> Recording::next() {
  RecordedLine line;
  while (frames_) {
    if (!frames_->next(line.text)) {
      ++file_;
      open_file();
      continue;
    }
    line.first_of_file = ++line_ == 1;
    std::string time;
    if (times_ && times_->next(time)) {
      line.received_us = to_microseconds(time);
      if (!line.received_us)
        throw std::runtime_error(place() + ": \"" + time.substr(0, 40) + "\" is not a receive time");
    }
    return line;
  }
  return std::nullopt;
}

}  // namespace atcd::feeds::simulator
