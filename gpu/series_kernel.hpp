#pragma once

#include <type_traits>

#include "gpu/series_recurrences.hpp"
#include "gpu/series_windows.hpp"

// The rest of the tile: crossings, equities and layers, and the order of it all (series_memory.hpp
// says how the lanes share the work).

namespace atcd::gpu::ATCD_KERNEL {
namespace {

/// The averages as columns, before the equities take their rows.
template <int pass>
ATC_DEVICE inline void store_averages(const Work32& w, int id) {
  if (id >= w.span.count) return;
  ATC_ROLLED
  for (int slot = 0; slot < kPassAverages; ++slot) {
    w.put(w.columns.inner + average_of(pass, slot), w.span.base + id, w.row(slot)[id]);
  }
}

/// States and equities of layer 1 as columns.
template <int pass>
ATC_DEVICE inline void store_states_equities(const Work32& w, int id) {
  if (id >= w.span.count) return;
  const std::int64_t bar = w.span.base + id;
  ATC_ROLLED
  for (int slot = 0; slot < kPassAverages; ++slot) {
    const int place = w.columns.inner + kAverageCount + average_of(pass, slot);
    w.put(place, bar, state_at(w.tile.rising[slot], w.tile.falling[slot], id));
    w.put(place + kAverageCount, bar, w.row(slot)[id]);
  }
}

/// Where a crossing state is 1 and where -1.
struct States {
  Bars rising, falling;
};

/// The crossing states of an average over the tile.
template <bool pine>
ATC_DEVICE inline States find_states(const Work32& w, const double* average, double& relation_before,
                                     int state) {
  // The sign of price - average is how they compare (crossing.hpp); an undefined average is in neither.
  Bars not_above = 0, not_below = 0;
  ATC_UNROLL_8
  for (int t = 0; t < kTileBars; ++t) {
    const double price = w.tile.closes[t];
    if (price <= average[t]) not_above |= Bars{1} << t;
    if (price >= average[t]) not_below |= Bars{1} << t;
  }
  not_above &= w.all_bars();  // behind them lie older values
  not_below &= w.all_bars();
  const Bars above = not_below & ~not_above, below = not_above & ~not_below;
  const Bars known = not_above | not_below;
  Bars was_not_above = not_above, was_not_below = not_below;
  if (pine) {  // what was remembered over undefined bars
    was_not_above = held(not_above, above, relation_before <= 0);
    was_not_below = held(not_below, below, relation_before >= 0);
  }
  const Bars up = above & next_bars(was_not_above, relation_before <= 0);
  const Bars down = below & next_bars(was_not_below, relation_before >= 0);
  const int last = !pine ? w.span.count - 1 : known != 0 ? latest(known) : -1;
  if (last >= 0) relation_before = w.tile.closes[last] - average[last];
  return {held(up, down, state > 0), held(down, up, state < 0)};
}

/// Crossing states and the equities of layer 1, which take the averages' rows: an average a lane.
template <bool pine, int pass>
ATC_DEVICE inline void step_states_equities(const Work32& w, int id, Lane& lane) {
  if (id >= kPassAverages) return;
  double* const row = w.row(id);
  const States states = find_states<pine>(w, row, lane.relation[pass], lane.state[pass]);
  w.tile.rising[id] = states.rising;
  w.tile.falling[id] = states.falling;
  const Bars rising_before = next_bars(states.rising, lane.state[pass] > 0);
  const Bars falling_before = next_bars(states.falling, lane.state[pass] < 0);
  lane.state[pass] = w.last_of(states.rising) ? 1 : w.last_of(states.falling) ? -1 : 0;
  double equity = lane.equity[pass];
  const auto step = [&](int t, bool finite) {
    const double state = state_at(rising_before, falling_before, t);
    equity = grow(equity, w.p.equity_keep, layer1_factor(state, w.tile.returns[t], finite));
  };
  if (w.span.plain) {
    ATC_UNROLL_8
    for (int t = 0; t < kTileBars; ++t) {
      step(t, true);
      row[t] = equity;
    }
  } else {
    ATC_ROLLED
    for (int t = 0; t < w.span.count; ++t) {
      step(t, no_infinity(w.tile.returns[t]));
      const std::int64_t bar = w.span.base + t;
      if (bar <= w.p.cutout)
        equity = bar == w.p.cutout ? w.p.layer1_start[family_of(pass, id / kLengthCount)] : undefined();
      row[t] = equity;
    }
  }
  lane.equity[pass] = equity;
}

/// Layer 1 of the pass's families: a bar a lane.
template <bool pine, int pass>
ATC_DEVICE inline void sum_layer1(const Work32& w, int id, Lane& lane) {
  if (id >= w.span.count) return;
  ATC_UNROLL
  for (int member = 0; member < kPassFamilies; ++member) {
    const int family = family_of(pass, member);
    double signed_sum = 0, sum = 0;
    ATC_UNROLL
    for (int i = 0; i < kLengthCount; ++i) {
      const int slot = member * kLengthCount + i;
      const double equity = w.row(slot)[id];
      const double state = state_at(w.tile.rising[slot], w.tile.falling[slot], id);
      signed_sum = add_exact_product(state, equity, signed_sum);
      sum += equity;
    }
    const double layer1 = to_two_decimals<pine>(signed_sum / sum, w.p.hundredth_high, w.p.hundredth_low);
    lane.bar_layer1[family] = layer1;
    if (w.columns.layer1[family] >= 0) w.put(w.columns.layer1[family], w.span.base + id, layer1);
  }
}

/// The signs of layer 1 over a tile, by family.
struct Drivers {
  Bars with[kFamilyCount], against[kFamilyCount];
};

/// The equities of layer 2: a family a lane, bar by bar.
template <bool pine>
ATC_DEVICE inline void step_layer2_equities(const Work32& w, const Drivers& drivers, int id, Lane& lane) {
  if (id >= kFamilyCount) return;
  Bars with = 0, against = 0;
  ATC_UNROLL
  for (int f = 0; f < kFamilyCount; ++f) {
    with = f == id ? drivers.with[f] : with;
    against = f == id ? drivers.against[f] : against;
  }
  const Bars with_before = next_bars(with, lane.driver > 0);
  const Bars against_before = next_bars(against, lane.driver < 0);
  lane.driver = w.last_of(with) ? 1 : w.last_of(against) ? -1 : 0;
  double* const row = w.row(id);
  const auto step = [&](int t) {
    const double r = w.tile.returns[t], driver = state_at(with_before, against_before, t);
    const double factor = layer2_factor<pine>(driver, 1.0 + r, 1.0 - r, lane.layer2_factor);
    lane.layer2 = grow(lane.layer2, w.p.equity_keep, factor);
    if (pine) lane.layer2_factor = factor;
  };
  if (w.span.plain) {
    ATC_UNROLL_8
    for (int t = 0; t < kTileBars; ++t) {
      step(t);
      row[t] = lane.layer2;
    }
    return;
  }
  ATC_ROLLED
  for (int t = 0; t < w.span.count; ++t) {
    step(t);
    const std::int64_t bar = w.span.base + t;
    if (bar <= w.p.cutout) {
      lane.layer2 = bar == w.p.cutout ? w.p.layer2_start[id] : undefined();
      lane.layer2_factor = 1;
    }
    row[t] = lane.layer2;
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
    if (w.columns.layer2[f] >= 0) w.put(w.columns.layer2[f], w.span.base + id, layer2);
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

/// Where the series stands, after its last tile.
ATC_DEVICE inline void store_end(const Work32& w, int id, const Lane& lane) {
  SeriesEnd& end = *w.task.end;
  if (id < kPassAverages) {
    const int family = id / kLengthCount, i = id % kLengthCount;
    (family == 0 ? end.ema : family == 1 ? end.dema1 : end.kama)[i] = lane.first;
    if (family == 1) end.dema2[i] = lane.second;
    if (family < 2) (family == 0 ? end.ema_weight : end.dema_weight)[i] = lane.weight;
    ATC_UNROLL
    for (int pass = 0; pass < kPasses; ++pass) {
      const int a = average_of(pass, id);
      end.relation[a] = lane.relation[pass];
      end.state[a] = lane.state[pass];
      end.equity[a] = lane.equity[pass];
    }
  }
  if (id < kFamilyCount) {
    end.layer2[id] = lane.layer2;
    end.layer2_factor[id] = lane.layer2_factor;
  }
  if (id == w.span.count - 1) {
    ATC_UNROLL
    for (int f = 0; f < kFamilyCount; ++f) end.layer1[f] = lane.bar_layer1[f];
  }
  if (id == 0) {
    end.average = lane.average;
    end.published = lane.published;
    end.gapped = lane.gapped;
    end.trend_since_bar = lane.trend_since_bar;
    end.trend = lane.trend;
    end.previous_trend = lane.previous_trend;
  }
  const double* const raws = w.raws_before(w.span.base / kTileBars + 1);
  for (int k = id; k < kLengthCount * w.p.raw_history; k += kLanes) w.task.raws[k] = raws[k];
}

/// From the averages in their rows to their families' layer 1.
template <bool pine, int pass, class Lanes32>
ATC_DEVICE inline void finish_pass(const Work32& w, Lanes32& lanes) {
  const bool inner = w.columns.inner >= 0;
  if (inner) lanes.each([&](int id, Lane&) { store_averages<pass>(w, id); });
  lanes.each([&](int id, Lane& lane) { step_states_equities<pine, pass>(w, id, lane); });
  if (inner) lanes.each([&](int id, Lane&) { store_states_equities<pass>(w, id); });
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
  lanes.each([&](int id, Lane& lane) { step_layer2_equities<pine>(w, drivers, id, lane); });
  lanes.each([&](int id, Lane& lane) { sum_layer2<pine>(w, id, lane); });
  lanes.each([&](int id, Lane& lane) { publish_average(w, id, lane); });
  const Bars up = bars_where([&](const Lane& lane) {
    return cut_value(lane.bar_published, w.p.trend_above, w.p.trend_below) > 0.0;
  });
  const Bars down = bars_where([&](const Lane& lane) {
    return cut_value(lane.bar_published, w.p.trend_above, w.p.trend_below) < 0.0;
  });
  lanes.each([&](int id, Lane& lane) { follow_trend(w, up, down, id, lane); });
}

/// All phases over one series. `lanes.each(f)` calls f(lane's number, Lane&) for every lane and has them wait
/// for each other; `lanes.vote(f)` gives every lane a bit for each lane, whether f(Lane&) holds there.
template <bool pine, Spread spread, class Lanes32>
ATC_DEVICE void run_series(const DevicePlan& p, const KernelArguments& arguments, const SeriesTask& task,
                           double* memory, Lanes32& lanes) {
  Work32 w{p, task, arguments.growth, arguments.columns, tile_in(p, memory), {0, 0, false}};
  lanes.each([&](int id, Lane& lane) { begin<pine>(w, id, lane); });
  for (std::int64_t base = 0; base < task.bars; base += kTileBars) {
    const std::int64_t left = task.bars - base;
    w.span = {base, static_cast<int>(left < kTileBars ? left : kTileBars), false};
    lanes.each([&](int id, Lane& lane) { load_tile<pine>(w, id, lane); });
    const Bars infinite = lanes.vote([](const Lane& lane) { return !no_infinity(lane.bar_return); });
    w.span.plain = left >= kTileBars && base > p.cutout && infinite == 0;
    if (w.has_pass(0)) {
      lanes.each([&](int id, Lane&) { scan_noise<pine, spread>(w, id); });
      lanes.each([&](int id, Lane& lane) { step_recurrences<pine>(w, id, lane); });
      finish_pass<pine, 0>(w, lanes);
    }
    if (w.has_pass(1)) {
      lanes.each([&](int id, Lane&) { scan_windows<pine, spread>(w, id); });
      if constexpr (!pine) {
        lanes.each([&](int id, Lane& lane) { scan_raws<spread>(w, id, lane); });
        lanes.each([&](int id, Lane& lane) { store_hull(w, id, lane); });
      }
      finish_pass<pine, 1>(w, lanes);
    }
    finish_tile<pine>(w, lanes);
  }
  if (task.end != nullptr) lanes.each([&](int id, Lane& lane) { store_end(w, id, lane); });
}

/// kernels.of<pine, spread>() for a plan.
template <class Kernels>
auto for_plan(const DevicePlan& p, Kernels kernels) {
  const auto of_spread = [&](auto pine) {
    switch (p.spread) {
      case Spread::narrow:
        return kernels.template of<decltype(pine)::value, Spread::narrow>();
      case Spread::medium:
        return kernels.template of<decltype(pine)::value, Spread::medium>();
      case Spread::wide:
        return kernels.template of<decltype(pine)::value, Spread::wide>();
      default:
        return kernels.template of<decltype(pine)::value, Spread::other>();
    }
  };
  return p.pine != 0 ? of_spread(std::true_type{}) : of_spread(std::false_type{});
}

}  // namespace
}  // namespace atcd::gpu::ATCD_KERNEL
