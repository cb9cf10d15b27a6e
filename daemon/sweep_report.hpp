#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/sweep.hpp"
#include "daemon/sweep_sets.hpp"

namespace atcd::daemon {

/// One set over all series; undefined values are NaN.
struct SetSummary {
  std::size_t set = 0;
  double sharpe = 0;  // mean of those that are defined
  double gain = 0;    // mean
  double median_gain = 0;
  double max_drawdown = 0;  // the worst
  double winners = 0;       // the part of series with a gain above 0
  double beating = 0;       // the part of series with a larger gain than holding it
  double turnover = 0;      // mean
  double exposure = 0;      // mean
  double trades = 0;        // mean
};

inline constexpr std::array<std::string_view, 6> kSortNames = {"sharpe",   "gain",    "median",
                                                               "drawdown", "winners", "set"};
enum class SweepSort : std::uint8_t { sharpe, gain, median, drawdown, winners, set };

/// The best first (of drawdowns the smallest), undefined ones last, then in the order of the sets.
std::vector<SetSummary> summaries_of(const SweepResult& result, std::size_t sets, SweepSort sort);

/// What a report says beside the results.
struct SweepReport {
  const SweepOptions& options;
  const SweepResult& result;
  std::vector<SetSummary> rows;  // those that are shown
};

/// For people: only parameters that differ between the sets are columns.
std::string sweep_table(const SweepReport& report);
/// A line a set with all its parameters, or, with `details`, a line for each of its series.
std::string sweep_csv(const SweepReport& report, bool details);
std::string sweep_json(const SweepReport& report, bool details);

}  // namespace atcd::daemon
