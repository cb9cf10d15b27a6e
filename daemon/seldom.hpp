#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace atcd::daemon {

/// Decides which of many like lines are written: of one text the first few of a minute. One thread.
class Seldom {
 public:
  static constexpr std::int64_t kMinuteMs = 60'000;
  static constexpr int kMostAMinute = 10;
  static constexpr std::size_t kMostTexts = 64;  // of others each is written

  /// Empty: the line is left out. Else how many were since the last one that was written.
  std::optional<std::uint64_t> take(std::string_view text, std::int64_t now_ms) {
    auto found = texts_.find(text);
    if (found == texts_.end()) {
      if (texts_.size() >= kMostTexts) {
        std::erase_if(texts_, [&](const auto& each) { return now_ms - each.second.since_ms >= kMinuteMs; });
      }
      if (texts_.size() >= kMostTexts) return 0;
      found = texts_.emplace(text, Lines{now_ms, 0, 0}).first;
    }
    Lines& lines = found->second;
    if (now_ms - lines.since_ms >= kMinuteMs) lines = {now_ms, 0, lines.left_out};
    if (lines.written == kMostAMinute) {
      ++lines.left_out;
      return std::nullopt;
    }
    ++lines.written;
    return std::exchange(lines.left_out, 0);
  }

 private:
  struct Lines {
    std::int64_t since_ms = 0;
    int written = 0;  // since then
    std::uint64_t left_out = 0;
  };
  std::map<std::string, Lines, std::less<>> texts_;
};

}  // namespace atcd::daemon
