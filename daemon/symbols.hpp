#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config.hpp"
#include "feeds/exchange.hpp"

namespace atcd::daemon {

// A text of `symbols` or `exclude` with a '/' is a common symbol, one without is the exchange's own. Either
// may be a pattern. BASE/QUOTE means every instrument of the market with those two currencies;
// BASE/QUOTE:SETTLE the perpetual that is settled so, and BASE/QUOTE:SETTLE-YYMMDD the future of that date.

/// Whether the symbol has the pattern's form; * stands for any characters, also none.
bool matches(std::string_view pattern, std::string_view symbol);

/// Whether the text is a common symbol, or a pattern of them.
bool is_common(std::string_view text);

/// "BTC/USDT", "BTC/USDT:USDT" or "BTC/USDT:USDT-261225": what tells the instrument from the others of its
/// market. Empty where the currencies are not known.
std::string common_symbol(const feeds::SymbolInfo& symbol);

/// Whether any of the feed's symbols is a pattern, so that only the exchange's list can resolve it.
bool has_patterns(const FeedConfig& feed);

/// Whether the feed may have the symbol; only the exchange's list tells whether it is among the `top`.
bool may_have(const FeedConfig& feed, const feeds::SymbolInfo& symbol);

/// A text of the configuration that names no instrument, or more than one.
struct Unresolved {
  std::string text;
  std::string reason;                            // goes on after the name of the market
  std::vector<feeds::SymbolInfo> instruments{};  // where it names several
};

struct ResolvedSymbols {
  std::vector<feeds::SymbolInfo> symbols;  // in the list's order, each once
  std::vector<Unresolved> unresolved;
};

/// What a feed's `symbols`, `exclude` and `top` mean on the exchange's own list. Patterns take what is
/// trading; a symbol that is named outright is taken as it is, and where several are called so none is.
ResolvedSymbols resolve_symbols(const FeedConfig& feed, std::span<const feeds::SymbolInfo> listed);

}  // namespace atcd::daemon
