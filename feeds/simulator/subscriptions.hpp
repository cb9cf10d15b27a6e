#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace atcd::feeds::simulator {

inline constexpr std::size_t kMaxStreams = 1024;  // of one connection

/// {"method":"SUBSCRIBE","params":["btcusdt@kline_1m"],"id":1}
struct SubscriptionRequest {
  enum class Method : std::uint8_t { subscribe, unsubscribe, list };
  Method method = Method::list;
  std::vector<std::string> streams;
  std::int64_t id = 0;
  std::string error;  // not empty: refused
};

SubscriptionRequest parse_subscription_request(std::string_view text);

/// The streams that a websocket's address names: /ws/a/b and /stream?streams=a/b.
std::vector<std::string> streams_of_target(std::string_view target);

std::string list_answer(const std::set<std::string>& streams, std::int64_t id);

}  // namespace atcd::feeds::simulator
