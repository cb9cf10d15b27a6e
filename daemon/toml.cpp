#include "daemon/toml.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace atcd::daemon {
namespace {

bool beyond_ascii(char c) { return static_cast<unsigned char>(c) >= 0x80; }

/// Behind the string that begins at `at`, or where it has a character beyond ASCII, or a line ends that it
/// may not go over.
std::size_t end_of_string(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const std::string three(3, quote);
  const bool lines = text.substr(at, 3) == three;
  const std::string_view end = std::string_view(three).substr(lines ? 0 : 2);
  at += end.size();
  for (bool escaped = false; at < text.size(); ++at) {
    if (beyond_ascii(text[at]) || (text[at] == '\n' && !lines)) return at;
    if (!escaped && text.substr(at, end.size()) == end) break;
    escaped = !escaped && quote == '"' && text[at] == '\\';
  }
  at = std::min(at + end.size(), text.size());
  // Of several lines may end with one or two quotes of its own.
  for (int more = 0; lines && more < 2 && at < text.size() && text[at] == quote; ++more) ++at;
  return at;
}

/// The first character beyond ASCII that is in no comment; toml++ 3.3 has undefined behaviour with some where
/// it reads a key or a bare value, and behind a backslash in a string.
std::size_t find_beyond_ascii(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (beyond_ascii(text[at])) return at;
    if (text[at] == '"' || text[at] == '\'') {
      at = end_of_string(text, at);
    } else {
      at = text[at] == '#' ? std::min(text.find('\n', at), text.size()) : at + 1;
    }
  }
  return std::string_view::npos;
}

}  // namespace

bool parse_toml(std::string_view text, toml::table& table, ConfigError& error) {
  const std::size_t bad = find_beyond_ascii(text);
  if (bad != std::string_view::npos) {
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(bad), '\n');
    const std::size_t line_start = bad == 0 ? 0 : text.rfind('\n', bad) + 1;  // npos + 1 is 0
    error = {static_cast<int>(line), "",
             "is no TOML: characters beyond ASCII may stand in comments only; in a string in double quotes "
             "\\u00fc stands for one",
             static_cast<int>(bad - line_start + 1)};
    return false;
  }
  try {
    table = toml::parse(text);
    return true;
  } catch (const toml::parse_error& failure) {
    const toml::source_position at = failure.source().begin;
    error = {static_cast<int>(at.line), "", "is no TOML: " + std::string(failure.description()),
             static_cast<int>(at.column)};
    return false;
  }
}

}  // namespace atcd::daemon
