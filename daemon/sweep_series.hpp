#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/evaluation.hpp"
#include "daemon/scan_source.hpp"
#include "engine/anchor.hpp"
#include "engine/batch.hpp"

namespace atcd::daemon {

/// Which bars of a series are evaluated: those that open from the one to the other (exclusive).
struct SweepRange {
  std::int64_t from_ms = std::numeric_limits<std::int64_t>::min();
  std::int64_t to_ms = std::numeric_limits<std::int64_t>::max();
};

/// One series as a sweep computes it: the bars that some evaluated signal depends on, and the runs that give
/// the signals.
class SweepSeries {
 public:
  /// Bars whose signals are computed from one bar 0.
  struct Run {
    std::size_t anchor = 0;          // bar 0
    std::size_t first = 0, end = 0;  // those that take their signal from this run
    std::vector<double>
        other_closes;  // where the run sees others than are stored (late tellings); else empty
  };

  /// With a rule each bar's signal is the one that live publishes for it (design, section 3); bars whose
  /// anchor the history does not reach have none, and are not evaluated, wherever they lie. Without one bar 0
  /// is the series' first bar. A sentence in `refusal` where nothing can be evaluated.
  SweepSeries(const WholeSeries& whole, const ScanSeries& series,
              const std::optional<engine::AnchorRule>& rule, const SweepRange& range, std::string& refusal);

  const std::vector<Run>& runs() const { return runs_; }
  engine::BatchInput input(const Run& run) const;
  /// What a trend for evaluated() is of: `length` bars from `first` on, the first evaluated bar. Those that
  /// no run reaches are among them, for nobody to look at.
  std::size_t first() const { return first_; }
  std::size_t length() const { return closes_.size() - first_; }
  std::size_t bars() const;  // that are evaluated
  EvaluatedBars evaluated() const;
  std::int64_t first_open_ms() const { return open_ms_[first_]; }
  std::int64_t last_open_ms() const { return open_ms_.back(); }
  /// Changes with every bar, run and value above.
  std::uint64_t digest() const;

 private:
  void find_runs(const WholeSeries& whole, const ScanSeries& series, const engine::AnchorRule& rule,
                 std::size_t from, std::size_t end);
  void add(Run run, bool follows);
  void drop_unused();

  std::vector<std::int64_t> open_ms_;
  std::vector<double> opens_, closes_, sources_;  // opens and sources: empty where there are none
  std::vector<Run> runs_;
  std::vector<Stretch> stretches_;  // of runs that follow one another; counted from first_
  std::size_t first_ = 0;
};

}  // namespace atcd::daemon
