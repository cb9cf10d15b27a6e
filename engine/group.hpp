#pragma once

#include "engine/step.hpp"

// One bar of a group: as many series at once as V has lanes, from the formulas of step.hpp and so with its
// bits. What differs is how:
// - neighbours' differences are kept beside the values instead of being taken anew by each scan;
// - equities, crossings and the sums of layer 1 are one pass over the 54 averages;
// - a crossing state follows from the newest relation alone: once a lane has crossed, its state is the last
//   side of the average on which the price lay (+1 above, -1 below), because the side can't change without a
//   crossing. A lane that has not crossed yet is held: hold_states() looks at the relation before, too.
// `careful` bars are those in which averages may be undefined: while they begin, and in groups with missing
// or immense values. The others are `calm`. `some`: not all families are computed; what is undefined of the
// others stands there from the beginning.

namespace atcd::engine::ATCD_KERNEL {
namespace {

template <class V>
inline constexpr int kLanes = static_cast<int>(sizeof(V) / sizeof(double));

template <class V>
using MaskOf = decltype(V{} < V{});

/// How much is known of a plan's lengths when its kernel is compiled.
enum class Known {
  nothing,
  shared,  // all families have the same nine, so that the WMA serves Hull and LSMA, and the EMA DEMA
  usual,   // and they are the default's
};

/// What follows from crossing states and returns.
template <class V>
struct Layers {
  V equity[kAverageCount];
  V layer1[kFamilyCount];
  V layer2[kFamilyCount];
  V layer2_factor[kFamilyCount];
  V unshifted;  // the average signal before strategy_mode's shift
  V published;
  V trend;
  std::int64_t bars;
};

template <class V>
struct Group : Layers<V> {
  using Layers<V>::bars;
  V ema[kLengthCount];
  V dema1[kLengthCount];
  V dema2[kLengthCount];
  V kama[kLengthCount];
  V state[kAverageCount];
  V average[kAverageCount];  // of the newest bar; see hold_states()
  V close;

  // Windows as in kernel.hpp; each change is what a value differs from the one before, absolute.
  V* values;
  V* changes;
  V* raws;
  std::int64_t value_capacity, value_head, raw_capacity, raw_rows, raw_head;
  // Partial sums of the scan, as in Work.
  V* sums;
  V* weighted;
  V* noise;

