#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "feeds/simulator/target.hpp"
#include "feeds/simulator/wire.hpp"

namespace atcd::feeds::simulator {

/// What one address has used in the running minute of real time.
struct WeightWindow {
  std::int64_t limit = 0;
  std::int64_t minute = -1;
  std::int64_t used = 0;
};

/// How Binance's two markets write numbers: spot always with eight decimals, USD-M with those of the steps.
struct NumberForm {
  int price, volume, quote;  // decimals
};
NumberForm number_form(const MarketSymbol& symbol, bool futures);
/// "1m", "1d": the intervals of both; "1s" is spot's alone.
bool binance_offers(std::string_view interval);
/// `value` with so many decimals, appended.
void append_decimal(std::string& out, double value, int decimals);

/// The market data calls of /api/v3 (spot) and /fapi/v1 (USD-M): klines, exchangeInfo, ticker/24hr (without
/// the order book's fields), time, ping; with their weights, errors and the limit's answer.
class BinanceRest {
 public:
  /// `weight_limit`: a minute, of each of both markets; 0: what Binance grants.
  explicit BinanceRest(std::int64_t weight_limit);
  RestAnswer get(const RestQuestion& question);

 private:
  RestAnswer klines(const RestQuestion& question, const Target& target, bool futures) const;
  RestAnswer exchange_info(const RestQuestion& question, const Target& target, bool futures) const;
  RestAnswer tickers(const RestQuestion& question, const Target& target, bool futures) const;

  std::array<WeightWindow, 2> windows_;  // spot, futures
};

}  // namespace atcd::feeds::simulator
