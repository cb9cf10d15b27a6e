#pragma once

#include <cstdint>
#include <string>

namespace atcd::state {

/// Of what a series' bars are the prices, as the exchange's list told it when its history began.
struct Instrument {
  std::string base, quote, settle;  // empty: not known
  std::int64_t delivery_ms = 0;     // of a dated future; 0: spot, or perpetual
  std::int64_t listed_ms = 0;       // 0: the exchange has never said
  double contract_size = 0;         // 0: the exchange has never said
  // Close of the last bar of another instrument that had the name before, whose history was set aside. 0:
  // there was none.
  std::int64_t replaced_ms = 0;

  /// Bars that closed by then are no bars of this instrument.
  std::int64_t begins_ms() const { return listed_ms > replaced_ms ? listed_ms : replaced_ms; }
  bool operator==(const Instrument&) const = default;
};

}  // namespace atcd::state
