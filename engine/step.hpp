#pragma once

#include "engine/averages.hpp"
#include "engine/crossing.hpp"
#include "engine/equity.hpp"
#include "engine/kernel.hpp"
#include "engine/lanes.hpp"
#include "engine/layers.hpp"
#include "engine/seeding.hpp"
#include "engine/step_scan.hpp"

// One bar of one series: the definition. Every kernel compiles this text for its instruction set, with strips
// as wide as its vectors. Batches (group.hpp) and the device take the same formulas.

namespace atcd::engine::ATCD_KERNEL {
namespace {

/// Whether all averages and equities have begun, none is undefined, and every crossing state is the side of
/// its average on which the price lay (+1 above, -1 below). Such a state follows from the next relation
/// alone: the side can't change without a crossing. (What lies in a row behind the families is usual, see
/// Block.)
inline bool is_usual(const PlanConstants& c, const Block& in) {
  if (in.bars <= c.cutout || in.bars < c.careful_bars || in.gapped != 0) return false;
#if ATCD_LANES > 1
  LaneMask unusual{};
#else
  std::int64_t unusual = 0;  // as wide as a double, so that a compiler may take several at once
#endif
  for (int at = 0; at < kRowsRoom; at += ATCD_LANES) {
    const Strip state = load<Strip>(in.state + at);
    const Strip side = state * load<Strip>(in.relation + at);
    unusual |= (state == 0.0) | !(side >= 0.0);
  }
  return !any(unusual);
}

/// `some`: not all families are computed.
template <bool pine, bool some>
inline void prepare_step(const PlanConstants& c, const Windows& windows, const Block& in, Work& w) {
  w.usual = !some && (in.known_usual != 0 || is_usual(c, in));
  if (w.usual && c.usual_lengths) {
    scan_usual(windows, in, w);
    if constexpr (!pine) scan_raws(c, windows, in, w);
    read_off(windows.values + in.value_head, c.kama_oldest, w.kama_oldest);
  } else {
    scan_and_read_off<pine, some>(c, windows, in, w);
  }
}

/// Of families that are not computed the averages are undefined, and what they would hand on stays as it
/// began.
inline void leave_out_unchosen(const PlanConstants& c, const Block& in, Block& out, Work& w) {
  const auto keep = [](const double* from, double* to) {
    for (int i = 0; i < kLengthCount; ++i) to[i] = from[i];
  };
  for (int f = 0; f < kFamilyCount; ++f) {
    if (!chosen(c, f * kLengthCount)) fill(w.average[f], undefined());
  }
  if (!chosen(c, kEma)) {
    keep(in.ema, out.ema);
    keep(in.ema_weight, out.ema_weight);
  }
  if (!chosen(c, kDema)) {
    keep(in.dema1, out.dema1);
    keep(in.dema2, out.dema2);
    keep(in.dema_weight, out.dema_weight);
  }
  if (!chosen(c, kKama)) keep(in.kama, out.kama);
}

template <bool pine>
inline void step_unusual_averages(const PlanConstants& c, const Block& in, Block& out, const Windows& windows,
                                  Work& w, double x) {
  const std::int64_t bar = in.bars;
  step_averages<pine, false, false>(c, in, out, w, x, windows.values[in.value_head]);
  if (!pine && (in.gapped != 0 || is_undefined(x))) {
    step_ema_over_gap(c, in, out, w.average[kEmaPlace], x, bar);
    step_dema_over_gap(c, in, out, w.average[kDemaPlace], x, bar);
  }
  if (bar < c.warm_bars) {
    seed_ema(c, w, windows, in, out, w.average[kEmaPlace], x, bar);
    seed_dema<pine>(c, w, windows, in, in.dema2, out, w.average[kDemaPlace], x, bar);
    if (!pine && bar == 0) {
      for (int i = 0; i < kLengthCount; ++i) out.kama[i] = w.average[kKamaPlace][i] = x;
    }
  }
  out.gapped = !pine && is_undefined(x) ? 1 : 0;
  if (!c.all_families) leave_out_unchosen(c, in, out, w);
}

/// The averages of families `first` and following, turned into rows: for each length those of a strip.
inline void turn_into_rows(const double (&averages)[kFamilyCount][kLengthCount], int first,
                           Strip (&rows)[kLengthCount]) {
#if ATCD_LANES > 1
  int i = 0;
  for (; i + ATCD_LANES <= kLengthCount; i += ATCD_LANES) {
    Lanes square[ATCD_LANES] = {};
    for (int f = first; f < first + ATCD_LANES && f < kFamilyCount; ++f) {
      square[f - first] = load<Lanes>(averages[f] + i);
    }
    transpose_families(square);
    for (int k = 0; k < ATCD_LANES; ++k) rows[i + k] = square[k];
  }
  for (; i < kLengthCount; ++i) {
    Lanes row{};
    for (int f = first; f < first + ATCD_LANES && f < kFamilyCount; ++f) row[f - first] = averages[f][i];
    rows[i] = row;
  }
#else
  for (int i = 0; i < kLengthCount; ++i) rows[i] = averages[first][i];
#endif
}

/// Equities and crossing states of all averages, and of each family the sums of the equities and of the
/// states weighted by them, whose quotient is layer 1. The equities go by the states of the bar before.
/// The result: the sum of all relations, which is defined only where each of them is.
template <bool pine, bool usual>
inline Strip step_rows(const PlanConstants& c, const Block& in, Block& out, const Work& w, double price,
                       double r, Strip (&signed_sums)[kRowStrips], Strip (&sums)[kRowStrips]) {
  Strip relations{};
  const bool finite = usual || no_infinity(r);
  const bool begins = !usual && in.bars <= c.cutout;
  const bool first = in.bars == c.cutout;
#pragma GCC unroll 6
  for (int s = 0; s < kRowStrips; ++s) {
    const int family = s * ATCD_LANES;
    const Strip begin = first ? load<Strip>(c.layer1_start + family) : broadcast<Strip>(undefined());
    // Strip by strip: where there are several, only the last one waits for KAMA.
    Strip averages[kLengthCount];
    turn_into_rows(w.average, family, averages);
    Strip signed_sum{}, sum{};
#pragma GCC unroll 9
    for (int i = 0; i < kLengthCount; ++i) {
      const int at = i * kFamilyRoom + family;
      const Strip before = load<Strip>(in.state + at);
      const Strip factor = layer1_factor(before, broadcast<Strip>(r), finite);
      const Strip e = begins ? begin : grow(load<Strip>(in.equity + at), c.equity_keep, factor);
      const Strip relation = broadcast<Strip>(price) - averages[i];
      const Strip relation_before = load<Strip>(in.relation + at);
      Strip state;
      if constexpr (usual) {
        state = side_or(before, relation);
        relations += relation;
      } else {
        state = select(crosses_up(relation, relation_before), 1.0,
                       select(crosses_down(relation, relation_before), -1.0, before));
      }
      store(out.equity + at, e);
      store(out.state + at, state);
      store(out.relation + at, remembered_relation<pine>(relation, relation_before));
      // Not fused, which is the same where the product is exact: the sum's next step waits for an addition
      // only.
      const Strip product = state * e;
      signed_sum = i == 0 ? product : signed_sum + product;
      sum = i == 0 ? e : sum + e;
    }
    signed_sums[s] = signed_sum;
    sums[s] = sum;
  }
  return relations;
}

template <bool pine, bool usual>
inline void step_layer2_equities(const PlanConstants& c, const Block& in, Block& out, double r,
                                 Strip (&equities)[kRowStrips]) {
  const Strip with = broadcast<Strip>(1.0 + r), against = broadcast<Strip>(1.0 - r);
  const bool begins = !usual && in.bars <= c.cutout;
  const bool first = in.bars == c.cutout;
  for (int s = 0; s < kRowStrips; ++s) {
    const int f = s * ATCD_LANES;
    Strip factor =
        layer2_factor<pine>(load<Strip>(in.layer1 + f), with, against, load<Strip>(in.layer2_factor + f));
    Strip e = grow(load<Strip>(in.layer2 + f), c.equity_keep, factor);
    if (begins) {
      factor = broadcast<Strip>(1);
      e = first ? load<Strip>(c.layer2_start + f) : broadcast<Strip>(undefined());
    }
    if constexpr (pine) store(out.layer2_factor + f, factor);
    store(out.layer2 + f, e);
    equities[s] = e;
  }
}

/// cut_value() times the equity, of a layer-1 value before it is rounded; in vectors even before it is
/// divided, see PlanConstants::cut_least_above. So the average signal waits for neither.
inline Strip signed_equity(const PlanConstants& c, [[maybe_unused]] Strip signed_sum,
                           [[maybe_unused]] Strip sum, [[maybe_unused]] Strip layer1, Strip equity) {
#if ATCD_LANES > 1
  const LaneMask finite = sum <= __DBL_MAX__;  // else layer 1 is undefined
  const LaneMask above = finite & (fma(-c.cut_least_above, sum, signed_sum) > -c.cut_above_half_gap * sum);
  const LaneMask below = finite & (fma(-c.cut_most_below, sum, signed_sum) < c.cut_below_half_gap * sum);
#else
  const bool above = layer1 >= c.cut_least_above, below = layer1 <= c.cut_most_below;
#endif
  return select(above, equity, select(below, -equity, beforehand(0.0 * equity)));
}

/// As sum_in_order, of the families that are computed.
inline double sum_of_chosen(const PlanConstants& c, const Strip (&row)[kRowStrips]) {
  double sum = 0;
  for (int f = 0; f < kFamilyCount; ++f) {
    if (chosen(c, f * kLengthCount)) sum += value_of(row, f);
  }
  return sum;
}

/// Layer 1 rounded, the average signal over the families, and the trend.
template <bool pine, bool usual>
inline void step_signal(const PlanConstants& c, const Block& in, Block& out,
                        const Strip (&signed_sums)[kRowStrips], const Strip (&sums)[kRowStrips],
                        const Strip (&equities)[kRowStrips]) {
  Strip layer1[kRowStrips], signed_equities[kRowStrips];
  for (int s = 0; s < kRowStrips; ++s) {
    layer1[s] = divide_families(signed_sums[s], sums[s]);
    signed_equities[s] = signed_equity(c, signed_sums[s], sums[s], layer1[s], equities[s]);
  }
  const double average =
      usual || c.all_families
          ? average_signal<pine>(sum_in_order(signed_equities), sum_in_order(equities))
          : average_signal<pine>(sum_of_chosen(c, signed_equities), sum_of_chosen(c, equities));
  out.published = c.strategy_mode ? in.average : average;
  out.average = average;
  out.trend =
      select(out.published > c.trend_above, 1.0, select(out.published < c.trend_below, -1.0, in.trend));
  for (int s = 0; s < kRowStrips; ++s) {
    const int family = s * ATCD_LANES;
    store(out.layer1 + family, to_two_decimals<pine>(layer1[s], c.hundredth_high, c.hundredth_low));
  }
}

/// A bar whose averages are there: inlined, so that they are still in registers. The equities of layer 2 go
/// by the layer 1 of the bar before.
template <bool pine, bool usual>
__attribute__((always_inline)) inline void finish_from_averages(const PlanConstants& c, const Block& in,
                                                                Block& out, const Work& w, double price,
                                                                double r) {
  Strip signed_sums[kRowStrips], sums[kRowStrips], equities[kRowStrips];
  step_layer2_equities<pine, usual>(c, in, out, r, equities);
  const Strip relations = step_rows<pine, usual>(c, in, out, w, price, r, signed_sums, sums);
  step_signal<pine, usual>(c, in, out, signed_sums, sums, equities);
  out.close = price;
  out.value_head = in.value_head;
  out.raw_head = in.raw_head;
  out.bars = in.bars + 1;
  // After a usual bar each state is its relation's side again, if each relation is defined.
  out.known_usual = usual && !any(relations != relations) ? 1 : 0;
}

// `in`, `out` and `w` are different memory: so nothing that was computed is read again.

template <bool pine, bool shared>
inline void finish_usual(const PlanConstants& c, const Block& __restrict in, Block& __restrict out,
                         const Windows& windows, Work& __restrict w, double price, double r, double x) {
  step_averages<pine, shared, true>(c, in, out, w, x, windows.values[in.value_head]);
  out.gapped = 0;
  finish_from_averages<pine, true>(c, in, out, w, price, r);
}

/// The rare bars, out of the usual ones' way.
template <bool pine>
__attribute__((noinline)) void finish_unusual(const PlanConstants& c, const Block& __restrict in,
                                              Block& __restrict out, const Windows& windows,
                                              Work& __restrict w, double price, double r, double x) {
  if (shares_parts(c, w)) stop_sharing_parts<pine>(w);
  step_unusual_averages<pine>(c, in, out, windows, w, x);
  finish_from_averages<pine, false>(c, in, out, w, price, r);
}

template <bool pine>
inline void finish_step(const PlanConstants& c, const Block& in, Block& out, const Windows& windows, Work& w,
                        double price, double x) {
  const double r = grown_return<pine>(price, in.close, w.growth);
  if (!w.usual || !no_infinity(r) || is_undefined(x)) {
    finish_unusual<pine>(c, in, out, windows, w, price, r, x);
  } else if (c.same_lengths) {
    finish_usual<pine, true>(c, in, out, windows, w, price, r, x);
  } else {
    finish_usual<pine, false>(c, in, out, windows, w, price, r, x);
  }
}

template <bool pine>
inline void commit_step(const PlanConstants& c, Block& out, const Windows& windows, const Work& w, double x) {
  const std::int64_t capacity = windows.value_capacity;
  out.value_head = out.value_head + 1 == 2 * capacity ? capacity : out.value_head + 1;
  windows.values[out.value_head] = x;
  windows.values[out.value_head - capacity] = x;
  if (!pine && chosen(c, kHma)) {
    const std::int64_t slots = windows.raw_capacity;
    out.raw_head = out.raw_head + 1 == 2 * slots ? slots : out.raw_head + 1;
    double* upper = windows.raws + out.raw_head * kRawStride;
    double* lower = upper - slots * kRawStride;
    over_lengths([&](auto strip, int i) {
      const auto raw = load<decltype(strip)>(w.raw + i);
      store(upper + i, raw);
      store(lower + i, raw);
    });
  }
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
