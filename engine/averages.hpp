#pragma once

#include "engine/kernel.hpp"
#include "engine/lanes.hpp"

// The 54 averages of section 2, one bar at a time: each average's formula, for one average or a vector of
// them, and below it the step of its family. `x` is the newest value of the MA source; partial sums are those
// of Work. A strip may write behind the ninth value, into the next family's place in `average`: so the
// families go in order.

namespace atcd::engine::ATCD_KERNEL {
namespace {

constexpr int kEma = 0 * kLengthCount;
constexpr int kHma = 1 * kLengthCount;
constexpr int kWma = 2 * kLengthCount;
constexpr int kDema = 3 * kLengthCount;
constexpr int kLsma = 4 * kLengthCount;
constexpr int kKama = 5 * kLengthCount;

/// Whether the family of an average is computed.
inline bool chosen(const PlanConstants& c, int average) {
  return (c.families >> (average / kLengthCount) & 1) != 0;
}

/// The same in code that is compiled for all families and, `some`, for a choice of them.
template <bool some>
inline bool chosen(const PlanConstants& c, int average) {
  return !some || chosen(c, average);
}

/// The averages of a family that is not computed: a strip of the family before may lie there.
template <class V>
inline void leave_out(V* average) {
  for (int i = 0; i < kLengthCount; ++i) average[i] = broadcast<V>(undefined());
}

constexpr double kSlowest = 0.064;
constexpr double kSmoothRange = 0.666 - 0.064;
constexpr double kPineStillNoise = 1e-10;

/// What the one scan backward over the values before the newest carries from value to value.
template <class V>
struct ScanSums {
  V sum;
  V weighted;
  V noise;
  V later;  // the value visited last; first the newest of those before
};

template <class V>
ATC_HOST_DEVICE inline void add_weighted(V& sum, V& weighted, V value) {
  sum += value;
  weighted += sum;
}

template <class V>
ATC_HOST_DEVICE inline void visit_value(ScanSums<V>& s, V value) {
  add_weighted(s.sum, s.weighted, value);
  s.noise += magnitude(s.later - value);  // at the first: 0
  s.later = value;
}

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

/// a / d for a constant d, see PlanConstants::Inverses.
template <class T>
ATC_HOST_DEVICE inline T quotient(T a, T inverse_high, T inverse_low) {
  return fma(a, inverse_high, a * inverse_low);
}

template <class T>
ATC_HOST_DEVICE inline T ema_value(T alpha, T before, T x) {
  return fma(alpha, x - before, before);
}

template <class V>
inline void step_ema(const PlanConstants& c, const V* in, V* out, V* average, V newest) {
  const auto x = spread(newest);
  for (int i = 0; i < kLengthCount; i += Strip<V>::width) {
    const auto e = ema_value(constant<V>(c.ema_alpha, i), load(in, i), x);
    store(out, i, e);
    store(average, i, e);
  }
}

template <class T>
ATC_HOST_DEVICE inline T dema_value(T first, T second) {
  return 2.0 * first - second;
}

template <class V>
inline void step_dema(const PlanConstants& c, const Block<V>& in, Block<V>& out, V* average, V newest) {
  const auto x = spread(newest);
  for (int i = 0; i < kLengthCount; i += Strip<V>::width) {
    const auto alpha = constant<V>(c.dema_alpha, i);
    const auto e1 = ema_value(alpha, load(in.dema1, i), x);
    const auto e2 = ema_value(alpha, load(in.dema2, i), e1);
    store(out.dema1, i, e1);
    store(out.dema2, i, e2);
    store(average, i, dema_value(e1, e2));
  }
}

/// `part`: the weighted sum of the values before the newest; `count`: the newest value's weight.
template <class T>
ATC_HOST_DEVICE inline T wma_value(T part, T count, T x, T inverse_high, T inverse_low) {
  return quotient(fma(count, x, part), inverse_high, inverse_low);
}

template <class V>
inline typename Strip<V>::T wma_of(typename Strip<V>::T part, const double* count, typename Strip<V>::T x,
                                   const PlanConstants::Inverses& inverses, int i) {
  return wma_value(part, constant<V>(count, i), x, constant<V>(inverses.high, i),
                   constant<V>(inverses.low, i));
}

template <class V>
inline void step_wma(const PlanConstants& c, const Work<V>& w, V* average, V newest) {
  const auto x = spread(newest);
  for (int i = 0; i < kLengthCount; i += Strip<V>::width) {
    const auto part = partial(w.weighted, c.wma_before, w.wma_part, i);
    store(average, i, wma_of<V>(part, c.wma_count, x, c.wma_inverse, i));
  }
}

/// What the outer Hull average goes over.
template <class T>
ATC_HOST_DEVICE inline T hull_raw(T half, T whole) {
  return 2.0 * half - whole;
}

/// lts: the true Hull average.
template <class V>
inline void step_hull(const PlanConstants& c, const Work<V>& w, V* raw, V* average, V newest) {
  const auto x = spread(newest);
  for (int i = 0; i < kLengthCount; i += Strip<V>::width) {
    const auto half_part = partial(w.weighted, c.half_before, w.half_part, i);
    const auto long_part = partial(w.weighted, c.hma_before, w.hma_part, i);
    const auto half = wma_of<V>(half_part, c.half_count, x, c.half_inverse, i);
    const auto whole = wma_of<V>(long_part, c.hma_count, x, c.hma_inverse, i);
    const auto value = hull_raw(half, whole);
    store(raw, i, value);
    store(average, i, wma_of<V>(load(w.root_part, i), c.root_count, value, c.root_inverse, i));
  }
}

/// `part`: the sum of the values before the newest.
template <class T>
ATC_HOST_DEVICE inline T sma_value(T part, T x, T inverse_high, T inverse_low) {
  return quotient(part + x, inverse_high, inverse_low);
}

template <class V>
inline typename Strip<V>::T sma_of(typename Strip<V>::T part, typename Strip<V>::T x,
                                   const PlanConstants::Inverses& inverses, int i) {
  return sma_value(part, x, constant<V>(inverses.high, i), constant<V>(inverses.low, i));
}

/// pine: a simple average under Hull's name.
template <class V>
inline void step_sma(const PlanConstants& c, const Work<V>& w, V* average, V newest) {
  const auto x = spread(newest);
  for (int i = 0; i < kLengthCount; i += Strip<V>::width) {
    store(average, i, sma_of<V>(partial(w.sums, c.hma_before, w.hma_part, i), x, c.hma_inverse, i));
  }
}

/// From the weighted and the simple average. lts: one bar before the newest, a step of the slope back.
template <bool pine, class T>
ATC_HOST_DEVICE inline T lsma_value(T weighted, T simple, T by_wma, T by_sma, T step_high, T step_low) {
  T line = by_wma * weighted - by_sma * simple;
  if constexpr (!pine) line = line - quotient(6.0 * (weighted - simple), step_high, step_low);
  return line;
}

template <bool pine, class V>
inline void step_lsma(const PlanConstants& c, const Work<V>& w, V* average, V newest) {
  const auto x = spread(newest);
  for (int i = 0; i < kLengthCount; i += Strip<V>::width) {
    const auto part = partial(w.weighted, c.lsma_before, w.lsma_part, i);
    const auto weighted = wma_of<V>(part, c.lsma_count, x, c.lsma_inverse, i);
    const auto simple = sma_of<V>(partial(w.sums, c.lsma_before, w.lsma_sum, i), x, c.lsma_mean_inverse, i);
    store(
        average, i,
        lsma_value<pine>(weighted, simple, constant<V>(c.lsma_by_wma, i), constant<V>(c.lsma_by_sma, i),
                         constant<V>(c.lsma_step_inverse.high, i), constant<V>(c.lsma_step_inverse.low, i)));
  }
}

/// The part of the way to the newest value that a KAMA goes. `noise`, `moved`: over the last L steps;
/// `begun`: whether there were as many.
template <bool pine, class T, class Mask>
ATC_HOST_DEVICE inline T kama_pace(T noise, T moved, Mask begun) {
  T ratio = moved / noise;
  if constexpr (pine) {
    ratio = select(begun, select(noise <= kPineStillNoise, 0.0, ratio), 0.0);
  } else {
    ratio = select(noise == 0.0, 0.0, ratio);
  }
  const T smooth = fma(ratio, kSmoothRange, kSlowest);
  return smooth * smooth;
}

/// Where a KAMA goes from: lts: undefined after missing values, from the newest value itself.
template <bool pine, class T>
ATC_HOST_DEVICE inline T kama_from(T before, T x) {
  if constexpr (pine) return before;
  if constexpr (!pine) return select(before == before, before, x);
}

template <bool pine, class T, class Mask>
ATC_HOST_DEVICE inline T kama_value(T pace, T before, T x, Mask begun) {
  const T moved = ema_value(pace, kama_from<pine>(before, x), x);
  if constexpr (pine) return moved;
  if constexpr (!pine) return select(begun, moved, before);
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
    const T noise = partial(w.noise, c.kama_before, w.kama_noise, i) + change;
    const T moved = magnitude(x - load(w.kama_oldest, i));
    const auto begun = now >= constant<V>(c.kama_count, i);
    const T k = kama_value<pine>(kama_pace<pine>(noise, moved, begun), load(in, i), x, begun);
    store(out, i, k);
    store(average, i, k);
  }
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
