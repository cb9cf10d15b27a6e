#pragma once

#include "engine/group_scan.hpp"

// The careful bars of a group: how its averages begin, and how they go over missing values.

namespace atcd::engine::ATCD_KERNEL {
namespace {

/// seed_mean() of step.hpp: where values are missing, lane by lane.
template <class V>
inline V seed_of_group(const Group<V>& g, std::int64_t length, double count, V x) {
  V mean = mean_of_all(g.sums[length - 1], x, count);
  if (!g.wild) return mean;
  const double* newest = reinterpret_cast<const double*>(g.values + g.value_head);
  for (int lane = 0; lane < kLanes<V>; ++lane) {
    double& seed = lane_of(mean, lane);
    if (is_undefined(seed)) seed = mean_of_present(newest + lane, length, lane_of(x, lane), kLanes<V>);
  }
  return mean;
}

template <class V>
inline void fill_lanes(double (&weights)[kLanes<V>]) {
  for (double& weight : weights) weight = 1;
}

template <bool pine, class V>
inline void seed_group(const PlanConstants& c, Group<V>& g, const V* second_before, V x) {
  const std::int64_t bar = g.bars;
  for (int i = 0; i < kLengthCount; ++i) {
    if (chosen(c, kEma) && bar == c.ema_length[i] - 1) {
      g.ema[i] = g.average[kEma + i] = seed_of_group(g, c.ema_length[i], c.ema_count[i], x);
      fill_lanes<V>(g.ema_weight[i]);
    }
    if (chosen(c, kDema) && bar == c.dema_length[i] - 1) {
      const V first = seed_of_group(g, c.dema_length[i], c.dema_count[i], x);
      g.dema1[i] = first;
      fill_lanes<V>(g.dema_weight[i]);
      if constexpr (!pine) {
        g.dema2[i] = first;
        g.average[kDema + i] = dema_value(first, first);
      }
    }
    if constexpr (pine) {
      if (chosen(c, kDema) && bar >= c.dema_length[i] - 1) {
        seed_second_from_mean(g.dema1[i], second_before[i], g.dema2[i], g.average[kDema + i], bar,
                              c.dema_length[i], c.dema_count[i]);
      }
    }
    if (!pine && bar == 0 && chosen(c, kKama)) g.kama[i] = g.average[kKama + i] = x;
  }
}

/// What one lane's EMAs were before the bar.
template <class V>
struct EmasBefore {
  explicit EmasBefore(const Group<V>& g) {
    for (int i = 0; i < kLengthCount; ++i) {
      ema[i] = g.ema[i];
      first[i] = g.dema1[i];
      second[i] = g.dema2[i];
    }
  }
  V ema[kLengthCount], first[kLengthCount], second[kLengthCount];
};

/// EMA and DEMA of one lane whose bar, or the one before, has no MA source: instead of what the step gave.
template <class V>
inline void step_lane_over_gap(const PlanConstants& c, Group<V>& g, EmasBefore<V>& before, int lane,
                               double x) {
  const bool gapped = (g.gapped >> lane & 1U) != 0;
  for (int i = 0; i < kLengthCount; ++i) {
    double& ema_weight = g.ema_weight[i][lane];
    double& dema_weight = g.dema_weight[i][lane];
    if (!gapped) ema_weight = dema_weight = 1;
    if (chosen(c, kEma)) {
      lane_of(g.ema[i], lane) = lane_of(g.average[kEma + i], lane) =
          step_over_gap(lane_of(before.ema[i], lane), ema_weight, c.ema_alpha[i], c.ema_keep[i],
                        g.bars >= c.ema_length[i], x);
    }
    if (!chosen(c, kDema)) continue;
    const double first = step_over_gap(lane_of(before.first[i], lane), dema_weight, c.dema_alpha[i],
                                       c.dema_keep[i], g.bars >= c.dema_length[i], x);
    const double second = second_over_gap(lane_of(before.second[i], lane), c.dema_alpha[i], first);
    lane_of(g.dema1[i], lane) = first;
    lane_of(g.dema2[i], lane) = second;
    lane_of(g.average[kDema + i], lane) = dema_value(first, second);
  }
}

template <bool pine, bool some, class V>
inline void step_averages_with_care(const PlanConstants& c, Group<V>& g, V x) {
  EmasBefore<V> before(g);
  step_averages_of_group<pine, Known::nothing, true, some>(c, g, ScannedParts<V>{c, g}, x);
  if (!pine && g.wild) {
    unsigned missing = 0;
    for (int lane = 0; lane < kLanes<V>; ++lane) {
      if (is_undefined(lane_of(x, lane))) missing |= 1U << lane;
    }
    for (unsigned rest = missing | g.gapped; rest != 0; rest &= rest - 1) {
      const int lane = __builtin_ctz(rest);
      step_lane_over_gap(c, g, before, lane, lane_of(x, lane));
    }
    g.gapped = missing;
  }
  if (g.bars < c.warm_bars) seed_group<pine>(c, g, before.second, x);
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
