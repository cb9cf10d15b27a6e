#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace atcd::state {

/// How many series each group has, whichever of a daemon's publishers has them: the stream of the group holds
/// as many entries as theirs together. Any thread.
class GroupSizes {
 public:
  using Size = std::atomic<std::int64_t>;

  /// So many publishers are still adding the series that they begin with: until they are done a group looks
  /// smaller than it is.
  explicit GroupSizes(std::int64_t still_adding = 0) : still_adding_(still_adding) {}
  void one_has_added() { --still_adding_; }
  /// Others than before, which may be the same once more.
  void one_adds_again() { ++still_adding_; }

  /// One series more. The group's size stays where it is.
  const Size& add(const std::string& group) {
    const std::lock_guard guard(lock_);
    Size& size = sizes_[group];
    ++size;
    return size;
  }
  void remove(const std::string& group) {
    const std::lock_guard guard(lock_);
    --sizes_[group];
  }

  /// Entries of the group's stream, where each series keeps so many.
  std::int64_t kept(const Size& size, std::int64_t keep) const {
    constexpr std::int64_t kMost = 1'000'000;
    return still_adding_ > 0 || keep > kMost / size ? kMost : keep * size;
  }

 private:
  std::atomic<std::int64_t> still_adding_;
  std::mutex lock_;
  std::map<std::string, Size> sizes_;
};

}  // namespace atcd::state
