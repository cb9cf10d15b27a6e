#pragma once

#include "gpu/series_windows.hpp"

// The rest of the tile: what goes from bar to bar, the layers, and the order of it all (series_windows.hpp
// says how the lanes share the work).

namespace atcd::gpu::ATCD_KERNEL {
namespace {

ATC_DEVICE inline double seed_of(const double* now, int length, double count) {
  ScanSums<double> sums{0, 0, 0, now[-1]};
  for (int j = 1; j < length; ++j) visit_value(sums, now[-j]);
  const double mean = mean_of_all(sums.sum, *now, count);
  return is_undefined(mean) ? mean_of_present(now - 1, length, *now) : mean;
}

/// An EMA or the first one of a DEMA, where it may have to be seeded or to go over a missing value.
template <bool pine>
ATC_DEVICE inline void step_unsettled_ema(Lane& lane, const double* now, std::int64_t bar, double alpha,
                                          double keep, int length, double count) {
  const double x = *now;
  if (!pine && (lane.gapped != 0 || is_undefined(x))) {
    double weight = lane.gapped != 0 ? lane.weight : 1;
    lane.first = step_over_gap(lane.first, weight, alpha, keep, bar >= length, x);
    lane.weight = weight;
  } else {
    lane.first = ema_value(alpha, lane.first, x);
  }
  if (bar != length - 1) return;
  lane.first = seed_of(now, length, count);
  lane.weight = 1;
}

template <bool pine>
ATC_DEVICE inline double step_unsettled_dema(const DevicePlan& p, Lane& lane, int i, const double* now,
                                             std::int64_t bar) {
  const int length = p.dema_length[i];
  const double alpha = p.dema_alpha[i], second_before = lane.second;
  const bool gap = !pine && (lane.gapped != 0 || is_undefined(*now));
  step_unsettled_ema<pine>(lane, now, bar, alpha, p.dema_keep[i], length, p.dema_count[i]);
  lane.second =
      gap ? second_over_gap(second_before, alpha, lane.first) : ema_value(alpha, second_before, lane.first);
  if (!pine && bar == length - 1) lane.second = lane.first;
  double average = dema_value(lane.first, lane.second);
  if (pine && bar >= length - 1) {
    seed_second_from_mean(lane.first, second_before, lane.second, average, bar, length, p.dema_count[i]);
  }
  return average;
}

template <bool pine>
ATC_DEVICE inline void step_unsettled(const Work32& w, Lane& lane, int family, int i, double* row, int t) {
  const DevicePlan& p = w.p;
  const double* const now = w.tile.values + p.value_history + t;
  const std::int64_t bar = w.span.base + t;
  if (family == 0) {
    step_unsettled_ema<pine>(lane, now, bar, p.ema_alpha[i], p.ema_keep[i], p.ema_length[i], p.ema_count[i]);
    row[t] = lane.first;
  } else if (family == 1) {
    row[t] = step_unsettled_dema<pine>(p, lane, i, now, bar);
  } else {
    const bool held = !pine && bar == 0;
    lane.first = held ? *now : kama_value<pine>(row[t], lane.first, *now, bar >= p.kama_length[i]);
    row[t] = lane.first;
  }
  lane.gapped = !pine && is_undefined(*now) ? 1 : 0;
}

/// EMA, DEMA and KAMA: one a lane, bar by bar.
template <bool pine>
ATC_DEVICE inline void step_recurrences(const Work32& w, int id, Lane& lane) {
  if (id >= kRecurrences) return;
  const int family = id / kLengthCount, i = id % kLengthCount;
  const bool dema = family == 1, kama = family == 2;
  double* const row = w.row((kama ? kKama : dema ? kDema : kEma) + i);
  if (w.span.base < w.p.unsettled_bars || w.task.complete == 0) {
    for (int t = 0; t < w.span.count; ++t) step_unsettled<pine>(w, lane, family, i, row, t);
    return;
  }
  const double* const values = w.tile.values + w.p.value_history;
  const double alpha = dema ? w.p.dema_alpha[i] : w.p.ema_alpha[i];
  for (int t = 0; t < w.span.count; ++t) {
    const double x = values[t];
    const double from = kama ? kama_from<pine>(lane.first, x) : lane.first;
    lane.first = ema_value(kama ? row[t] : alpha, from, x);
    if (dema) lane.second = ema_value(alpha, lane.second, lane.first);
    row[t] = dema ? dema_value(lane.first, lane.second) : lane.first;
  }
}

/// The averages as columns, before the equities take their rows.
ATC_DEVICE inline void store_averages(const Work32& w, int id) {
  if (w.columns.inner < 0 || id >= w.span.count) return;
  for (int a = 0; a < kAverageCount; ++a) w.put(w.columns.inner + a, w.span.base + id, w.row(a)[id]);
}

/// Crossing states and the equities of layer 1: two averages a lane, bar by bar.
template <bool pine>
ATC_DEVICE inline void step_averages_equities(const Work32& w, int id, Lane& lane) {
  if (id >= kAveragingLanes) return;
  for (int t = 0; t < w.span.count; ++t) {
    const std::int64_t bar = w.span.base + t;
    const double price = w.tile.closes[t];
    ATC_UNROLL
    for (int k = 0; k < kAveragesPerLane; ++k) {
      const int a = id + k * kAveragingLanes;
      double* const row = w.row(a);
      const double relation = price - row[t], before = lane.relation[k];
      double equity = grow(lane.equity[k], w.p.equity_keep, w.tile.factors[(lane.state[k] + 1) * kRow + t]);
      if (bar <= w.p.cutout) equity = bar == w.p.cutout ? w.p.layer1_start : undefined();
      const bool up = crosses_up(relation, before), down = crosses_down(relation, before);
      lane.state[k] = up ? 1 : down ? -1 : lane.state[k];
      lane.relation[k] = remembered_relation<pine>(relation, before);
      lane.equity[k] = equity;
      row[t] = equity;
      w.tile.states[a * kStateRow + t] = static_cast<signed char>(lane.state[k]);
    }
  }
}

/// Layer 1: a bar a lane.
template <bool pine>
ATC_DEVICE inline void sum_layer1(const Work32& w, int id) {
  if (id >= w.span.count) return;
  const std::int64_t bar = w.span.base + id;
  for (int f = 0; f < kFamilyCount; ++f) {
    double signed_sum = 0, sum = 0;
    for (int i = 0; i < kLengthCount; ++i) {
      const int a = f * kLengthCount + i;
      const int code = w.tile.states[a * kStateRow + id];
      const double state = code > 0 ? 1.0 : code < 0 ? -1.0 : 0.0;
      const double equity = w.row(a)[id];
      signed_sum = add_exact_product(state, equity, signed_sum);
      sum += equity;
      if (w.columns.inner >= 0) {
        w.put(w.columns.inner + kAverageCount + a, bar, state);
        w.put(w.columns.inner + 2 * kAverageCount + a, bar, equity);
      }
    }
    const double layer1 = to_two_decimals<pine>(signed_sum / sum, w.p.hundredth_high, w.p.hundredth_low);
    w.family_row(f, kLayer1Row)[id] = layer1;
    if (w.columns.layer1[f] >= 0) w.put(w.columns.layer1[f], bar, layer1);
  }
}

/// The equities of layer 2: a family a lane, bar by bar.
template <bool pine>
ATC_DEVICE inline void step_layer2_equities(const Work32& w, int id, Lane& lane) {
  if (id >= kFamilyCount) return;
  const double* const layer1 = w.family_row(id, kLayer1Row);
  double* const layer2 = w.family_row(id, kLayer2Row);
  const double* const against = w.tile.factors;
  const double* const with = w.tile.factors + 2 * kRow;
  for (int t = 0; t < w.span.count; ++t) {
    const std::int64_t bar = w.span.base + t;
    const double factor = layer2_factor<pine>(lane.layer1, with[t], against[t], lane.layer2_factor);
    lane.layer2 = grow(lane.layer2, w.p.equity_keep, factor);
    if (pine) lane.layer2_factor = factor;
    if (bar <= w.p.cutout) {
      lane.layer2 = bar == w.p.cutout ? w.p.layer2_start[id] : undefined();
      lane.layer2_factor = 1;
    }
    lane.layer1 = layer1[t];
    layer2[t] = lane.layer2;
  }
}

/// The average signal over the families: a bar a lane.
template <bool pine>
ATC_DEVICE inline void sum_layer2(const Work32& w, int id) {
  if (id >= w.span.count) return;
  double signed_sum = 0, sum = 0;
  for (int f = 0; f < kFamilyCount; ++f) {
    const double layer1 = w.family_row(f, kLayer1Row)[id], layer2 = w.family_row(f, kLayer2Row)[id];
    signed_sum = add_exact_product(cut_value(layer1, w.p.cut_above, w.p.cut_below), layer2, signed_sum);
    sum += layer2;
    if (w.columns.layer2[f] >= 0) w.put(w.columns.layer2[f], w.span.base + id, layer2);
  }
  w.row(kAverageRow)[id] = average_signal<pine>(signed_sum, sum);
}

/// The average as published, and what it says of the trend.
ATC_DEVICE inline void publish_average(const Work32& w, int id, Lane& lane) {
  const double* const average = w.row(kAverageRow);
  const auto published = [&](int t) {
    if (w.p.strategy_mode == 0) return average[t];
    return t > 0 ? average[t - 1] : lane.average;
  };
  const double of_last = published(w.span.count - 1);
  if (id < w.span.count) {
    const double value = published(id);
    const double code = cut_value(value, w.p.trend_above, w.p.trend_below);
    w.tile.trend_codes[id] = static_cast<signed char>(code > 0 ? 1 : code < 0 ? -1 : 0);
    if (w.columns.average >= 0) w.put(w.columns.average, w.span.base + id, value);
  }
  lane.published = of_last;
  lane.average = average[w.span.count - 1];
}

/// The trend: every lane goes over the tile.
ATC_DEVICE inline void follow_trend(const Work32& w, int id, Lane& lane) {
  for (int t = 0; t < w.span.count; ++t) {
    const int code = w.tile.trend_codes[t];
    lane.previous_trend = lane.trend;
    if (code != 0) lane.trend = code;
    if (lane.trend != lane.previous_trend) lane.trend_since_bar = w.span.base + t;
    if (t == id && w.columns.trend >= 0) w.task.trend[w.span.base + t] = static_cast<signed char>(lane.trend);
  }
}

/// Where the series stands, after its last tile.
ATC_DEVICE inline void store_end(const Work32& w, int id, const Lane& lane) {
  SeriesEnd& end = *w.task.end;
  if (id < kRecurrences) {
    const int family = id / kLengthCount, i = id % kLengthCount;
    (family == 0 ? end.ema : family == 1 ? end.dema1 : end.kama)[i] = lane.first;
    if (family == 1) end.dema2[i] = lane.second;
    if (family < 2) (family == 0 ? end.ema_weight : end.dema_weight)[i] = lane.weight;
  }
  if (id < kAveragingLanes) {
    ATC_UNROLL
    for (int k = 0; k < kAveragesPerLane; ++k) {
      const int a = id + k * kAveragingLanes;
      end.relation[a] = lane.relation[k];
      end.state[a] = lane.state[k];
      end.equity[a] = lane.equity[k];
    }
  }
  if (id < kFamilyCount) {
    end.layer1[id] = lane.layer1;
    end.layer2[id] = lane.layer2;
    end.layer2_factor[id] = lane.layer2_factor;
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

/// All phases over one series. `lanes.each(f)` calls f(lane's number, Lane&) for every lane and has them wait
/// for each other.
template <bool pine, class Lanes32>
ATC_DEVICE void run_series(const DevicePlan& p, const KernelArguments& arguments, const SeriesTask& task,
                           double* memory, Lanes32& lanes) {
  Work32 w{p, task, arguments.growth, arguments.columns, tile_in(p, memory), {0, 0}};
  lanes.each([&](int id, Lane& lane) { begin<pine>(w, id, lane); });
  for (std::int64_t base = 0; base < task.bars; base += kTileBars) {
    const std::int64_t left = task.bars - base;
    w.span = {base, static_cast<int>(left < kTileBars ? left : kTileBars)};
    lanes.each([&](int id, Lane&) { load_tile<pine>(w, id); });
    lanes.each([&](int id, Lane&) { scan_windows<pine>(w, id); });
    if constexpr (!pine) lanes.each([&](int id, Lane&) { scan_raws(w, id); });
    lanes.each([&](int id, Lane& lane) { step_recurrences<pine>(w, id, lane); });
    if (w.columns.inner >= 0) lanes.each([&](int id, Lane&) { store_averages(w, id); });
    lanes.each([&](int id, Lane& lane) { step_averages_equities<pine>(w, id, lane); });
    lanes.each([&](int id, Lane&) { sum_layer1<pine>(w, id); });
    lanes.each([&](int id, Lane& lane) { step_layer2_equities<pine>(w, id, lane); });
    lanes.each([&](int id, Lane&) { sum_layer2<pine>(w, id); });
    lanes.each([&](int id, Lane& lane) { publish_average(w, id, lane); });
    lanes.each([&](int id, Lane& lane) { follow_trend(w, id, lane); });
  }
  if (task.end != nullptr) lanes.each([&](int id, Lane& lane) { store_end(w, id, lane); });
}

}  // namespace
}  // namespace atcd::gpu::ATCD_KERNEL
