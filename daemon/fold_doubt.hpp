#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "daemon/conflict.hpp"

namespace atcd::daemon {

/// Bars that are folded here may be others than they were: after they had closed the exchange told one of
/// their parts again. When REST is to be asked about them, and about which. Pure; times are monotonic.
class FoldDoubt {
 public:
  static constexpr std::int64_t kAskAgainAfterMs = 60'000;

  /// A part was told again when the slots before `next` had closed. Those that come one after the other are
  /// asked about together, but not put off for ever.
  void raise(std::int64_t now_ms, std::int64_t next) {
    if (!next_) since_ms_ = now_ms;
    next_ = next;
    ask_at_ms_ = std::min(now_ms + kRestBehindMs, since_ms_ + kAskAgainAfterMs);
  }
  bool due(std::int64_t now_ms) const { return next_ && now_ms >= ask_at_ms_; }
  /// What is due: it is about slots before this one. Of those that closed later REST may show less than the
  /// frames did.
  std::int64_t take() {
    const std::int64_t next = *next_;
    next_.reset();
    return next;
  }
  /// What was taken was not answered.
  void give_back(std::int64_t now_ms, std::int64_t next) {
    next_ = std::max(next_.value_or(next), next);
    since_ms_ = now_ms;
    ask_at_ms_ = now_ms + kAskAgainAfterMs;
  }

 private:
  std::optional<std::int64_t> next_;  // ordinal; empty: there is no doubt
  std::int64_t since_ms_ = 0;
  std::int64_t ask_at_ms_ = 0;
};

}  // namespace atcd::daemon
