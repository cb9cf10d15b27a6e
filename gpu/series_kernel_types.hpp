#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/kernel.hpp"
#include "gpu/device_plan.hpp"

// What host and device hand each other. Plain data: also read by nvcc as C++17.

namespace atcd::gpu {

/// A warp takes one series, so many bars at a time: first each lane a bar, then each lane an average.
inline constexpr int kLanes = 32;
inline constexpr int kTileBars = 32;
static_assert(kTileBars == kLanes, "a lane takes a bar of the tile");

/// The columns that one bar may give, in this order; -1 where a column is not wanted, else its place.
struct ColumnPlaces {
  std::int16_t layer1[engine::kFamilies];
  std::int16_t layer2[engine::kFamilies];
  std::int16_t layers;  // 0: some column of a layer is wanted
  std::int16_t average;
  std::int16_t inner;  // kAverages averages, as many states and equities
  std::int16_t trend;  // 0: wanted
};

/// Where a series stands after its last bar, but the values of its windows: Block without room for vectors.
struct SeriesEnd {
  static constexpr int kLengths = engine::kLengthCount;
  double ema[kLengths], dema1[kLengths], dema2[kLengths], kama[kLengths];
  double ema_weight[kLengths], dema_weight[kLengths];
  double relation[engine::kAverageCount], state[engine::kAverageCount], equity[engine::kAverageCount];
  double layer1[engine::kFamilyCount], layer2[engine::kFamilyCount], layer2_factor[engine::kFamilyCount];
  double average, published;
  std::int64_t gapped;
  std::int64_t trend_since_bar;
  std::int64_t trend, previous_trend;
};

/// Where in a tile an average's crossing state is 1, and where -1: a bit a bar.
struct Crossings {
  std::uint32_t rising, falling;
};

/// One series of a launch under one plan; what it points to lies in the device's memory.
struct SeriesTask {
  const double* closes;
  const double* sources;
  const double* growth;  // one factor a bar
  double* columns;       // those wanted, `bars` values each
  signed char* trend;    // likewise
  SeriesEnd* end;        // null where not wanted
  double* raws;          // with `end`: the last raw_history raw Hull values of each length, oldest first
  // Of several plans that share their averages:
  const DevicePlan* variant;
  Crossings* crossings;  // the same for all of them: kAverages a tile
  std::int64_t bars;
  std::int64_t calm;  // no missing value, and none that overflows when doubled
};

struct KernelArguments {
  const SeriesTask* tasks;  // of each series one for each variant
  ColumnPlaces columns;
  std::int32_t variants;  // plans that share their averages
};

}  // namespace atcd::gpu
