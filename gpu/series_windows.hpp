#pragma once

#include "gpu/series_memory.hpp"

// The part of the tile that depends on no bar before: a bar a lane.

namespace atcd::gpu::ATCD_KERNEL {
namespace {

template <bool pine>
ATC_DEVICE inline void begin(const Work32& w, int id, Lane& lane) {
  const bool kama = id >= 2 * kLengthCount && id < kPassAverages;
  if (pine && kama) lane.first = 0;
  for (int i = id; i < w.p.value_history + kTileBars; i += kLanes) w.tile.values[i] = undefined();
  for (int i = id; i < kLengthCount * w.p.raw_history; i += kLanes) w.tile.raws[i] = undefined();
}

/// The next bars' returns.
template <bool pine>
ATC_DEVICE inline void load_returns(const Work32& w, int id, Lane& lane) {
  if (id >= w.span.count) return;
  const std::int64_t bar = w.span.base + id;
  const double before = bar == 0 ? undefined() : w.task.closes[bar - 1];
  lane.bar_return = grown_return<pine>(w.task.closes[bar], before, w.task.growth[bar]);
  w.tile.returns[id] = lane.bar_return;
}

/// The next bars and their returns. A lane moves only values that it wrote itself.
template <bool pine>
ATC_DEVICE inline void load_tile(const Work32& w, int id, Lane& lane) {
  for (int i = id; i < w.p.value_history; i += kLanes) w.tile.values[i] = w.tile.values[i + kTileBars];
  if (id >= w.span.count) return;
  const std::int64_t bar = w.span.base + id;
  w.tile.values[w.p.value_history + id] = w.task.sources[bar];
  w.tile.closes[id] = w.task.closes[bar];
  load_returns<pine>(w, id, lane);
}

/// The paces of the KAMAs, from one scan backward over the noise.
template <bool pine, Spread spread>
ATC_DEVICE inline void scan_noise(const Work32& w, int id) {
  if (id >= w.span.count) return;
  const double* const now = w.tile.values + w.p.value_history + id;
  const double x = *now, change = magnitude(x - now[-1]);
  double noise = 0, later = now[-1];
  const auto visit = [&](int visited) {
    const double value = now[-1 - visited];
    noise += magnitude(later - value);  // at the first: 0
    later = value;
  };
  const auto read = [&](int i, int length) {
    const double moved = magnitude(x - now[-length]);
    w.row(2 * kLengthCount + i)[id] = kama_pace<pine>(noise + change, moved, w.span.base + id >= length);
  };
  if constexpr (spread == Spread::other) {
    int visited = 0;
    for (int k = 0; k < kLengthCount; ++k) {
      const int i = index_by_size(k), length = w.p.kama_length[i];
      for (; visited < length; ++visited) visit(visited);
      read(i, length);
    }
  } else {
    ATC_UNROLL
    for (int visited = 0; visited < usual_longest(spread); ++visited) {
      visit(visited);
      ATC_UNROLL
      for (int i = 0; i < kLengthCount; ++i) {
        if (usual_length(spread, i) == visited + 1) read(i, visited + 1);
      }
    }
  }
}

/// What the families over windows read off the scan at one of their lengths.
struct WindowReader {
  const Work32& w;
  int id;
  double x, sum, weighted;

