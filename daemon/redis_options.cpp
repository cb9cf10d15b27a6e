#include "daemon/redis_options.hpp"

#include <utility>

namespace atcd::daemon {

state::RedisOptions redis_options(const Config& config, RedisLogin login, const Share& share,
                                  std::shared_ptr<state::GroupSizes> group_sizes) {
  state::RedisOptions options;
  options.url = std::move(login.url);
  options.tls = std::move(login.tls);
  options.prefix = config.redis.prefix;
  options.keep = config.redis.keep;
  options.adopt = config.redis.adopt;
  options.instance = config.instance;
  options.owns = [share](std::string_view series) { return share.owns(series); };
  options.group_sizes = std::move(group_sizes);
  return options;
}

}  // namespace atcd::daemon
