#pragma once

#include <simdjson.h>

#include <optional>
#include <string_view>

#include "feeds/exchange.hpp"

namespace atcd::feeds {

/// Reads Binance's aggregated trades. Only the scratch memory is kept from frame to frame.
class BinanceTradeReader {
 public:
  /// Empty: the frame is of another kind, or no JSON. Padded like every frame.
  std::optional<FrameResult> read(std::string_view frame, FrameSink& sink);

 private:
  simdjson::ondemand::parser parser_{4U << 20};
};

}  // namespace atcd::feeds
