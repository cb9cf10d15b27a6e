#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "daemon/config.hpp"
#include "daemon/market_load.hpp"

namespace atcd::daemon {

/// What asking the exchanges came to.
struct ExchangeFindings {
  std::vector<std::string> facts;
  std::vector<std::string> errors;
  std::size_t series = 0;  // as far as they are known
  SymbolLists symbols;     // of each feed, as far as they are known
};

/// Asks the exchange of every feed for its list of symbols, resolves what the configuration names, and
/// estimates the time that an empty history takes to load within the REST limits.
ExchangeFindings check_exchanges(const Config& config);

}  // namespace atcd::daemon
