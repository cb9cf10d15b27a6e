#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "state/redis_url.hpp"
#include "state/resp_reader.hpp"

// Where Redis says that other servers are. Each answer is of the server `from`, whose user, password and TLS
// hold for those too; so does its host where the answer leaves the host out. Pure.

namespace atcd::state {

struct SlotRange {
  std::uint16_t first, last;  // inclusive
  RedisAddress master;
};
/// Of an answer to CLUSTER SLOTS: [first, last, [host, port, ...], ...] each, the master first. What is none
/// of it is left out, and what comes after more ranges than there are slots.
std::vector<SlotRange> slot_ranges(const Reply& reply, const RedisAddress& from);

struct Redirection {
  bool moved;  // for good
  std::uint16_t slot;
  RedisAddress address;
};
/// Of an error "MOVED slot host:port" or "ASK slot host:port"; empty for any other.
std::optional<Redirection> redirection_of(std::string_view error, const RedisAddress& from);

/// Of a Sentinel's [host, port]; empty where it is none.
std::optional<RedisAddress> master_of(const Reply& reply, const RedisAddress& from);

}  // namespace atcd::state
