#pragma once

#include <cstdint>

#include "engine/signal.hpp"

namespace atcd::engine {

/// What the kernels read of a plan. Plain arrays and no functions: the files that are compiled for one
/// instruction set include this, and an inline function compiled there could be the one that the linker keeps
/// for everybody.
struct PlanConstants {
  static constexpr int kLengths = static_cast<int>(kLengthsPerFamily);
  using Lengths = std::int64_t[kLengths];
  using Reals = double[kLengths];

  bool pine;
  bool strategy_mode;
  std::int64_t cutout;

  // Bars from bar 0 on during which an EMA or DEMA may still be seeded.
  std::int64_t warm_bars;
  // Values before the newest that one scan visits, while warm_bars last and afterwards.
  std::int64_t scan_warm;
  std::int64_t scan_settled;
  // Raw Hull values per length that the outer average visits, the newest included.
  std::int64_t longest_root;

  alignas(64) Lengths ema_length;
  alignas(64) Lengths dema_length;
  alignas(64) Lengths kama_length;
  alignas(64) Lengths root_length;
  // Where the scan's partial sums are read: one less than the window.
  alignas(64) Lengths ema_before;
  alignas(64) Lengths dema_before;
  alignas(64) Lengths hma_before;
  alignas(64) Lengths half_before;
  alignas(64) Lengths wma_before;
  alignas(64) Lengths lsma_before;
  alignas(64) Lengths kama_before;

  // alpha = 2/(L+1), and 1-alpha for the bars after missing values.
  alignas(64) Reals ema_alpha;
  alignas(64) Reals ema_keep;
  alignas(64) Reals dema_alpha;
  alignas(64) Reals dema_keep;
  // Lengths as numbers: weight of the newest value in a WMA, divisor of an SMA.
  alignas(64) Reals ema_count;
  alignas(64) Reals dema_count;
  alignas(64) Reals hma_count;
  alignas(64) Reals half_count;
  alignas(64) Reals root_count;
  alignas(64) Reals wma_count;
  alignas(64) Reals lsma_count;
  // L(L+1)/2: divisor of a WMA.
  alignas(64) Reals hma_divisor;
  alignas(64) Reals half_divisor;
  alignas(64) Reals root_divisor;
  alignas(64) Reals wma_divisor;
  alignas(64) Reals lsma_divisor;
  // LSMA at the newest bar = by_wma * WMA - by_sma * SMA: 3 and 2; 1 and 0 for length 1 in pine, where the
  // line is the point itself. L-1 is the divisor of the slope.
  alignas(64) Reals lsma_by_wma;
  alignas(64) Reals lsma_by_sma;
  alignas(64) Reals lsma_steps;

  double equity_keep;  // d = 1 - De/100
  double layer1_start;
  double layer2_start[kFamilies];
  double cut_above;
  double cut_below;
  double trend_above;
  double trend_below;
};

}  // namespace atcd::engine
