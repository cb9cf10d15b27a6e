#pragma once

#include "engine/averages.hpp"
#include "engine/crossing.hpp"
#include "engine/equity.hpp"
#include "engine/kernel.hpp"
#include "engine/lanes.hpp"
#include "engine/seeding.hpp"

// One bar: the definition. Every kernel compiles this text for its instruction set; on a double it is one
// series, on a vector one series a lane.

namespace atcd::engine::ATCD_KERNEL {
namespace {

/// One scan backward from the value before the newest.
template <class V>
inline void scan(const PlanConstants& c, const Windows<V>& windows, const Block<V>& in, Work<V>& w) {
  const V* newest = windows.values + in.value_head;
  const std::int64_t count = in.bars < c.warm_bars ? c.scan_warm : c.scan_settled;
  V sum{}, weighted{}, noise{};
  V later = newest[0];
  w.sums[0] = w.weighted[0] = w.noise[0] = V{};
  for (std::int64_t j = 1; j <= count; ++j) {
    const V value = newest[1 - j];
    sum += value;
    weighted += sum;
    w.sums[j] = sum;
    w.weighted[j] = weighted;
    if (j > 1) noise += magnitude(later - value);
    w.noise[j - 1] = noise;
    later = value;
  }
}

/// The outer Hull averages over their raw values, each as far back as its own length goes.
template <class V>
inline void scan_raws(const PlanConstants& c, const Windows<V>& windows, const Block<V>& in, Work<V>& w) {
  alignas(64) V sum[kLengthCount];
  for (int i = 0; i < kLengthCount; ++i) sum[i] = w.root_part[i] = V{};
  const V* newest = windows.raws + in.raw_head * kLengthCount;
  for (std::int64_t j = 1; j < c.longest_root; ++j) {
    const V* raw = newest - (j - 1) * kLengthCount;
    ATCD_INDEPENDENT
    for (int i = 0; i < kLengthCount; ++i) {
      sum[i] += raw[i];
      const V with_this = w.root_part[i] + sum[i];
      w.root_part[i] = j < c.root_length[i] ? with_this : w.root_part[i];
    }
  }
}

template <class V>
inline void read_off(const V* scan, const PlanConstants::Lengths& before, V* parts) {
  for (int i = 0; i < kLengthCount; ++i) parts[i] = scan[before[i]];
}

template <bool pine, class V>
inline void prepare_step(const PlanConstants& c, const Windows<V>& windows, const Block<V>& in, Work<V>& w) {
  scan(c, windows, in, w);
  if constexpr (LaneCount<V>::value == 1) {
    read_off(pine ? w.sums : w.weighted, c.hma_before, w.hma_part);
    if constexpr (!pine) read_off(w.weighted, c.half_before, w.half_part);
    read_off(w.weighted, c.wma_before, w.wma_part);
    read_off(w.weighted, c.lsma_before, w.lsma_part);
    read_off(w.sums, c.lsma_before, w.lsma_sum);
    read_off(w.noise, c.kama_before, w.kama_noise);
  }
  const V* newest = windows.values + in.value_head;
  for (int i = 0; i < kLengthCount; ++i) w.kama_oldest[i] = newest[1 - c.kama_length[i]];
  if constexpr (!pine) scan_raws(c, windows, in, w);
}

template <bool pine, class V>
inline void step_averages(const PlanConstants& c, const Block<V>& in, Block<V>& out,
                          const Windows<V>& windows, Work<V>& w, V x) {
  const std::int64_t bar = in.bars;
  V second_before[kLengthCount];
  const bool warm = bar < c.warm_bars;
  if (warm) {
    for (int i = 0; i < kLengthCount; ++i) second_before[i] = in.dema2[i];
  }
  bool gap = false;
  if constexpr (LaneCount<V>::value == 1 && !pine) {
    gap = in.gapped != 0 || is_undefined(x);
    if (gap) step_gap(c, in, out, w.average + kEma, w.average + kDema, x, bar);
    out.gapped = is_undefined(x) ? 1 : 0;
  }
  if (!gap) {
    step_ema(c, in.ema, out.ema, w.average + kEma, x);
    step_dema(c, in, out, w.average + kDema, x);
  }
  if (warm) {
    seed_ema(c, w, windows, in, out, w.average + kEma, x, bar);
    seed_dema<pine>(c, w, windows, in, second_before, out, w.average + kDema, x, bar);
  }
  if constexpr (pine) {
    step_sma(c, w, w.average + kHma, x);
  } else {
    step_hull(c, w, w.raw, w.average + kHma, x);
  }
  step_wma(c, w, w.average + kWma, x);
  step_lsma<pine>(c, w, w.average + kLsma, x);
  step_kama<pine>(c, w, in.kama, out.kama, w.average + kKama, x, windows.values[in.value_head], bar);
  if constexpr (!pine) {
    if (bar == 0) {
      for (int i = 0; i < kLengthCount; ++i) out.kama[i] = w.average[kKama + i] = x;
    }
  }
}

template <bool pine, class V>
inline void step_equities(const PlanConstants& c, const Block<V>& in, Block<V>& out, double growth, V price) {
  const Factors<V> factors = bar_factors<pine>(price, in.close, growth);
  step_equity<pine, kAverageCount>(in.state, in.equity, out.equity, in.factor, out.factor, factors,
                                   c.equity_keep);
  step_equity<pine, kFamilyCount>(in.layer1, in.layer2, out.layer2, in.layer2_factor, out.layer2_factor,
                                  factors, c.equity_keep);
  if (in.bars > c.cutout) return;
  const bool first = in.bars == c.cutout;
  for (int i = 0; i < kAverageCount; ++i) {
    out.equity[i] = broadcast<V>(first ? c.layer1_start : undefined());
    out.factor[i] = broadcast<V>(1);
  }
  for (int f = 0; f < kFamilyCount; ++f) {
    out.layer2[f] = broadcast<V>(first ? c.layer2_start[f] : undefined());
    out.layer2_factor[f] = broadcast<V>(1);
  }
}

template <bool pine, class V>
inline V to_two_decimals(V value) {
  const V scaled = value * 100.0;
  if constexpr (pine) {
    const V whole = toward_zero(scaled);
    const auto away = magnitude(scaled - whole) >= 0.5;  // the difference is exact
    const V next = whole + select(scaled < 0.0, broadcast<V>(-1), broadcast<V>(1));
    return select(away, next, whole) / 100.0;
  } else {
    return round_half_even(scaled) / 100.0;
  }
}

/// Layer 1: the crossing states of each family, weighted by their equities.
template <bool pine, class V>
inline void step_layer1(const Block<V>& out, V* layer1) {
  for (int f = 0; f < kFamilyCount; ++f) {
    V signed_sum{}, sum{};
    for (int i = f * kLengthCount; i < (f + 1) * kLengthCount; ++i) {
      signed_sum = fma(out.state[i], out.equity[i], signed_sum);  // the product is exact
      sum += out.equity[i];
    }
    layer1[f] = to_two_decimals<pine>(signed_sum / sum);
  }
}

/// The average signal over the families, and the trend.
template <bool pine, class V>
inline void step_layer2(const PlanConstants& c, const Block<V>& in, Block<V>& out) {
  V signed_sum{}, sum{};
  for (int f = 0; f < kFamilyCount; ++f) {
    const V cut = select(out.layer1[f] > c.cut_above, 1.0, select(out.layer1[f] < c.cut_below, -1.0, V{}));
    signed_sum = fma(cut, out.layer2[f], signed_sum);
    sum += out.layer2[f];
  }
  V average = signed_sum / sum;
  if constexpr (!pine) average = select(magnitude(average) <= __DBL_MAX__, average, V{});
  out.published = c.strategy_mode ? in.average : average;
  out.average = average;
  out.trend =
      select(out.published > c.trend_above, 1.0, select(out.published < c.trend_below, -1.0, in.trend));
}

template <bool pine, class V>
inline void finish_step(const PlanConstants& c, const Block<V>& in, Block<V>& out, const Windows<V>& windows,
                        Work<V>& w, V price, V x) {
  // The equities read the states of the bar before, which the crossings overwrite where out is in.
  step_equities<pine>(c, in, out, w.growth, price);
  step_averages<pine>(c, in, out, windows, w, x);
  step_crossing<pine>(w.average, in.relation, out.relation, in.state, out.state, price);
  step_layer1<pine>(out, out.layer1);
  step_layer2<pine>(c, in, out);
  out.close = price;
  out.value_head = in.value_head;
  out.raw_head = in.raw_head;
  out.bars = in.bars + 1;
}

template <bool pine, class V>
inline void commit_step(Block<V>& out, const Windows<V>& windows, const Work<V>& w, V x) {
  const std::int64_t capacity = windows.value_capacity;
  out.value_head = out.value_head + 1 == 2 * capacity ? capacity : out.value_head + 1;
  windows.values[out.value_head] = x;
  windows.values[out.value_head - capacity] = x;
  if constexpr (!pine) {
    const std::int64_t slots = windows.raw_capacity;
    out.raw_head = out.raw_head + 1 == 2 * slots ? slots : out.raw_head + 1;
    V* upper = windows.raws + out.raw_head * kLengthCount;
    V* lower = upper - slots * kLengthCount;
    for (int i = 0; i < kLengthCount; ++i) upper[i] = lower[i] = w.raw[i];
  }
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