  // Averages with held lanes, one bit each; those lanes, and their last relation.
  std::uint64_t held_averages;
  MaskOf<V> held[kAverageCount];
  V relation[kAverageCount];
  // Missing or immense values: states are not known to follow, so that all lanes stay held.
  bool wild;
  // Missing values: the lanes whose last bar had none, and the weights of what their EMAs remember.
  unsigned gapped;
  double ema_weight[kLengthCount][kLanes<V>];
  double dema_weight[kLengthCount][kLanes<V>];
};

template <class V>
inline double& lane_of(V& value, int lane) {
  return reinterpret_cast<double*>(&value)[lane];
}

template <class V>
inline V root_part(const Group<V>& g, std::int64_t root, int i) {
  const V* raw = g.raws + g.raw_head * kLengthCount + i;
  if (root == 1) return V{};
  V sum = V{} + raw[0], weighted = sum;
  for (std::int64_t j = 2; j < root; ++j) add_weighted(sum, weighted, raw[(1 - j) * kLengthCount]);
  return weighted;
}

template <class V>
inline V wma_in_group(V part, double count, V x, const PlanConstants::Inverses& inverses, int i) {
  return wma_value(part, broadcast<V>(count), x, broadcast<V>(inverses.high[i]),
                   broadcast<V>(inverses.low[i]));
}

template <class V>
inline V sma_in_group(V part, V x, const PlanConstants::Inverses& inverses, int i) {
  return sma_value(part, x, broadcast<V>(inverses.high[i]), broadcast<V>(inverses.low[i]));
}

/// 2a - b. While calm no doubled value can overflow, so that fused it has the same bits.
template <bool careful, class V>
inline V twice_less(V a, V b) {
  if constexpr (careful) return 2.0 * a - b;
  return fma(broadcast<V>(2), a, -b);
}

template <bool pine, bool careful, class V, class Parts>
inline V kama_in_group(const PlanConstants& c, const Group<V>& g, const Parts& parts, V x, V change, int i) {
  const V noise = parts.noise(i) + change;
  const V moved = magnitude(x - parts.oldest(i));
  if constexpr (careful) {
    const auto begun = broadcast<V>(static_cast<double>(g.bars)) >= broadcast<V>(c.kama_count[i]);
    return kama_value<pine>(kama_pace<pine>(noise, moved, begun), g.kama[i], x, begun);
  } else {
    if constexpr (pine) return ema_value(kama_pace<true>(noise, moved, Always{}), g.kama[i], x);
    if constexpr (!pine) return ema_value(calm_kama_pace(noise, moved), g.kama[i], x);
  }
}

/// The averages of one length of each family. `parts`: what the scan over the values before the newest gave,
/// see group_scan.hpp; `change`: the newest value's from the one before.
template <bool pine, Known known, bool careful, bool some, class V, class Parts>
[[gnu::always_inline]] inline void step_length_of_group(const PlanConstants& c, Group<V>& g,
                                                        const Parts& parts, V x, V change, int i) {
  constexpr bool shared = known != Known::nothing;
  V* const average = g.average;
  V ema{}, wma{};
  if (chosen<some>(c, kEma)) {
    ema = ema_value(broadcast<V>(c.ema_alpha[i]), g.ema[i], x);
    g.ema[i] = ema;
    if constexpr (careful) average[kEma + i] = ema;
  }
  if (chosen<some>(c, kDema)) {
    const V first = shared ? ema : ema_value(broadcast<V>(c.dema_alpha[i]), g.dema1[i], x);
    const V second = ema_value(broadcast<V>(c.dema_alpha[i]), g.dema2[i], first);
    if (!shared) g.dema1[i] = first;
    g.dema2[i] = second;
    average[kDema + i] = twice_less<careful>(first, second);
  }
  if (chosen<some>(c, kWma)) {
    wma = wma_in_group(parts.wma(i), c.wma_count[i], x, c.wma_inverse, i);
    average[kWma + i] = wma;
  }
  if (!chosen<some>(c, kHma)) {
  } else if constexpr (pine) {
    average[kHma + i] = sma_in_group(parts.hma_sum(i), x, c.hma_inverse, i);
  } else {
    const V half = wma_in_group(parts.half(i), c.half_count[i], x, c.half_inverse, i);
    const V whole = shared ? wma : wma_in_group(parts.hma_weighted(i), c.hma_count[i], x, c.hma_inverse, i);
    const V raw = twice_less<careful>(half, whole);
    const V part = root_part(g, parts.root(i), i);
    g.raws[(g.raw_head + 1) * kLengthCount + i] = raw;
    average[kHma + i] = wma_in_group(part, c.root_count[i], raw, c.root_inverse, i);
  }
  if (chosen<some>(c, kLsma)) {
    const V weighted =
        shared ? wma : wma_in_group(parts.lsma_weighted(i), c.lsma_count[i], x, c.lsma_inverse, i);
    const V simple = sma_in_group(parts.lsma_sum(i), x, c.lsma_mean_inverse, i);
    average[kLsma + i] =
        lsma_value<pine>(weighted, simple, broadcast<V>(c.lsma_by_wma[i]), broadcast<V>(c.lsma_by_sma[i]),
                         broadcast<V>(c.lsma_step_inverse.high[i]), broadcast<V>(c.lsma_step_inverse.low[i]));
  }
  if (chosen<some>(c, kKama)) {
    g.kama[i] = kama_in_group<pine, careful>(c, g, parts, x, change, i);
    if constexpr (careful) average[kKama + i] = g.kama[i];
  }
}

template <bool pine, Known known, bool careful, bool some, class V, class Parts>
[[gnu::always_inline]] inline void step_averages_of_group(const PlanConstants& c, Group<V>& g,
                                                          const Parts& parts, V x) {
  const V change = magnitude(x - g.values[g.value_head]);
#pragma GCC unroll 9
  for (int i = 0; i < kLengthCount; ++i) {
    step_length_of_group<pine, known, careful, some>(c, g, parts, x, change, i);
  }
}

/// After a calm bar: EMAs and KAMAs, which have places of their own, to the other averages.
template <bool some, class V>
inline void gather_averages(const PlanConstants& c, Group<V>& g) {
  for (int i = 0; i < kLengthCount; ++i) {
    if (chosen<some>(c, kEma)) g.average[kEma + i] = g.ema[i];
    if (chosen<some>(c, kKama)) g.average[kKama + i] = g.kama[i];
  }
}

/// Averages that may be defined at a bar, one bit each: without missing values none is before as many bars as
/// its length, and no price can have crossed it.
inline std::uint64_t begun_averages(const PlanConstants& c, std::int64_t bar) {
  const double bars = static_cast<double>(bar + 1);
  std::uint64_t begun = 0;
  for (int i = 0; i < kLengthCount; ++i) {
    const auto add = [&](int family, bool has) { begun |= std::uint64_t{has} << (family + i); };
    add(kEma, bars >= c.ema_count[i]);
    add(kHma, bars >= c.hma_count[i]);
    add(kWma, bars >= c.wma_count[i]);
    add(kDema, bars >= c.dema_count[i]);
    add(kLsma, bars >= c.lsma_count[i]);
    add(kKama, true);
  }
  return begun;
}

/// Decides the crossings of the lanes that are held. One that does not cross keeps its state: its average
/// becomes the price, so that the relation changes nothing.
template <bool pine, class V>
inline void hold_states(const PlanConstants& c, Group<V>& g, V price) {
  std::uint64_t rest = g.held_averages;
  if (!g.wild && g.bars < c.careful_bars) rest &= begun_averages(c, g.bars);
  for (; rest != 0; rest &= rest - 1) {
    const int i = __builtin_ctzll(rest);
    const V relation = price - g.average[i];
    const V before = g.relation[i];
    g.relation[i] = remembered_relation<pine>(relation, before);
    const auto crosses = crosses_up(relation, before) | crosses_down(relation, before);
    const auto still = g.held[i] & (crosses ^ g.held[i]);
    g.average[i] = select(still, price, g.average[i]);
    if (g.wild) continue;
    g.held[i] = still;
    if (!any(still)) g.held_averages &= ~(std::uint64_t{1} << i);
  }
}

enum class Equity { usual, infinite_return, undefined, first };

/// side_or() where the state is 1 or -1 and the relation is one of a tame group: 2^1000 of the least that is
/// not 0, a last place of kLeastTameClose, outweighs the state, so that the sign of the sum is the side.
template <class V>
inline V tame_side(V state, V relation) {
  return sign_of(add_exact_product(relation, broadcast<V>(0x1p1000), state));
}

/// The states that follow from a group's averages. `gathered`: see gather_averages().
template <bool tame, bool gathered, class V>
struct FollowingStates {
  Group<V>& g;
  V price;

