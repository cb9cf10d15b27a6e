#pragma once

#include <cstdint>
#include <vector>

#include "daemon/config.hpp"

namespace atcd::daemon {

/// What an operator would rather know of a configuration without errors, in the order of its lines: nothing
/// of it keeps the daemon from running. Looks at the files that it names; `now_ms`: UTC, for bars since a
/// fixed anchor.
std::vector<ConfigError> config_warnings(const ConfigResult& read, std::int64_t now_ms);

}  // namespace atcd::daemon
