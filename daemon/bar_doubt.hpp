#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "daemon/conflict.hpp"

namespace atcd::daemon {

/// Closed bars may be others than they are here: one that is folded, where the exchange has told a part again
/// since, or one of which REST told what proves nothing yet. When REST is to be asked about them, and about
/// which. Pure; times are monotonic.
class BarDoubt {
 public:
  static constexpr std::int64_t kAskAgainAfterMs = 60'000;

  /// It came up when the slots before `next` had closed. Those that come one after the other are
  /// asked about together, but not put off for ever.
  void raise(std::int64_t now_ms, std::int64_t next) {
    if (!next_) since_ms_ = now_ms;
    next_ = next;
    ask_at_ms_ = std::min(now_ms + kRestBehindMs, since_ms_ + kAskAgainAfterMs);
  }
  bool due(std::int64_t now_ms) const { return next_ && now_ms >= ask_at_ms_; }
  /// What is due: it is about slots before this one. Of those from `proven` on REST may still show less than
  /// the frames did: they are asked about later.
  std::int64_t take(std::int64_t now_ms, std::int64_t proven) {
    const std::int64_t next = *next_;
    next_.reset();
    if (proven < next) raise(now_ms, next);
    return std::min(next, proven);
  }
  /// What was taken was not answered, or of bars that still waited behind a hole, as the series stands before
  /// slot `reached`.
  void answered(std::int64_t now_ms, std::int64_t next, bool well, std::int64_t reached) {
    if (well && reached >= next) return;
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
