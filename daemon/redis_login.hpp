#pragma once

#include <optional>
#include <string>

#include "daemon/config.hpp"
#include "state/redis_url.hpp"
#include "state/tls_source.hpp"

namespace atcd::daemon {

/// What it takes to talk to a Redis: where, as whom, and whom to trust.
struct RedisLogin {
  state::RedisUrl url;   // with user and password
  state::TlsSource tls;  // as the files are when a connection is made
};

/// Reads the password and the certificates that the configuration names. Empty with a sentence that names the
/// key when one can't be read.
std::optional<RedisLogin> redis_login(const RedisConfig& redis, std::string& error);

}  // namespace atcd::daemon
