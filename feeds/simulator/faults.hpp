#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace atcd::feeds::simulator {

/// What goes wrong on demand, by native symbol. Halts are the market's, cut connections the server's.
struct Faults {
  std::set<std::string> refused;                 // subscriptions of it are
  std::map<std::string, std::int64_t> withheld;  // so many of its next closing frames and trades are not sent
  std::map<std::string, std::uint64_t> withholds;  // so many were not

  /// Whether the closing frame that is due now is to be withheld; counts it.
  bool withhold(const std::string& symbol) {
    const auto found = withheld.find(symbol);
    if (found == withheld.end()) return false;
    if (--found->second <= 0) withheld.erase(found);
    ++withholds[symbol];
    return true;
  }
};

}  // namespace atcd::feeds::simulator
