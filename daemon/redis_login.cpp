#include "daemon/redis_login.hpp"

#include <memory>
#include <stdexcept>

#include "daemon/log.hpp"
#include "daemon/secrets.hpp"
#include "feeds/tls.hpp"

namespace atcd::daemon {
namespace {

void tell_unusable(const std::string& problem) {
  log_event(Level::error, "redis_certificates",
            {{"detail", "redis." + problem + ": those from before are used"}});
}

}  // namespace

std::optional<RedisLogin> redis_login(const RedisConfig& redis, std::string& error) {
  const auto url = state::parse_redis_url(redis.url, error);
  if (!url) return std::nullopt;
  const auto password = read_password(redis.password_file, error);
  if (!password) {
    error = "redis.password_file: " + error;
    return std::nullopt;
  }
  RedisLogin login{*url, nullptr};
  for (state::RedisAddress& address : login.url.addresses) {
    if (!redis.username.empty()) address.username = redis.username;
    if (!password->empty()) address.password = *password;
  }
  if (!url->addresses.front().tls) return login;
  try {
    login.tls = [files = std::make_shared<feeds::RenewedTls>(
                     feeds::TlsFiles{redis.ca_file, redis.cert_file, redis.key_file}, tell_unusable)] {
      return files->context();
    };
  } catch (const std::runtime_error& failure) {
    error = std::string("redis.") + failure.what();
    return std::nullopt;
  }
  return login;
}

}  // namespace atcd::daemon
