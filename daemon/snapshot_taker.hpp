#pragma once

#include <cstddef>
#include <cstdint>
#include <future>
#include <optional>
#include <string>
#include <vector>

namespace atcd::daemon {

/// Puts together the snapshot of all engines from what the workers save, and writes it on a thread of its
/// own. Each series' entry is true by itself, so that bars may close meanwhile. One thread.
class SnapshotTaker {
 public:
  /// `last_success_ms`: when the one on the disk was taken, UTC; 0: there is none.
  SnapshotTaker(std::string directory, std::int64_t last_success_ms)
      : directory_(std::move(directory)), last_success_ms_(last_success_ms) {}

  /// Begins one of so many parts. False, and nothing happens, while the last is still under way.
  bool begin(std::size_t parts);
  /// One worker's entries; after the last part the file is written.
  void add(std::vector<std::string> entries);
  /// Writes one at once: the daemon ends. A sentence, or empty when all is well.
  std::string write_now(std::vector<std::string> entries);
  /// One is under way.
  bool busy() const { return missing_ > 0 || writing_.valid(); }
  /// Once after each snapshot: empty text when it is written, else a sentence that says why not.
  std::optional<std::string> take_result();
  /// When the newest that was written was taken, UTC, as far as take_result() has looked; 0: there is none.
  std::int64_t last_success_ms() const { return last_success_ms_; }

 private:
  std::string directory_;
  std::int64_t last_success_ms_;
  std::int64_t taken_ms_ = 0;  // the one under way
  std::size_t missing_ = 0;    // parts
  std::vector<std::string> pieces_;
  std::future<std::string> writing_;  // ends before the rest goes
};

}  // namespace atcd::daemon
