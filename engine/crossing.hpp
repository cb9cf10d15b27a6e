#pragma once

#include "engine/kernel.hpp"
#include "engine/lanes.hpp"

namespace atcd::engine::ATCD_KERNEL {
namespace {

/// Whether the price comes to lie above the average from equal or below. A relation is price - average: the
/// difference of two doubles is 0 only where they are equal, so its sign is their exact relation. Undefined
/// ones cross nothing.
template <class T>
ATC_HOST_DEVICE inline auto crosses_up(T relation, T before) {
  return (relation > 0.0) & (before <= 0.0);
}

/// Whether it comes to lie below from equal or above.
template <class T>
ATC_HOST_DEVICE inline auto crosses_down(T relation, T before) {
  return (relation < 0.0) & (before >= 0.0);
}

/// The relation that the next bar's is compared with.
template <bool pine, class T>
ATC_HOST_DEVICE inline T remembered_relation(T relation, T before) {
  if constexpr (pine) return select(relation == relation, relation, before);
  if constexpr (!pine) return relation;
}

/// The crossing states of all averages: +1 where the price crosses up, -1 where it crosses down, else as they
/// were.
template <bool pine, class V>
inline void step_crossing(const V* average, const V* relation_in, V* relation_out, const V* state_in,
                          V* state_out, V newest) {
  const auto price = spread(newest);
  for (int i = 0; i < kAverageCount; i += Strip<V>::width) {
    const auto before = load(relation_in, i);
    const auto relation = price - load(average, i);
    const auto up = crosses_up(relation, before);
    const auto down = crosses_down(relation, before);
    store(state_out, i, select(up, 1.0, select(down, -1.0, load(state_in, i))));
    store(relation_out, i, remembered_relation<pine>(relation, before));
  }
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
