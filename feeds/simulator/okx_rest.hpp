#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "feeds/simulator/target.hpp"
#include "feeds/simulator/wire.hpp"

namespace atcd::feeds::simulator {

inline constexpr std::string_view kOkxSwap = "-SWAP";

/// "BTC-USDT" of "BTC-USDT-SWAP", and of itself.
std::string_view okx_pair(std::string_view instrument);
/// A row of a candle, as frames and REST have it.
void append_okx_row(std::string& out, const MarketSymbol& symbol, const Kline& kline, bool closed);

/// The market data calls of /api/v5: candles, history-candles, instruments, tickers and time, with their
/// errors and the limits' answer.
class OkxRest {
 public:
  /// `weight_limit`: requests of each call in a minute; 0: what OKX grants in 2 s.
  explicit OkxRest(std::int64_t weight_limit) : limit_per_minute_(weight_limit) {}
  RestAnswer get(const RestQuestion& question);

 private:
  struct Window {
    std::int64_t number = -1;
    std::int64_t used = 0;
  };
  bool exceeds_limit(std::size_t call, std::int64_t real_ms);

  std::int64_t limit_per_minute_;
  std::array<Window, 5> windows_;
};

}  // namespace atcd::feeds::simulator
