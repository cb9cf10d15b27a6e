#include "daemon/toml.hpp"

#include <algorithm>

namespace atcd::daemon {
namespace {

/// Where the line's string or comment that begins at `at` ends: behind it. A string that is left open ends
/// with the text: the parser refuses it where it begins.
std::size_t behind(std::string_view text, std::size_t at) {
  const char quote = text[at];
  if (quote == '#') return std::min(text.find('\n', at), text.size());
  const std::string_view triple = quote == '"' ? R"(""")" : "'''";
  const bool long_form = text.substr(at).starts_with(triple);
  const std::string_view end = long_form ? triple : triple.substr(0, 1);
  for (at += end.size(); at < text.size(); ++at) {
    if (quote == '"' && text[at] == '\\') {
      ++at;
    } else if (text.substr(at).starts_with(end)) {
      return at + end.size();
    } else if (!long_form && text[at] == '\n') {
      return at;
    }
  }
  return text.size();
}

/// The first character beyond ASCII outside strings and comments; toml++ 3.3 has undefined behaviour with
/// some.
std::size_t find_beyond_ascii(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) >= 0x80) return at;
    const bool opens = text[at] == '#' || text[at] == '"' || text[at] == '\'';
    at = opens ? behind(text, at) : at + 1;
  }
  return std::string_view::npos;
}

}  // namespace

bool parse_toml(std::string_view text, toml::table& table, ConfigError& error) {
  const std::size_t bad = find_beyond_ascii(text);
  if (bad != std::string_view::npos) {
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(bad), '\n');
    error = {static_cast<int>(line), "",
             "is no TOML: characters beyond ASCII may stand in strings and comments only"};
    return false;
  }
  try {
    table = toml::parse(text);
    return true;
  } catch (const toml::parse_error& failure) {
    error = {static_cast<int>(failure.source().begin.line), "",
             "is no TOML: " + std::string(failure.description())};
    return false;
  }
}

}  // namespace atcd::daemon
