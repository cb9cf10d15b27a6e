#include "feeds/simulator/symbols.hpp"

#include <algorithm>
#include <array>

#include "engine/anchor.hpp"

namespace atcd::feeds::simulator {
namespace {

struct Known {
  std::string_view base;
  double price;
  std::int64_t tick_e8;
};
constexpr std::array<Known, 20> kKnown = {
    {{"BTC", 64000, 1'000'000}, {"ETH", 3400, 1'000'000}, {"BNB", 580, 1'000'000}, {"SOL", 150, 1'000'000},
     {"XRP", 0.62, 10'000},     {"DOGE", 0.12, 1'000},    {"ADA", 0.45, 10'000},   {"TRX", 0.13, 10'000},
     {"AVAX", 28, 1'000'000},   {"LINK", 14, 1'000'000},  {"DOT", 6.2, 100'000},   {"LTC", 72, 1'000'000},
     {"BCH", 380, 10'000'000},  {"UNI", 8.1, 100'000},    {"ATOM", 6.6, 100'000},  {"ETC", 22, 1'000'000},
     {"FIL", 4.4, 100'000},     {"NEAR", 5.1, 100'000},   {"APT", 7.3, 100'000},   {"SHIB", 0.000018, 1}}};
constexpr std::array<std::string_view, 9> kQuotes = {"USDT", "USDC", "FDUSD", "BUSD", "USD",
                                                     "BTC",  "ETH",  "BNB",   "EUR"};
constexpr std::size_t kLongestName = 24;
constexpr double kWholeLotsBelow = 10;  // cheap coins trade in whole ones
constexpr std::int64_t kWholeLotE8 = 100'000'000;

/// A ten-thousandth of the price, to a power of ten.
std::int64_t fitting_tick_e8(double price) {
  std::int64_t tick_e8 = 1;
  while (static_cast<double>(tick_e8) * 10 <= price * 1e4 && tick_e8 < kWholeLotE8) tick_e8 *= 10;
  return tick_e8;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kLongestName && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
  });
}

std::string sim_name(std::size_t number) {
  const std::string digits = std::to_string(number);
  return "SIM" + std::string(digits.size() < 4 ? 4 - digits.size() : 0, '0') + digits + "USDT";
}

}  // namespace

int decimals_of(std::int64_t step_e8) {
  int decimals = 8;
  while (decimals > 0 && step_e8 % 10 == 0) {
    step_e8 /= 10;
    --decimals;
  }
  return decimals;
}

std::optional<MarketSymbol> make_symbol(std::string_view name) {
  if (!is_name(name)) return std::nullopt;
  const auto quote = std::find_if(kQuotes.begin(), kQuotes.end(), [&](std::string_view each) {
    return name.size() > each.size() && name.ends_with(each);
  });
  if (quote == kQuotes.end()) return std::nullopt;
  MarketSymbol symbol;
  symbol.symbol = name;
  symbol.base = name.substr(0, name.size() - quote->size());
  symbol.quote = *quote;
  const auto known =
      std::find_if(kKnown.begin(), kKnown.end(), [&](const Known& each) { return each.base == symbol.base; });
  if (known != kKnown.end() && *quote == "USDT") {
    symbol.price = known->price;
    symbol.tick_e8 = known->tick_e8;
    // The order of the table is the order of size.
    symbol.quote_per_trade = 40'000 / static_cast<double>(known - kKnown.begin() + 1);
  } else {
    symbol.price = 1 + static_cast<double>(engine::fnv1a_64(name) % 10'000) / 100;
    symbol.tick_e8 = fitting_tick_e8(symbol.price);
    symbol.quote_per_trade = 100 + static_cast<double>(engine::fnv1a_64(symbol.base) % 1000);
  }
  if (symbol.price < kWholeLotsBelow) symbol.lot_e8 = kWholeLotE8;
  return symbol;
}

std::vector<MarketSymbol> first_symbols(std::size_t count) {
  std::vector<MarketSymbol> symbols;
  for (std::size_t i = 0; i < std::min(count, kMaxSymbols); ++i) {
    const std::string name = i < kKnown.size() ? std::string(kKnown[i].base) + "USDT" : sim_name(i + 1);
    symbols.push_back(*make_symbol(name));
  }
  return symbols;
}

}  // namespace atcd::feeds::simulator
