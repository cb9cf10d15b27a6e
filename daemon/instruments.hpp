#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "feeds/exchange.hpp"
#include "state/instrument.hpp"

namespace atcd::daemon {

// A symbol may become another instrument's: its history then begins anew (design, section 4).

/// Why the exchange's list tells of another instrument than the one that the bars are of: a part of a
/// sentence. Empty where it does not: what it says nothing of, now or before, is no change. Nor is a listing
/// time that is corrected, as Binance did with those of BTCUSDT and others in 2026: who takes over a symbol
/// is listed later than the one before it, and while there are bars. `first_close_ms`: no bar that is held
/// closed before.
std::string other_instrument(const state::Instrument& known, const feeds::SymbolInfo& listed,
                             std::int64_t first_close_ms = 0);

/// What is known now, where it is the same instrument: what the list says, else what it said before.
state::Instrument known_now(const std::optional<state::Instrument>& before, const feeds::SymbolInfo& listed);

/// What an earlier list said of a symbol, as a list would.
feeds::SymbolInfo symbol_info(std::string_view symbol, const state::Instrument& known);

/// The native symbol of a series of the market that the archive calls so (archive_name()); empty for others,
/// and for what was set aside.
std::optional<std::string> archived_symbol(const feeds::Exchange& exchange, std::string_view name);

}  // namespace atcd::daemon
