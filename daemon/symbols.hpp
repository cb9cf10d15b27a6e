#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config.hpp"
#include "feeds/exchange.hpp"

namespace atcd::daemon {

/// Whether the symbol has the pattern's form; * stands for any characters, also none.
bool matches(std::string_view pattern, std::string_view symbol);

/// Whether any of the feed's symbols is a pattern, so that only the exchange's list can resolve it.
bool has_patterns(const FeedConfig& feed);

/// Whether the feed may have the symbol; only the exchange's list tells whether it is among the `top`.
bool may_have(const FeedConfig& feed, std::string_view symbol);

struct ResolvedSymbols {
  std::vector<feeds::SymbolInfo> symbols;  // in the list's order, each once
  std::vector<std::string> unknown;        // named in the configuration, not in the list
};

/// What a feed's `symbols`, `exclude` and `top` mean on the exchange's own list. Patterns take what is
/// trading; a symbol that is named outright is taken as it is.
ResolvedSymbols resolve_symbols(const FeedConfig& feed, std::span<const feeds::SymbolInfo> listed);

}  // namespace atcd::daemon
