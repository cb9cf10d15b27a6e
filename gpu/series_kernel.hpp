#pragma once

#include <type_traits>

#include "gpu/series_crossings.hpp"
#include "gpu/series_layers.hpp"
#include "gpu/series_recurrences.hpp"
#include "gpu/series_windows.hpp"

// The order of the tile's phases (series_memory.hpp says how the lanes share the work).

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

// `lanes.each(f)` calls f(lane's number, Lane&) for every lane and has them wait for each other;
// `lanes.vote(f)` gives every lane a bit for each lane, whether f(Lane&) holds there.

/// The averages of a pass, in their rows.
template <bool pine, Spread spread, int pass, class Lanes32>
ATC_DEVICE inline void compute_averages(const Work32& w, Lanes32& lanes) {
  if constexpr (pass == 0) {
    lanes.each([&](int id, Lane&) { scan_noise<pine, spread>(w, id); });
    lanes.each([&](int id, Lane& lane) { step_recurrences<pine>(w, id, lane); });
  } else {
    lanes.each([&](int id, Lane&) { scan_windows<pine, spread>(w, id); });
    if constexpr (!pine) {
      lanes.each([&](int id, Lane& lane) { scan_raws<spread>(w, id, lane); });
      lanes.each([&](int id, Lane& lane) { store_hull(w, id, lane); });
    }
  }
}

/// The bars from `base` on, as many as a tile has or are left, and whether they are plain.
template <class Lanes32, class Load>
ATC_DEVICE inline void next_tile(Work32& w, std::int64_t base, Lanes32& lanes, Load load) {
  const std::int64_t left = w.task.bars - base;
  w.span = {base, static_cast<int>(left < kTileBars ? left : kTileBars), false, false};
  lanes.each([&](int id, Lane& lane) { load(id, lane); });
  const Bars infinite = lanes.vote([](const Lane& lane) { return !no_infinity(lane.bar_return); });
  w.span.plain = left >= kTileBars && base > w.p.cutout && infinite == 0;
}

/// One series under one plan, from its bars to its end.
template <bool pine, Spread spread, class Lanes32>
ATC_DEVICE void run_series(const DevicePlan& p, const KernelArguments& arguments, const SeriesTask& task,
                           double* memory, Lanes32& lanes) {
  Work32 w{p, task, arguments.columns, tile_in(p, memory), {0, 0, false, false}};
  const auto pass = [&](auto number) {
    constexpr int kPass = decltype(number)::value;
    if (!w.has_pass(kPass)) return;
    compute_averages<pine, spread, kPass>(w, lanes);
    if (w.columns.inner >= 0) lanes.each([&](int id, Lane&) { store_averages<kPass>(w, id); });
    finish_pass<pine, kPass>(w, lanes, [&](int id, Lane& lane) { return cross<pine, kPass>(w, id, lane); });
  };
  lanes.each([&](int id, Lane& lane) { begin<pine>(w, id, lane); });
  for (std::int64_t base = 0; base < task.bars; base += kTileBars) {
    next_tile(w, base, lanes, [&](int id, Lane& lane) { load_tile<pine>(w, id, lane); });
    pass(std::integral_constant<int, 0>{});
    pass(std::integral_constant<int, 1>{});
    finish_tile<pine>(w, lanes);
  }
  if (task.end != nullptr) lanes.each([&](int id, Lane& lane) { store_end(w, id, lane); });
}

/// One series' crossings, for the plans that share its averages.
template <bool pine, Spread spread, class Lanes32>
ATC_DEVICE void find_series_crossings(const DevicePlan& p, const KernelArguments& arguments,
                                      const SeriesTask& task, double* memory, Lanes32& lanes) {
  Work32 w{p, task, arguments.columns, tile_in(p, memory), {0, 0, false, false}};
  const auto pass = [&](auto number) {
    constexpr int kPass = decltype(number)::value;
    if (!w.has_pass(kPass)) return;
    compute_averages<pine, spread, kPass>(w, lanes);
    lanes.each([&](int id, Lane& lane) {
      if (id >= kPassAverages) return;
      const Crossings crossings = cross<pine, kPass>(w, id, lane);
      keep_state<kPass>(w, crossings, lane);
      w.crossings(kPass)[id] = crossings;
    });
  };
  lanes.each([&](int id, Lane& lane) { begin<pine>(w, id, lane); });
  for (std::int64_t base = 0; base < task.bars; base += kTileBars) {
    next_tile(w, base, lanes, [&](int id, Lane& lane) { load_tile<pine>(w, id, lane); });
    pass(std::integral_constant<int, 0>{});
    pass(std::integral_constant<int, 1>{});
  }
}

/// One series under one of such plans, from its crossings on.
template <bool pine, class Lanes32>
ATC_DEVICE void run_layers(const KernelArguments& arguments, const SeriesTask& task, double* memory,
                           Lanes32& lanes) {
  Work32 w{*task.variant, task, arguments.columns, layers_tile_in(memory), {0, 0, false, false}};
  const auto pass = [&](auto number) {
    constexpr int kPass = decltype(number)::value;
    if (!w.has_pass(kPass)) return;
    finish_pass<pine, kPass>(w, lanes, [&](int id, Lane&) { return w.crossings(kPass)[id]; });
  };
  for (std::int64_t base = 0; base < task.bars; base += kTileBars) {
    next_tile(w, base, lanes, [&](int id, Lane& lane) { load_returns<pine>(w, id, lane); });
    pass(std::integral_constant<int, 0>{});
    pass(std::integral_constant<int, 1>{});
    finish_tile<pine>(w, lanes);
  }
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
