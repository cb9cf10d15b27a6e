#pragma once

#include "engine/kernel.hpp"
#include "engine/lanes.hpp"

namespace atcd::engine::ATCD_KERNEL {
namespace {

constexpr double kFloor = 0.25;

/// 1+a of this bar for a driving state above and below 0.
template <class V>
struct Factors {
  V rising;
  V falling;
};

template <bool pine, class V>
inline Factors<V> bar_factors(V price, V price_before, double growth) {
  V r = ((price - price_before) / price_before) * growth;
  if constexpr (!pine) r = select(r == r, r, V{});  // undefined: a is 0
  return {1.0 + r, 1.0 - r};
}

/// `count` equities by one bar: (e*d)*(1+a), not below the floor. `driver` holds the states of the bar
/// before; where one is 0 or undefined a is 0 in lts and that of the bar before in pine, kept in `factor`.
template <bool pine, int count, class V>
inline void step_equity(const V* driver, const V* in, V* out, const V* factor_in, V* factor_out,
                        const Factors<V>& factors, double keep) {
  ATCD_INDEPENDENT
  for (int i = 0; i < count; ++i) {
    V factor = pine ? factor_in[i] : broadcast<V>(1);
    factor = select(driver[i] < 0.0, factors.falling, factor);
    factor = select(driver[i] > 0.0, factors.rising, factor);
    if constexpr (pine) factor_out[i] = factor;
    const V e = (in[i] * keep) * factor;
    out[i] = select(e < kFloor, kFloor, e);
  }
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
