#pragma once

#include <cstring>

#include "engine/crossing.hpp"
#include "engine/equity.hpp"
#include "engine/layers.hpp"
#include "engine/seeding.hpp"
#include "gpu/series_kernel_types.hpp"

// One series through a batch on 32 lanes: what the lanes share, and what each keeps. A tile of 32 bars at a
// time: what depends on no bar before (the windows, the layers' sums) goes a bar a lane; what does (EMA,
// DEMA, KAMA, equities) an average a lane, bar by bar. Half of the averages go through a tile at a time, so
// that a series takes little memory and many fit on a multiprocessor. Every sum is made by one lane, in the
// definition's order. Between the phases all lanes wait for each other; within one no lane reads what another
// writes. Included by nvcc and by the stand-in of the tests, after ATCD_KERNEL names the namespace.

#if defined(__CUDACC__)
#define ATC_DEVICE __device__
#define ATC_UNROLL _Pragma("unroll")
#define ATC_UNROLL_8 _Pragma("unroll 8")
#define ATC_ROLLED_TILE _Pragma("unroll 1")
#define ATC_ROLLED _Pragma("unroll 1")  // rare
#else
#define ATC_DEVICE
#define ATC_UNROLL
#define ATC_UNROLL_8
#define ATC_ROLLED_TILE
#define ATC_ROLLED
#endif

