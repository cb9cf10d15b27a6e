#pragma once

#include "gpu/series_memory.hpp"

// EMA, DEMA and KAMA, which go from bar to bar: one a lane.

namespace atcd::gpu::ATCD_KERNEL {
namespace {

ATC_DEVICE inline double seed_of(const double* now, int length, double count) {
  ScanSums<double> sums{0, 0, 0, now[-1]};
  for (int j = 1; j < length; ++j) visit_value(sums, now[-j]);
  const double mean = mean_of_all(sums.sum, *now, count);
  return is_undefined(mean) ? mean_of_present(now - 1, length, *now) : mean;
}

/// An EMA or the first one of a DEMA, where it may have to be seeded or to go over a missing value.
template <bool pine>
ATC_DEVICE inline void step_unsettled_ema(Lane& lane, const double* now, std::int64_t bar, double alpha,
                                          double keep, int length, double count) {
  const double x = *now;
  if (!pine && (lane.gapped != 0 || is_undefined(x))) {
    double weight = lane.gapped != 0 ? lane.weight : 1;
    lane.first = step_over_gap(lane.first, weight, alpha, keep, bar >= length, x);
    lane.weight = weight;
  } else {
    lane.first = ema_value(alpha, lane.first, x);
  }
  if (bar != length - 1) return;
  lane.first = seed_of(now, length, count);
  lane.weight = 1;
}

template <bool pine>
ATC_DEVICE inline double step_unsettled_dema(const DevicePlan& p, Lane& lane, int i, const double* now,
                                             std::int64_t bar) {
  const int length = p.dema_length[i];
  const double alpha = p.dema_alpha[i], second_before = lane.second;
  const bool gap = !pine && (lane.gapped != 0 || is_undefined(*now));
  step_unsettled_ema<pine>(lane, now, bar, alpha, p.dema_keep[i], length, p.dema_count[i]);
  lane.second =
      gap ? second_over_gap(second_before, alpha, lane.first) : ema_value(alpha, second_before, lane.first);
  if (!pine && bar == length - 1) lane.second = lane.first;
  double average = dema_value(lane.first, lane.second);
  if (pine && bar >= length - 1) {
    seed_second_from_mean(lane.first, second_before, lane.second, average, bar, length, p.dema_count[i]);
  }
  return average;
}

template <bool pine>
ATC_DEVICE inline void step_unsettled(const Work32& w, Lane& lane, int family, int i, double* row, int t) {
  const DevicePlan& p = w.p;
  const double* const now = w.tile.values + p.value_history + t;
  const std::int64_t bar = w.span.base + t;
  if (family == 0) {
    step_unsettled_ema<pine>(lane, now, bar, p.ema_alpha[i], p.ema_keep[i], p.ema_length[i], p.ema_count[i]);
    row[t] = lane.first;
  } else if (family == 1) {
    row[t] = step_unsettled_dema<pine>(p, lane, i, now, bar);
  } else {
    const bool begins = !pine && bar == 0;
    lane.first = begins ? *now : kama_value<pine>(row[t], lane.first, *now, bar >= p.kama_length[i]);
    row[t] = lane.first;
  }
  lane.gapped = !pine && is_undefined(*now) ? 1 : 0;
}

/// EMA, DEMA and KAMA: one a lane, bar by bar.
template <bool pine>
ATC_DEVICE inline void step_recurrences(const Work32& w, int id, Lane& lane) {
  if (id >= kPassAverages) return;
  const int family = id / kLengthCount, i = id % kLengthCount;
  const bool dema = family == 1, kama = family == 2;
  double* const row = w.row(id);
  const double* const values = w.tile.values + w.p.value_history;
  if (w.span.count < kTileBars || w.span.base < w.p.unsettled_bars || w.task.calm == 0) {
    ATC_ROLLED
    for (int t = 0; t < w.span.count; ++t) step_unsettled<pine>(w, lane, family, i, row, t);
    return;
  }
  // The same operations for all: the second average is of use to a DEMA only and stays 0 elsewhere, so that
  // 1*first - 0 is the first.
  const double alpha = dema ? w.p.dema_alpha[i] : w.p.ema_alpha[i];
  const double second_alpha = dema ? alpha : 0, firsts = dema ? 2 : 1;
  double first = lane.first, second = dema ? lane.second : 0, pace[kAtATime];
  ATC_UNROLL
  for (int k = 0; k < kAtATime; ++k) pace[k] = alpha;
  ATC_ROLLED_TILE
  for (int from = 0; from < kTileBars; from += kAtATime) {
    const double first_before = first;
    double x[kAtATime], average[kAtATime];
    read_bars(values + from, x);
    if (kama) {
      ATC_UNROLL
      for (int k = 0; k < kAtATime; ++k) pace[k] = row[from + k];
    }
    ATC_UNROLL
    for (int k = 0; k < kAtATime; ++k) {
      first = ema_value(pace[k], first, x[k]);
      second = ema_value(second_alpha, second, first);
      average[k] = fma(firsts, first, -second);  // dema_value(): calm, so that 2*first is exact
    }
    // A KAMA that was undefined has stayed so; in lts it has to go on from the newest value.
    if (!pine && kama && is_undefined(first)) {
      first = first_before;
      second = 0;
      ATC_ROLLED
      for (int k = 0; k < kAtATime; ++k) {
        first = ema_value(row[from + k], kama_from<pine>(first, values[from + k]), values[from + k]);
        row[from + k] = first;
      }
    } else {
      ATC_UNROLL
      for (int k = 0; k < kAtATime; ++k) row[from + k] = average[k];
    }
  }
  lane.first = first;
  if (dema) lane.second = second;
}

}  // namespace
}  // namespace atcd::gpu::ATCD_KERNEL
