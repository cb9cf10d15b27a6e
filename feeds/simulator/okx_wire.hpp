#pragma once

#include <cstdint>
#include <memory>

#include "feeds/simulator/wire.hpp"

namespace atcd::feeds::simulator {

/// OKX's formats: every market as a spot pair ("BTC-USDT") and as a swap ("BTC-USDT-SWAP") with the same
/// bars. A stream's name is its channel and instrument: "candle1m:BTC-USDT".
std::unique_ptr<Wire> new_okx_wire(std::int64_t weight_limit);

}  // namespace atcd::feeds::simulator
