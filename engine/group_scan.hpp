#pragma once

#include <utility>

#include "engine/group.hpp"
#include "engine/usual_lengths.hpp"

// The scan of a group over the values before the newest, and what the averages read of it.

namespace atcd::engine::ATCD_KERNEL {
namespace {

/// The scan of step.hpp, from the value before the newest back to the `last`; partial sums of fewer than
/// `unread` values are not kept.
template <bool sums, bool noises, class V>
inline void scan_group(Group<V>& g, std::int64_t unread, std::int64_t last) {
  const V* value = g.values + g.value_head;
  const V* change = g.changes + g.value_head;
  V sum = V{} + value[0], weighted = sum, noise{};
  g.sums[0] = g.weighted[0] = g.noise[0] = V{};
  std::int64_t j = 1;
  for (; j < unread; ++j) {
    if constexpr (noises) noise += change[1 - j];
    if constexpr (sums) add_weighted(sum, weighted, value[-j]);
  }
  g.sums[j] = sum;
  g.weighted[j] = weighted;
  g.noise[j - 1] = noise;
  for (; j < last; ++j) {
    if constexpr (noises) {
      noise += change[1 - j];
      g.noise[j] = noise;
    }
    if constexpr (sums) {
      add_weighted(sum, weighted, value[-j]);
      g.sums[j + 1] = sum;
      g.weighted[j + 1] = weighted;
    }
  }
}

/// Of some families: what they read. Only EMAs read nothing, once they have begun.
template <class V>
inline void scan_for_some(const PlanConstants& c, Group<V>& g, bool warm, std::int64_t unread,
                          std::int64_t last) {
  if (last == 0) return;
  const bool sums = warm || chosen(c, kHma) || chosen(c, kWma) || chosen(c, kLsma);
  if (!chosen(c, kKama)) {
    scan_group<true, false>(g, unread, last);
  } else if (!sums) {
    scan_group<false, true>(g, unread, last);
  } else {
    scan_group<true, true>(g, unread, last);
  }
}

/// The partial sums at a plan's lengths, of any plan: read from what scan_group() kept.
template <class V>
struct ScannedParts {
  const PlanConstants& c;
  const Group<V>& g;

  V hma_sum(int i) const { return g.sums[c.hma_before.at[i]]; }
  V hma_weighted(int i) const { return g.weighted[c.hma_before.at[i]]; }
  V half(int i) const { return g.weighted[c.half_before.at[i]]; }
  V wma(int i) const { return g.weighted[c.wma_before.at[i]]; }
  V lsma_weighted(int i) const { return g.weighted[c.lsma_before.at[i]]; }
  V lsma_sum(int i) const { return g.sums[c.lsma_before.at[i]]; }
  V noise(int i) const { return g.noise[c.kama_before.at[i]]; }
  V oldest(int i) const { return g.values[g.value_head + c.kama_oldest.at[i]]; }
  std::int64_t root(int i) const { return c.root_length[i]; }
};

/// The same at the usual lengths: one scan without a loop, of which only that is kept which is read.
template <class V>
class UsualParts {
 public:
  explicit UsualParts(const Group<V>& g) : value_(g.values + g.value_head) {
    scan(g.changes + g.value_head, std::make_integer_sequence<int, kUsual.longest - 1>{});
  }

  V hma_sum(int i) const { return sum_[i]; }
  V hma_weighted(int i) const { return weighted_[i]; }
  V half(int i) const { return half_[i]; }
  V wma(int i) const { return weighted_[i]; }
  V lsma_weighted(int i) const { return weighted_[i]; }
  V lsma_sum(int i) const { return sum_[i]; }
  V noise(int i) const { return noise_[i]; }
  V oldest(int i) const { return value_[1 - kUsual.at[i]]; }
  std::int64_t root(int i) const { return kUsual.root[i]; }

 private:
  struct Sums {
    V sum, weighted, noise;
  };

  template <int... j>
  [[gnu::always_inline]] void scan(const V* change, std::integer_sequence<int, j...>) {
    Sums sums{V{} + value_[0], V{} + value_[0], V{}};
    (visit<j + 1>(sums, change), ...);
  }

  /// The j-th change and the value before it; j values are summed already.
  template <int j>
  [[gnu::always_inline]] void visit(Sums& sums, const V* change) {
    sums.noise += change[1 - j];
    if constexpr (j + 1 < kUsual.longest) add_weighted(sums.sum, sums.weighted, value_[-j]);
#pragma GCC unroll 9
    for (int i = 0; i < kLengthCount; ++i) {
      if (kUsual.at[i] - 1 == j) noise_[i] = sums.noise;
      if (kUsual.at[i] / 2 - 1 == j + 1) half_[i] = sums.weighted;
      if (kUsual.at[i] - 1 != j + 1) continue;
      sum_[i] = sums.sum;
      weighted_[i] = sums.weighted;
    }
  }

  const V* value_;
  V sum_[kLengthCount], weighted_[kLengthCount], half_[kLengthCount], noise_[kLengthCount];
};

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
