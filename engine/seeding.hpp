#pragma once

#include "engine/averages.hpp"

// How EMA and DEMA begin, and how they go over missing values: the rare bars.

namespace atcd::engine::ATCD_KERNEL {
namespace {

/// The mean of the first `length` values, of those that are present: newest last, as every windowed sum.
template <class V>
inline V seed_mean(const Work<V>& w, const Windows<V>& windows, const Block<V>& in, std::int64_t length,
                   double count, V x) {
  const V mean = (w.sums[length - 1] + x) / count;
  if constexpr (kOneSeries<V>) {
    if (is_undefined(mean)) {
      const double* newest = windows.values + in.value_head;
      double sum = 0, present = 0;
      for (std::int64_t j = 0; j < length - 1; ++j) {
        if (is_undefined(newest[-j])) continue;
        sum += newest[-j];
        present += 1;
      }
      if (!is_undefined(x)) {
        sum += x;
        present += 1;
      }
      return sum / present;  // none present: 0/0, undefined
    }
  }
  return mean;
}

template <class V>
inline void seed_ema(const PlanConstants& c, const Work<V>& w, const Windows<V>& windows, const Block<V>& in,
                     Block<V>& out, V* average, V x, std::int64_t bar) {
  for (int i = 0; i < kLengthCount; ++i) {
    if (bar != c.ema_length[i] - 1) continue;
    out.ema[i] = seed_mean(w, windows, in, c.ema_length[i], c.ema_count[i], x);
    out.ema_weight[i] = 1;
    average[i] = out.ema[i];
  }
}

/// pine: the second EMA begins with the mean of the first `length` values of the first one, oldest first.
template <class V>
inline void seed_second_from_mean(const PlanConstants& c, V first, V sum_before, V& second, V& average,
                                  std::int64_t bar, int i) {
  const std::int64_t since = bar - (c.dema_length[i] - 1);
  const std::int64_t last = c.dema_length[i] - 1;
  if (since > last) return;
  const V sum = (since > 0 ? sum_before : V{}) + first;
  second = since == last ? sum / c.dema_count[i] : sum;
  average = since == last ? 2.0 * first - second : broadcast<V>(undefined());
}

template <bool pine, class V>
inline void seed_dema(const PlanConstants& c, const Work<V>& w, const Windows<V>& windows, const Block<V>& in,
                      const V* second_before, Block<V>& out, V* average, V x, std::int64_t bar) {
  for (int i = 0; i < kLengthCount; ++i) {
    if (bar == c.dema_length[i] - 1) {
      const V first = seed_mean(w, windows, in, c.dema_length[i], c.dema_count[i], x);
      out.dema1[i] = first;
      out.dema_weight[i] = 1;
      if constexpr (!pine) {
        out.dema2[i] = first;
        average[i] = 2.0 * first - first;
      }
    }
    if constexpr (pine) {
      if (bar >= c.dema_length[i] - 1) {
        seed_second_from_mean(c, out.dema1[i], second_before[i], out.dema2[i], average[i], bar, i);
      }
    }
  }
}

/// One EMA at a bar that is missing or follows missing ones. Before its first `length` bars are over it is
/// undefined and stays so; undefined after them it begins at the first value present.
inline double step_over_gap(double e, double& weight, double alpha, double keep, bool seeded, double x) {
  if (is_undefined(x)) {
    if (!is_undefined(e)) weight *= keep;
    return e;
  }
  const double moved_by = weight == 1 ? alpha : alpha / (weight * keep + alpha);
  weight = 1;
  if (is_undefined(e)) return seeded ? x : e;
  return fma(moved_by, x - e, e);
}

/// lts: instead of step_ema where the bar or the one before has no MA source.
inline void step_ema_over_gap(const PlanConstants& c, const Block<double>& in, Block<double>& out,
                              double* average, double x, std::int64_t bar) {
  for (int i = 0; i < kLengthCount; ++i) {
    double weight = in.gapped != 0 ? in.ema_weight[i] : 1;
    const bool seeded = bar >= c.ema_length[i];
    out.ema[i] = step_over_gap(in.ema[i], weight, c.ema_alpha[i], c.ema_keep[i], seeded, x);
    out.ema_weight[i] = weight;
    average[i] = out.ema[i];
  }
}

/// lts: instead of step_dema. The first EMA keeps its value at a missing bar; the second moves toward it.
inline void step_dema_over_gap(const PlanConstants& c, const Block<double>& in, Block<double>& out,
                               double* average, double x, std::int64_t bar) {
  for (int i = 0; i < kLengthCount; ++i) {
    double weight = in.gapped != 0 ? in.dema_weight[i] : 1;
    const bool seeded = bar >= c.dema_length[i];
    const double first = step_over_gap(in.dema1[i], weight, c.dema_alpha[i], c.dema_keep[i], seeded, x);
    const bool begins = is_undefined(in.dema2[i]);
    const double second = begins ? first : fma(c.dema_alpha[i], first - in.dema2[i], in.dema2[i]);
    out.dema1[i] = first;
    out.dema2[i] = second;
    out.dema_weight[i] = weight;
    average[i] = 2.0 * first - second;
  }
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
