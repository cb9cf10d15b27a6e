#pragma once

#include <cstdint>

#include "engine/constants.hpp"

/// What the engine and its kernels share: plain data and function pointers, no inline functions (see
/// PlanConstants).
namespace atcd::engine {

inline constexpr int kLengthCount = PlanConstants::kLengths;
inline constexpr int kFamilyCount = static_cast<int>(kFamilies);
inline constexpr int kAverageCount = static_cast<int>(kAverages);

inline constexpr int kFamilyRoom = 8;  // for six values in whole vectors

/// What there is for each of the 54 averages lies in rows: for each length the values of the six families, so
/// that the sums of layer 1, which go from length to length, are sums of rows. That of length i and family f
/// is at [i * kFamilyRoom + f].
inline constexpr int kRowsRoom = kLengthCount * kFamilyRoom;

/// Everything of a series that one bar hands to the next, but the windows of values. Undefined values are
/// NaN. Behind the families of a row are averages of 0, above which every price lies: relation 0 at first,
/// state 1. Nine values follow upon nine, though a vector of them then lies in two lines: series that take
/// turns wait for lines.
struct Block {
  double ema[kLengthCount];
  double dema1[kLengthCount];
  double dema2[kLengthCount];  // in pine the sum of dema1 until it is seeded
  double kama[kLengthCount];
  double close;
  double average;    // as computed, before strategy_mode's shift
  double published;  // as published
  double trend;
  alignas(64) double relation[kRowsRoom];  // price - average at the last bar (pine: the last that had one)
  alignas(64) double state[kRowsRoom];     // crossing state: -1, 0, 1
  alignas(64) double equity[kRowsRoom];    // layer 1
  alignas(64) double layer1[kFamilyRoom];
  alignas(64) double layer2[kFamilyRoom];  // equities
  // Pine only: 1+a of the last bar whose driving layer-1 value was not 0. (A crossing state that once was not
  // 0 never is again, so the equities of layer 1 have nothing to keep.)
  alignas(64) double layer2_factor[kFamilyRoom];
  // Missing values, lts only: weight of what is remembered, (1-alpha)^missing; read only while `gapped`.
  double ema_weight[kLengthCount];
  double dema_weight[kLengthCount];
  std::int64_t gapped;  // 1: the last bar had no MA source
  std::int64_t bars;    // bars taken
  // Where the newest values lie in the windows.
  std::int64_t value_head;
  std::int64_t raw_head;
  // 1: prepare() need not look whether the next bar is usual, since it is (see is_usual() in step.hpp); 0: it
  // must. Not saved.
  std::int64_t known_usual;
};

/// Raw Hull values from one slot of the window to the next.
inline constexpr int kRawStride = kLengthCount;

/// The last values of the MA source and of the raw Hull series. Each value lies at two places, `capacity`
/// apart, so that a scan backward from the newest is contiguous; the head moves from capacity to 2*capacity-1
/// and starts again. One slot more than a scan visits is kept, so that stepping back finds all it needs.
struct Windows {
  double* values;
  std::int64_t value_capacity;
  double* raws;  // kRawStride per slot
  std::int64_t raw_capacity;
};

/// What prepare() leaves for finish(): everything about the next bar that does not need its price.
struct Work {
  // Partial sums by the number of values: of the values before the newest, of those sums, and of the absolute
  // differences between neighbours. Behind the last there is room for a vector.
  double* sums;
  double* weighted;
  double* noise;
  // The same, read off at the lengths.
  double hma_part[kLengthCount];  // weighted; in pine sums
  double half_part[kLengthCount];
  double wma_part[kLengthCount];
  double lsma_part[kLengthCount];
  double lsma_sum[kLengthCount];
  double kama_noise[kLengthCount];
  double kama_oldest[kLengthCount];
  double root_part[kLengthCount];
  double average[kFamilyCount][kLengthCount];  // finish(): the averages of the bar
  double raw[kLengthCount];                    // finish(): the raw Hull values of the bar
  double growth;                               // given: exp(lambda * k) of the next bar
  bool usual;                                  // nothing begins or is undefined: see is_usual() in step.hpp
};

/// Where a series of a batch stands after its last bar.
struct BatchEnd {
  Block block;  // but for the heads, and of families that are not computed
  std::int64_t trend_since_bar;
  double previous_trend;  // of the bar before
  double* raws;  // given: room for the last longest_root raw Hull values of each length, oldest first
};

/// One series through a batch. Columns that are null are not wanted; `averages`, `states` and `equities` have
/// kAverages columns, one after the other.
struct BatchColumns {
  std::int64_t bars;
  const double* closes;
  const double* sources;
  double* layer1[kFamilies];
  double* layer2[kFamilies];
  double* average;
  signed char* trend;
  double* averages;
  double* states;
  double* equities;
  BatchEnd* end;  // null where it is not wanted
};

/// One of several plans that share their averages, and where its columns go: `lanes` of them, of the same
/// series with each plan. `averages`, `states`, `equities` and `end` are null.
struct BatchVariant {
  const PlanConstants* plan;
  const double* growth;
  const BatchColumns* columns;
};

/// What an estimate needs (screen.hpp), in single precision.
struct ScreenConstants {
  bool pine;
  bool strategy_mode;
  bool chosen[kFamilies];  // the others have the length of one that is
  int length[kFamilies];
  int half;  // of Hull's
  int root;
  int longest;
  float start[kFamilies];  // equities
  float keep;
  float cut_above, cut_below;
};

/// So many series at once as the kernel has lanes, lane by lane within each row. In front of the bars' rows
/// lie longest + 1 further ones of closes and sources.
struct ScreenColumns {
  std::int64_t bars;
  const float* closes;
  const float* sources;
  float* raws;  // room for root + bars rows
  float* sums;  // room for 3 * (longest + 1) rows
  float* last;  // one row: the estimates
};

/// The definition compiled for one instruction set.
struct Kernel {
  const char* name;
  bool (*supported)();  // by this processor

  /// One series, bar by bar. `in` and `out` are different blocks.
  void (*begin)(const PlanConstants&, Block&, const Windows&);
  void (*prepare)(const PlanConstants&, const Windows&, const Block& in, Work&);
  void (*finish)(const PlanConstants&, const Block& in, Block& out, const Windows&, Work&, double close,
                 double source);
  /// Makes the bar that was finished into `out` the newest of the windows.
  void (*commit)(const PlanConstants&, Block& out, const Windows&, const Work&, double source);

  /// `lanes` whole series at once, whatever their lengths. `growth` has one factor for each bar of the
  /// longest; `scratch` has scratch_bytes(), aligned to 64.
  int lanes;
  std::int64_t (*scratch_bytes)(const PlanConstants&);
  void (*run)(const PlanConstants&, const double* growth, const BatchColumns* columns, void* scratch);

  /// The same under several plans. `scratch` has variants_scratch_bytes() for the longest series.
  std::int64_t (*variants_scratch_bytes)(const PlanConstants&, std::int64_t bars);
  void (*run_variants)(const BatchVariant* variants, std::int64_t count, void* scratch);

  int screen_lanes;
  void (*screen)(const ScreenConstants&, const ScreenColumns&);

  /// The kernel that computes a batch's group of no more series than that one has lanes faster, and so with
  /// the same bits; or null. It wants no more scratch.
  const Kernel* few = nullptr;
};

}  // namespace atcd::engine
