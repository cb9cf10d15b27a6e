#pragma once

#include <cstdint>
#include <cstdlib>
#include <optional>

namespace atcd::daemon {

/// When to say that an exchange's clock and ours are more than a second apart, and when that they are not any
/// more: what has held for some seconds, and not over and over. Pure; one thread.
class ClockWatch {
 public:
  enum class Say : std::uint8_t { nothing, apart, together };

  /// About once a second; `offset_ms`: the exchange's clock less ours.
  Say look(std::int64_t offset_ms, std::int64_t monotonic_ms) {
    const std::int64_t distance_ms = std::abs(offset_ms);
    if (told_at_ms_ && distance_ms <= kTogetherMs) {
      told_at_ms_.reset();
      apart_since_ms_.reset();
      return Say::together;
    }
    if (distance_ms <= kApartMs) {
      apart_since_ms_.reset();
      return Say::nothing;
    }
    if (!apart_since_ms_) apart_since_ms_ = monotonic_ms;
    if (monotonic_ms - *apart_since_ms_ < kHeldMs) return Say::nothing;
    if (told_at_ms_ && monotonic_ms - *told_at_ms_ < kBetweenMs) return Say::nothing;
    told_at_ms_ = monotonic_ms;
    return Say::apart;
  }

 private:
  static constexpr std::int64_t kApartMs = 1000, kTogetherMs = 500;
  static constexpr std::int64_t kHeldMs = 3000;  // a start's first frames are late
  static constexpr std::int64_t kBetweenMs = 600'000;

  std::optional<std::int64_t> apart_since_ms_;
  std::optional<std::int64_t> told_at_ms_;  // that they are apart
};

}  // namespace atcd::daemon
