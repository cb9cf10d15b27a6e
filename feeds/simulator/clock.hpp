#pragma once

#include <chrono>
#include <cstdint>

namespace atcd::feeds::simulator {

/// The exchange's clock: `start_ms` (UTC) when made, then `speed` times as fast as real time; with speed 0 it
/// moves only by advance(). Never goes back. Any thread for now_ms(), one for advance().
class Clock {
 public:
  using Real = std::chrono::steady_clock;

  Clock(std::int64_t start_ms, double speed) : start_ms_(start_ms), speed_(speed) {}

  std::int64_t now_ms() const {
    const double real_ms = std::chrono::duration<double, std::milli>(Real::now() - begun_).count();
    return start_ms_ + static_cast<std::int64_t>(real_ms * speed_);
  }

  /// When this clock will show the time; time_point::max() where it stands still or that is too far away.
  Real::time_point real_time_of(std::int64_t time_ms) const {
    constexpr double kFarAwayMs = 1e12;
    if (speed_ <= 0) return Real::time_point::max();
    const double real_ms = static_cast<double>(time_ms - start_ms_) / speed_;
    if (real_ms > kFarAwayMs) return Real::time_point::max();
    // Rounded up, so that the time has come when the moment has.
    return begun_ + std::chrono::microseconds(static_cast<std::int64_t>(real_ms * 1000) + 1);
  }

  /// Jumps ahead; a negative time is none.
  void advance(std::int64_t ms) { start_ms_ += ms > 0 ? ms : 0; }
  double speed() const { return speed_; }

 private:
  std::int64_t start_ms_;
  double speed_;
  Real::time_point begun_ = Real::now();
};

}  // namespace atcd::feeds::simulator
