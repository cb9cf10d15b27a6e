#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace atcd::feeds::simulator {

inline constexpr std::size_t kMaxSymbols = 10000;
inline constexpr std::int64_t kListedLongAgoMs = 1'502'928'000'000;  // 2017-08-17

/// One market of the simulated exchange. Prices and volumes in units of 1e-8.
struct MarketSymbol {
  std::string symbol;  // as the exchange writes it: "BTCUSDT"
  std::string base;
  std::string quote;
  double price = 100;                // the level that it moves about; above 0
  std::int64_t tick_e8 = 1'000'000;  // the price's step
  std::int64_t lot_e8 = 390'625;     // the volume's step: a power of two, so that sums of volumes are exact
  double quote_per_trade = 300;      // about what changes hands each 10 s, in the quote currency
  std::int64_t listed_ms = kListedLongAgoMs;  // whole minutes; no trade before
  bool halted = false;                        // listed, but never traded
  double contract_size = 1;                   // of a swap
};

/// Digits behind the point that a step needs: 2 for 0.01 and for 0.25.
int decimals_of(std::int64_t step_e8);

/// A symbol by its name (BASE and a quote such as USDT, letters and digits): well-known ones at a price that
/// looks right, others at one that follows from the name. Empty for a name of another form.
std::optional<MarketSymbol> make_symbol(std::string_view name);

/// BTCUSDT, ETHUSDT and on, from the 21st SIM0021USDT and on. 1 to kMaxSymbols.
std::vector<MarketSymbol> first_symbols(std::size_t count);

}  // namespace atcd::feeds::simulator
