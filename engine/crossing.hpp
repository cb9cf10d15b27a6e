#pragma once

#include "engine/kernel.hpp"
#include "engine/lanes.hpp"

namespace atcd::engine::ATCD_KERNEL {
namespace {

/// The crossing states of all averages: +1 where the price comes to lie above from equal or below, -1 where
/// it comes to lie below from equal or above, else as they were. Undefined averages and prices cross nothing.
template <bool pine, class V>
inline void step_crossing(const V* average, const V* relation_in, V* relation_out, const V* state_in,
                          V* state_out, V price) {
  ATCD_INDEPENDENT
  for (int i = 0; i < kAverageCount; ++i) {
    const V before = relation_in[i];
    const auto above = price > average[i];
    const auto below = price < average[i];
    const auto up = above & (before <= 0.0);
    const auto down = below & (before >= 0.0);
    state_out[i] = select(up, 1.0, select(down, -1.0, state_in[i]));
    // The difference is 0 where both are equal and undefined where one is.
    const V relation = select(above, 1.0, select(below, -1.0, price - average[i]));
    relation_out[i] = pine ? select(relation == relation, relation, before) : relation;
  }
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
