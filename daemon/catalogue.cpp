#include "daemon/catalogue.hpp"

#include "daemon/symbols.hpp"
#include "state/signal_record.hpp"

namespace atcd::daemon {

std::string json_string(std::string_view text) {
  std::string quoted;
  state::append_json_string(quoted, text);
  return quoted;
}

std::string catalogue_json(const engine::SeriesId& id, const feeds::SymbolInfo& symbol,
                           const engine::Interval& interval, std::string_view config) {
  return "{\"exchange\":" + json_string(id.exchange) + ",\"market\":" + json_string(id.market) +
         ",\"symbol\":" + json_string(id.symbol) +
         ",\"common_symbol\":" + json_string(common_symbol(symbol)) +
         ",\"base\":" + json_string(symbol.base) + ",\"quote\":" + json_string(symbol.quote) +
         ",\"interval\":" + json_string(id.interval) +
         ",\"interval_ms\":" + std::to_string(interval.length_ms()) +
         ",\"profile\":" + json_string(id.profile) + ",\"config\":" + json_string(config) + "}";
}

}  // namespace atcd::daemon
