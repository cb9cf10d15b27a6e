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
  std::uint64_t lost = 0;        // numbers that were skipped and have not come since
  std::uint64_t closed = 0;      // bars that were closed here, with
  std::uint64_t empty = 0;       // those of them in which nothing was traded
  std::uint64_t unproven = 0;    // slots that were left to REST
};

/// Bars of one interval from a symbol's trades, by the time of each trade. A slot is over when a trade of a
/// later one has come and a settling time has passed; then its bar is closed, where it can be proven to be
/// whole. For that no trade may be missing: where the exchange numbers them without a hole the numbers tell,
/// else it must be the same connection from before its beginning until after its end. The slot in which the
/// trades began never is. Slots without a trade between others are proven in the same way and closed flat, at
/// the last price. All others are left to REST. Pure; the clock is monotonic. One thread.
class TradeBars {
 public:
  /// `name`: of the bars.
  TradeBars(StreamName name, const engine::Interval& interval, std::int64_t settling_ms,
            TradeBarsHandler& handler);

  /// Another connection, or none: what came before proves nothing about what comes next.
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

  bool take_number(const Trade& trade, std::int64_t slot);
  bool fill_gap(const Trade& trade, std::int64_t slot);
  Slot& slot_at(std::int64_t ordinal, const Trade& trade, std::int64_t monotonic_ms);
  void close_settled(std::int64_t received_us, std::int64_t monotonic_ms);
  void close_front(std::int64_t received_us);
  bool proven(std::int64_t slot) const;
  void tell(const engine::Bar& bar, bool closed, bool whole, std::int64_t received_us);

  StreamName name_;
  engine::Interval interval_;
  std::int64_t settling_ms_;
  TradeBarsHandler& handler_;
  std::deque<Slot> open_;  // with trades, in order
  std::vector<Gap> gaps_;  // in order of their numbers
  bool began_ = false;
  std::int64_t first_slot_ = 0;   // in which the trades began
  std::int64_t next_ = 0;         // slots before it are over
  std::int64_t newest_slot_ = 0;  // of all trades
  std::int64_t last_slot_ = 0;    // of the trade with
  std::int64_t last_id_ = 0;      // the highest number; 0: none yet
  std::int64_t told_ms_ = 0;      // the running bar
  TradeBarsCounters counters_;
};

}  // namespace atcd::feeds
