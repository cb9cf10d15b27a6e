#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "state/redis_connection.hpp"

namespace atcd::daemon {

/// Which Redis a command talks to: what the configuration file says, with every option before the file.
struct RedisTarget {
  std::string config_path;
  std::string url;
  std::string username;
  std::string password_file;
  std::string prefix;
};

/// --config, --url, --username, --password-file and --prefix.
void add_redis_options(CLI::App& command, RedisTarget& target);

/// Reads the file, the password and the URL; fills in what `target` leaves out. Empty when one of them is
/// wrong: the sentence is on standard error then.
std::optional<state::ConnectionOptions> connection_options(RedisTarget& target);

}  // namespace atcd::daemon
