#pragma once

#include <string>
#include <vector>

#include "daemon/config.hpp"

namespace atcd::daemon {

// Symbols of a running feed, by command. A feed is named as exchange:market, or where several [[feed]] blocks
// are of one market as exchange:market:interval or exchange:market:interval:profile: it must mean one block.
// What a symbol means only the exchange's list tells, later. Each gives a sentence that says what is wrong,
// with nothing changed, or nothing where all is well.

/// As if they stood in the feed's `symbols`, and not in its `exclude`.
std::string add_symbols(Config& config, const std::string& feed, const std::vector<std::string>& symbols);
/// As if they did not stand in the feed's `symbols`, or stood in its `exclude`.
std::string remove_symbols(Config& config, const std::string& feed, const std::vector<std::string>& symbols);

}  // namespace atcd::daemon
