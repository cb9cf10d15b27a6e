#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace atcd::state {

/// Where a Redis is and who we are there.
struct RedisAddress {
  std::string host;  // empty for a unix socket; IPv6 without brackets
  std::uint16_t port = 6379;
  std::string path;  // of the unix socket
  bool tls = false;  // TCP only
  int database = 0;
  std::string username;  // "": the default user
  std::string password;

  /// For logs: "127.0.0.1:6379" or "/run/redis.sock"; never a name or password.
  std::string text() const;
};

enum class RedisKind : std::uint8_t {
  single,    // one server
  cluster,   // Redis Cluster: every address may say who serves what
  sentinel,  // every address is a Sentinel that knows the present master
};

/// What parse_redis_url() reads.
struct RedisUrl {
  RedisKind kind = RedisKind::single;
  std::vector<RedisAddress> addresses;  // at least one; exactly one of a single server
  std::string master;                   // the name by which the Sentinels know it
};

/// redis://[user[:password]@]host[:port][/database], unix://[user[:password]@]/path[?db=N],
/// redis-cluster://[user[:password]@]host[:port][,host[:port]...] and
/// redis-sentinel://[user[:password]@]host[:port][,host[:port]...]/master[/database]; rediss, rediss-cluster
/// and rediss-sentinel the same with TLS. User and password are percent-encoded. Empty with a sentence for
/// anything else; the sentence never holds the password.
std::optional<RedisUrl> parse_redis_url(std::string_view url, std::string& error);

}  // namespace atcd::state
