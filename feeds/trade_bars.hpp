#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "engine/bar.hpp"
#include "engine/interval.hpp"
#include "feeds/exchange.hpp"
#include "feeds/seen_trades.hpp"

namespace atcd::feeds {

/// Takes the bars that trades come to.
class TradeBarsHandler {
 public:
  /// `whole`: a running bar has all that was traded since its beginning; of a closed one it is always true.
  virtual void on_built(const Kline& kline, bool whole, std::int64_t received_us) = 0;

 protected:
  ~TradeBarsHandler() = default;
};

/// Every trade and slot is accounted for in one of these.
struct TradeBarsCounters {
  std::uint64_t trades = 0;
  std::uint64_t duplicates = 0;  // told before
  std::uint64_t late = 0;        // came for a slot that was over
  std::uint64_t off_book = 0;    // left out, their slots unproven
  std::uint64_t lost = 0;        // numbers that were skipped and have not come since
  std::uint64_t closed = 0;      // bars that were closed here, with
  std::uint64_t empty = 0;       // those of them in which nothing was traded
  std::uint64_t unproven = 0;    // slots that were left to REST
};

/// What is known of the exchange whose trades are made into bars.
struct TradeBarsRules {
  std::int64_t settling_ms = 0;      // Exchange::settling_time
  bool opens_at_last_close = false;  // Exchange::opens_at_last_close
};

/// Bars of one interval from a symbol's trades, by the time of each trade. A slot is over when a trade of a
/// later one has come and a settling time has passed; then its bar is closed, where it can be proven to be
/// whole. For that no trade may be missing: where the exchange numbers them without a hole the numbers tell,
/// else it must be the same connection from before its beginning until after its end, and a trade that is
/// told again is known by its identity. The slot in which the trades began never is. Slots without a trade
/// between others are proven in the same way and closed flat, at the last price. All others are left to REST.
/// Pure; the clock is monotonic. One thread.
class TradeBars {
 public:
  /// `name`: of the bars.
  TradeBars(StreamName name, const engine::Interval& interval, const TradeBarsRules& rules,
            TradeBarsHandler& handler);

  /// Another connection, or none, or something was not understood: what came before proves nothing about what
  /// comes next.
  void begin_anew();
  void on_trade(const Trade& trade, std::int64_t received_us, std::int64_t monotonic_ms);
  /// Closes what has settled; call about once a second.
  void on_timer(std::int64_t received_us, std::int64_t monotonic_ms);

  const TradeBarsCounters& counters() const { return counters_; }

 private:
  struct Slot {
    std::int64_t ordinal;
    engine::Bar bar;
    std::int64_t first, last;              // trades: numbers, or times where there are none
    std::optional<std::int64_t> ended_ms;  // when a trade of a later slot came
  };
  /// Numbers that were skipped: trades somewhere between the slots of those before and after them.
  struct Gap {
    std::int64_t first, last;  // last below first: what was filled or forgotten
    std::int64_t from_slot, to_slot;
  };

  struct LastPrice {
    double price;
    std::int64_t slot;  // in which it was paid
  };

  void begin(const Trade& trade, std::int64_t slot, std::int64_t monotonic_ms);
  bool is_new(const Trade& trade, std::int64_t slot);
  bool take_number(const Trade& trade, std::int64_t slot);
  bool fill_gap(const Trade& trade, std::int64_t slot);
  Slot& slot_at(std::int64_t ordinal, const Trade& trade, std::int64_t monotonic_ms);
  void close_settled(std::int64_t received_us, std::int64_t monotonic_ms);
  void close_front(std::int64_t received_us);
  void add_gap(const Gap& gap);
  bool complete(engine::Bar& bar, std::int64_t slot, const std::optional<LastPrice>& before) const;
  void close(engine::Bar bar, std::int64_t slot, const std::optional<LastPrice>& before,
             std::int64_t received_us);
  void tell_running(std::int64_t received_us);

  StreamName name_;
  engine::Interval interval_;
  TradeBarsRules rules_;
  TradeBarsHandler& handler_;
  std::deque<Slot> open_;                // with trades, in order
  std::vector<Gap> gaps_;                // in order of their numbers
  SeenTrades seen_;                      // of those without a number
  std::optional<LastPrice> last_price_;  // before the open slots
  bool began_ = false;
  std::int64_t first_slot_ = 0;   // in which the trades began, or we began to hear them
  std::int64_t next_ = 0;         // slots before it are over
  std::int64_t newest_slot_ = 0;  // of all trades
  std::int64_t last_slot_ = 0;    // of the trade with
  std::int64_t last_id_ = 0;      // the highest number; 0: none yet
  std::int64_t told_ms_ = 0;      // the running bar
  TradeBarsCounters counters_;
};

}  // namespace atcd::feeds
