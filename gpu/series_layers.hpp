#pragma once

#include "gpu/series_memory.hpp"

// From crossing states to the trend: equities and layers. What of a tile depends on the parameters that a
// sweep varies.

namespace atcd::gpu::ATCD_KERNEL {
namespace {

/// States and equities of layer 1 as columns.
template <int pass>
ATC_DEVICE inline void store_states_equities(const Work32& w, int id) {
  if (id >= w.span.count) return;
  const std::int64_t bar = w.span.base + id;
  ATC_ROLLED
  for (int slot = 0; slot < kPassAverages; ++slot) {
    const int place = w.columns.inner + kAverageCount + average_of(pass, slot);
    w.put(place, bar, state_at(w.tile.rising[slot], w.tile.falling[slot], id));
    w.put(place + kAverageCount, bar, magnitude(w.row(slot)[id]));
  }
}

/// The equities of layer 1 over a plain tile, while the crossing state is 1 or -1 throughout. `fell`: whether
/// it was -1 at the bar before the tile. The row gets each equity with the sign of its state.
ATC_DEVICE inline double step_signed_equities(const Work32& w, double* row, Bars falling, bool fell,
                                              double equity) {
  const double keep = w.p.equity_keep;  // not read again after each store
  Bars sign = fell ? ~Bars{0} : 0;
  ATC_ROLLED_TILE
  for (int from = 0; from < kTileBars; from += kAtATime) {
    double returns[kAtATime];
    read_bars(w.tile.returns + from, returns);
    ATC_UNROLL
    for (int k = 0; k < kAtATime; ++k) {
      // layer1_factor(): state*r is exact.
      equity = grow(equity, keep, 1.0 + signed_by(sign, returns[k]));
      sign = falling << (kTileBars - 1 - k);
      row[from + k] = signed_by(sign, equity);
    }
    falling >>= kAtATime;
  }
  return equity;
}

/// The state at the tile's last bar, for the next one.
template <int pass>
ATC_DEVICE inline void keep_state(const Work32& w, const Crossings& crossings, Lane& lane) {
  lane.state[pass] = w.last_of(crossings.rising) ? 1 : w.last_of(crossings.falling) ? -1 : 0;
}

/// The equities of layer 1, which take the averages' rows: an average a lane.
template <int pass>
ATC_DEVICE inline void step_equities(const Work32& w, const Crossings& crossings, int id, Lane& lane) {
  double* const row = w.row(id);
  w.tile.rising[id] = crossings.rising;
  w.tile.falling[id] = crossings.falling;
  const int state_before = lane.state[pass];
  keep_state<pass>(w, crossings, lane);
  double equity = lane.equity[pass];
  if (w.span.signed_rows) {
    lane.equity[pass] = step_signed_equities(w, row, crossings.falling, state_before < 0, equity);
    return;
  }
  const Bars rising_before = next_bars(crossings.rising, state_before > 0);
  const Bars falling_before = next_bars(crossings.falling, state_before < 0);
  ATC_ROLLED
  for (int t = 0; t < w.span.count; ++t) {
    const double state = state_at(rising_before, falling_before, t);
    const double factor = layer1_factor(state, w.tile.returns[t], no_infinity(w.tile.returns[t]));
    equity = grow(equity, w.p.equity_keep, factor);
    const std::int64_t bar = w.span.base + t;
    if (bar <= w.p.cutout)
      equity = bar == w.p.cutout ? w.p.layer1_start[family_of(pass, id / kLengthCount)] : undefined();
    row[t] = equity;
  }
  lane.equity[pass] = equity;
}

/// A family's equities, and them times their states, summed over its lengths.
struct Layer1Sums {
  double signed_sum, sum;
};

ATC_DEVICE inline Layer1Sums sum_equities(const Work32& w, int id, int member) {
  Layer1Sums sums{0, 0};
  if (w.span.signed_rows) {
    ATC_UNROLL
    for (int i = 0; i < kLengthCount; ++i) {
      const double signed_equity = w.row(member * kLengthCount + i)[id];
      sums.signed_sum += signed_equity;
      sums.sum += magnitude(signed_equity);
    }
    return sums;
  }
  ATC_ROLLED
  for (int i = 0; i < kLengthCount; ++i) {
    const int slot = member * kLengthCount + i;
    const double equity = w.row(slot)[id];
    const double state = state_at(w.tile.rising[slot], w.tile.falling[slot], id);
    sums.signed_sum = add_exact_product(state, equity, sums.signed_sum);
    sums.sum += equity;
  }
  return sums;
}

/// Layer 1 of the pass's families: a bar a lane.
template <bool pine, int pass>
ATC_DEVICE inline void sum_layer1(const Work32& w, int id, Lane& lane) {
  if (id >= w.span.count) return;
  ATC_UNROLL
  for (int member = 0; member < kPassFamilies; ++member) {
    const int family = family_of(pass, member);
    const Layer1Sums sums = sum_equities(w, id, member);
    lane.bar_layer1[family] =
        to_two_decimals<pine>(sums.signed_sum / sums.sum, w.p.hundredth_high, w.p.hundredth_low);
  }
}

/// The signs of layer 1 over a tile, by family.
struct Drivers {
  Bars with[kFamilyCount], against[kFamilyCount];
};

/// By what the equities of layer 2 grow (layer2_factor()), into their rows: a bar a lane. In pine not where
/// they grow as they did at the bar before.
ATC_DEVICE inline void find_layer2_factors(const Work32& w, const Drivers& drivers, int id,
                                           const Lane& lane) {
  if (id >= w.span.count) return;
  const double with = 1.0 + lane.bar_return, against = 1.0 - lane.bar_return;
  ATC_UNROLL
  for (int f = 0; f < kFamilyCount; ++f) {
    const Bars with_before = next_bars(drivers.with[f], has(lane.drove_with, f));
    const Bars against_before = next_bars(drivers.against[f], has(lane.drove_against, f));
    w.row(f)[id] = has(with_before, id) ? with : has(against_before, id) ? against : 1.0;
  }
}

/// The bars at which a family's layer 2 grows as it did at the bar before.
ATC_DEVICE inline Bars still_bars(const Drivers& drivers, const Lane& lane, int family) {
  Bars moving = 0;
  ATC_UNROLL
  for (int f = 0; f < kFamilyCount; ++f) {
    const bool before = has(lane.drove_with | lane.drove_against, f);
    moving = f == family ? next_bars(drivers.with[f] | drivers.against[f], before) : moving;
  }
  return ~moving;
}

/// The equities of layer 2, from their factors: a family a lane, bar by bar.
template <bool pine>
ATC_DEVICE inline void step_layer2_equities(const Work32& w, const Drivers& drivers, int id, Lane& lane) {
  if (id >= kFamilyCount) return;
  const Bars still = pine ? still_bars(drivers, lane, id) : 0;
  double* const row = w.row(id);
  const double keep = w.p.equity_keep;
  double equity = lane.layer2, factor = lane.layer2_factor;
  const auto step = [&](int t) {
    factor = pine && has(still, t) ? factor : row[t];
    equity = grow(equity, keep, factor);
  };
  if (w.span.plain) {
    ATC_ROLLED_TILE
    for (int from = 0; from < kTileBars; from += kAtATime) {
      ATC_UNROLL
      for (int t = from; t < from + kAtATime; ++t) {
        step(t);
        row[t] = equity;
      }
    }
  } else {
    ATC_ROLLED
    for (int t = 0; t < w.span.count; ++t) {
      step(t);
      const std::int64_t bar = w.span.base + t;
      if (bar <= w.p.cutout) {
        equity = bar == w.p.cutout ? w.p.layer2_start[id] : undefined();
        factor = 1;
      }
      row[t] = equity;
    }
  }
  lane.layer2 = equity;
  if (pine) lane.layer2_factor = factor;
}

/// The signs of layer 1 at the tile's last bar, for the next one.
ATC_DEVICE inline void keep_drivers(const Work32& w, const Drivers& drivers, Lane& lane) {
  lane.drove_with = lane.drove_against = 0;
  ATC_UNROLL
  for (int f = 0; f < kFamilyCount; ++f) {
    lane.drove_with |= Bars{w.last_of(drivers.with[f])} << f;
    lane.drove_against |= Bars{w.last_of(drivers.against[f])} << f;
  }
}

/// Layers 1 and 2 as columns.
ATC_DEVICE inline void store_layers(const Work32& w, int id, const Lane& lane) {
  if (id >= w.span.count) return;
  const std::int64_t bar = w.span.base + id;
  ATC_UNROLL
  for (int f = 0; f < kFamilyCount; ++f) {
    if (w.columns.layer1[f] >= 0) w.put(w.columns.layer1[f], bar, lane.bar_layer1[f]);
    if (w.columns.layer2[f] >= 0) w.put(w.columns.layer2[f], bar, w.row(f)[id]);
  }
}

/// The average signal over the families: a bar a lane.
template <bool pine>
ATC_DEVICE inline void sum_layer2(const Work32& w, int id, const Lane& lane) {
  if (id >= w.span.count) return;
  double signed_sum = 0, sum = 0;
  ATC_UNROLL
  for (int f = 0; f < kFamilyCount; ++f) {
    const double layer2 = w.row(f)[id];
    if (!w.has(f)) continue;
    const double cut = cut_value(lane.bar_layer1[f], w.p.cut_above, w.p.cut_below);
    signed_sum = add_exact_product(cut, layer2, signed_sum);
    sum += layer2;
  }
  w.row(kAverageRow)[id] = average_signal<pine>(signed_sum, sum);
}

/// The average as published.
ATC_DEVICE inline void publish_average(const Work32& w, int id, Lane& lane) {
  const double* const average = w.row(kAverageRow);
  const auto published = [&](int t) {
    if (w.p.strategy_mode == 0) return average[t];
    return t > 0 ? average[t - 1] : lane.average;
  };
  const double of_last = published(w.span.count - 1);
  if (id < w.span.count) {
    lane.bar_published = published(id);
    if (w.columns.average >= 0) w.put(w.columns.average, w.span.base + id, lane.bar_published);
  }
  lane.published = of_last;
  lane.average = average[w.span.count - 1];
}

/// The trend, from the bars at which the average says so.
ATC_DEVICE inline void follow_trend(const Work32& w, Bars up, Bars down, int id, Lane& lane) {
  const Bars rising = held(up, down, lane.trend > 0), falling = held(down, up, lane.trend < 0);
  const Bars rising_before = next_bars(rising, lane.trend > 0);
  const Bars falling_before = next_bars(falling, lane.trend < 0);
  const Bars turns = ((rising ^ rising_before) | (falling ^ falling_before)) & w.all_bars();
  if (turns != 0) lane.trend_since_bar = w.span.base + latest(turns);
  lane.previous_trend = w.last_of(rising_before) ? 1 : w.last_of(falling_before) ? -1 : 0;
  lane.trend = w.last_of(rising) ? 1 : w.last_of(falling) ? -1 : 0;
  if (w.columns.trend < 0 || id >= w.span.count) return;
  w.task.trend[w.span.base + id] = static_cast<signed char>(has(rising, id) ? 1 : has(falling, id) ? -1 : 0);
}

/// From the crossing states of a pass, crossings(id, Lane&) for each of its averages, to its families'
/// layer 1.
template <bool pine, int pass, class Lanes32, class CrossingsOf>
ATC_DEVICE inline void finish_pass(Work32& w, Lanes32& lanes, CrossingsOf crossings) {
  // A crossing state that once was not 0 never is again.
  const Bars known = lanes.vote([](const Lane& lane) { return lane.state[pass] != 0; });
  w.span.signed_rows = w.span.plain && known == ~Bars{0} >> (kLanes - kPassAverages);
  lanes.each([&](int id, Lane& lane) {
    if (id < kPassAverages) step_equities<pass>(w, crossings(id, lane), id, lane);
  });
  if (w.columns.inner >= 0) lanes.each([&](int id, Lane&) { store_states_equities<pass>(w, id); });
  lanes.each([&](int id, Lane& lane) { sum_layer1<pine, pass>(w, id, lane); });
}

/// From layer 1 to the trend.
template <bool pine, class Lanes32>
ATC_DEVICE inline void finish_tile(const Work32& w, Lanes32& lanes) {
  const auto bars_where = [&](auto holds) { return lanes.vote(holds) & w.all_bars(); };
  Drivers drivers;
  ATC_UNROLL
  for (int f = 0; f < kFamilyCount; ++f) {
    drivers.with[f] = bars_where([&](const Lane& lane) { return lane.bar_layer1[f] > 0.0; });
    drivers.against[f] = bars_where([&](const Lane& lane) { return lane.bar_layer1[f] < 0.0; });
  }
  lanes.each([&](int id, Lane& lane) { find_layer2_factors(w, drivers, id, lane); });
  lanes.each([&](int id, Lane& lane) { step_layer2_equities<pine>(w, drivers, id, lane); });
  if (w.columns.layers >= 0) lanes.each([&](int id, Lane& lane) { store_layers(w, id, lane); });
  lanes.each([&](int id, Lane& lane) {
    keep_drivers(w, drivers, lane);
    sum_layer2<pine>(w, id, lane);
  });
  lanes.each([&](int id, Lane& lane) { publish_average(w, id, lane); });
  const Bars up = bars_where([&](const Lane& lane) {
    return cut_value(lane.bar_published, w.p.trend_above, w.p.trend_below) > 0.0;
  });
  const Bars down = bars_where([&](const Lane& lane) {
    return cut_value(lane.bar_published, w.p.trend_above, w.p.trend_below) < 0.0;
  });
  lanes.each([&](int id, Lane& lane) { follow_trend(w, up, down, id, lane); });
}

}  // namespace
}  // namespace atcd::gpu::ATCD_KERNEL
