#pragma once

#include "engine/kernel.hpp"
#include "engine/lanes.hpp"

// The 54 averages of section 2, one bar at a time. `x` is the newest value of the MA source; partial sums are
// those of Work. A strip may write behind the ninth value, into the next family's place in `average`: so the
// families go in order.

namespace atcd::engine::ATCD_KERNEL {
namespace {

constexpr int kEma = 0 * kLengthCount;
constexpr int kHma = 1 * kLengthCount;
constexpr int kWma = 2 * kLengthCount;
constexpr int kDema = 3 * kLengthCount;
constexpr int kLsma = 4 * kLengthCount;
constexpr int kKama = 5 * kLengthCount;

constexpr double kSlowest = 0.064;
constexpr double kSmoothRange = 0.666 - 0.064;
constexpr double kPineStillNoise = 1e-10;

/// Partial sums at the lengths: read off by prepare() for one series, straight from the scan for many.
template <class V>
inline typename Strip<V>::T partial(const V* scan, const PlanConstants::Lengths& before, const V* read_off,
                                    int i) {
  if constexpr (kOneSeries<V>) {
    return load(read_off, i);
  } else {
    return scan[before[i]];
  }
}

template <class V>
inline void step_ema(const PlanConstants& c, const V* in, V* out, V* average, V newest) {
  const auto x = spread(newest);
  for (int i = 0; i < kLengthCount; i += Strip<V>::width) {
    const auto before = load(in, i);
    const auto e = fma(constant<V>(c.ema_alpha, i), x - before, before);
    store(out, i, e);
    store(average, i, e);
  }
}

template <class V>
inline void step_dema(const PlanConstants& c, const Block<V>& in, Block<V>& out, V* average, V newest) {
  const auto x = spread(newest);
  for (int i = 0; i < kLengthCount; i += Strip<V>::width) {
    const auto alpha = constant<V>(c.dema_alpha, i);
    const auto before1 = load(in.dema1, i);
    const auto before2 = load(in.dema2, i);
    const auto e1 = fma(alpha, x - before1, before1);
    const auto e2 = fma(alpha, e1 - before2, before2);
    store(out.dema1, i, e1);
    store(out.dema2, i, e2);
    store(average, i, 2.0 * e1 - e2);
  }
}

template <class V>
inline void step_wma(const PlanConstants& c, const Work<V>& w, V* average, V newest) {
  const auto x = spread(newest);
  for (int i = 0; i < kLengthCount; i += Strip<V>::width) {
    const auto part = partial(w.weighted, c.wma_before, w.wma_part, i);
    store(average, i, over<V>(fma(constant<V>(c.wma_count, i), x, part), c.wma_inverse, i));
  }
}

/// lts: the true Hull average.
template <class V>
inline void step_hull(const PlanConstants& c, const Work<V>& w, V* raw, V* average, V newest) {
  const auto x = spread(newest);
  for (int i = 0; i < kLengthCount; i += Strip<V>::width) {
    const auto half_part = partial(w.weighted, c.half_before, w.half_part, i);
    const auto long_part = partial(w.weighted, c.hma_before, w.hma_part, i);
    const auto half = over<V>(fma(constant<V>(c.half_count, i), x, half_part), c.half_inverse, i);
    const auto whole = over<V>(fma(constant<V>(c.hma_count, i), x, long_part), c.hma_inverse, i);
    const auto value = 2.0 * half - whole;
    store(raw, i, value);
    const auto outer = fma(constant<V>(c.root_count, i), value, load(w.root_part, i));
    store(average, i, over<V>(outer, c.root_inverse, i));
  }
}

/// pine: a simple average under Hull's name.
template <class V>
inline void step_sma(const PlanConstants& c, const Work<V>& w, V* average, V newest) {
  const auto x = spread(newest);
  for (int i = 0; i < kLengthCount; i += Strip<V>::width) {
    store(average, i, over<V>(partial(w.sums, c.hma_before, w.hma_part, i) + x, c.hma_inverse, i));
  }
}

template <bool pine, class V>
inline void step_lsma(const PlanConstants& c, const Work<V>& w, V* average, V newest) {
  const auto x = spread(newest);
  for (int i = 0; i < kLengthCount; i += Strip<V>::width) {
    const auto part = partial(w.weighted, c.lsma_before, w.lsma_part, i);
    const auto sum = partial(w.sums, c.lsma_before, w.lsma_sum, i) + x;
    const auto weighted = over<V>(fma(constant<V>(c.lsma_count, i), x, part), c.lsma_inverse, i);
    const auto simple = over<V>(sum, c.lsma_mean_inverse, i);
    auto line = constant<V>(c.lsma_by_wma, i) * weighted - constant<V>(c.lsma_by_sma, i) * simple;
    if constexpr (!pine) line = line - over<V>(6.0 * (weighted - simple), c.lsma_step_inverse, i);
    store(average, i, line);
  }
}

/// `bar` is the newest bar's index, `last` the value before x.
template <bool pine, class V>
inline void step_kama(const PlanConstants& c, const Work<V>& w, const V* in, V* out, V* average, V newest,
                      V last, std::int64_t bar) {
  using T = typename Strip<V>::T;
  const T x = spread(newest);
  const T change = spread(magnitude(newest - last));
  const T now = broadcast<T>(static_cast<double>(bar));
  for (int i = 0; i < kLengthCount; i += Strip<V>::width) {
    const T before = load(in, i);
    const T noise = partial(w.noise, c.kama_before, w.kama_noise, i) + change;
    const T moved = magnitude(x - load(w.kama_oldest, i)) / noise;
    const auto begun = now >= constant<V>(c.kama_count, i);
    T k;
    if constexpr (pine) {
      const T ratio = select(begun, select(noise <= kPineStillNoise, 0.0, moved), 0.0);
      const T smooth = fma(ratio, kSmoothRange, kSlowest);
      k = fma(smooth * smooth, x - before, before);
    } else {
      const T ratio = select(noise == 0.0, 0.0, moved);
      const T smooth = fma(ratio, kSmoothRange, kSlowest);
      const T from = select(before == before, before, x);  // undefined after missing values: from the close
      k = select(begun, fma(smooth * smooth, x - from, from), before);
    }
    store(out, i, k);
    store(average, i, k);
  }
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
