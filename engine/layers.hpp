#pragma once

#include "engine/averages.hpp"

// From crossing states and equities to the average signal: the formulas of layers 1 and 2.

namespace atcd::engine::ATCD_KERNEL {
namespace {

/// `hundredth_high`, `hundredth_low`: see PlanConstants::Inverses.
template <bool pine, class T>
ATC_HOST_DEVICE inline T to_two_decimals(T value, double hundredth_high, double hundredth_low) {
  const T scaled = value * 100.0;
  T rounded;
  if constexpr (pine) {
    const T whole = toward_zero(scaled);
    const auto away = magnitude(scaled - whole) >= 0.5;  // the difference is exact
    const T next = whole + select(scaled < 0.0, broadcast<T>(-1), broadcast<T>(1));
    rounded = select(away, next, whole);
  } else {
    rounded = round_half_even(scaled);
  }
  return quotient(rounded, broadcast<T>(hundredth_high), broadcast<T>(hundredth_low));
}

/// What a family's layer-1 value counts in the average signal.
template <class T>
ATC_HOST_DEVICE inline T cut_value(T layer1, double above, double below) {
  return select(layer1 > above, broadcast<T>(1), select(layer1 < below, broadcast<T>(-1), T{}));
}

template <bool pine, class T>
ATC_HOST_DEVICE inline T average_signal(T signed_sum, T sum) {
  const T average = signed_sum / sum;
  if constexpr (pine) return average;
  if constexpr (!pine) return select(magnitude(average) <= __DBL_MAX__, average, T{});
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
