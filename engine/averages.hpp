#pragma once

#include "engine/kernel.hpp"
#include "engine/lanes.hpp"

// The 54 averages of section 2, one bar at a time. `x` is the newest value of the MA source; partial sums are
// those of Work.

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

/// A partial sum at a length: read off by prepare() for one series, straight from the scan for many.
template <class V>
inline V partial(const V* scan, const PlanConstants::Lengths& before, const V* read_off, int i) {
  if constexpr (LaneCount<V>::value == 1) {
    return read_off[i];
  } else {
    return scan[before[i]];
  }
}

template <class V>
inline void step_ema(const PlanConstants& c, const V* in, V* out, V* average, V x) {
  ATCD_INDEPENDENT
  for (int i = 0; i < kLengthCount; ++i) {
    const V e = fma(c.ema_alpha[i], x - in[i], in[i]);
    out[i] = e;
    average[i] = e;
  }
}

template <class V>
inline void step_dema(const PlanConstants& c, const Block<V>& in, Block<V>& out, V* average, V x) {
  ATCD_INDEPENDENT
  for (int i = 0; i < kLengthCount; ++i) {
    const V e1 = fma(c.dema_alpha[i], x - in.dema1[i], in.dema1[i]);
    const V e2 = fma(c.dema_alpha[i], e1 - in.dema2[i], in.dema2[i]);
    out.dema1[i] = e1;
    out.dema2[i] = e2;
    average[i] = 2.0 * e1 - e2;
  }
}

template <class V>
inline void step_wma(const PlanConstants& c, const Work<V>& w, V* average, V x) {
  ATCD_INDEPENDENT
  for (int i = 0; i < kLengthCount; ++i) {
    const V part = partial(w.weighted, c.wma_before, w.wma_part, i);
    average[i] = fma(c.wma_count[i], x, part) / c.wma_divisor[i];
  }
}

/// lts: the true Hull average.
template <class V>
inline void step_hull(const PlanConstants& c, const Work<V>& w, V* raw, V* average, V x) {
  ATCD_INDEPENDENT
  for (int i = 0; i < kLengthCount; ++i) {
    const V half_part = partial(w.weighted, c.half_before, w.half_part, i);
    const V long_part = partial(w.weighted, c.hma_before, w.hma_part, i);
    const V half = fma(c.half_count[i], x, half_part) / c.half_divisor[i];
    const V whole = fma(c.hma_count[i], x, long_part) / c.hma_divisor[i];
    const V value = 2.0 * half - whole;
    raw[i] = value;
    average[i] = fma(c.root_count[i], value, w.root_part[i]) / c.root_divisor[i];
  }
}

/// pine: a simple average under Hull's name.
template <class V>
inline void step_sma(const PlanConstants& c, const Work<V>& w, V* average, V x) {
  ATCD_INDEPENDENT
  for (int i = 0; i < kLengthCount; ++i) {
    average[i] = (partial(w.sums, c.hma_before, w.hma_part, i) + x) / c.hma_count[i];
  }
}

template <bool pine, class V>
inline void step_lsma(const PlanConstants& c, const Work<V>& w, V* average, V x) {
  ATCD_INDEPENDENT
  for (int i = 0; i < kLengthCount; ++i) {
    const V part = partial(w.weighted, c.lsma_before, w.lsma_part, i);
    const V weighted = fma(c.lsma_count[i], x, part) / c.lsma_divisor[i];
    const V simple = (partial(w.sums, c.lsma_before, w.lsma_sum, i) + x) / c.lsma_count[i];
    const V newest = c.lsma_by_wma[i] * weighted - c.lsma_by_sma[i] * simple;
    if constexpr (pine) {
      average[i] = newest;
    } else {
      average[i] = newest - 6.0 * (weighted - simple) / c.lsma_steps[i];  // one bar back; length 1: 0/0
    }
  }
}

/// `bar` is the newest bar's index, `last` the value before x.
template <bool pine, class V>
inline void step_kama(const PlanConstants& c, const Work<V>& w, const V* in, V* out, V* average, V x, V last,
                      std::int64_t bar) {
  const V change = magnitude(x - last);
  ATCD_INDEPENDENT
  for (int i = 0; i < kLengthCount; ++i) {
    const V noise = partial(w.noise, c.kama_before, w.kama_noise, i) + change;
    const V ratio_or_nan = magnitude(x - w.kama_oldest[i]) / noise;
    const bool begun = bar >= c.kama_length[i];
    if constexpr (pine) {
      const V ratio = begun ? select(noise <= kPineStillNoise, 0.0, ratio_or_nan) : V{};
      const V smooth = fma(ratio, kSmoothRange, kSlowest);
      out[i] = fma(smooth * smooth, x - in[i], in[i]);
    } else {
      const V ratio = select(noise == 0.0, 0.0, ratio_or_nan);
      const V smooth = fma(ratio, kSmoothRange, kSlowest);
      const V from = select(in[i] == in[i], in[i], x);  // undefined after missing values: from the close
      const V moved = fma(smooth * smooth, x - from, from);
      out[i] = begun ? moved : in[i];
    }
    average[i] = out[i];
  }
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
