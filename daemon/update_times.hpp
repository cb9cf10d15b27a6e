#pragma once

#include <chrono>
#include <cstdint>

#include "state/latency_histogram.hpp"

namespace atcd::daemon {

/// How long signals take to compute: of one in kOneIn, for reading the clock twice takes longer than
/// computing. One thread.
class UpdateTimes {
 public:
  static constexpr std::uint64_t kOneIn = 16;

  /// Does the update, and returns what it gives.
  template <class Update>
  auto time(Update&& update) {
    if (updates_++ % kOneIn != 0) return update();
    const auto began = std::chrono::steady_clock::now();
    auto result = update();
    times_.add(std::chrono::steady_clock::now() - began);
    return result;
  }
  const state::LatencyHistogram& times() const { return times_; }

 private:
  std::uint64_t updates_ = 0;
  state::LatencyHistogram times_;
};

}  // namespace atcd::daemon
