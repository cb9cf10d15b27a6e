#include "feeds/rate_limiter.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace atcd::feeds {
namespace {

constexpr std::int64_t kLongAgoMs = std::numeric_limits<std::int64_t>::min() / 2;
constexpr double kUsableOfLimit = 0.95;  // the exchange's window and ours do not begin together
constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max() / 4;

}  // namespace

RateLimiter::RateLimiter(int weight, std::int64_t window_ms, double share)
    : weight_(weight),
      window_ms_(window_ms),
      limit_(weight > 0 ? static_cast<std::int64_t>(weight * kUsableOfLimit) : kUnlimited),
      share_(kUnlimited),
      reported_at_ms_(kLongAgoMs),
      paused_until_ms_(kLongAgoMs) {
  set_share(share);
}

void RateLimiter::set_share(double share) {
  if (weight_ > 0) share_ = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::floor(weight_ * share)));
}

std::int64_t RateLimiter::sent_after(std::int64_t time_ms) const {
  std::int64_t weight = 0;
  for (auto each = log_.rbegin(); each != log_.rend() && each->at_ms > time_ms; ++each)
    weight += each->weight;
  return weight;
}

std::int64_t RateLimiter::ready_at_ms(int weight, std::int64_t now_ms, bool can_wait) const {
  std::int64_t ready_ms = std::max(now_ms, paused_until_ms_);
  // Our own share: wait until enough of it has left the window.
  const std::int64_t share = can_wait ? share_ - share_ / 10 : share_;
  std::int64_t used = sent_after(ready_ms - window_ms_);
  for (const Sent& each : log_) {
    if (used + weight <= share || used == 0) break;
    if (each.at_ms <= ready_ms - window_ms_) continue;
    ready_ms = each.at_ms + window_ms_;
    used = sent_after(ready_ms - window_ms_);
  }
  // The whole address: what was reported is forgotten when the exchange's window is over for certain.
  const std::int64_t report_ends_ms = reported_at_ms_ + window_ms_;
  if (ready_ms < report_ends_ms && reported_ + sent_after(reported_at_ms_) + weight > limit_)
    ready_ms = report_ends_ms;
  return ready_ms;
}

void RateLimiter::sent(int weight, std::int64_t now_ms) {
  while (!log_.empty() && log_.front().at_ms <= now_ms - window_ms_) log_.pop_front();
  if (!log_.empty() && log_.back().at_ms == now_ms) {
    log_.back().weight += weight;
  } else {
    log_.push_back({now_ms, weight});
  }
}

void RateLimiter::reported(std::int64_t used, std::int64_t now_ms) {
  if (used < 0) return;
  reported_ = std::min(used, kUnlimited);
  reported_at_ms_ = now_ms;
}

void RateLimiter::pause_until(std::int64_t until_ms) {
  paused_until_ms_ = std::max(paused_until_ms_, until_ms);
}

std::int64_t RateLimiter::time_for_ms(std::int64_t weight, std::int64_t now_ms) const {
  const std::int64_t pause_ms = std::max<std::int64_t>(0, paused_until_ms_ - now_ms);
  const std::int64_t room = std::max<std::int64_t>(0, share_ - sent_after(now_ms - window_ms_));
  if (weight <= room) return pause_ms;
  return pause_ms + (weight - room + share_ - 1) / share_ * window_ms_;
}

}  // namespace atcd::feeds
