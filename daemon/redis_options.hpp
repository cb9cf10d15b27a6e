#pragma once

#include <memory>

#include "daemon/config.hpp"
#include "daemon/redis_login.hpp"
#include "daemon/share.hpp"
#include "state/publisher.hpp"

namespace atcd::daemon {

/// What a worker's publisher is given.
state::RedisOptions redis_options(const Config& config, RedisLogin login, const Share& share,
                                  std::shared_ptr<state::GroupSizes> group_sizes);

}  // namespace atcd::daemon