namespace atcd::gpu::ATCD_KERNEL {
namespace {

using namespace engine::ATCD_KERNEL;
using engine::kAverageCount;
using engine::kFamilyCount;
using engine::kLengthCount;

/// One bit a bar of the tile.
using Bars = std::uint32_t;

// A row has one value a bar and so much room that lanes at neighbouring rows meet in no memory bank.
constexpr int kRow = kTileBars + 1;
// Loops over a tile are unrolled by so many bars: their values wait for each other only where they must.
constexpr int kAtATime = 8;
// The averages go in two passes of three families: those from bar to bar (EMA, DEMA, KAMA), then those over
// windows (Hull, WMA, LSMA).
constexpr int kPasses = 2;
constexpr int kPassFamilies = kFamilyCount / kPasses;
constexpr int kPassAverages = kAverageCount / kPasses;
static_assert(kPassAverages <= kLanes, "a lane takes an average of the pass");

ATC_CONSTANT int family_of(int pass, int member) {
  constexpr int kOrder = 0x421'530;  // a digit a family
  return kOrder >> (12 * pass + 4 * member) & 15;
}
static_assert(family_of(0, 0) * kLengthCount == kEma && family_of(0, 1) * kLengthCount == kDema &&
              family_of(0, 2) * kLengthCount == kKama && family_of(1, 0) * kLengthCount == kHma &&
              family_of(1, 1) * kLengthCount == kWma && family_of(1, 2) * kLengthCount == kLsma);
/// Which of the 54 averages has the pass's row `slot`.
ATC_CONSTANT int average_of(int pass, int slot) {
  return family_of(pass, slot / kLengthCount) * kLengthCount + slot % kLengthCount;
}

// Rows of the second pass once its layer 1 is summed: the families' layer 2, and the average signal.
constexpr int kAverageRow = kFamilyCount;

/// The memory that the lanes share.
struct Tile {
  double* values;   // MA source: value_history before the tile, then the tile
  double* closes;   // of the tile
  double* returns;  // of the tile, grown
  double* rows;     // one per average of the pass; then its equities
  double* raws;     // raw Hull values before this tile, and room for those before the next
  Bars* rising;     // per average of the pass: the bars where its crossing state is 1
  Bars* falling;    // where it is -1
};

/// What is read by one instruction.
struct alignas(2 * sizeof(double)) Two {
  double first, second;
};

// So begin the tile's values, closes and returns, and each warp's memory behind that of the one before.
static_assert(kTileBars % 2 == 0 && kPassAverages * (kRow + 1) % 2 == 0, "Two lies where no device reads it");

/// The next bars of a tile's values, closes or returns.
ATC_DEVICE inline void read_bars(const double* from, double (&bars)[kAtATime]) {
  const Two* const twos = reinterpret_cast<const Two*>(from);
  ATC_UNROLL
  for (int k = 0; k < kAtATime; k += 2) {
    bars[k] = twos[k / 2].first;
    bars[k + 1] = twos[k / 2].second;
  }
}

ATC_HOST_DEVICE inline std::int64_t tile_doubles(const DevicePlan& p) {
  return p.value_history + kTileBars + 2 * kTileBars + kPassAverages * kRow +
         2 * kLengthCount * p.raw_history;
}

ATC_HOST_DEVICE inline std::int64_t tile_bytes(const DevicePlan& p) {
  static_assert(2 * sizeof(Bars) == sizeof(double));
  return (tile_doubles(p) + kPassAverages) * static_cast<std::int64_t>(sizeof(double));
}

ATC_HOST_DEVICE inline Tile tile_in(const DevicePlan& p, double* memory) {
  Tile tile{};
  tile.values = memory;
  tile.closes = tile.values + p.value_history + kTileBars;
  tile.returns = tile.closes + kTileBars;
  tile.rows = tile.returns + kTileBars;
  tile.raws = tile.rows + kPassAverages * kRow;
  tile.rising = reinterpret_cast<Bars*>(memory + tile_doubles(p));
  tile.falling = tile.rising + kPassAverages;
  return tile;
}

/// The same where the averages are known by their crossings: only what layers need.
ATC_HOST_DEVICE inline std::int64_t layers_bytes() {
  return (kTileBars + kPassAverages * kRow + kPassAverages) * static_cast<std::int64_t>(sizeof(double));
}

ATC_HOST_DEVICE inline Tile layers_tile_in(double* memory) {
  Tile tile{};
  tile.returns = memory;
  tile.rows = tile.returns + kTileBars;
  tile.rising = reinterpret_cast<Bars*>(tile.rows + kPassAverages * kRow);
  tile.falling = tile.rising + kPassAverages;
  return tile;
}

/// What a lane keeps from tile to tile.
struct Lane {
  // The average of lanes below kPassAverages in the first pass: an EMA, the two of a DEMA, or a KAMA.
  double first = undefined(), second = undefined();
  double weight = 1;  // Block::ema_weight, dema_weight
  int gapped = 0;
  // The average of the lane in each pass.
  double relation[kPasses] = {undefined(), undefined()};
  double equity[kPasses] = {undefined(), undefined()};
  int state[kPasses] = {0, 0};
  // The family of lanes below kFamilyCount.
  double layer2 = undefined(), layer2_factor = 1;
  // The series: the same in every lane.
  Bars drove_with = 0, drove_against = 0;  // the families whose layer 1 at the bar before was above, below 0
  double average = 0, published = 0;
  int trend = 0, previous_trend = 0;
  std::int64_t trend_since_bar = 0;
  // The lane's bar, within a tile.
  double bar_return = 0, bar_published = 0;
  double bar_layer1[kFamilyCount] = {};
  double bar_hull[kLengthCount] = {};
};

/// Bars base .. base+count-1 of a series.
struct Span {
  std::int64_t base;
  int count;
  bool plain;        // all of a tile's bars, after the cutout, and every return finite
  bool signed_rows;  // plain, and each state of the pass 1 or -1: its equities' rows have their states' signs
};

/// A kernel's arguments and where it is.
struct Work32 {
  const DevicePlan& p;
  const SeriesTask& task;
  const ColumnPlaces& columns;
  Tile tile;
  Span span;

