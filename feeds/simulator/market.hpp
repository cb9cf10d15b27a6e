#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/bar.hpp"
#include "engine/interval.hpp"

namespace atcd::feeds::simulator {

struct MarketSymbol {
  std::string symbol, base, quote;
  double price = 100;                // typical level
  std::int64_t tick_e8 = 1'000'000;  // price step in 1e-8
  int price_decimals = 2;
  std::int64_t listed_ms = 0;  // no bars before
};

/// A market whose whole history follows from a seed: the price of any symbol at any time is a pure function,
/// so that any bar of the past can be had without running the market up to it. Longer bars fold exactly from
/// one-minute bars.
class Market {
 public:
  /// `count` symbols, the first ones with the names and price levels of well-known pairs. 1 to 100,000.
  Market(std::uint64_t seed, std::size_t count);

  const std::vector<MarketSymbol>& symbols() const { return symbols_; }
  /// Index of the symbol; empty for an unknown one.
  std::optional<std::size_t> find(std::string_view symbol) const;
  void set_listed(std::size_t index, std::int64_t listed_ms) { symbols_[index].listed_ms = listed_ms; }

  /// The bar that holds `time_ms`, as it stands at `now_ms` (its end, or the running moment). Empty before
  /// the listing.
  std::optional<engine::Bar> bar(std::size_t index, const engine::Interval& interval, std::int64_t time_ms,
                                 std::int64_t now_ms) const;

 private:
  std::int64_t price_e8(std::size_t index, std::int64_t time_ms) const;

  std::uint64_t seed_;
  std::vector<MarketSymbol> symbols_;
};

}  // namespace atcd::feeds::simulator
