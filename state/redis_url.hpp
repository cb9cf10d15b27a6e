#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace atcd::state {

/// Where a Redis is and who we are there.
struct RedisAddress {
  std::string host;  // empty for a unix socket; IPv6 without brackets
  std::uint16_t port = 6379;
  std::string path;  // of the unix socket
  int database = 0;
  std::string username;  // "": the default user
  std::string password;

  /// For logs: "127.0.0.1:6379" or "/run/redis.sock"; never a name or password.
  std::string text() const;
};

/// redis://[user[:password]@]host[:port][/database] or unix://[user[:password]@]/path[?db=N]; user and
/// password percent-encoded. Empty with a sentence for anything else; the sentence never holds the password.
std::optional<RedisAddress> parse_redis_url(std::string_view url, std::string& error);

}  // namespace atcd::state
