#include "daemon/commands/redis_target.hpp"

#include <iostream>

#include "daemon/config.hpp"
#include "daemon/secrets.hpp"

namespace atcd::daemon {

void add_redis_options(CLI::App& command, RedisTarget& target) {
  command.add_option("--config", target.config_path, "Take the Redis of this configuration file")
      ->type_name("FILE");
  command.add_option("--url", target.url, "redis://HOST:PORT[/DB] or unix:///PATH [redis://127.0.0.1:6379]");
  command.add_option("--username", target.username, "Redis user");
  command.add_option("--password-file", target.password_file, "File whose first line is the password")
      ->type_name("FILE");
  command.add_option("--prefix", target.prefix, "First part of every key [atc]");
}

std::optional<state::ConnectionOptions> connection_options(RedisTarget& target) {
  RedisConfig redis;
  if (!target.config_path.empty()) {
    const ConfigResult result = load_config(target.config_path);
    print_errors(target.config_path, result);
    if (!result.errors.empty()) return std::nullopt;
    redis = result.config.redis;
  }
  if (target.url.empty()) target.url = redis.url;
  if (target.username.empty()) target.username = redis.username;
  if (target.password_file.empty()) target.password_file = redis.password_file;
  if (target.prefix.empty()) target.prefix = redis.prefix;

  std::string error;
  const auto address = state::parse_redis_url(target.url, error);
  const auto password = address ? read_password(target.password_file, error) : std::nullopt;
  if (!address || !password) {
    std::cerr << "atcd: " << error << '\n';
    return std::nullopt;
  }
  state::ConnectionOptions options;
  options.address = *address;
  if (!target.username.empty()) options.address.username = target.username;
  if (!password->empty()) options.address.password = *password;
  return options;
}

}  // namespace atcd::daemon
