#pragma once

#include "engine/kernel.hpp"
#include "engine/lanes.hpp"

// The 54 averages of section 2, one bar at a time: each average's formula, for one average or a vector of
// them, and last their step in one series. `x` is the newest value of the MA source; partial
// sums are those of Work.

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

// Places in Work::average.
enum FamilyPlace { kEmaPlace, kHmaPlace, kWmaPlace, kDemaPlace, kLsmaPlace, kKamaPlace };

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

/// a / d for a constant d, see PlanConstants::Inverses.
template <class T>
ATC_HOST_DEVICE inline T quotient(T a, T inverse_high, T inverse_low) {
  return fma(a, inverse_high, a * inverse_low);
}

template <class T>
ATC_HOST_DEVICE inline T ema_value(T alpha, T before, T x) {
  return fma(alpha, x - before, before);
}

template <class T>
ATC_HOST_DEVICE inline T dema_value(T first, T second) {
  return 2.0 * first - second;
}

/// `part`: the weighted sum of the values before the newest; `count`: the newest value's weight.
template <class T>
ATC_HOST_DEVICE inline T wma_value(T part, T count, T x, T inverse_high, T inverse_low) {
  return quotient(fma(count, x, part), inverse_high, inverse_low);
}

template <class T>
inline T wma_at(int i, const double* part, const double* count, const PlanConstants::Inverses& inverses,
                T x) {
  return wma_value(load<T>(part + i), load<T>(count + i), x, load<T>(inverses.high + i),
                   load<T>(inverses.low + i));
}

/// What the outer Hull average goes over.
template <class T>
ATC_HOST_DEVICE inline T hull_raw(T half, T whole) {
  return 2.0 * half - whole;
}

/// `part`: the sum of the values before the newest.
template <class T>
ATC_HOST_DEVICE inline T sma_value(T part, T x, T inverse_high, T inverse_low) {
  return quotient(part + x, inverse_high, inverse_low);
}

template <class T>
inline T sma_at(int i, const double* part, const PlanConstants::Inverses& inverses, T x) {
  return sma_value(load<T>(part + i), x, load<T>(inverses.high + i), load<T>(inverses.low + i));
}

/// From the weighted and the simple average. lts: one bar before the newest, a step of the slope back.
template <bool pine, class T>
ATC_HOST_DEVICE inline T lsma_value(T weighted, T simple, T by_wma, T by_sma, T step_high, T step_low) {
  T line = by_wma * weighted - by_sma * simple;
  if constexpr (!pine) line = line - quotient(6.0 * (weighted - simple), step_high, step_low);
  return line;
}

/// The part of the way to the newest value that a KAMA goes. `noise`, `moved`: over the last L steps;
/// `begun`: whether there were as many.
template <bool pine, class T, class Mask>
ATC_HOST_DEVICE inline T kama_pace(T noise, T moved, Mask begun) {
  const T smooth = fma(moved / noise, kSmoothRange, kSlowest);
  const T pace = smooth * smooth;
  // Where the ratio is 0 by definition; chosen last, so that the division doesn't wait for the comparison.
  constexpr double kLeast = kSlowest * kSlowest;
  if constexpr (pine) return select(begun, select(noise <= kPineStillNoise, kLeast, pace), kLeast);
  if constexpr (!pine) return select(noise == 0.0, kLeast, pace);
}

/// The same in lts where values are defined and can't overflow: then the ratio is undefined only where
/// nothing moved and that is 0 / 0, and else the floor changes nothing. A comparison less.
template <class T>
inline T calm_kama_pace(T noise, T moved) {
  const T smooth = at_least_or_floor(fma(moved / noise, kSmoothRange, kSlowest), kSlowest);
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

/// All averages of a bar but for what begins or goes over missing values (seeding.hpp). `last`: the value
/// before the newest. `shared`: all families have the same lengths, so that the WMA serves Hull and LSMA, in
/// pine LSMA's mean Hull, and the EMA DEMA. `usual`: all have begun and are defined.
template <bool pine, bool shared, bool usual>
inline void step_averages(const PlanConstants& c, const Block& in, Block& out, Work& w, double newest,
                          double last) {
  const double newest_change = magnitude(newest - last);
  over_lengths([&](auto strip, int i) {
    using T = decltype(strip);
    const T x = broadcast<T>(newest);

    // First what takes longest: it divides.
    const T noise = load<T>(w.kama_noise + i) + broadcast<T>(newest_change);
    const T moved = magnitude(x - load<T>(w.kama_oldest + i));
    T kama = load<T>(in.kama + i);
    if constexpr (usual) {
      kama = ema_value(kama_pace<pine>(noise, moved, Always{}), kama, x);
    } else {
      const auto begun = broadcast<T>(static_cast<double>(in.bars)) >= load<T>(c.kama_count + i);
      kama = kama_value<pine>(kama_pace<pine>(noise, moved, begun), kama, x, begun);
    }

    const T wma = wma_at(i, w.wma_part, c.wma_count, c.wma_inverse, x);
    const T simple = sma_at(i, w.lsma_sum, c.lsma_mean_inverse, x);
    T hma;
    if constexpr (pine) {
      hma = shared ? simple : sma_at(i, w.hma_part, c.hma_inverse, x);
    } else {
      const T half = wma_at(i, w.half_part, c.half_count, c.half_inverse, x);
      const T raw = hull_raw(half, shared ? wma : wma_at(i, w.hma_part, c.hma_count, c.hma_inverse, x));
      hma = wma_at(i, w.root_part, c.root_count, c.root_inverse, raw);
      store(w.raw + i, raw);
    }
    const T weighted = shared ? wma : wma_at(i, w.lsma_part, c.lsma_count, c.lsma_inverse, x);
    const T lsma =
        lsma_value<pine>(weighted, simple, load<T>(c.lsma_by_wma + i), load<T>(c.lsma_by_sma + i),
                         load<T>(c.lsma_step_inverse.high + i), load<T>(c.lsma_step_inverse.low + i));

    const T alpha = load<T>(c.dema_alpha + i);
    const T ema = ema_value(shared ? alpha : load<T>(c.ema_alpha + i), load<T>(in.ema + i), x);
    const T first = shared ? ema : ema_value(alpha, load<T>(in.dema1 + i), x);
    const T second = ema_value(alpha, load<T>(in.dema2 + i), first);

    store(out.ema + i, ema);
    store(out.dema1 + i, first);
    store(out.dema2 + i, second);
    store(out.kama + i, kama);
    store(w.average[kEmaPlace] + i, ema);
    store(w.average[kHmaPlace] + i, hma);
    store(w.average[kWmaPlace] + i, wma);
    store(w.average[kDemaPlace] + i, dema_value(first, second));
    store(w.average[kLsmaPlace] + i, lsma);
    store(w.average[kKamaPlace] + i, kama);
  });
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
