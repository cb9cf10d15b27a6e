#include "daemon/catalogue.hpp"

namespace atcd::daemon {

std::string json_string(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (byte < 0x20 || byte >= 0x7f) {
      // Bytes stand for themselves as Latin-1: symbols are ASCII, and whatever is not stays readable and
      // valid.
      quoted += "\\u00";
      quoted += {kHex[byte >> 4], kHex[byte & 15]};
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string catalogue_json(const engine::SeriesId& id, const feeds::SymbolInfo& symbol,
                           const engine::Interval& interval, std::string_view config) {
  const std::string common = symbol.base.empty() ? "" : symbol.base + "/" + symbol.quote;
  return "{\"exchange\":" + json_string(id.exchange) + ",\"market\":" + json_string(id.market) +
         ",\"symbol\":" + json_string(id.symbol) + ",\"common_symbol\":" + json_string(common) +
         ",\"base\":" + json_string(symbol.base) + ",\"quote\":" + json_string(symbol.quote) +
         ",\"interval\":" + json_string(id.interval) +
         ",\"interval_ms\":" + std::to_string(interval.length_ms()) +
         ",\"profile\":" + json_string(id.profile) + ",\"config\":" + json_string(config) + "}";
}

}  // namespace atcd::daemon
