#include "state/redis_url.hpp"

#include <charconv>

namespace atcd::state {
namespace {

constexpr std::string_view kForms =
    "allowed are redis://[user[:password]@]host[:port][/database] and unix:///path[?db=N]";
constexpr std::size_t kLongestPath = 107;  // sockaddr_un::sun_path without its terminator
constexpr int kHighestDatabase = 65535;

template <typename Number>
std::optional<Number> whole(std::string_view text, Number lowest, Number highest) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < lowest || value > highest) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i];
      continue;
    }
    unsigned byte = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const auto [end, error] = std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16);
    if (error != std::errc{} || end != text.data() + i + 3) return std::nullopt;
    plain += static_cast<char>(byte);
    i += 2;
  }
  return plain;
}

/// Takes "user:password@" off the front. False when it is not percent-encoded as it should be.
bool take_credentials(std::string_view& rest, RedisAddress& address) {
  const std::size_t slash = rest.find('/');
  const std::size_t at = rest.substr(0, slash).rfind('@');
  if (at == std::string_view::npos) return true;
  const std::string_view credentials = rest.substr(0, at);
  rest.remove_prefix(at + 1);
  const std::size_t colon = credentials.find(':');
  const auto user = percent_decode(credentials.substr(0, colon));
  const auto password =
      percent_decode(colon == std::string_view::npos ? std::string_view{} : credentials.substr(colon + 1));
  if (!user || !password) return false;
  address.username = *user;
  address.password = *password;
  return true;
}

bool take_database(std::string_view text, RedisAddress& address, std::string& error) {
  const auto database = whole<int>(text, 0, kHighestDatabase);
  if (!database) {
    error = "the Redis database \"" + std::string(text) + "\" is not a number from 0 to " +
            std::to_string(kHighestDatabase);
    return false;
  }
  address.database = *database;
  return true;
}

bool parse_unix(std::string_view rest, RedisAddress& address, std::string& error) {
  if (const std::size_t question = rest.find('?'); question != std::string_view::npos) {
    const std::string_view query = rest.substr(question + 1);
    if (query.substr(0, 3) != "db=") {
      error = "after ? the Redis URL may only say db=N; " + std::string(kForms);
      return false;
    }
    if (!take_database(query.substr(3), address, error)) return false;
    rest = rest.substr(0, question);
  }
  address.path = rest;
  if (rest.size() < 2 || rest.front() != '/' || rest.size() > kLongestPath) {
    error = "the Redis socket path \"" + address.path + "\" must begin with / and have at most " +
            std::to_string(kLongestPath) + " bytes";
    return false;
  }
  return true;
}

bool parse_tcp(std::string_view rest, RedisAddress& address, std::string& error) {
  if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
    const std::string_view database = rest.substr(slash + 1);
    if (!database.empty() && !take_database(database, address, error)) return false;
    rest = rest.substr(0, slash);
  }
  std::string_view port;
  if (!rest.empty() && rest.front() == '[') {
    const std::size_t close = rest.find(']');
    if (close == std::string_view::npos) {
      error = "the Redis URL has [ without ]";
      return false;
    }
    address.host = rest.substr(1, close - 1);
    rest.remove_prefix(close + 1);
    if (!rest.empty() && rest.front() != ':') {
      error = "after ] the Redis URL may only have :port";
      return false;
    }
    port = rest;
  } else {
    const std::size_t colon = rest.find(':');
    address.host = rest.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon);
  }
  if (address.host.empty()) {
    error = "the Redis URL names no host; " + std::string(kForms);
    return false;
  }
  if (!port.empty()) {
    const auto number = whole<std::uint16_t>(port.substr(1), 1, 65535);
    if (!number) {
      error = "the Redis port \"" + std::string(port.substr(1)) + "\" is not a number from 1 to 65535";
      return false;
    }
    address.port = *number;
  }
  return true;
}

}  // namespace

std::string RedisAddress::text() const {
  if (host.empty()) return path;
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::optional<RedisAddress> parse_redis_url(std::string_view url, std::string& error) {
  const std::size_t end = url.find("://");
  const std::string_view scheme = url.substr(0, end);
  if (end == std::string_view::npos) {
    error = "the Redis URL names no scheme; " + std::string(kForms);
    return std::nullopt;
  }
  if (scheme == "rediss" || scheme == "redis-cluster" || scheme == "redis-sentinel") {
    error = "the Redis URL scheme " + std::string(scheme) + ":// is not supported by this version; " +
            std::string(kForms);
    return std::nullopt;
  }
  if (scheme != "redis" && scheme != "unix") {
    error = "the Redis URL scheme " + std::string(scheme) + ":// is unknown; " + std::string(kForms);
    return std::nullopt;
  }
  std::string_view rest = url.substr(end + 3);
  RedisAddress address;
  if (!take_credentials(rest, address)) {
    error = "the user or password in the Redis URL has a % that is not followed by two hexadecimal digits";
    return std::nullopt;
  }
  const bool good = scheme == "unix" ? parse_unix(rest, address, error) : parse_tcp(rest, address, error);
  if (!good) return std::nullopt;
  return address;
}

}  // namespace atcd::state
