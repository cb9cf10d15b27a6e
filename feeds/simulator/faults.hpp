#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "feeds/simulator/fault_kinds.hpp"
#include "feeds/simulator/rest_fault.hpp"

namespace atcd::feeds::simulator {

/// What goes wrong on demand, by native symbol. Halts are the market's, what befalls whole connections the
/// server's.
struct Faults {
  std::set<std::string> refused;   // subscriptions of it are
  std::set<std::string> delisted;  // in no list, unknown to REST and streams
  struct Listing {
    std::int64_t listed_ms;
    double contract_size;
  };
  std::map<std::string, Listing> replaced;  // what the list says of it
  // So many of the next frames of a symbol, or of its next closing frames, are to go wrong so.
  std::map<std::pair<FaultKind, std::string>, std::int64_t> due;
  std::map<std::string, std::uint64_t> withholds;  // so many closing frames were not sent
  std::int64_t delay_ms = 0;                       // of delay_closing, on the exchange's clock
  std::size_t oversize_bytes = 0;
  char corrupt_byte = 1;
  std::int64_t early_data = 0;       // so many of the next subscriptions
  std::int64_t clock_offset_ms = 0;  // of what is told from what is
  RestFaults rest;

  /// So much of what was asked for is still to happen.
  std::uint64_t pending() const {
    auto count = static_cast<std::uint64_t>(early_data) + rest.size();
    for (const auto& each : due) count += static_cast<std::uint64_t>(each.second);
    return count;
  }

  /// Whether it befalls the frame that is due now; counts it.
  bool take(FaultKind kind, const std::string& symbol) {
    if (due.empty()) return false;
    const auto found = due.find({kind, symbol});
    if (found == due.end()) return false;
    if (--found->second <= 0) due.erase(found);
    if (kind == FaultKind::withhold_closing) ++withholds[symbol];
    return true;
  }
};

/// What becomes of one frame's text.
struct FrameDamage {
  bool twice = false, cut = false, corrupt = false;
  char byte = 0;
  std::size_t bytes = 0;  // at least so many

  static FrameDamage of_next(Faults& faults, const std::string& symbol) {
    FrameDamage damage;
    damage.twice = faults.take(FaultKind::duplicate, symbol);
    damage.cut = faults.take(FaultKind::truncate, symbol);
    damage.corrupt = faults.take(FaultKind::corrupt, symbol);
    damage.byte = faults.corrupt_byte;
    if (faults.take(FaultKind::oversize, symbol)) damage.bytes = faults.oversize_bytes;
    return damage;
  }
  std::string applied(std::string text) const {
    if (cut) text.resize(text.size() / 2);
    if (corrupt) text[text.size() / 2] = byte;
    // Blanks, so that a client which takes so much reads the same.
    if (text.size() < bytes) text.resize(bytes, ' ');
    return text;
  }
};

}  // namespace atcd::feeds::simulator
