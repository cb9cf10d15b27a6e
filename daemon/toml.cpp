#include "daemon/toml.hpp"

#include <algorithm>

namespace atcd::daemon {
namespace {

/// The first character beyond ASCII that no # precedes on its line; toml++ 3.3 has undefined behaviour with
/// some where it reads a key or a bare value. Behind a # it reads a comment or is inside a string.
std::size_t find_beyond_ascii(std::string_view text) {
  bool behind_hash = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (static_cast<unsigned char>(text[at]) >= 0x80 && !behind_hash) return at;
    behind_hash = text[at] != '\n' && (behind_hash || text[at] == '#');
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
