#pragma once

#include <string_view>

#include "daemon/config.hpp"

// toml++ 3.3 asserts, and with some compilers assumes, what a malformed file makes false ("[[$x]]"); a few
// lines on it reports the same as an error. So its assertions are neither checked nor assumed.
#pragma push_macro("NDEBUG")
#undef NDEBUG
#define TOML_ASSERT(expr) static_assert(true)
#include <toml++/toml.h>
#pragma pop_macro("NDEBUG")

namespace atcd::daemon {

/// False with the error's line, column and sentence where the text is no TOML. Characters beyond ASCII are
/// allowed in comments only; strings have escapes for them.
bool parse_toml(std::string_view text, toml::table& table, ConfigError& error);

}  // namespace atcd::daemon
