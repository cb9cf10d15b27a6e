#pragma once

#include <cstdint>
#include <memory>

#include "feeds/simulator/wire.hpp"

namespace atcd::feeds::simulator {

/// Bybit's v5 formats: /v5/public/spot, /linear and /inverse, and /v5/market. `weight_limit` and `ban` as for
/// BybitRest.
std::unique_ptr<Wire> new_bybit_wire(std::int64_t weight_limit,
                                     std::chrono::milliseconds ban = kDocumentedBan);

}  // namespace atcd::feeds::simulator
