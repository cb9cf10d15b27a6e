#pragma once

#include <cstdint>
#include <span>

#include "engine/kernel.hpp"

namespace atcd::engine {

/// Where a series stands after a bar, as a path that has no Incremental computed it.
struct Standing {
  Block block;  // value_head and raw_head are not read
  std::int64_t trend_since_ms;
  double previous_trend;
  std::span<const double> sources;  // the MA source of the last bars, oldest first: PlanConstants::scan_warm,
                                    // or all there are; more are not read
  std::span<const double> raws;     // lts: for each length as many raw Hull values, oldest first, the newest
                                    // longest_root - 1 or more of them
};

}  // namespace atcd::engine
