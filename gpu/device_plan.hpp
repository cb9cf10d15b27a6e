#pragma once

#include <cstdint>

#include "engine/constants.hpp"
#include "engine/usual_lengths.hpp"

namespace atcd::gpu {

using engine::index_by_size, engine::Spread, engine::usual_length, engine::usual_longest, engine::usual_root;

/// What the scan over the values before the newest is read for, at one number of values visited.
struct ScanReading {
  enum Kind : std::int8_t { half, whole, wma, lsma };
  std::int32_t visits;
  Kind kind;
  std::int8_t index;      // which of the family's nine lengths
  std::int8_t completes;  // half, whole: the other one was read before
};

/// The constants of a plan as the device kernel reads them: PlanConstants without the room for vectors, so
/// that they fit among a kernel's arguments (4 KiB), and the readings of the scan in the order of visits.
struct DevicePlan {
  static constexpr int kLengths = engine::PlanConstants::kLengths;
  static constexpr int kMostReadings = 4 * kLengths;
  using Lengths = std::int32_t[kLengths];
  using Reals = double[kLengths];
  struct Inverses {
    Reals high;
    Reals low;
  };

  std::int32_t pine;
  Spread spread;  // but for `other` the families over windows have the usual lengths
  std::int32_t strategy_mode;
  std::uint32_t families;       // PlanConstants::families; of the others nothing is to be read
  std::int32_t value_history;   // MA source values kept from before a tile; whole tiles
  std::int32_t raw_history;     // raw Hull values likewise, per length
  std::int32_t unsettled_bars;  // while some EMA or DEMA may be seeded, or a KAMA has not begun
  std::int32_t readings;
  std::int64_t cutout;
  ScanReading reading[kMostReadings];

  Lengths ema_length;
  Lengths dema_length;
  Lengths kama_length;
  Lengths root_length;
  Reals ema_alpha, ema_keep, ema_count;
  Reals dema_alpha, dema_keep, dema_count;
  Reals hma_count, half_count, root_count, wma_count, lsma_count;
  Inverses hma_inverse, half_inverse, root_inverse, wma_inverse, lsma_inverse;
  Inverses lsma_mean_inverse, lsma_step_inverse;
  Reals lsma_by_wma, lsma_by_sma;

  double hundredth_high, hundredth_low;
  double equity_keep;
  double layer1_start[engine::kFamilies];
  double layer2_start[engine::kFamilies];
  double cut_above, cut_below;
  double trend_above, trend_below;
};

DevicePlan device_plan(const engine::PlanConstants& constants);

}  // namespace atcd::gpu
