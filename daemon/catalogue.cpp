#include "daemon/catalogue.hpp"

#include <simdjson.h>

#include <algorithm>

namespace atcd::daemon {
namespace {

/// How many bytes at the front of the text, which begins beyond ASCII, are a character; 0: none in UTF-8.
std::size_t character_length(std::string_view text) {
  for (std::size_t length = 2; length <= std::min<std::size_t>(4, text.size()); ++length) {
    if (simdjson::validate_utf8(text.data(), length)) return length;
  }
  return 0;
}

}  // namespace

std::string json_string(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  constexpr char kLastControl = '\x9f';  // of those that UTF-8 has in two bytes
  std::string quoted = "\"";
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    const auto byte = static_cast<unsigned char>(c);
    const std::size_t length = byte >= 0x80 ? character_length(text.substr(at)) : 0;
    const bool control = length == 2 && byte == 0xc2 && text[at + 1] <= kLastControl;
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (length > 0 && !control) {
      quoted += text.substr(at, length);
      at += length - 1;
    } else if (byte < 0x20 || byte >= 0x7f) {
      // Bytes that are no UTF-8 stand for themselves as Latin-1: whatever it is stays readable and valid.
      const auto value = control ? static_cast<unsigned char>(text[++at]) : byte;
      quoted += "\\u00";
      quoted += {kHex[value >> 4], kHex[value & 15]};
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
