#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "daemon/config.hpp"
#include "daemon/redis_login.hpp"
#include "state/redis_connection.hpp"

namespace atcd::daemon {

/// Which Redis a command talks to: what the configuration file says, with every option before the file.
struct RedisTarget {
  std::string config_path;
  RedisConfig options;  // "" where no option was given
};

/// --config, --url, --username, --password-file, --ca-file, --cert-file, --key-file and --prefix.
void add_redis_options(CLI::App& command, RedisTarget& target);

struct RedisAccess {
  RedisLogin login;
  RedisConfig config;  // the file's, with the options in their places
};

/// Reads the file, the password and the certificates. Empty when one of them is wrong: the sentence is on
/// standard error then.
std::optional<RedisAccess> redis_access(const RedisTarget& target);

/// Connections for a command, named `client_name` in CLIENT LIST.
state::ConnectionOptions connection_options(const RedisLogin& login, const std::string& client_name);

}  // namespace atcd::daemon