  ATC_DEVICE void visit(double value) { add_weighted(sum, weighted, value); }
  ATC_DEVICE double weighted_average(const DevicePlan::Reals& count, const DevicePlan::Inverses& inverse,
                                     int i) const {
    return wma_value(weighted, count[i], x, inverse.high[i], inverse.low[i]);
  }
  ATC_DEVICE double half(int i) const { return weighted_average(w.p.half_count, w.p.half_inverse, i); }
  ATC_DEVICE double whole(int i) const { return weighted_average(w.p.hma_count, w.p.hma_inverse, i); }
  ATC_DEVICE double pine_hull(int i) const {
    return sma_value(sum, x, w.p.hma_inverse.high[i], w.p.hma_inverse.low[i]);
  }
  ATC_DEVICE double wma(int i) const { return weighted_average(w.p.wma_count, w.p.wma_inverse, i); }
  template <bool pine>
  ATC_DEVICE double lsma(int i) const {
    return lsma_from<pine>(weighted_average(w.p.lsma_count, w.p.lsma_inverse, i), i);
  }
  template <bool pine>
  ATC_DEVICE double lsma_from(double mean, int i) const {
    const DevicePlan& p = w.p;
    const double simple = sma_value(sum, x, p.lsma_mean_inverse.high[i], p.lsma_mean_inverse.low[i]);
    return lsma_value<pine>(mean, simple, p.lsma_by_wma[i], p.lsma_by_sma[i], p.lsma_step_inverse.high[i],
                            p.lsma_step_inverse.low[i]);
  }
  ATC_DEVICE double& at(int member, int i) const { return w.row(member * kLengthCount + i)[id]; }
};

/// One reading of any lengths. Until both parts of a raw Hull value are read its row has the first.
template <bool pine>
ATC_DEVICE inline void read_scan(const WindowReader& reader, ScanReading reading) {
  const int i = reading.index;
  double& hull = reader.at(0, i);
  switch (reading.kind) {
    case ScanReading::half: {
      const double half = reader.half(i);
      hull = reading.completes != 0 ? hull_raw(half, hull) : half;
      break;
    }
    case ScanReading::whole:
      if constexpr (pine) {
        hull = reader.pine_hull(i);
      } else {
        hull = reading.completes != 0 ? hull_raw(hull, reader.whole(i)) : reader.whole(i);
      }
      break;
    case ScanReading::wma:
      reader.at(1, i) = reader.wma(i);
      break;
    case ScanReading::lsma:
      reader.at(2, i) = reader.lsma<pine>(i);
      break;
  }
}

/// The averages over windows (of Hull's the raw values): one scan backward from the value before the newest.
template <bool pine, Spread spread>
ATC_DEVICE inline void scan_windows(const Work32& w, int id) {
  if (id >= w.span.count) return;
  const double* const now = w.tile.values + w.p.value_history + id;
  WindowReader reader{w, id, *now, 0, 0};
  if constexpr (spread == Spread::other) {
    int visited = 0;
    for (int k = 0; k < w.p.readings; ++k) {
      const ScanReading reading = w.p.reading[k];
      for (; visited < reading.visits; ++visited) reader.visit(now[-1 - visited]);
      read_scan<pine>(reader, reading);
    }
  } else {
    double half[kLengthCount];
    ATC_UNROLL
    for (int visits = 1; visits < usual_longest(spread); ++visits) {
      reader.visit(now[-visits]);
      ATC_UNROLL
      for (int i = 0; i < kLengthCount; ++i) {
        if (!pine && usual_length(spread, i) / 2 == visits + 1) half[i] = reader.half(i);
        if (usual_length(spread, i) != visits + 1) continue;
        // One weighted average serves all three families, as they have the same lengths.
        const double wma = reader.wma(i);
        reader.at(0, i) = pine ? reader.pine_hull(i) : hull_raw(half[i], wma);
        reader.at(1, i) = wma;
        reader.at(2, i) = reader.template lsma_from<pine>(wma, i);
      }
    }
  }
}

/// The raw Hull values that the next tile needs.
ATC_DEVICE inline void keep_raws(const Work32& w, int id, int history) {
  double* const raws_next = w.raws_before(w.span.base / kTileBars + 1);
  const int first = w.span.count - history;
  if (first >= 0) {
    if (id < first || id >= w.span.count) return;
    ATC_UNROLL
    for (int i = 0; i < kLengthCount; ++i) raws_next[i * history + id - first] = w.row(i)[id];
    return;
  }
  const double* const raws_before = w.raws_before(w.span.base / kTileBars);
  ATC_ROLLED
  for (int k = id; k < kLengthCount * history; k += kLanes) {
    const int i = k / history, at = first + k % history;
    raws_next[k] = at >= 0 ? w.row(i)[at] : raws_before[(i + 1) * history + at];
  }
}

/// lts: the outer Hull averages, kept by the lane as others still read the raw values in their rows.
template <Spread spread>
ATC_DEVICE inline void scan_raws(const Work32& w, int id, Lane& lane) {
  const DevicePlan& p = w.p;
  const int history = spread == Spread::other ? p.raw_history : usual_root(spread, 4) - 1;
  const double* const raws_before = w.raws_before(w.span.base / kTileBars);
  keep_raws(w, id, history);
  if (id >= w.span.count) return;
  ATC_UNROLL
  for (int i = 0; i < kLengthCount; ++i) {
    const double* const raw = w.row(i);
    const int length = spread == Spread::other ? p.root_length[i] : usual_root(spread, i);
    double sum = 0, weighted = 0;
    ATC_UNROLL_8
    for (int back = 1; back < length; ++back) {
      const bool in_tile = id >= back;
      const double* const from = in_tile ? w.row(0) : raws_before + history;
      add_weighted(sum, weighted, from[i * (in_tile ? kRow : history) + id - back]);
    }
    lane.bar_hull[i] =
        wma_value(weighted, p.root_count[i], raw[id], p.root_inverse.high[i], p.root_inverse.low[i]);
  }
}

ATC_DEVICE inline void store_hull(const Work32& w, int id, const Lane& lane) {
  if (id >= w.span.count) return;
  ATC_UNROLL
  for (int i = 0; i < kLengthCount; ++i) w.row(i)[id] = lane.bar_hull[i];
}

}  // namespace
}  // namespace atcd::gpu::ATCD_KERNEL
