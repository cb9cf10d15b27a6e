#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "feeds/exchange.hpp"
#include "feeds/rate_limiter.hpp"

namespace atcd::feeds {

/// What an exchange grants one address, used up by all feeds of the process together, on whichever threads:
/// one of the places where threads meet. REST requests and connects only; frames have nothing to do with it.
class AddressLimits {
 public:
  AddressLimits(const RestLimit& rest, double share) : rest_(rest.weight, rest.window.count(), share) {}

  /// As RateLimiter.
  void set_share(double share);
  /// Takes the weight now (the answer is `now_ms`), or tells when to come again. Times in milliseconds of the
  /// monotonic clock. `can_wait`: as RateLimiter.
  std::int64_t take(int weight, std::int64_t now_ms, bool can_wait = false);
  /// As RateLimiter.
  void reported(std::int64_t used, std::int64_t now_ms);
  /// False where it was paused already.
  bool pause_until(std::int64_t until_ms, std::int64_t now_ms);
  std::int64_t time_for_ms(std::int64_t weight, std::int64_t now_ms) const;

  /// Takes the turn to connect (the answer is `now`), or tells when to come again: one after each spacing,
  /// and of those that were not taken as many at once.
  std::chrono::steady_clock::time_point take_connect(std::chrono::steady_clock::time_point now,
                                                     std::chrono::milliseconds spacing, int at_once);

 private:
  mutable std::mutex lock_;
  RateLimiter rest_;
  std::chrono::steady_clock::time_point next_connect_at_{};
};

/// The limits of each address of an exchange that the process uses. Any thread.
class AddressBook {
 public:
  /// Of who asks last the share holds, for all: a reload may bring another. Behind a proxy's address there
  /// may be several exchanges, each with a limit of its own.
  std::shared_ptr<AddressLimits> limits(const std::string& rest_url, const RestLimit& rest, double share);

 private:
  std::mutex lock_;
  struct Key {
    std::string rest_url;
    int weight;  // of the limit, and
    std::int64_t window_ms;
    auto operator<=>(const Key&) const = default;
  };
  std::map<Key, std::shared_ptr<AddressLimits>> limits_;
};

}  // namespace atcd::feeds
