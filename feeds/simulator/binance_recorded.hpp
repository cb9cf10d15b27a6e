#pragma once

#include <optional>
#include <string_view>

#include "feeds/simulator/wire.hpp"

namespace atcd::feeds::simulator {

/// A frame as it was received, combined or raw. A raw one tells its stream only where that follows from the
/// event: klines, trades, aggTrades.
std::optional<WireRecorded> read_binance_recorded(std::string_view line);

}  // namespace atcd::feeds::simulator
