#pragma once

#include "engine/step.hpp"
#include "gpu/series_kernel_types.hpp"

// One series through a batch on 32 lanes. A tile of 32 bars at a time: what depends on no bar before (the
// windows, the layers' sums) goes a bar a lane; what does (EMA, DEMA, KAMA, crossings, equities) an average a
// lane, bar by bar. Every sum is made by one lane, in the definition's order. Between the phases all lanes
// wait for each other; within one no lane reads what another writes. Included by nvcc and by the stand-in of
// the tests, after ATCD_KERNEL names the namespace.

#if defined(__CUDACC__)
#define ATC_DEVICE __device__
#define ATC_UNROLL _Pragma("unroll")
#else
#define ATC_DEVICE
#define ATC_UNROLL
#endif

namespace atcd::gpu::ATCD_KERNEL {
namespace {

using namespace engine::ATCD_KERNEL;
using engine::kAverageCount;
using engine::kFamilyCount;
using engine::kLengthCount;

// A row has one value a bar and so much room that lanes at neighbouring rows meet in no memory bank.
constexpr int kRow = kTileBars + 1;
constexpr int kStateRow = kTileBars + 4;
constexpr int kRecurrences = 3 * kLengthCount;
constexpr int kAveragesPerLane = 2;
constexpr int kAveragingLanes = kAverageCount / kAveragesPerLane;

// Once a family's nine equities are summed, three of their rows hold what comes of them.
constexpr int kLayer1Row = 0;
constexpr int kLayer2Row = 1;
constexpr int kAverageRow = 2;  // the first family's

/// The memory that the lanes share.
struct Tile {
  double* values;    // MA source: value_history before the tile, then the tile
  double* closes;    // of the tile
  double* factors;   // three rows: 1+a of layer 1 where the state is -1, 0, 1
  double* averages;  // a row per average; then its equities
  double* raws;      // raw Hull values before this tile, and room for those before the next
  signed char* states;
  signed char* trend_codes;  // 1, -1, or 0 where the trend stays as it was
};

ATC_HOST_DEVICE inline std::int64_t tile_doubles(const DevicePlan& p) {
  return p.value_history + kTileBars + kTileBars + 3 * kRow + kAverageCount * kRow +
         2 * kLengthCount * p.raw_history;
}

ATC_HOST_DEVICE inline std::int64_t tile_bytes(const DevicePlan& p) {
  return tile_doubles(p) * static_cast<std::int64_t>(sizeof(double)) + kAverageCount * kStateRow + kTileBars;
}

ATC_HOST_DEVICE inline Tile tile_in(const DevicePlan& p, double* memory) {
  Tile tile{};
  tile.values = memory;
  tile.closes = tile.values + p.value_history + kTileBars;
  tile.factors = tile.closes + kTileBars;
  tile.averages = tile.factors + 3 * kRow;
  tile.raws = tile.averages + kAverageCount * kRow;
  tile.states = reinterpret_cast<signed char*>(memory + tile_doubles(p));
  tile.trend_codes = tile.states + kAverageCount * kStateRow;
  return tile;
}

/// What a lane keeps from tile to tile.
struct Lane {
  // The recurrence of lanes below kRecurrences: an EMA, the two of a DEMA, or a KAMA.
  double first = undefined(), second = undefined();
  double weight = 1;  // Block::ema_weight, dema_weight
  int gapped = 0;
  // Averages lane and lane + kAveragingLanes, of lanes below kAveragingLanes.
  double relation[kAveragesPerLane] = {undefined(), undefined()};
  double equity[kAveragesPerLane] = {undefined(), undefined()};
  int state[kAveragesPerLane] = {0, 0};
  // The family of lanes below kFamilyCount.
  double layer1 = undefined(), layer2 = undefined(), layer2_factor = 1;
  // The series: the same in every lane.
  double average = 0, published = 0;
  int trend = 0, previous_trend = 0;
  std::int64_t trend_since_bar = 0;
};

/// Bars base .. base+count-1 of a series.
struct Span {
  std::int64_t base;
  int count;
};

/// A kernel's arguments and where it is.
struct Work32 {
  const DevicePlan& p;
  const SeriesTask& task;
  const double* growth;
  const ColumnPlaces& columns;
  Tile tile;
  Span span;

