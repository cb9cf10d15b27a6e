#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace atcd::feeds {

/// The newest trades of a stream that does not number them, to know one that is told again: as many as the
/// largest frame tells, whose repetition is thereby known in full. One thread.
class SeenTrades {
 public:
  static constexpr std::size_t kHeld = 1024;

  /// False for one that is among them.
  bool add(std::uint64_t identity, std::int64_t time_ms) {
    if (entries_.empty()) {
      entries_.resize(kHeld);
      newest_.resize(kHeld);
    }
    std::uint64_t& newest = newest_[identity % kHeld];
    for (std::uint64_t at = newest; at != 0 && added_ - at < kHeld; at = entries_[at % kHeld].before) {
      const Entry& entry = entries_[at % kHeld];
      if (entry.identity == identity && entry.time_ms == time_ms) return false;
    }
    ++added_;
    entries_[added_ % kHeld] = {identity, time_ms, newest};
    newest = added_;
    return true;
  }

  void clear() {
    std::fill(newest_.begin(), newest_.end(), 0);
    added_ = 0;
  }

 private:
  struct Entry {
    std::uint64_t identity;
    std::int64_t time_ms;
    std::uint64_t before;  // that came to the same place of newest_
  };
  // Trades are counted from 1; a count that is kHeld or more behind is of one that was forgotten. Memory is
  // taken with the first one.
  std::vector<Entry> entries_;  // in a ring
  std::vector<std::uint64_t> newest_;
  std::uint64_t added_ = 0;
};

}  // namespace atcd::feeds
