#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "daemon/redis_login.hpp"
#include "engine/series_id.hpp"

namespace atcd::daemon {

/// What asking a Redis came to.
struct RedisFindings {
  std::vector<std::string> facts;     // worth knowing
  std::vector<std::string> warnings;  // it works, but not as one would want it
  std::vector<std::string> errors;    // signals would be lost or refused
};

/// A series that goes on where Redis' newest signal of it has this configuration.
struct ContinuedSeries {
  engine::SeriesId id;
  std::string config;
};

/// Asks every server of the configured Redis for its version, eviction policy, append-only file, memory, the
/// function and the daemon's rights; changes nothing there. `series` x keep is held against the memory.
/// Returns when all have answered, or one can't be reached. `some` of the series are asked for.
RedisFindings check_redis(const RedisConfig& config, const RedisLogin& login, std::size_t series,
                          const std::vector<ContinuedSeries>& some);

/// What streams, hashes and catalogue of so many series take in Redis, as measured on Redis 7.0.
std::int64_t redis_bytes(std::size_t series, std::int64_t keep);

/// "1.4 GB".
std::string bytes_text(std::int64_t bytes);

}  // namespace atcd::daemon
