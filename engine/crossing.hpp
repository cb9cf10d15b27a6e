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

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
