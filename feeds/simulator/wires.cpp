#include <array>

#include "feeds/simulator/binance_wire.hpp"
#include "feeds/simulator/bybit_wire.hpp"
#include "feeds/simulator/okx_wire.hpp"
#include "feeds/simulator/wire.hpp"

namespace atcd::feeds::simulator {
namespace {

struct Row {
  std::string_view exchange;
  std::unique_ptr<Wire> (*make)(std::int64_t weight_limit, std::chrono::milliseconds ban);
};

constexpr std::array kTable = {
    Row{"binance", [](std::int64_t limit, std::chrono::milliseconds) { return new_binance_wire(limit); }},
    Row{"bybit", new_bybit_wire},
    Row{"okx", [](std::int64_t limit, std::chrono::milliseconds) { return new_okx_wire(limit); }},
};

}  // namespace

std::unique_ptr<Wire> new_wire(std::string_view exchange, std::int64_t weight_limit,
                               std::chrono::milliseconds ban) {
  for (const Row& row : kTable) {
    if (row.exchange == exchange) return row.make(weight_limit, ban);
  }
  return nullptr;
}

std::string known_wires() {
  std::string text;
  for (const Row& row : kTable) {
    if (!text.empty()) text += ", ";
    text += row.exchange;
  }
  return text;
}

}  // namespace atcd::feeds::simulator
