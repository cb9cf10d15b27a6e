#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "feeds/simulator/clock.hpp"
#include "feeds/simulator/market.hpp"

namespace atcd::feeds::simulator {

struct RestAnswer {
  int status = 200;
  std::string body;
  int retry_after_s = 0;  // 0: no header
};

/// The exchange behind the sockets: what REST answers, what a websocket request is answered, which frames are
/// due. No I/O. One thread.
class ExchangeState {
 public:
  ExchangeState(std::uint64_t seed, std::size_t symbols, Clock clock, std::int64_t weight_limit);

  const Clock& clock() const { return clock_; }
  const Market& market() const { return market_; }
  std::int64_t used_weight() const { return used_weight_; }

  /// GET. `real_ms`: monotonic, for the weight's minute.
  RestAnswer get(std::string_view target, std::int64_t real_ms);
  /// POST /sim/...; false where it is none of ours. What needs the sockets is left to the caller.
  bool control(std::string_view target, RestAnswer& answer);

  /// "btcusdt@kline_1m" is a stream that exists.
  bool is_stream(std::string_view name) const;
  bool is_refused(std::string_view name) const;

  /// A stream that somebody is subscribed to: its closing frames from the next boundary on.
  void open(const std::string& stream);
  void close(const std::string& stream);

  struct Due {
    std::string stream, raw, combined;
    bool closing;
  };
  /// Closing frames whose time has come, every boundary that has passed, in order; with `forming` also one
  /// frame of each running bar.
  std::vector<Due> due(bool forming);

  std::uint64_t closing_frames_sent() const { return closing_sent_; }

 private:
  struct OpenStream {
    std::size_t symbol;
    std::string interval_text;
    engine::Interval interval;
    std::int64_t next_close_ms;
  };

  std::optional<OpenStream> parse_stream(std::string_view name) const;
  RestAnswer klines(const std::map<std::string, std::string>& query);
  std::string exchange_info() const;
  std::string tickers() const;
  bool take_weight(std::int64_t weight, std::int64_t real_ms);

  Market market_;
  Clock clock_;
  std::int64_t weight_limit_;
  std::int64_t used_weight_ = 0, weight_minute_ = -1;
  std::map<std::string, OpenStream> open_;
  std::set<std::string> refused_, halted_;        // symbols
  std::map<std::string, std::int64_t> withheld_;  // symbol: closing frames still to be withheld
  std::uint64_t closing_sent_ = 0;
};

/// The query of a target as names and values, percent-decoded.
std::map<std::string, std::string> query_of(std::string_view target);
std::string_view path_of(std::string_view target);

}  // namespace atcd::feeds::simulator
