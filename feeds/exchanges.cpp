#include <array>
#include <cstddef>

#include "feeds/binance.hpp"
#include "feeds/bybit.hpp"
#include "feeds/exchange.hpp"
#include "feeds/okx.hpp"

namespace atcd::feeds {
namespace {

struct Row {
  std::string_view name;
  std::string_view market;
  const Exchange& (*exchange)();
};

constexpr std::array kTable = {
    Row{"binance", "spot", binance_spot},   Row{"binance", "usdm", binance_usdm},
    Row{"binance", "coinm", binance_coinm}, Row{"bybit", "spot", bybit_spot},
    Row{"bybit", "linear", bybit_linear},   Row{"bybit", "inverse", bybit_inverse},
    Row{"okx", "spot", okx_spot},           Row{"okx", "swap", okx_swap},
};

constexpr bool names_are_unique() {
  for (std::size_t a = 0; a < kTable.size(); ++a) {
    if (kTable[a].name.empty() || kTable[a].market.empty()) return false;
    for (std::size_t b = a + 1; b < kTable.size(); ++b) {
      if (kTable[a].name == kTable[b].name && kTable[a].market == kTable[b].market) return false;
    }
  }
  return true;
}
static_assert(names_are_unique(), "each row names one exchange and market");

}  // namespace

const Exchange* find_exchange(std::string_view name, std::string_view market) {
  for (const Row& row : kTable) {
    if (row.name == name && row.market == market) return &row.exchange();
  }
  return nullptr;
}

std::size_t exchange_count() { return kTable.size(); }

const Exchange& exchange_at(std::size_t index) { return kTable.at(index).exchange(); }

std::string known_exchanges() {
  std::string text;
  for (const Row& row : kTable) {
    if (!text.empty()) text += ", ";
    text += row.name;
    text += ' ';
    text += row.market;
  }
  return text;
}

}  // namespace atcd::feeds