  V before(int average) const { return g.state[average]; }
  V average(int at) const {
    if (!gathered && at < kEma + kLengthCount) return g.ema[at - kEma];
    if (!gathered && at >= kKama) return g.kama[at - kKama];
    return g.average[at];
  }
  V next(int at, V before) const {
    const V relation = price - average(at);
    if constexpr (tame) return g.state[at] = tame_side(before, relation);
    if constexpr (!tame) return g.state[at] = side_or(before, relation);
  }
};

/// Equities and layer 1, family by family, with the crossing states. The equities go by the states of the bar
/// before.
template <bool pine, bool some, Equity equity, class V, class States>
[[gnu::always_inline]] inline void step_families(const PlanConstants& c, Layers<V>& g, const States& states,
                                                 V r) {
  V signed_sums[kFamilyCount] = {}, sums[kFamilyCount] = {};
#pragma GCC unroll 6
  for (int f = 0; f < kFamilyCount; ++f) {
    if (!chosen<some>(c, f * kLengthCount)) continue;
    V signed_sum{}, sum{};
#pragma GCC unroll 9
    for (int i = 0; i < kLengthCount; ++i) {
      const int at = f * kLengthCount + i;
      const V before = states.before(at);
      V e = broadcast<V>(equity == Equity::first ? c.layer1_start[f] : undefined());
      if constexpr (equity != Equity::undefined && equity != Equity::first) {
        e = grow(g.equity[at], c.equity_keep, layer1_factor(before, r, equity != Equity::infinite_return));
      }
      const V state = states.next(at, before);
      g.equity[at] = e;
      signed_sum = add_exact_product(state, e, signed_sum);
      sum += e;
    }
    signed_sums[f] = signed_sum;
    sums[f] = sum;
  }
  for (int f = 0; f < kFamilyCount; ++f) {
    if (!chosen<some>(c, f * kLengthCount)) continue;
    g.layer1[f] = to_two_decimals<pine>(signed_sums[f] / sums[f], c.hundredth_high, c.hundredth_low);
  }
}

template <bool pine, bool some, class V>
inline void step_layer2_equities(const PlanConstants& c, Layers<V>& g, V r, bool finite) {
  [[maybe_unused]] const V with = 1.0 + r, against = 1.0 - r;
  for (int f = 0; f < kFamilyCount; ++f) {
    if (!chosen<some>(c, f * kLengthCount)) continue;
    V factor;
    if constexpr (pine) {
      factor = g.layer2_factor[f] = layer2_factor<pine>(g.layer1[f], with, against, g.layer2_factor[f]);
    } else if (finite) {
      // As in layer 1: the sign of what drives it, 0 where that is 0 or undefined.
      factor = layer1_factor(side_or(V{}, g.layer1[f]), r, true);
    } else {
      factor = layer2_factor<pine>(g.layer1[f], with, against, V{});
    }
    g.layer2[f] = grow(g.layer2[f], c.equity_keep, factor);
  }
}

template <class V>
inline void begin_layer2_equities(const PlanConstants& c, Layers<V>& g) {
  const bool first = g.bars == c.cutout;
  for (int f = 0; f < kFamilyCount; ++f) {
    g.layer2[f] = broadcast<V>(first ? c.layer2_start[f] : undefined());
    g.layer2_factor[f] = broadcast<V>(1);
  }
}

template <bool pine, bool some, class V>
inline void step_average_signal(const PlanConstants& c, Layers<V>& g) {
  V signed_sum{}, sum{};
  for (int f = 0; f < kFamilyCount; ++f) {
    if (!chosen<some>(c, f * kLengthCount)) continue;
    signed_sum = add_exact_product(cut_value(g.layer1[f], c.cut_above, c.cut_below), g.layer2[f], signed_sum);
    sum += g.layer2[f];
  }
  const V average = average_signal<pine>(signed_sum, sum);
  g.published = c.strategy_mode ? g.unshifted : average;
  g.unshifted = average;
  g.trend = select(g.published > c.trend_above, 1.0, select(g.published < c.trend_below, -1.0, g.trend));
}

/// The layers but for the average signal, once the equities have begun and where the return is finite.
template <bool pine, bool some, class V, class States>
[[gnu::always_inline]] inline void step_usual_layers(const PlanConstants& c, Layers<V>& g,
                                                     const States& states, V r) {
  step_layer2_equities<pine, some>(c, g, r, true);
  step_families<pine, some, Equity::usual>(c, g, states, r);
}

/// The same at any other bar.
template <bool pine, bool some, class V, class States>
__attribute__((noinline)) void step_unusual_layers(const PlanConstants& c, Layers<V>& g, const States& states,
                                                   V r) {
  if (g.bars > c.cutout) {
    step_layer2_equities<pine, some>(c, g, r, false);
    return step_families<pine, some, Equity::infinite_return>(c, g, states, r);
  }
  begin_layer2_equities(c, g);
  if (g.bars == c.cutout) {
    step_families<pine, some, Equity::first>(c, g, states, r);
  } else {
    step_families<pine, some, Equity::undefined>(c, g, states, r);
  }
}

template <bool pine, bool some, class V>
inline void commit_group(const PlanConstants& c, Group<V>& g, V price, V x) {
  const std::int64_t capacity = g.value_capacity;
  const V change = magnitude(x - g.values[g.value_head]);
  g.value_head = g.value_head + 1 == 2 * capacity ? capacity : g.value_head + 1;
  g.values[g.value_head] = g.values[g.value_head - capacity] = x;
  g.changes[g.value_head] = g.changes[g.value_head - capacity] = change;
  if (!pine && chosen<some>(c, kHma)) {
    // The raw values lie behind the head already.
    if (++g.raw_head + 1 == g.raw_rows) {
      g.raw_head = g.raw_capacity - 1;
      const V* const newest = g.raws + (g.raw_rows - g.raw_capacity) * kLengthCount;
      for (std::int64_t k = 0; k < g.raw_capacity * kLengthCount; ++k) g.raws[k] = newest[k];
    }
  }
  g.close = price;
  ++g.bars;
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
