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

/// Visits the values `from` .. `to` before the next bar; keeps the partial sums where they may be read.
template <bool keep, class V>
inline void visit(const V* newest, std::int64_t from, std::int64_t to, ScanSums<V>& s, Work<V>& w) {
  for (std::int64_t j = from; j <= to; ++j) {
    visit_value(s, newest[1 - j]);
    if constexpr (keep) {
      w.sums[j] = s.sum;
      w.weighted[j] = s.weighted;
      w.noise[j - 1] = s.noise;
    }
  }
}

/// One scan backward from the value before the newest.
template <class V>
inline void scan(const PlanConstants& c, const Windows<V>& windows, const Block<V>& in, Work<V>& w) {
  const V* newest = windows.values + in.value_head;
  const bool warm = in.bars < c.warm_bars;
  const std::int64_t unread = warm ? 0 : c.scan_unread;
  w.sums[0] = w.weighted[0] = w.noise[0] = V{};
  ScanSums<V> sums{V{}, V{}, V{}, newest[0]};
  visit<false>(newest, 1, unread, sums, w);
  visit<true>(newest, unread + 1, warm ? c.scan_warm : c.scan_settled, sums, w);
}

/// The outer Hull averages over their raw values, each as far back as its own length goes.
template <class V>
inline void scan_raws(const PlanConstants& c, const Windows<V>& windows, const Block<V>& in, Work<V>& w) {
  using T = typename Strip<V>::T;
  const V* newest = windows.raws + in.raw_head * kRawStride<V>;
  for (int i = 0; i < kLengthCount; i += Strip<V>::width) {
    T sum{}, weighted{};
    const std::int64_t visits = Strip<V>::width == 1 ? c.root_length[i] : c.longest_root;
    for (std::int64_t j = 1; j < visits; ++j) {
      const T value = load(newest - (j - 1) * kRawStride<V>, i);
      if constexpr (Strip<V>::width == 1) {
        add_weighted(sum, weighted, value);
      } else {
        sum += value;
        const T reach = constant<V>(c.root_count, i);
        weighted = select(static_cast<double>(j) < reach, weighted + sum, weighted);
      }
    }
    store(w.root_part, i, weighted);
  }
}

template <class V>
inline void read_off(const V* scan, const PlanConstants::Lengths& before, V* parts) {
  for (int i = 0; i < kLengthCount; i += Strip<V>::width) store(parts, i, pick(scan, before, i));
}

template <bool pine, bool some, class V>
inline void prepare_step(const PlanConstants& c, const Windows<V>& windows, const Block<V>& in, Work<V>& w) {
  scan(c, windows, in, w);
  if constexpr (kOneSeries<V>) {
    if (chosen<some>(c, kHma)) {
      read_off(pine ? w.sums : w.weighted, c.hma_before, w.hma_part);
      if constexpr (!pine) read_off(w.weighted, c.half_before, w.half_part);
    }
    if (chosen<some>(c, kWma)) read_off(w.weighted, c.wma_before, w.wma_part);
    if (chosen<some>(c, kLsma)) {
      read_off(w.weighted, c.lsma_before, w.lsma_part);
      read_off(w.sums, c.lsma_before, w.lsma_sum);
    }
    if (chosen<some>(c, kKama)) read_off(w.noise, c.kama_before, w.kama_noise);
  }
  const V* newest = windows.values + in.value_head;
  if (chosen<some>(c, kKama)) read_off(newest, c.kama_oldest, w.kama_oldest);
  if (!pine && chosen<some>(c, kHma)) scan_raws(c, windows, in, w);
}

template <bool pine, bool some, class V>
inline void step_averages(const PlanConstants& c, const Block<V>& in, Block<V>& out,
                          const Windows<V>& windows, Work<V>& w, V x) {
  const std::int64_t bar = in.bars;
  const bool warm = bar < c.warm_bars;
  V second_before[kLengthCount];
  if (warm) {
    for (int i = 0; i < kLengthCount; ++i) second_before[i] = in.dema2[i];
  }
  bool gap = false;
  if constexpr (kOneSeries<V> && !pine) gap = in.gapped != 0 || is_undefined(x);
  if (!chosen<some>(c, kEma)) {
    leave_out(w.average + kEma);
  } else if (gap) {
    if constexpr (kOneSeries<V>) step_ema_over_gap(c, in, out, w.average + kEma, x, bar);
  } else {
    step_ema(c, in.ema, out.ema, w.average + kEma, x);
  }
  if (!chosen<some>(c, kHma)) {
    leave_out(w.average + kHma);
  } else if constexpr (pine) {
    step_sma(c, w, w.average + kHma, x);
  } else {
    step_hull(c, w, w.raw, w.average + kHma, x);
  }
  chosen<some>(c, kWma) ? step_wma(c, w, w.average + kWma, x) : leave_out(w.average + kWma);
  if (!chosen<some>(c, kDema)) {
    leave_out(w.average + kDema);
  } else if (gap) {
    if constexpr (kOneSeries<V>) step_dema_over_gap(c, in, out, w.average + kDema, x, bar);
  } else {
    step_dema(c, in, out, w.average + kDema, x);
  }
  chosen<some>(c, kLsma) ? step_lsma<pine>(c, w, w.average + kLsma, x) : leave_out(w.average + kLsma);
  if (chosen<some>(c, kKama)) {
    step_kama<pine>(c, w, in.kama, out.kama, w.average + kKama, x, windows.values[in.value_head], bar);
  } else {
    leave_out(w.average + kKama);
  }
  if (warm) {
    if (chosen<some>(c, kEma)) seed_ema(c, w, windows, in, out, w.average + kEma, x, bar);
    if (chosen<some>(c, kDema))
      seed_dema<pine>(c, w, windows, in, second_before, out, w.average + kDema, x, bar);
    if (!pine && bar == 0 && chosen<some>(c, kKama)) {
      for (int i = 0; i < kLengthCount; ++i) out.kama[i] = w.average[kKama + i] = x;
    }
  }
  if constexpr (kOneSeries<V>) out.gapped = !pine && is_undefined(x) ? 1 : 0;
}

