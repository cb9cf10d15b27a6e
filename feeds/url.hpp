#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace atcd::feeds {

/// Where to connect: scheme://host[:port][/path], as in the configuration.
struct Url {
  std::string scheme;  // "ws", "wss", "http" or "https"
  std::string host;    // a name or an address; IPv6 without its brackets
  std::uint16_t port = 0;
  std::string path;  // put before the exchange's own paths: empty, or "/..." without a slash at its end

  bool secure() const { return scheme == "wss" || scheme == "https"; }
  /// host[:port] as in a Host header: the scheme's own port is left out.
  std::string authority() const;

  /// Empty for text of another form; `error` then says what is wrong with it. The port defaults to that of
  /// the scheme. User names, queries and fragments are refused.
  static std::optional<Url> parse(std::string_view text, std::string& error);
};

/// The address under that name in the options, of this scheme or its secure one; throws std::invalid_argument
/// for any other.
Url parse_option(std::string_view name, const std::string& text, std::string_view scheme);

}  // namespace atcd::feeds