  ATC_DEVICE double* row(int average) const { return tile.averages + average * kRow; }
  ATC_DEVICE double* family_row(int family, int which) const { return row(family * kLengthCount + which); }
  /// The last raw Hull values before tile number `tile_at`: a row for each length, oldest first.
  ATC_DEVICE double* raws_before(std::int64_t tile_at) const {
    return tile.raws + (tile_at % 2 == 0 ? 0 : kLengthCount * p.raw_history);
  }
  ATC_DEVICE void put(int place, std::int64_t bar, double value) const {
    task.columns[place * task.bars + bar] = value;
  }
};

template <bool pine>
ATC_DEVICE inline void begin(const Work32& w, int id, Lane& lane) {
  const bool kama = id >= 2 * kLengthCount && id < kRecurrences;
  if (pine && kama) lane.first = 0;
  for (int i = id; i < w.p.value_history + kTileBars; i += kLanes) w.tile.values[i] = undefined();
  for (int i = id; i < kLengthCount * w.p.raw_history; i += kLanes) w.tile.raws[i] = undefined();
}

/// The next bars, and their returns as factors. A lane moves only values that it wrote itself.
template <bool pine>
ATC_DEVICE inline void load_tile(const Work32& w, int id) {
  for (int i = id; i < w.p.value_history; i += kLanes) w.tile.values[i] = w.tile.values[i + kTileBars];
  if (id >= w.span.count) return;
  const std::int64_t bar = w.span.base + id;
  const double price = w.task.closes[bar];
  const double before = bar == 0 ? undefined() : w.task.closes[bar - 1];
  w.tile.values[w.p.value_history + id] = w.task.sources[bar];
  w.tile.closes[id] = price;
  const double r = grown_return<pine>(price, before, w.growth[bar]);
  const bool finite = no_infinity(r);
  for (int state = -1; state <= 1; ++state) {
    w.tile.factors[(state + 1) * kRow + id] = layer1_factor(static_cast<double>(state), r, finite);
  }
}

/// One reading of the scan: an average, or for a KAMA its pace, for a Hull average its raw value. Those have
/// the EMA's row meanwhile.
template <bool pine>
ATC_DEVICE inline void read_scan(const Work32& w, int id, ScanReading reading, const ScanSums<double>& sums,
                                 const double* now) {
  const DevicePlan& p = w.p;
  const int i = reading.index;
  const double x = *now;
  const auto weighted_average = [&](const DevicePlan::Reals& count, const DevicePlan::Inverses& inverse) {
    return wma_value(sums.weighted, count[i], x, inverse.high[i], inverse.low[i]);
  };
  double* const raw = w.row(kEma + i) + id;
  switch (reading.kind) {
    case ScanReading::half: {
      const double half = weighted_average(p.half_count, p.half_inverse);
      *raw = reading.completes != 0 ? hull_raw(half, *raw) : half;
      break;
    }
    case ScanReading::whole:
      if constexpr (pine) {
        w.row(kHma + i)[id] = sma_value(sums.sum, x, p.hma_inverse.high[i], p.hma_inverse.low[i]);
      } else {
        const double whole = weighted_average(p.hma_count, p.hma_inverse);
        *raw = reading.completes != 0 ? hull_raw(*raw, whole) : whole;
      }
      break;
    case ScanReading::wma:
      w.row(kWma + i)[id] = weighted_average(p.wma_count, p.wma_inverse);
      break;
    case ScanReading::lsma: {
      const double weighted = weighted_average(p.lsma_count, p.lsma_inverse);
      const double simple = sma_value(sums.sum, x, p.lsma_mean_inverse.high[i], p.lsma_mean_inverse.low[i]);
      w.row(kLsma + i)[id] = lsma_value<pine>(weighted, simple, p.lsma_by_wma[i], p.lsma_by_sma[i],
                                              p.lsma_step_inverse.high[i], p.lsma_step_inverse.low[i]);
      break;
    }
    case ScanReading::kama: {
      const double noise = sums.noise + magnitude(x - now[-1]);
      const double moved = magnitude(x - now[-p.kama_length[i]]);
      w.row(kKama + i)[id] = kama_pace<pine>(noise, moved, w.span.base + id >= p.kama_length[i]);
      break;
    }
  }
}

/// The averages over windows: one scan backward from the value before the newest.
template <bool pine>
ATC_DEVICE inline void scan_windows(const Work32& w, int id) {
  if (id >= w.span.count) return;
  const double* const now = w.tile.values + w.p.value_history + id;
  ScanSums<double> sums{0, 0, 0, now[-1]};
  int visited = 0;
  for (int k = 0; k < w.p.readings; ++k) {
    const ScanReading reading = w.p.reading[k];
    for (; visited < reading.visits; ++visited) visit_value(sums, now[-1 - visited]);
    read_scan<pine>(w, id, reading, sums, now);
  }
}

/// lts: the outer Hull averages, and the raw values that the next tile needs.
ATC_DEVICE inline void scan_raws(const Work32& w, int id) {
  const DevicePlan& p = w.p;
  const double* const raws_before = w.raws_before(w.span.base / kTileBars);
  double* const raws_next = w.raws_before(w.span.base / kTileBars + 1);
  for (int k = id; k < kLengthCount * p.raw_history; k += kLanes) {
    const int i = k / p.raw_history, at = w.span.count - p.raw_history + k % p.raw_history;
    const double* const before = raws_before + (i + 1) * p.raw_history;
    raws_next[k] = at >= 0 ? w.row(kEma + i)[at] : before[at];
  }
  if (id >= w.span.count) return;
  for (int i = 0; i < kLengthCount; ++i) {
    const double* const raw = w.row(kEma + i);
    const double* const before = raws_before + (i + 1) * p.raw_history;
    double sum = 0, weighted = 0;
    for (int at = id - 1; at > id - p.root_length[i]; --at) {
      add_weighted(sum, weighted, at >= 0 ? raw[at] : before[at]);
    }
    w.row(kHma + i)[id] =
        wma_value(weighted, p.root_count[i], raw[id], p.root_inverse.high[i], p.root_inverse.low[i]);
  }
}

}  // namespace
}  // namespace atcd::gpu::ATCD_KERNEL
