#pragma once

#include "engine/kernel.hpp"
#include "engine/lanes.hpp"

namespace atcd::engine::ATCD_KERNEL {
namespace {

constexpr double kFloor = 0.25;

/// The bar's return times the growth factor. lts: 0 where it is undefined, as a is 0 there.
template <bool pine, class V>
ATC_HOST_DEVICE inline V grown(V bar_return, double growth) {
  const V r = bar_return * growth;
  return pine ? r : select(r == r, r, broadcast<V>(0));
}

template <class V>
ATC_HOST_DEVICE inline V return_of(V price, V price_before) {
  return (price - price_before) / price_before;
}

template <bool pine, class V>
ATC_HOST_DEVICE inline V grown_return(V price, V price_before, double growth) {
  return grown<pine>(return_of(price, price_before), growth);
}

/// e by one bar: (e*d)*(1+a), not below the floor.
template <class T>
ATC_HOST_DEVICE inline T grow(T e, double keep, T factor) {
  return at_least(kFloor, e * keep * factor);
}

/// Whether all returns are finite or undefined: else 0 times one would be undefined. Prices some 10^308
/// apart.
template <class T>
ATC_HOST_DEVICE inline bool no_infinity(T r) {
  return !any(magnitude(r) > __DBL_MAX__);
}

/// 1+a of layer 1: a is r, 0 or -r as the crossing state of the bar before is 1, 0 or -1.
template <class T>
ATC_HOST_DEVICE inline T layer1_factor(T state, T r, bool finite) {
  T factor = add_exact_product(state, r, broadcast<T>(1));
  if (__builtin_expect(!finite, 0)) {
    factor = select(state > 0.0, 1.0 + r, select(state < 0.0, 1.0 - r, broadcast<T>(1)));
  }
  return factor;
}

/// 1+a of layer 2: a is r or -r (`with` 1+r, `against` 1-r) by the sign of the family's layer-1 value of the
/// bar before; where that is 0 or undefined, 0 in lts and the a of the bar before in pine.
template <bool pine, class T>
ATC_HOST_DEVICE inline T layer2_factor(T driver, T with, T against, T factor_before) {
  const T still = pine ? factor_before : broadcast<T>(1);
  return select(driver > 0.0, with, select(driver < 0.0, against, still));
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
