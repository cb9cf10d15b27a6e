#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/bar.hpp"
#include "engine/interval.hpp"
#include "feeds/simulator/symbols.hpp"

namespace atcd::feeds::simulator {

/// A bar with what exchanges tell besides.
struct Kline {
  engine::Bar bar;
  double quote_volume = 0;
  double taker_volume = 0;  // bought by takers
  double taker_quote_volume = 0;
  std::int64_t trades = 0;
  std::int64_t first_trade = -1;  // number of the first one; -1 without trades
};

struct KlineQuery {
  std::size_t symbol = 0;
  engine::Interval interval{1, engine::Interval::Unit::minute};
  std::optional<std::int64_t> from_ms;  // without: the newest ones
  std::int64_t to_ms = 0;               // open time of the last, inclusive
  std::size_t limit = 0;
  std::int64_t now_ms = 0;  // the last one may be running
};

/// What REST tells of: a generated market, or what a recording has shown so far.
class Source {
 public:
  virtual ~Source() = default;
  virtual const std::vector<MarketSymbol>& symbols() const = 0;
  virtual std::optional<std::size_t> find(std::string_view symbol) const = 0;
  virtual bool trading(std::size_t symbol, std::int64_t now_ms) const = 0;
  /// Those that exist of the bars which open from from_ms to to_ms, oldest first.
  virtual std::vector<Kline> klines(const KlineQuery& query) const = 0;
};

}  // namespace atcd::feeds::simulator
