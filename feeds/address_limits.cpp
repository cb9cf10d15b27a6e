#include "feeds/address_limits.hpp"

#include <algorithm>

namespace atcd::feeds {

void AddressLimits::set_share(double share) {
  const std::lock_guard lock(lock_);
  rest_.set_share(share);
}

std::int64_t AddressLimits::take(int weight, std::int64_t now_ms, bool can_wait) {
  const std::lock_guard lock(lock_);
  const std::int64_t ready_ms = rest_.ready_at_ms(weight, now_ms, can_wait);
  if (ready_ms <= now_ms) rest_.sent(weight, now_ms);
  return std::max(ready_ms, now_ms);
}

void AddressLimits::reported(std::int64_t used, std::int64_t now_ms) {
  const std::lock_guard lock(lock_);
  rest_.reported(used, now_ms);
}

bool AddressLimits::pause_until(std::int64_t until_ms, std::int64_t now_ms) {
  const std::lock_guard lock(lock_);
  const bool paused_already = rest_.paused(now_ms);
  rest_.pause_until(until_ms);
  return !paused_already;
}

std::int64_t AddressLimits::time_for_ms(std::int64_t weight, std::int64_t now_ms) const {
  const std::lock_guard lock(lock_);
  return rest_.time_for_ms(weight, now_ms);
}

std::chrono::steady_clock::time_point AddressLimits::take_connect(std::chrono::steady_clock::time_point now,
                                                                  std::chrono::milliseconds spacing,
                                                                  int at_once) {
  const std::lock_guard lock(lock_);
  if (const auto turn = next_connect_at_ - (at_once - 1) * spacing; now < turn) return turn;
  next_connect_at_ = std::max(next_connect_at_, now) + spacing;
  return now;
}

std::shared_ptr<AddressLimits> AddressBook::limits(const std::string& rest_url, const RestLimit& rest,
                                                   double share) {
  const std::lock_guard lock(lock_);
  auto& found = limits_[{rest_url, rest.weight, rest.window.count()}];
  if (!found) {
    found = std::make_shared<AddressLimits>(rest, share);
  } else {
    found->set_share(share);
  }
  return found;
}

}  // namespace atcd::feeds
