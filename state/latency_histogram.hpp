#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace atcd::state {

/// How long something took, counted in fixed buckets: 1, 2 and 5 of each decade from 100 ns to 50 s. Adding
/// is a few instructions without a lock or an allocation, for the hot path. One thread; others read copies
/// that this thread gives them.
class LatencyHistogram {
 public:
  static constexpr std::size_t kBounds = 27;
  /// Upper bounds in nanoseconds; what is beyond the last is in one more bucket.
  static constexpr std::array<std::int64_t, kBounds> kBoundsNs = [] {
    std::array<std::int64_t, kBounds> bounds{};
    std::int64_t decade = 100;
    for (std::size_t i = 0; i < kBounds; i += 3, decade *= 10) {
      bounds[i] = decade;
      bounds[i + 1] = 2 * decade;
      bounds[i + 2] = 5 * decade;
    }
    return bounds;
  }();

  /// Below 0, as where a clock was set back, counts as 0.
  void add(std::chrono::nanoseconds time) {
    const std::int64_t ns = time.count() > 0 ? time.count() : 0;
    // The first bound of the power of two below; one octave has at most two.
    std::size_t at = kFirst[static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(ns)))];
    while (at < kBounds && kBoundsNs[at] < ns) ++at;
    ++counts_[at];
    sum_ns_ += static_cast<std::uint64_t>(ns);
  }

  LatencyHistogram& operator+=(const LatencyHistogram& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    sum_ns_ += other.sum_ns_;
    return *this;
  }

  /// Of each bucket by itself; the last: beyond all bounds.
  const std::array<std::uint64_t, kBounds + 1>& counts() const { return counts_; }
  std::uint64_t count() const {
    std::uint64_t all = 0;
    for (const std::uint64_t count : counts_) all += count;
    return all;
  }
  double sum_s() const { return static_cast<double>(sum_ns_) / 1e9; }

  /// The upper bound, in seconds, of the bucket that holds this share (0 to 1) of what was counted; beyond
  /// all bounds the last one. 0 where nothing was counted.
  double quantile_s(double share) const {
    const auto wanted = share * static_cast<double>(count());
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < kBounds; ++i) {
      below += counts_[i];
      if (below > 0 && static_cast<double>(below) >= wanted) return static_cast<double>(kBoundsNs[i]) / 1e9;
    }
    return below == count() ? 0 : static_cast<double>(kBoundsNs.back()) / 1e9;
  }

 private:
  /// By the number of bits of a value: the first bound that one of so many bits may be at or below.
  static constexpr std::array<std::uint8_t, 65> kFirst = [] {
    std::array<std::uint8_t, 65> first{};
    for (std::size_t bits = 1; bits < first.size(); ++bits) {
      const std::uint64_t lowest = std::uint64_t{1} << (bits - 1);
      std::uint8_t at = 0;
      while (at < kBounds && static_cast<std::uint64_t>(kBoundsNs[at]) < lowest) ++at;
      first[bits] = at;
    }
    return first;
  }();

  std::array<std::uint64_t, kBounds + 1> counts_{};
  std::uint64_t sum_ns_ = 0;
};

}  // namespace atcd::state
