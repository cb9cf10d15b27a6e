#include "daemon/sweep_results.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

namespace atcd::daemon {
namespace {

constexpr std::string_view kFirstWords = "atcd sweep results 1";

std::string hex(std::uint64_t value) {
  std::array<char, 16> digits{};
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr};
}

std::string header_of(const SweepDigests& digests) {
  return std::string(kFirstWords) + " sets " + hex(digests.sets) + " evaluation " + hex(digests.evaluation) +
         " series " + hex(digests.series) + '\n';
}

/// The numbers of a line, separated by one blank each.
class Numbers {
 public:
  explicit Numbers(std::string_view line) : rest_(line) {}

  template <class Number>
  Numbers& operator>>(Number& value) {
    const char* const end = rest_.data() + rest_.size();
    const auto [at, error] = std::from_chars(rest_.data(), end, value);
    whole_ = whole_ && error == std::errc() && (at == end || *at == ' ');
    rest_ = at == end ? std::string_view() : std::string_view(at + 1, static_cast<std::size_t>(end - at - 1));
    return *this;
  }
  /// All were there, and nothing more.
  bool whole() const { return whole_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool whole_ = true;
};

template <class Number>
void append(std::string& text, Number value, char after) {
  std::array<char, 32> digits{};
  text.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
  text += after;
}

/// Of a file that does not begin so, only something.
bool read_whole_file(int file, std::string_view begin, std::string& text) {
  std::array<char, 1 << 16> piece{};
  for (;;) {
    const ssize_t got = ::read(file, piece.data(), piece.size());
    if (got == 0) return true;
    if (got < 0 && errno != EINTR) return false;
    if (got > 0) text.append(piece.data(), static_cast<std::size_t>(got));
    if (!text.starts_with(begin.substr(0, text.size()))) return true;
  }
}

}  // namespace

SweepResults::SweepResults(std::size_t sets, std::size_t series)
    : sets_(sets), series_(series), evaluations_(sets * series), there_(sets * series) {}

SweepResults::~SweepResults() {
  if (file_ >= 0) ::close(file_);
}

std::string SweepResults::open(const std::string& path, const SweepDigests& digests) {
  path_ = path;
  const auto failed = [&](const char* what) {
    return std::string("cannot ") + what + " " + path + ": " + std::strerror(errno);
  };
  file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file_ < 0) return failed("open");
  struct stat status {};
  if (::fstat(file_, &status) != 0) return failed("look at");
  if (!S_ISREG(status.st_mode)) return path + " is no regular file";
  if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
    return errno == EWOULDBLOCK ? path + " is being written by another sweep" : failed("lock");
  }
  std::string text;
  const std::string header = header_of(digests);
  if (!read_whole_file(file_, header, text)) return failed("read");
  if (text.size() < header.size() && header.starts_with(text)) {
    // New, or cut short before anything was in it.
    if (::ftruncate(file_, 0) != 0) return failed("write to");
    unsaved_ = header;
    return save();
  }
  if (!text.starts_with(header)) {
    const std::string begin = text.substr(0, text.find('\n'));
    if (!begin.starts_with(kFirstWords)) return path + " holds no results of a sweep";
    const auto has = [&](const std::string& words) { return begin.find(words) != std::string::npos; };
    std::string others;
    const auto differs = [&](const std::string& words, const char* what) {
      if (!has(words)) others += (others.empty() ? "" : ", and of ") + std::string(what);
    };
    differs(" sets " + hex(digests.sets) + " ", "other sets");
    differs(" evaluation " + hex(digests.evaluation) + " ", "another side, fill, fee or slippage");
    differs(" series " + hex(digests.series),
            "other series, bars, anchors or times (--to keeps new bars out)");
    return path + " holds results of " + others + ": name another file, or remove it";
  }
  // What was cut short is written again from its beginning.
  const auto whole = static_cast<off_t>(text.rfind('\n') + 1);
  if (::ftruncate(file_, whole) != 0) return failed("write to");
  take_lines(text);
  return {};
}

void SweepResults::take_lines(std::string_view text) {
  for (std::size_t end = 0; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
    std::size_t set = 0, series = 0;
    Evaluation read;
    Numbers numbers(text.substr(0, end));
    numbers >> set >> series >> read.gain >> read.max_drawdown >> read.sharpe >> read.turnover >>
        read.exposure >> read.trades;
    if (!numbers.whole() || set >= sets_ || series >= series_) continue;
    evaluations_[set * series_ + series] = read;
    there_[set * series_ + series] = 1;
  }
}

void SweepResults::put(std::size_t set, std::size_t series, const Evaluation& evaluation) {
  evaluations_[set * series_ + series] = evaluation;
  there_[set * series_ + series] = 1;
  if (file_ < 0) return;
  append(unsaved_, set, ' ');
  append(unsaved_, series, ' ');
  for (const double value : {evaluation.gain, evaluation.max_drawdown, evaluation.sharpe, evaluation.turnover,
                             evaluation.exposure})
    append(unsaved_, value, ' ');
  append(unsaved_, evaluation.trades, '\n');
}

std::string SweepResults::save() {
  std::string_view rest = unsaved_;
  while (!rest.empty() && file_ >= 0) {
    const ssize_t written = ::write(file_, rest.data(), rest.size());
    if (written < 0 && errno != EINTR) return "cannot write to " + path_ + ": " + std::strerror(errno);
    if (written > 0) rest.remove_prefix(static_cast<std::size_t>(written));
  }
  unsaved_.clear();
  return {};
}

}  // namespace atcd::daemon
