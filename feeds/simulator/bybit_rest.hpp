#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "feeds/simulator/target.hpp"
#include "feeds/simulator/wire.hpp"

namespace atcd::feeds::simulator {

/// The markets, as requests and addresses name them; their numbers are the wire's forms.
inline constexpr std::array<std::string_view, 3> kBybitMarkets = {"spot", "linear", "inverse"};
inline constexpr Form kBybitSpot = 0, kBybitInverse = 2;

/// The interval that Bybit calls so: "1", "60", "D".
std::optional<engine::Interval> bybit_interval(std::string_view name);
/// With as many decimals as it takes, as Bybit writes.
void append_shortest(std::string& out, double value);

/// What Bybit calls volume and turnover: of coins and of the quote currency; on inverse, whose contracts are
/// worth 1 USD each, of contracts and of coins.
double bybit_volume(const Kline& kline, Form market);
double bybit_turnover(const Kline& kline, Form market);

/// The market data calls under /v5/market: kline, instruments-info, tickers (without the order book's
/// fields), time; with their errors and the limit's answer.
class BybitRest {
 public:
  /// `weight_limit`: requests in a minute, spread over the windows of 5 s that Bybit counts in; 0: what it
  /// grants, 600 in each. `ban`: so long whoever went beyond gets nothing but 403.
  BybitRest(std::int64_t weight_limit, std::chrono::milliseconds ban);
  RestAnswer get(const RestQuestion& question);

 private:
  static RestAnswer kline(const RestQuestion& question, const Target& target, Form market);
  static RestAnswer instruments(const RestQuestion& question, const Target& target, Form market);
  static RestAnswer tickers(const RestQuestion& question, const Target& target, Form market);

  std::int64_t limit_;
  std::int64_t window_ = -1;  // the running one
  std::int64_t used_ = 0;     // in it
  std::int64_t ban_ms_;
  std::optional<std::int64_t> banned_until_ms_;  // of real time
};

}  // namespace atcd::feeds::simulator
