#include "engine/series_id.hpp"

namespace atcd::engine {

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_' || c == '/' || c == '@' || c == '-';
    if (plain) {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return encoded;
}

std::string SeriesId::name() const {
  return percent_encode(exchange) + ':' + percent_encode(market) + ':' + percent_encode(symbol) + ':' +
         percent_encode(interval) + ':' + percent_encode(profile);
}

std::string SeriesId::group() const {
  return percent_encode(exchange) + ':' + percent_encode(market) + ':' + percent_encode(interval) + ':' +
         percent_encode(profile);
}

}  // namespace atcd::engine
