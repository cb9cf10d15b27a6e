#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/evaluation.hpp"

namespace atcd::daemon {

/// What the results of a sweep depend on; any change of it changes one of the numbers.
struct SweepDigests {
  std::uint64_t sets = 0, evaluation = 0, series = 0;
  bool operator==(const SweepDigests&) const = default;
};

/// The evaluations of a sweep, of every set with every series, some of which may not be there yet. With a
/// file they are also appended to it, a line each, so that a sweep that was cut short goes on where it was:
/// the first line holds the digests, a line that is not whole is left out. One thread.
class SweepResults {
 public:
  /// Of all sweeps at most: they are held in memory.
  static constexpr std::size_t kMost = 10'000'000;

  SweepResults(std::size_t sets, std::size_t series);
  ~SweepResults();
  SweepResults(const SweepResults&) = delete;
  SweepResults& operator=(const SweepResults&) = delete;

  /// Takes up what the file holds, or begins it. A sentence where it can't be used: it is of another sweep,
  /// another process writes to it, the disk does not take it. Empty when all is well.
  std::string open(const std::string& path, const SweepDigests& digests);

  bool has(std::size_t set, std::size_t series) const { return there_[set * series_ + series] != 0; }
  void put(std::size_t set, std::size_t series, const Evaluation& evaluation);
  /// Writes what was put since the last time to the file, where there is one. A sentence where it failed.
  std::string save();

  /// Set by set, for each as many as there are series.
  std::vector<Evaluation> take() { return std::move(evaluations_); }

 private:
  void take_lines(std::string_view text);

  std::size_t sets_, series_;
  std::vector<Evaluation> evaluations_;
  std::vector<char> there_;
  std::string path_;
  int file_ = -1;
  std::string unsaved_;
};

}  // namespace atcd::daemon
