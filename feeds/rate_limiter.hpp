#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

namespace atcd::feeds {

/// Keeps REST requests within a share of what an exchange grants one address. Pure: times are arguments, in
/// milliseconds of a clock that never goes back.
///
/// Two bounds, over any window: what we sent ourselves stays within the share; and what the whole address
/// used, as the exchange last reported it, plus what we sent since, stays below the limit with a small
/// reserve. Others behind the same address therefore count, but cannot starve us while the address has room.
class RateLimiter {
 public:
  /// `weight`: what the exchange grants in any `window_ms`; 0 means that it states no limit. `share` above 0,
  /// at most 1.
  RateLimiter(int weight, std::int64_t window_ms, double share);

  /// Another share from now on; what was sent in the last window counts.
  void set_share(double share);

  /// When a request of this weight may go: `now_ms` or later. One that outweighs the whole share goes alone.
  /// One that can wait leaves a tenth of the share to those that can't.
  std::int64_t ready_at_ms(int weight, std::int64_t now_ms, bool can_wait = false) const;
  void sent(int weight, std::int64_t now_ms);
  /// What the exchange says that the address used in this window (its used-weight header).
  void reported(std::int64_t used, std::int64_t now_ms);
  /// Nothing goes before this time (Retry-After). Never shortens a longer pause.
  void pause_until(std::int64_t until_ms);
  bool paused(std::int64_t now_ms) const { return now_ms < paused_until_ms_; }

  /// How long until requests of this weight together have gone, were they sent one after the other.
  std::int64_t time_for_ms(std::int64_t weight, std::int64_t now_ms) const;

  std::int64_t share() const { return share_; }

 private:
  struct Sent {
    std::int64_t at_ms;
    std::int64_t weight;
  };

  std::int64_t sent_after(std::int64_t time_ms) const;

  int weight_;
  std::int64_t window_ms_;
  std::int64_t limit_;    // of the address, less the reserve
  std::int64_t share_;    // of that, ours
  std::deque<Sent> log_;  // oldest first, those of the last window
  std::int64_t reported_ = 0;
  std::int64_t reported_at_ms_;
  std::int64_t paused_until_ms_;
};

}  // namespace atcd::feeds
