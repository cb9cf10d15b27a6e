#include "daemon/instruments.hpp"

#include <array>
#include <charconv>

#include "engine/interval.hpp"
#include "engine/series_id.hpp"

namespace atcd::daemon {
namespace {

std::string text(double value) {
  std::array<char, 32> digits;  // the longest shortest form of a double has 24 characters
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
}

std::optional<std::string> percent_decoded(std::string_view encoded) {
  std::string decoded;
  while (!encoded.empty()) {
    if (encoded[0] != '%') {
      decoded += encoded[0];
      encoded.remove_prefix(1);
      continue;
    }
    unsigned byte = 0;
    if (encoded.size() < 3) return std::nullopt;
    const auto [end, error] = std::from_chars(encoded.data() + 1, encoded.data() + 3, byte, 16);
    if (error != std::errc() || end != encoded.data() + 3) return std::nullopt;
    decoded += static_cast<char>(byte);
    encoded.remove_prefix(3);
  }
  return decoded;
}

}  // namespace

std::string other_instrument(const state::Instrument& known, const feeds::SymbolInfo& listed,
                             std::int64_t first_close_ms) {
  const bool later = known.listed_ms > 0 && listed.listed_ms > known.listed_ms;
  if (later && first_close_ms <= listed.listed_ms) {
    return "its listing time is " + std::to_string(listed.listed_ms) + ", it was " +
           std::to_string(known.listed_ms);
  }
  if (known.contract_size > 0 && listed.contract_size > 0 && known.contract_size != listed.contract_size) {
    return "its contract size is " + text(listed.contract_size) + ", it was " + text(known.contract_size);
  }
  return {};
}

state::Instrument known_now(const std::optional<state::Instrument>& before, const feeds::SymbolInfo& listed) {
  state::Instrument now = before.value_or(state::Instrument{});
  now.base = listed.base;
  now.quote = listed.quote;
  now.settle = listed.settle;
  now.delivery_ms = listed.delivery_ms;
  if (listed.listed_ms > 0) now.listed_ms = listed.listed_ms;
  if (listed.contract_size > 0) now.contract_size = listed.contract_size;
  return now;
}

feeds::SymbolInfo symbol_info(std::string_view symbol, const state::Instrument& known) {
  feeds::SymbolInfo info{std::string(symbol), known.base, known.quote, true, known.listed_ms, 0};
  info.settle = known.settle;
  info.delivery_ms = known.delivery_ms;
  info.contract_size = known.contract_size;
  return info;
}

std::optional<std::string> archived_symbol(const feeds::Exchange& exchange, std::string_view name) {
  const std::string market =
      engine::percent_encode(exchange.name()) + ":" + engine::percent_encode(exchange.market()) + ":";
  if (!name.starts_with(market)) return std::nullopt;
  name.remove_prefix(market.size());
  const auto colon = name.find(':');
  if (colon == std::string_view::npos || !engine::Interval::parse(name.substr(colon + 1)))
    return std::nullopt;
  return percent_decoded(name.substr(0, colon));
}

}  // namespace atcd::daemon
