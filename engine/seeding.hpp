#pragma once

#include "engine/averages.hpp"

// How EMA and DEMA begin, and how they go over missing values: the rare bars.

namespace atcd::engine::ATCD_KERNEL {
namespace {

/// The mean of those present among `length` values, of which x is the newest and newest[0] the one before;
/// they lie `stride` apart.
ATC_HOST_DEVICE inline double mean_of_present(const double* newest, std::int64_t length, double x,
                                              std::int64_t stride = 1) {
  double sum = 0, present = 0;
  for (std::int64_t j = 0; j < length - 1; ++j) {
    if (is_undefined(newest[-j * stride])) continue;
    sum += newest[-j * stride];
    present += 1;
  }
  if (!is_undefined(x)) {
    sum += x;
    present += 1;
  }
  return sum / present;  // none present: 0/0, undefined
}

/// The mean of the first values, the newest added last, as in every windowed sum.
template <class V>
ATC_HOST_DEVICE inline V mean_of_all(V sum_before, V x, double count) {
  return (sum_before + x) / count;
}

/// The mean of the first `length` values, of those that are present.
inline double seed_mean(const Work& w, const Windows& windows, const Block& in, std::int64_t length,
                        double count, double x) {
  const double mean = mean_of_all(w.sums[length - 1], x, count);
  return is_undefined(mean) ? mean_of_present(windows.values + in.value_head, length, x) : mean;
}

inline void seed_ema(const PlanConstants& c, const Work& w, const Windows& windows, const Block& in,
                     Block& out, double* average, double x, std::int64_t bar) {
  for (int i = 0; i < kLengthCount; ++i) {
    if (bar != c.ema_length[i] - 1) continue;
    out.ema[i] = seed_mean(w, windows, in, c.ema_length[i], c.ema_count[i], x);
    out.ema_weight[i] = 1;
    average[i] = out.ema[i];
  }
}

/// pine: the second EMA begins with the mean of the first `length` values of the first one, oldest first.
template <class V>
ATC_HOST_DEVICE inline void seed_second_from_mean(V first, V sum_before, V& second, V& average,
                                                  std::int64_t bar, std::int64_t length, double count) {
  const std::int64_t since = bar - (length - 1);
  const std::int64_t last = length - 1;
  if (since > last) return;
  const V sum = (since > 0 ? sum_before : V{}) + first;
  second = since == last ? sum / count : sum;
  average = since == last ? dema_value(first, second) : broadcast<V>(undefined());
}

template <bool pine>
inline void seed_dema(const PlanConstants& c, const Work& w, const Windows& windows, const Block& in,
                      const double* second_before, Block& out, double* average, double x, std::int64_t bar) {
  for (int i = 0; i < kLengthCount; ++i) {
    if (bar == c.dema_length[i] - 1) {
      const double first = seed_mean(w, windows, in, c.dema_length[i], c.dema_count[i], x);
      out.dema1[i] = first;
      out.dema_weight[i] = 1;
      if constexpr (!pine) {
        out.dema2[i] = first;
        average[i] = dema_value(first, first);
      }
    }
    if constexpr (pine) {
      if (bar >= c.dema_length[i] - 1) {
        seed_second_from_mean(out.dema1[i], second_before[i], out.dema2[i], average[i], bar, c.dema_length[i],
                              c.dema_count[i]);
      }
    }
  }
}

/// One EMA at a bar that is missing or follows missing ones. Before its first `length` bars are over it is
/// undefined and stays so; undefined after them it begins at the first value present.
ATC_HOST_DEVICE inline double step_over_gap(double e, double& weight, double alpha, double keep, bool seeded,
                                            double x) {
  if (is_undefined(x)) {
    if (!is_undefined(e)) weight *= keep;
    return e;
  }
  const double moved_by = weight == 1 ? alpha : alpha / (weight * keep + alpha);
  weight = 1;
  if (is_undefined(e)) return seeded ? x : e;
  return ema_value(moved_by, e, x);
}

/// The second EMA of a DEMA at such a bar: it moves also where the first one keeps its value.
ATC_HOST_DEVICE inline double second_over_gap(double second, double alpha, double first) {
  return is_undefined(second) ? first : ema_value(alpha, second, first);
}

/// lts: instead of step_ema where the bar or the one before has no MA source.
inline void step_ema_over_gap(const PlanConstants& c, const Block& in, Block& out, double* average, double x,
                              std::int64_t bar) {
  for (int i = 0; i < kLengthCount; ++i) {
    double weight = in.gapped != 0 ? in.ema_weight[i] : 1;
    const bool seeded = bar >= c.ema_length[i];
    out.ema[i] = step_over_gap(in.ema[i], weight, c.ema_alpha[i], c.ema_keep[i], seeded, x);
    out.ema_weight[i] = weight;
    average[i] = out.ema[i];
  }
}

/// lts: instead of step_dema.
inline void step_dema_over_gap(const PlanConstants& c, const Block& in, Block& out, double* average, double x,
                               std::int64_t bar) {
  for (int i = 0; i < kLengthCount; ++i) {
    double weight = in.gapped != 0 ? in.dema_weight[i] : 1;
    const bool seeded = bar >= c.dema_length[i];
    const double first = step_over_gap(in.dema1[i], weight, c.dema_alpha[i], c.dema_keep[i], seeded, x);
    const double second = second_over_gap(in.dema2[i], c.dema_alpha[i], first);
    out.dema1[i] = first;
    out.dema2[i] = second;
    out.dema_weight[i] = weight;
    average[i] = dema_value(first, second);
  }
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
