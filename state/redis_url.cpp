#include "state/redis_url.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace atcd::state {
namespace {

constexpr std::string_view kForms =
    "allowed are redis://host[:port][/database], unix:///path[?db=N], redis-cluster://host[:port],... and "
    "redis-sentinel://host[:port],.../master[/database], each but unix also with TLS (rediss, "
    "rediss-cluster, rediss-sentinel)";
constexpr std::uint16_t kSentinelPort = 26379;
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

/// What other clients take as parameters may be a password: it is not shown.
std::string without_parameters(std::string_view text) {
  const std::size_t end = text.find_first_of("?#&");
  return std::string(text.substr(0, end)) + (end == std::string_view::npos ? "" : "...");
}

bool take_database(std::string_view text, RedisAddress& address, std::string& error) {
  const auto database = whole<int>(text, 0, kHighestDatabase);
  if (!database) {
    error = "the Redis database \"" + without_parameters(text) + "\" is not a number from 0 to " +
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
    error = "the Redis socket path \"" + without_parameters(rest) + "\" must begin with / and have at most " +
            std::to_string(kLongestPath) + " bytes";
    return false;
  }
  return true;
}

/// host, host:port, [::1] or [::1]:port.
bool parse_host(std::string_view rest, RedisAddress& address, std::string& error) {
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

/// Each of a list of hosts, beside what `common` says already.
bool parse_hosts(std::string_view list, const RedisAddress& common, RedisUrl& url, std::string& error) {
  for (bool last = false; !last;) {
    const std::size_t comma = list.find(',');
    last = comma == std::string_view::npos;
    RedisAddress address = common;
    if (!parse_host(list.substr(0, comma), address, error)) return false;
    url.addresses.push_back(std::move(address));
    list.remove_prefix(last ? list.size() : comma + 1);
  }
  return true;
}

bool parse_single(std::string_view rest, RedisAddress address, RedisUrl& url, std::string& error) {
  if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
    const std::string_view database = rest.substr(slash + 1);
    if (!database.empty() && !take_database(database, address, error)) return false;
    rest = rest.substr(0, slash);
  }
  if (!parse_host(rest, address, error)) return false;
  url.addresses.push_back(std::move(address));
  return true;
}

bool parse_cluster(std::string_view rest, const RedisAddress& common, RedisUrl& url, std::string& error) {
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find('/') != std::string_view::npos) {
    error = "a Redis Cluster has one database only: nothing may follow the hosts in its URL";
    return false;
  }
  return parse_hosts(rest, common, url, error);
}

bool parse_sentinel(std::string_view rest, RedisAddress common, RedisUrl& url, std::string& error) {
  const std::size_t slash = rest.find('/');
  std::string_view path = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
  if (const std::size_t second = path.find('/'); second != std::string_view::npos) {
    if (!take_database(path.substr(second + 1), common, error)) return false;
    path = path.substr(0, second);
  }
  if (path.empty()) {
    error = "the Redis URL names no master after the Sentinels' hosts; " + std::string(kForms);
    return false;
  }
  url.master = path;
  common.port = kSentinelPort;
  return parse_hosts(rest.substr(0, slash), common, url, error);
}

bool parse_rest(std::string_view scheme, std::string_view rest, RedisAddress common, RedisUrl& url,
                std::string& error) {
  common.tls = scheme.starts_with("rediss");
  const std::string_view kind = scheme == "unix" ? scheme : scheme.substr(common.tls ? 6 : 5);
  if (kind == "unix") {
    url.addresses.push_back(std::move(common));
    return parse_unix(rest, url.addresses[0], error);
  }
  if (rest.find_first_of("?#&") != std::string_view::npos) {
    error =
        "a Redis URL has no parameters, but for unix:///path?db=N: a password is better kept in "
        "password_file";
    return false;
  }
  if (kind.empty()) return parse_single(rest, std::move(common), url, error);
  if (kind == "-cluster") {
    url.kind = RedisKind::cluster;
    return parse_cluster(rest, common, url, error);
  }
  url.kind = RedisKind::sentinel;
  return parse_sentinel(rest, std::move(common), url, error);
}

}  // namespace

std::string RedisAddress::text() const {
  if (host.empty()) return path;
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::optional<RedisUrl> parse_redis_url(std::string_view text, std::string& error) {
  constexpr std::array<std::string_view, 7> kSchemes = {
      "redis", "rediss", "unix", "redis-cluster", "rediss-cluster", "redis-sentinel", "rediss-sentinel"};
  const std::size_t end = text.find("://");
  const std::string_view scheme = text.substr(0, end);
  if (end == std::string_view::npos) {
    error = "the Redis URL names no scheme; " + std::string(kForms);
    return std::nullopt;
  }
  if (std::find(kSchemes.begin(), kSchemes.end(), scheme) == kSchemes.end()) {
    error = "the Redis URL scheme " + std::string(scheme) + ":// is unknown; " + std::string(kForms);
    return std::nullopt;
  }
  std::string_view rest = text.substr(end + 3);
  RedisAddress common;
  if (!take_credentials(rest, common)) {
    error = "the user or password in the Redis URL has a % that is not followed by two hexadecimal digits";
    return std::nullopt;
  }
  RedisUrl url;
  if (!parse_rest(scheme, rest, std::move(common), url, error)) return std::nullopt;
  return url;
}

}  // namespace atcd::state