template <bool pine, class V>
inline void step_equities(const PlanConstants& c, const Block<V>& in, Block<V>& out, double growth, V price) {
  const V r = grown_return<pine>(price, in.close, growth);
  step_layer1_equity(c, in.state, in.equity, out.equity, r);
  step_layer2_equity<pine>(c, in, out, r);
  if (in.bars > c.cutout) return;
  const bool first = in.bars == c.cutout;
  for (int f = 0; f < kFamilyCount; ++f) {
    for (int i = 0; i < kLengthCount; ++i)
      out.equity[f * kLengthCount + i] = broadcast<V>(first ? c.layer1_start[f] : undefined());
    out.layer2[f] = broadcast<V>(first ? c.layer2_start[f] : undefined());
    out.layer2_factor[f] = broadcast<V>(1);
  }
}

/// `hundredth_high`, `hundredth_low`: see PlanConstants::Inverses.
template <bool pine, class T>
ATC_HOST_DEVICE inline T to_two_decimals(T value, double hundredth_high, double hundredth_low) {
  const T scaled = value * 100.0;
  T rounded;
  if constexpr (pine) {
    const T whole = toward_zero(scaled);
    const auto away = magnitude(scaled - whole) >= 0.5;  // the difference is exact
    const T next = whole + select(scaled < 0.0, broadcast<T>(-1), broadcast<T>(1));
    rounded = select(away, next, whole);
  } else {
    rounded = round_half_even(scaled);
  }
  return quotient(rounded, broadcast<T>(hundredth_high), broadcast<T>(hundredth_low));
}

/// What a family's layer-1 value counts in the average signal.
template <class T>
ATC_HOST_DEVICE inline T cut_value(T layer1, double above, double below) {
  return select(layer1 > above, broadcast<T>(1), select(layer1 < below, broadcast<T>(-1), T{}));
}

template <bool pine, class T>
ATC_HOST_DEVICE inline T average_signal(T signed_sum, T sum) {
  const T average = signed_sum / sum;
  if constexpr (pine) return average;
  if constexpr (!pine) return select(magnitude(average) <= __DBL_MAX__, average, T{});
}

/// Layer 1: the crossing states of each family, weighted by their equities.
template <bool pine, class V>
inline void step_layer1(const PlanConstants& c, Block<V>& out) {
  V signed_sum[kFamilyRoom] = {}, sum[kFamilyRoom] = {};
  for (int i = 0; i < kLengthCount; ++i) {
    for (int f = 0; f < kFamilyCount; ++f) {
      const int at = f * kLengthCount + i;
      signed_sum[f] = add_exact_product(out.state[at], out.equity[at], signed_sum[f]);
      sum[f] += out.equity[at];
    }
  }
  for (int f = 0; f < kFamilyCount; f += Strip<V>::width) {
    store(out.layer1, f,
          to_two_decimals<pine>(pack(signed_sum, f) / pack(sum, f), c.hundredth_high, c.hundredth_low));
  }
}

/// The average signal over the families, and the trend.
template <bool pine, bool some, class V>
inline void step_layer2(const PlanConstants& c, const Block<V>& in, Block<V>& out) {
  V signed_sum{}, sum{};
  for (int f = 0; f < kFamilyCount; ++f) {
    if (!chosen<some>(c, f * kLengthCount)) continue;
    signed_sum =
        add_exact_product(cut_value(out.layer1[f], c.cut_above, c.cut_below), out.layer2[f], signed_sum);
    sum += out.layer2[f];
  }
  const V average = average_signal<pine>(signed_sum, sum);
  out.published = c.strategy_mode ? in.average : average;
  out.average = average;
  out.trend =
      select(out.published > c.trend_above, 1.0, select(out.published < c.trend_below, -1.0, in.trend));
}

template <bool pine, bool some, class V>
inline void finish_step(const PlanConstants& c, const Block<V>& in, Block<V>& out, const Windows<V>& windows,
                        Work<V>& w, V price, V x) {
  // The equities read the states of the bar before, which the crossings overwrite where out is in.
  step_equities<pine>(c, in, out, w.growth, price);
  step_averages<pine, some>(c, in, out, windows, w, x);
  step_crossing<pine>(w.average, in.relation, out.relation, in.state, out.state, price);
  step_layer1<pine>(c, out);
  step_layer2<pine, some>(c, in, out);
  out.close = price;
  out.value_head = in.value_head;
  out.raw_head = in.raw_head;
  out.bars = in.bars + 1;
}

template <bool pine, class V>
inline void commit_step(const PlanConstants& c, Block<V>& out, const Windows<V>& windows, const Work<V>& w,
                        V x) {
  const std::int64_t capacity = windows.value_capacity;
  out.value_head = out.value_head + 1 == 2 * capacity ? capacity : out.value_head + 1;
  windows.values[out.value_head] = x;
  windows.values[out.value_head - capacity] = x;
  if (!pine && chosen(c, kHma)) {
    const std::int64_t slots = windows.raw_capacity;
    out.raw_head = out.raw_head + 1 == 2 * slots ? slots : out.raw_head + 1;
    V* upper = windows.raws + out.raw_head * kRawStride<V>;
    V* lower = upper - slots * kRawStride<V>;
    for (int i = 0; i < kLengthCount; i += Strip<V>::width) {
      const auto raw = load(w.raw, i);
      store(upper, i, raw);
      store(lower, i, raw);
    }
  }
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
