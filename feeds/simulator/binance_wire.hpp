#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/bar.hpp"

namespace atcd::feeds::simulator {

/// Binance's kline frame, keys in its order; `combined` wraps it as on /stream.
/// {"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1672515782136,"s":"BTCUSDT","k":{"t":1672515780000,...}}}
std::string kline_frame(std::string_view symbol, std::string_view interval, const engine::Bar& bar,
                        bool closed, std::int64_t event_ms, bool combined);

/// One row of GET /api/v3/klines.
std::string kline_row(const engine::Bar& bar);

/// A price or volume with eight decimals, as Binance writes it.
std::string decimal(double value);

std::string error_body(int code, std::string_view message);

}  // namespace atcd::feeds::simulator
