#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "feeds/simulator/faults.hpp"
#include "feeds/simulator/market.hpp"
#include "feeds/simulator/subscriptions.hpp"
#include "feeds/simulator/wire.hpp"

namespace atcd::feeds::simulator {

/// How long after its end a bar's closing frame comes, on the exchange's clock: `least_ms`, and for every
/// stream its own part of `spread_ms`. However many streams there are, they lie evenly over it.
struct ClosingDelay {
  std::int64_t least_ms = 100, spread_ms = 0;  // at least 0

  std::int64_t of_stream_ms(std::uint64_t number) const {
    constexpr std::uint64_t kGoldenRatio = 0x9E3779B97F4A7C15;  // of 2^64: multiples lie evenly
    return least_ms + static_cast<std::int64_t>(
                          ((number * kGoldenRatio >> 32) * static_cast<std::uint64_t>(spread_ms)) >> 32);
  }
};

/// The streams of a generated market that somebody is subscribed to: which frames are due when. A bar's
/// closing frame comes so long after its end on the exchange's clock, a trade so long after it was made, as
/// ClosingDelay says, and says so in its event time, however late the process is; none is left out. No clock,
/// no I/O; one thread.
class MarketStreams {
 public:
  static constexpr std::int64_t kNothingDue = std::numeric_limits<std::int64_t>::max();

  MarketStreams(Market& market, const Wire& wire, Faults& faults, Subscriptions& subscriptions,
                const ClosingDelay& delay);

  void open(const std::string& name, std::size_t symbol, const WireStream& stream, std::int64_t now_ms);
  void close(const std::string& name);

  /// When the next closing frame or trade is due, on the exchange's clock.
  std::int64_t next_due_ms() const { return std::min(next_closing_ms(), next_delayed_ms()); }
  /// Sends the closing frames and trades that are due, in order of time, `most` at most; false where more are
  /// due.
  bool send_closing(std::int64_t now_ms, std::size_t most);
  /// Sends the running bar of every stream whose last bar has been closed.
  void send_forming(std::int64_t now_ms);

  /// Of every stream of the symbol: corrects the bar that closed so many bars ago (1: the newest that has
  /// closed) and sends it as closed once more. How many there were.
  std::size_t correct(std::size_t symbol, std::int64_t bars_ago, std::int64_t now_ms);

  std::size_t size() const { return streams_.size(); }
  /// Of each symbol, by its index: closing frames that were sent, each counted once for all who got it.
  const std::vector<std::uint64_t>& closing_frames() const { return closing_frames_; }

 private:
  struct Open {
    std::string name, interval_text;
    std::size_t symbol;
    engine::Interval interval;
    std::int64_t delay_ms;
    std::int64_t next_close_ms;  // or of trades: the time of the next one
    std::optional<RunningBar> running;
    std::int64_t last_trade = -1;  // its number; -1: a stream of bars
  };
  /// A closing frame that comes later than it should.
  struct Delayed {
    std::string name, interval_text;
    std::size_t symbol;
    engine::Interval interval;
    std::int64_t close_ms;
  };
  std::int64_t next_closing_ms() const { return due_.empty() ? kNothingDue : due_.begin()->first; }
  std::int64_t next_delayed_ms() const { return delayed_.empty() ? kNothingDue : delayed_.begin()->first; }
  RunningBar& running(Open& stream, std::int64_t time_ms) const;
  void send_one(Open& stream);
  void send_delayed();
  /// To those who subscribed before, with what the faults make of it. To how many.
  std::size_t send(const WireFrame& frame, std::int64_t before_ms);
  void send_trade(Open& stream);

  Market& market_;
  const Wire& wire_;
  Faults& faults_;
  Subscriptions& subscriptions_;
  ClosingDelay delay_;
  std::uint64_t last_number_ = 0;
  std::map<std::uint64_t, Open> streams_;  // by their number, in order of subscription
  std::unordered_map<std::string, std::uint64_t> numbers_;
  std::set<std::pair<std::int64_t, std::uint64_t>> due_;  // time and number
  std::multimap<std::int64_t, Delayed> delayed_;          // by the time when they come
  std::vector<std::uint64_t> closing_frames_;
};

}  // namespace atcd::feeds::simulator