  ATC_DEVICE double* row(int slot) const { return tile.rows + slot * kRow; }
  /// The last raw Hull values before tile number `tile_at`: a row for each length, oldest first.
  ATC_DEVICE double* raws_before(std::int64_t tile_at) const {
    return tile.raws + (tile_at % 2 == 0 ? 0 : kLengthCount * p.raw_history);
  }
  /// The tile's crossings of the pass.
  ATC_DEVICE Crossings* crossings(int pass) const {
    return task.crossings + (span.base / kTileBars * kPasses + pass) * kPassAverages;
  }
  ATC_DEVICE void put(int place, std::int64_t bar, double value) const {
    task.columns[place * task.bars + bar] = value;
  }
  /// Whether the plan has the family, and one of the pass.
  ATC_DEVICE bool has(int family) const { return (p.families >> family & 1) != 0; }
  ATC_DEVICE bool has_pass(int pass) const {
    return has(family_of(pass, 0)) || has(family_of(pass, 1)) || has(family_of(pass, 2));
  }
  ATC_DEVICE Bars all_bars() const { return ~Bars{0} >> (kTileBars - span.count); }
  ATC_DEVICE bool last_of(Bars bars) const { return (bars >> (span.count - 1) & 1) != 0; }
};

ATC_DEVICE inline bool has(Bars bars, int bar) { return (bars & Bars{1} << bar) != 0; }

/// The bars of `bars` moved to the next one each; `before`: whether the bar before the tile is one of them.
ATC_DEVICE inline Bars next_bars(Bars bars, bool before) { return bars << 1 | (before ? 1U : 0U); }

/// The bars at which `set` was true more lately than `cleared`; a bar is in one of them at most. As an adder
/// carries: set makes a carry, cleared takes it, the others hand it on.
ATC_DEVICE inline Bars held(Bars set, Bars cleared, bool before) {
  const std::uint64_t a = static_cast<Bars>(~cleared), b = set;
  return static_cast<Bars>((a ^ b ^ (a + b + (before ? 1 : 0))) >> 1);
}

/// The latest of some bars, of which there is one.
ATC_DEVICE inline int latest(Bars bars) {
#if defined(__CUDA_ARCH__)
  return kTileBars - 1 - __clz(static_cast<int>(bars));
#else
  return kTileBars - 1 - __builtin_clz(bars);
#endif
}

ATC_DEVICE inline Bars reversed(Bars bars) {
#if defined(__CUDA_ARCH__)
  return __brev(bars);
#else
  Bars result = 0;
  for (int t = 0; t < kTileBars; ++t) result |= (bars >> t & 1) << (kTileBars - 1 - t);
  return result;
#endif
}

/// The upper half of a number's bits, its sign the highest of them.
ATC_DEVICE inline Bars upper_bits(double a) {
#if defined(__CUDA_ARCH__)
  return static_cast<Bars>(__double2hiint(a));
#else
  std::uint64_t bits = 0;
  std::memcpy(&bits, &a, sizeof bits);
  return static_cast<Bars>(bits >> 32);
#endif
}

constexpr Bars kSign = Bars{1} << 31;

/// `a` with other upper bits.
ATC_DEVICE inline double with_upper_bits(double a, Bars upper) {
#if defined(__CUDA_ARCH__)
  return __hiloint2double(static_cast<int>(upper), __double2loint(a));
#else
  std::uint64_t bits = 0;
  std::memcpy(&bits, &a, sizeof bits);
  bits = std::uint64_t{upper} << 32 | (bits & ~Bars{0});
  std::memcpy(&a, &bits, sizeof a);
  return a;
#endif
}

/// `a`, or -a where the highest of `bits` is set: what a multiplication by 1 or -1 gives.
ATC_DEVICE inline double signed_by(Bars bits, double a) {
#if defined(__CUDA_ARCH__)
  Bars upper = 0;  // in one instruction: upper_bits(a) ^ (bits & kSign)
  asm("lop3.b32 %0, %1, %2, %3, 0x78;" : "=r"(upper) : "r"(upper_bits(a)), "r"(bits), "n"(kSign));
  return with_upper_bits(a, upper);
#else
  return with_upper_bits(a, upper_bits(a) ^ (bits & kSign));
#endif
}

/// 1, -1 or 0 as the bar is in `rising`, in `falling` or in neither.
ATC_DEVICE inline double state_at(Bars rising, Bars falling, int bar) {
  return has(rising, bar) ? 1.0 : has(falling, bar) ? -1.0 : 0.0;
}

}  // namespace
}  // namespace atcd::gpu::ATCD_KERNEL
