#include "daemon/commands/redis_target.hpp"

#include <iostream>

#include "daemon/toml_reader.hpp"

namespace atcd::daemon {

void add_redis_options(CLI::App& command, RedisTarget& target) {
  RedisConfig& options = target.options;
  options.url.clear();
  options.prefix.clear();
  command.add_option("--config", target.config_path, "Take the Redis of this configuration file")
      ->type_name("FILE");
  command.add_option("--url", options.url,
                     "redis[s]://HOST:PORT[/DB], unix:///PATH, redis[s]-cluster://HOST:PORT,... or "
                     "redis[s]-sentinel://HOST:PORT,.../MASTER [redis://127.0.0.1:6379]");
  command.add_option("--username", options.username, "Redis user");
  command.add_option("--password-file", options.password_file, "File whose first line is the password")
      ->type_name("FILE");
  command.add_option("--ca-file", options.ca_file, "Certificates to trust instead of the system's")
      ->type_name("FILE");
  command.add_option("--cert-file", options.cert_file, "Our own certificate, for a Redis that asks for one")
      ->type_name("FILE");
  command.add_option("--key-file", options.key_file, "Its private key")->type_name("FILE");
  command.add_option("--prefix", options.prefix, "First part of every key [atc]");
}

std::optional<RedisAccess> redis_access(const RedisTarget& target) {
  RedisAccess access;
  if (!target.config_path.empty()) {
    const ConfigResult result = load_config(target.config_path);
    print_errors(target.config_path, result);
    if (!result.errors.empty()) return std::nullopt;
    access.config = result.config.redis;
  }
  constexpr std::string RedisConfig::*kTexts[] = {
      &RedisConfig::url,       &RedisConfig::username, &RedisConfig::password_file, &RedisConfig::ca_file,
      &RedisConfig::cert_file, &RedisConfig::key_file, &RedisConfig::prefix};
  for (const auto text : kTexts) {
    if (!(target.options.*text).empty()) access.config.*text = target.options.*text;
  }
  if (!is_name(access.config.prefix)) {  // in a right, other characters would be a pattern, or another right
    std::cerr << "atcd: prefix is \"" << access.config.prefix << "\": it must have " << kNameRule << '\n';
    return std::nullopt;
  }
  std::string error;
  auto login = redis_login(access.config, error);
  if (!login) {
    std::cerr << "atcd: " << error << '\n';
    return std::nullopt;
  }
  access.login = std::move(*login);
  return access;
}

state::ConnectionOptions connection_options(const RedisLogin& login, const std::string& client_name) {
  state::ConnectionOptions options;
  options.tls = login.tls;
  options.client_name = client_name;
  return options;
}

}  // namespace atcd::daemon
