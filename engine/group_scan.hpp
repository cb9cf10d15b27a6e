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

/// The same at the usual lengths, while one scan without a loop has come as far as the length of which they
/// are read.
template <class V>
class UsualParts {
 public:
  explicit UsualParts(const Group<V>& g)
      : value_(g.values + g.value_head), change_(g.changes + g.value_head) {}

  /// Scans, and calls at(i) where the i-th length's parts can be read.
  template <class At>
  [[gnu::always_inline]] void scan(const At& at) {
    sum_ = weighted_ = V{} + value_[0];
    noise_ = V{};
    visit(at, std::make_integer_sequence<int, kUsual.longest - 1>{});
  }

  V hma_sum(int) const { return sum_; }
  V hma_weighted(int) const { return weighted_; }
  V half(int i) const { return half_[i]; }
  V wma(int) const { return weighted_; }
  V lsma_weighted(int) const { return weighted_; }
  V lsma_sum(int) const { return sum_; }
  V noise(int) const { return noise_; }
  V oldest(int i) const { return value_[1 - kUsual.at[i]]; }
  std::int64_t root(int i) const { return kUsual.root[i]; }

 private:
  template <class At, int... j>
  [[gnu::always_inline]] void visit(const At& at, std::integer_sequence<int, j...>) {
    (visit<j + 1>(at), ...);
  }

  /// The j-th change, then the value before it; j values are summed already.
  template <int j, class At>
  [[gnu::always_inline]] void visit(const At& at) {
    noise_ += change_[1 - j];
#pragma GCC unroll 9
    for (int i = 0; i < kLengthCount; ++i) {
      if (kUsual.at[i] - 1 == j) at(i);
    }
    if constexpr (j + 1 < kUsual.longest) add_weighted(sum_, weighted_, value_[-j]);
#pragma GCC unroll 9
    for (int i = 0; i < kLengthCount; ++i) {
      if (kUsual.at[i] / 2 - 1 == j + 1) half_[i] = weighted_;
    }
  }

  const V* value_;
  const V* change_;
  V sum_, weighted_, noise_;
  V half_[kLengthCount];
};

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
