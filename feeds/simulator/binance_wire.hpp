#pragma once

#include <cstdint>
#include <memory>

#include "feeds/simulator/wire.hpp"

namespace atcd::feeds::simulator {

/// Binance's formats: spot under /ws, /stream and /api/v3, USD-M under /market/ws, /market/stream (and
/// /public/...) and /fapi/v1. `weight_limit` as for BinanceRest.
std::unique_ptr<Wire> new_binance_wire(std::int64_t weight_limit);

}  // namespace atcd::feeds::simulator
