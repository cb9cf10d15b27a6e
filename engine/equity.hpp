#pragma once

#include "engine/kernel.hpp"
#include "engine/lanes.hpp"

namespace atcd::engine::ATCD_KERNEL {
namespace {

constexpr double kFloor = 0.25;

/// The bar's return times the growth factor. lts: 0 where it is undefined, as a is 0 there.
template <bool pine, class V>
inline V grown_return(V price, V price_before, double growth) {
  const V r = ((price - price_before) / price_before) * growth;
  return pine ? r : select(r == r, r, broadcast<V>(0));
}

/// e by one bar: (e*d)*(1+a), not below the floor.
template <class T>
inline T grow(T e, double keep, T factor) {
  return at_least(kFloor, (e * keep) * factor);
}

/// Layer 1: a is r, 0 or -r as the crossing state of the bar before is 1, 0 or -1.
template <class V>
inline void step_layer1_equity(const PlanConstants& c, const V* state, const V* in, V* out, V bar_return) {
  const auto r = spread(bar_return);
  // 0 times an infinite return would be undefined: prices some 10^308 apart.
  const bool finite = !any(magnitude(r) > __DBL_MAX__);
  for (int i = 0; i < kAverageCount; i += Strip<V>::width) {
    const auto before = load(state, i);
    auto factor = add_exact_product(before, r, broadcast<typename Strip<V>::T>(1));
    if (__builtin_expect(!finite, 0)) {
      factor = select(before > 0.0, 1.0 + r, select(before < 0.0, 1.0 - r, broadcast<decltype(factor)>(1)));
    }
    store(out, i, grow(load(in, i), c.equity_keep, factor));
  }
}

/// Layer 2: a is r or -r by the sign of the family's layer-1 value of the bar before; where that is 0 or
/// undefined, 0 in lts and the a of the bar before in pine.
template <bool pine, class V>
inline void step_layer2_equity(const PlanConstants& c, const Block<V>& in, Block<V>& out, V bar_return) {
  const auto r = spread(bar_return);
  for (int f = 0; f < kFamilyCount; f += Strip<V>::width) {
    const auto driver = load(in.layer1, f);
    auto factor = pine ? load(in.layer2_factor, f) : broadcast<typename Strip<V>::T>(1);
    factor = select(driver > 0.0, 1.0 + r, select(driver < 0.0, 1.0 - r, factor));
    if constexpr (pine) store(out.layer2_factor, f, factor);
    store(out.layer2, f, grow(load(in.layer2, f), c.equity_keep, factor));
  }
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
