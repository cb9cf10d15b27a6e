#pragma once

#include "engine/kernel.hpp"
#include "engine/lanes.hpp"

namespace atcd::engine::ATCD_KERNEL {
namespace {

/// The crossing states of all averages: +1 where the price comes to lie above from equal or below, -1 where
/// it comes to lie below from equal or above, else as they were. Undefined averages and prices cross nothing.
/// The difference of two doubles is 0 only where they are equal, so its sign is their exact relation.
template <bool pine, class V>
inline void step_crossing(const V* average, const V* relation_in, V* relation_out, const V* state_in,
                          V* state_out, V newest) {
  const auto price = spread(newest);
  for (int i = 0; i < kAverageCount; i += Strip<V>::width) {
    const auto before = load(relation_in, i);
    const auto relation = price - load(average, i);
    const auto up = (relation > 0.0) & (before <= 0.0);
    const auto down = (relation < 0.0) & (before >= 0.0);
    store(state_out, i, select(up, 1.0, select(down, -1.0, load(state_in, i))));
    store(relation_out, i, pine ? select(relation == relation, relation, before) : relation);
  }
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
