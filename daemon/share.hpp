#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "engine/anchor.hpp"
#include "engine/series_id.hpp"

namespace atcd::daemon {

/// Which symbols are one worker's: every symbol is exactly one's, with all its intervals and profiles.
struct Share {
  std::size_t worker = 0;
  std::size_t workers = 1;

  /// By exchange:market:symbol, each part percent-encoded, whatever follows it.
  bool owns(std::string_view series_name) const {
    std::size_t end = 0;
    for (int parts = 0; parts < 3 && end != std::string_view::npos; ++parts)
      end = series_name.find(':', end == 0 ? 0 : end + 1);
    return engine::fnv1a_64(series_name.substr(0, end)) % workers == worker;
  }
  bool owns(std::string_view exchange, std::string_view market, std::string_view symbol) const {
    return owns(engine::percent_encode(exchange) + ":" + engine::percent_encode(market) + ":" +
                engine::percent_encode(symbol));
  }
};

}  // namespace atcd::daemon
