#pragma once

#include <chrono>
#include <cstdint>

namespace atcd::feeds::simulator {

/// The market's clock: `start_ms` when made, then `speed` times as fast as real time; advance() jumps ahead.
class Clock {
 public:
  Clock(std::int64_t start_ms, double speed) : start_ms_(start_ms), speed_(speed) {}

  std::int64_t now_ms() const {
    using namespace std::chrono;
    const double real_ms = duration<double, std::milli>(steady_clock::now() - begun_).count();
    return start_ms_ + static_cast<std::int64_t>(real_ms * speed_);
  }
  void advance(std::int64_t ms) { start_ms_ += ms; }

 private:
  std::int64_t start_ms_;
  double speed_;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

}  // namespace atcd::feeds::simulator
