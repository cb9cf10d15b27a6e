#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/config.hpp"
#include "feeds/exchange.hpp"

namespace atcd::daemon {

/// The symbols of each [[feed]]; empty where only the exchange's list can tell them.
using SymbolLists = std::vector<std::optional<std::vector<std::string>>>;

/// As far as the configuration tells them by itself.
SymbolLists named_symbols(const Config& config);

/// What an empty history of one symbol on a feed weighs, all intervals together. `now_ms`: UTC, for bars
/// since a fixed anchor.
double history_weight(const Config& config, const FeedConfig& feed, const feeds::Exchange& exchange,
                      std::int64_t now_ms);

/// Where so many symbols ask more of an exchange than is good: connections, and REST within `rest_share`.
/// Feeds whose symbols are not known are left out.
std::vector<ConfigError> load_warnings(const ConfigResult& read, const SymbolLists& symbols,
                                       std::int64_t now_ms);

}  // namespace atcd::daemon
