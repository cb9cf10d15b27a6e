#pragma once

#include <cstdint>

#include "engine/signal.hpp"

namespace atcd::engine {

/// What the kernels read of a plan. Plain arrays and no functions: the files that are compiled for one
/// instruction set include this, and an inline function compiled there could be the one that the linker keeps
/// for everybody.
struct PlanConstants {
  static constexpr int kLengths = static_cast<int>(kLengthsPerFamily);
  /// Room for nine values in whole vectors; what lies behind the ninth is 0 and comes to nothing.
  static constexpr int kRoom = 16;
  using Lengths = std::int64_t[kRoom];
  using Reals = double[kRoom];

  /// 1/d as a double rounded down and the rest: x/d is fma(x, high, x*low). For a whole d below 2^23 that is
  /// the correctly rounded quotient, as x/d lies at least 2^-24 of a last place from the middle between two
  /// doubles and the sum errs by less than 2^-51 of one (quotients above 2^-998; below, it is the definition
  /// all the same).
  struct Inverses {
    alignas(64) Reals high;
    alignas(64) Reals low;
  };

  /// Places of nine values, at most 15 apart (a family's lengths differ by 14 at most), and the least of
  /// them.
  struct Places {
    alignas(64) Lengths at;
    std::int64_t least;
  };

  bool pine;
  bool strategy_mode;
  bool same_lengths;   // of all families
  bool usual_lengths;  // the default's: base 28 in all families, medium
  // Families that are computed, a bit each. The constants of the others are those of lengths that are.
  bool all_families;
  unsigned families;
  std::int64_t cutout;

  // Bars from bar 0 on during which an EMA or DEMA may still be seeded, and that at which KAMA begins.
  std::int64_t warm_bars;
  // The same and until every KAMA moves.
  std::int64_t careful_bars;
  // Values before the newest that one scan visits, while warm_bars last and afterwards.
  std::int64_t scan_warm;
  std::int64_t scan_settled;
  // Partial sums that nobody reads once warm_bars are over: those of so few values.
  std::int64_t scan_unread;
  // Raw Hull values per length that the outer average visits, the newest included; 1 without Hull.
  std::int64_t longest_root;

  alignas(64) Lengths ema_length;
  alignas(64) Lengths dema_length;
  alignas(64) Lengths kama_length;
  alignas(64) Lengths root_length;
  // Where the scan's partial sums are read: one less than the window.
  Places hma_before;
  Places half_before;
  Places wma_before;
  Places lsma_before;
  Places kama_before;
  // Where the value L bars before the next one lies, from the newest on.
  Places kama_oldest;

  // alpha = 2/(L+1), and 1-alpha for the bars after missing values.
  alignas(64) Reals ema_alpha;
  alignas(64) Reals ema_keep;
  alignas(64) Reals dema_alpha;
  alignas(64) Reals dema_keep;
  // Lengths as numbers: weight of the newest value in a WMA, divisor of a mean.
  alignas(64) Reals ema_count;
  alignas(64) Reals dema_count;
  alignas(64) Reals hma_count;
  alignas(64) Reals half_count;
  alignas(64) Reals root_count;
  alignas(64) Reals wma_count;
  alignas(64) Reals lsma_count;
  alignas(64) Reals kama_count;
  // Of L(L+1)/2, the divisor of a WMA; in pine hma's are of L.
  Inverses hma_inverse;
  Inverses half_inverse;
  Inverses root_inverse;
  Inverses wma_inverse;
  Inverses lsma_inverse;
  // Of L, and of L-1 (the slope; undefined for length 1).
  Inverses lsma_mean_inverse;
  Inverses lsma_step_inverse;
  // LSMA at the newest bar = by_wma * WMA - by_sma * SMA: 3 and 2; 1 and 0 for length 1 in pine, where the
  // line is the point itself.
  alignas(64) Reals lsma_by_wma;
  alignas(64) Reals lsma_by_sma;

  double hundredth_high;  // 1/100, as above
  double hundredth_low;
  double equity_keep;  // d = 1 - De/100
  // By family; undefined where one is not computed, as then all equities and signals are that follow.
  double layer1_start[8];
  double layer2_start[8];
  double cut_above;
  double cut_below;
  // The same before layer 1 is rounded: the least value that is above when rounded, the greatest that is
  // below.
  double cut_least_above;
  double cut_most_below;
  // And before it is divided. With h half of the way from b to the next lesser double, s/e rounds to b or
  // above exactly where s/e > b - h (no quotient of doubles lies in the middle between two), which is where
  // fma(-b, e, s) > -h*e: with s/e between the neighbours of b the fused operation is exact, as the rest of a
  // division is; elsewhere it errs by too little to matter. Of the greatest below likewise.
  double cut_above_half_gap;
  double cut_below_half_gap;
  double trend_above;
  double trend_below;
};

}  // namespace atcd::engine
