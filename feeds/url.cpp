#include "feeds/url.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>
#include <utility>

namespace atcd::feeds {
namespace {

constexpr std::array<std::pair<std::string_view, std::uint16_t>, 4> kSchemes = {
    {{"ws", 80}, {"wss", 443}, {"http", 80}, {"https", 443}}};

std::optional<std::uint16_t> default_port(std::string_view scheme) {
  for (const auto& [name, port] : kSchemes) {
    if (name == scheme) return port;
  }
  return std::nullopt;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failure != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

bool is_host_character(char c, bool bracketed) {
  const bool name = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
  return name || (bracketed ? c == ':' || c == '%' : c == '-' || c == '_');
}

/// What makes a path unfit to stand in a request line, or more than a path.
bool is_path_character(char c) { return c > ' ' && c < '\x7f' && c != '?' && c != '#'; }

}  // namespace

std::string Url::authority() const {
  std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (default_port(scheme) != port) text += ":" + std::to_string(port);
  return text;
}

std::optional<Url> Url::parse(std::string_view text, std::string& error) {
  const auto refuse = [&](std::string_view why) {
    error = "\"" + std::string(text) + "\": " + std::string(why) +
            "; expected scheme://host:port with the scheme ws, wss, http or https";
    return std::nullopt;
  };
  const auto scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return refuse("there is no ://");
  Url url;
  url.scheme = text.substr(0, scheme_end);
  const auto scheme_port = default_port(url.scheme);
  if (!scheme_port) return refuse("unknown scheme");
  url.port = *scheme_port;

  std::string_view rest = text.substr(scheme_end + 3);
  const auto path_start = std::min(rest.find('/'), rest.size());
  std::string_view path = rest.substr(path_start);
  rest = rest.substr(0, path_start);

  const bool bracketed = rest.starts_with('[');
  const auto host_end = bracketed ? rest.find(']') : std::min(rest.find(':'), rest.size());
  if (host_end == std::string_view::npos) return refuse("the address has no closing bracket");
  const auto host = rest.substr(bracketed ? 1 : 0, host_end - (bracketed ? 1 : 0));
  if (host.empty()) return refuse("there is no host");
  if (host.size() > 253) return refuse("the host has more than 253 characters");
  if (!std::all_of(host.begin(), host.end(), [&](char c) { return is_host_character(c, bracketed); })) {
    return refuse("the host has a character that a host can't have");
  }
  url.host = host;

  rest = rest.substr(host_end + (bracketed ? 1 : 0));
  if (!rest.empty()) {
    const auto port = rest.starts_with(':') ? parse_port(rest.substr(1)) : std::nullopt;
    if (!port) return refuse("the port is not a number from 1 to 65535");
    url.port = *port;
  }
  if (!std::all_of(path.begin(), path.end(), is_path_character)) {
    return refuse("the path has a character that a path can't have");
  }
  while (path.ends_with('/')) path.remove_suffix(1);
  url.path = path;
  return url;
}

Url parse_option(std::string_view name, const std::string& text, std::string_view scheme) {
  std::string error;
  auto url = Url::parse(text, error);
  if (url && url->scheme != scheme && url->scheme != std::string(scheme) + "s")
    error =
        "\"" + text + "\": expected the scheme " + std::string(scheme) + " or " + std::string(scheme) + "s";
  if (!error.empty()) throw std::invalid_argument(std::string(name) + " " + error);
  return *url;
}

}  // namespace atcd::feeds
