#pragma once

#include <cstdint>
#include <string_view>

#include "feeds/exchange.hpp"

namespace atcd::feeds {

/// Reads a kline frame that is written to the byte as Binance writes it: all fields, in the documented order,
/// without blanks or escapes, in ASCII. Combined ({"stream":...,"data":...}) or alone.
/// False for any other text, whatever it is: that is read by the parser that checks everything, which reads
/// each text that is read here to the same kline. What the numbers say is not checked here
/// (BinanceKlineCheck), but that both symbols are the same is. `frame` must be followed by at least
/// simdjson::SIMDJSON_PADDING readable bytes; `last_ms` is "T".
bool scan_binance_kline(std::string_view frame, Kline& kline, std::int64_t& last_ms);

}  // namespace atcd::feeds
