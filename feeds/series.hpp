#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/bar.hpp"
#include "engine/interval.hpp"
#include "feeds/doubted_page.hpp"
#include "feeds/exchange.hpp"
#include "feeds/feed.hpp"

namespace atcd::feeds {

enum class SeriesState : std::uint8_t { warming, catching_up, live, stale, gap, halted, ended };
inline constexpr std::size_t kSeriesStates = 7;

/// "WARMING", "CATCHING_UP", ...: as written to Redis.
std::string_view state_name(SeriesState state);

/// What the exchange's list says of a symbol: there, there but not traded, not there any more.
enum class Listing : std::uint8_t { trading, halted, ended };

/// The two clocks as arguments, so that the state machine reads none itself.
struct Now {
  std::int64_t monotonic_ms = 0;  // timers
  std::int64_t utc_ms = 0;        // sizes a request, says when to ask; never decides that a bar is closed
};

/// What a series goes by: its interval, what is known of the exchange, and how long it waits.
struct SeriesRules {
  engine::Interval interval;
  std::int64_t settling_ms = 0;          // Exchange::settling_time
  std::int64_t rows_per_request = 0;     // Exchange::history_rows_per_request, at least 2
  std::int64_t overdue_after_ms = 3000;  // a successor without the closing mark sends us to REST after this
  std::int64_t stale_after_ms = 0;       // without a data frame
  // The closed bars of frames are built by us: what REST says outranks them. One without a trade waits for a
  // row of REST: that nothing was traded is proven, but in a halt the exchange has no bars.
  bool built_here = false;
  // So long after a bar's end by the clock REST is asked for it where nothing came that closes it: a closing
  // frame was lost and no other follows, or the market is quiet and bars that are built need a trade after
  // their end. While REST does not show it either, again, after twice as long each time. 0: never.
  std::int64_t ask_after_ms = 0;
};

/// Every bar and frame is accounted for in one of these.
struct SeriesCounters {
  std::uint64_t gap_bars = 0;  // slots of the holes
  std::uint64_t closed_by_frame = 0, closed_by_history = 0, forming = 0, duplicates = 0, absent_slots = 0,
                holes = 0, corrections = 0, conflicting = 0, pending_dropped = 0, history_errors = 0,
                stale = 0, compared = 0, built_otherwise = 0, disproved = 0, left_out = 0;
};

/// What a series asks of its surroundings. Called from inside the methods of Series.
class SeriesHandler {
 public:
  /// A closed bar, each exactly once and in order. state() says whether the series is live.
  virtual void on_bar(const engine::Bar& bar, std::int64_t received_us) = 0;
  /// The newest bar was corrected before its successor came.
  virtual void on_correction(const engine::Bar& before, const engine::Bar& now, std::int64_t received_us) = 0;
  /// A closed bar that was used already came again with other prices; the one used stays.
  virtual void on_conflict(const engine::Bar& used, const engine::Bar& other) = 0;
  /// A row of REST tells a closed bar as it was used.
  virtual void on_confirmed(const engine::Bar& used) { static_cast<void>(used); }
  /// A bar was closed by a row of REST that may be from before its last trades, or such a row tells one
  /// otherwise: to be compare()d once rows prove something.
  virtual void on_unproven() {}
  virtual void on_state(SeriesState state, std::string_view reason) = 0;
  /// Bars older than all others came: every one from covered_from_ms to the next of bars().
  virtual void on_earlier(std::span<const engine::Bar> bars, std::int64_t covered_from_ms) = 0;
  /// Bars now reach back to what was asked for.
  virtual void on_covered() = 0;
  /// Fetch rows with open times from_ms to to_ms, then call on_history. Lower priority first. One at a time,
  /// and one page of the past beside it.
  virtual void fetch(std::int64_t from_ms, std::int64_t to_ms, int priority) = 0;
  virtual void resubscribe() = 0;
  /// What does the exchange's list say? set_listing() is the answer.
  virtual void ask_listing() = 0;

 protected:
  ~SeriesHandler() = default;
};

/// One series of bars, from whatever frames and REST rows bring: splices them, drops duplicates, finds holes
/// and has them filled before anything later is let through. A contiguity ledger: every slot from
/// covered_from() to next() either has a bar here or is known to have none. Pure: no clock, no I/O. One
/// thread.
class Series {
 public:
  /// Starts with the slot of `from_ms` as the first that is wanted.
  Series(const SeriesRules& rules, std::int64_t from_ms, SeriesHandler& handler);

  /// Bars that are known from before: all that exist from one boundary to the other, which follow the wanted
  /// slot or hold it. Before start(); nothing is told of them. False, and nothing changes, where bars and
  /// wanted slots have a hole between them. What lies before them is asked for only with require_from().
  bool restore(std::vector<engine::Bar> bars, std::int64_t covered_from_ms, std::int64_t covered_to_ms);
  /// Bars before those of restore(), every one from the boundary on.
  void restore_earlier(std::span<const engine::Bar> bars, std::int64_t covered_from_ms);
  /// Other frames bring the bars from now on: of the same interval. What waits behind a hole is asked for
  /// again.
  void set_rules(const SeriesRules& rules);
  /// Asks for the first history; call once the handler is ready for it.
  void start(const Now& now);
  void on_stream_up(const Now& now);
  void on_stream_down(const Now& now, std::string_view reason);
  void on_kline(const Kline& kline, std::int64_t received_us, const Now& now);
  void on_history(const HistoryResult& result, std::int64_t received_us, const Now& now);
  /// Rows that were asked for to compare them with what is here: of each bar the other telling is told, but
  /// the newest is corrected where the exchange's own `corrects` it, or a row that proved nothing had closed
  /// it.
  void compare(const HistoryResult& result, bool corrects, std::int64_t received_us);
  /// What the exchange's list says at present. Tells a market that stands still from a dead feed.
  void set_listing(Listing listing, const Now& now);
  /// Call about once a second.
  void on_timer(const Now& now);

  /// Bars back to this slot are needed; on_covered() tells when they are there (at once if they are).
  void require_from(std::int64_t ordinal, const Now& now);
  /// Puts another content in the place of a bar that is there. False when there is none.
  bool replace(const engine::Bar& bar);
  /// Puts a bar in a slot that was thought to have none, before others that are there. False when it is not
  /// so.
  bool insert(const engine::Bar& bar);
  /// Makes room for the next bar while nobody waits: a thousand bars take some 20 us to move.
  void prepare() {
    if (bars_.size() == bars_.capacity()) bars_.reserve(2 * bars_.size());
  }
  /// Forgets all but about the newest `keep` bars.
  void trim(std::size_t keep);

  SeriesState state() const { return state_; }
  std::span<const engine::Bar> bars() const { return bars_; }
  /// Index in bars() of the first bar with this open time or later.
  std::size_t index_at(std::int64_t open_time_ms) const;
  std::int64_t covered_from() const { return covered_from_; }
  std::int64_t next() const { return next_; }
  /// Closed bars wait behind a hole.
  bool has_pending() const { return !pending_.empty(); }
  /// Later bars than those that are here are known to have closed.
  bool later_closed() const {
    // One that is held back may be the newest itself, where REST has told it just now.
    return rows_follow_ || (has_pending() && slot_of(pending_.back().bar) >= next_);
  }
  const engine::Interval& interval() const { return rules_.interval; }
  const SeriesCounters& counters() const { return counters_; }

 private:
  struct PendingBar {
    engine::Bar bar;
    std::int64_t received_us;
  };
  struct Request {
    std::int64_t from, to;  // ordinals, inclusive
    bool backward;
    bool after_stream_up;  // only then can it prove that the stream misses nothing
  };

  static constexpr int kRepairPriority = 0, kCatchUpPriority = 1, kFirstLoadPriority = 2,
                       kBackwardPriority = 3;
  // Where a whole feed is silent every series asks: what is known to be missing goes before, first loads have
  // their turn.
  static constexpr int kQuietPriority = kFirstLoadPriority;

  void set_state(SeriesState state, std::string_view reason);
  void set_resting_state(SeriesState state, std::string_view reason);
  void wake(std::string_view reason, const Now& now);
  void doubt_request();
  void look_anew();
  void close_by_frame(const engine::Bar& bar, std::int64_t received_us, const Now& now);
  void row_again(const engine::Bar& row, bool corrects, std::int64_t received_us);
  bool seen_again(std::int64_t ordinal, const engine::Bar& bar, bool corrects, std::int64_t received_us);
  void built_again(const engine::Bar& bar, std::int64_t received_us);
  bool waits_for_rest(const engine::Bar& bar) const { return rules_.built_here && bar.volume == 0; }
  bool is_final(const HistoryResult& result, std::size_t row) const;
  void row_unproven(const engine::Bar& row);
  bool quiet(const Now& now);
  void still_quiet(std::int64_t clock_ms, const Now& now);
  void append(const engine::Bar& bar, std::int64_t received_us);
  void hold_back(const engine::Bar& bar, std::int64_t received_us);
  void release_pending();
  void skip_to(std::int64_t ordinal);
  std::int64_t page() const;
  void request_forward(const Now& now, int priority);
  void request_backward(const Now& now);
  void take_forward(const HistoryResult& result, const Request& request, std::int64_t received_us,
                    const Now& now);
  std::int64_t take_empty(const Request& request, const Now& now);
  void take_backward(const HistoryResult& result, const Request& request, const Now& now);
  bool failed(const HistoryResult& result, const Request& request, const Now& now);
  bool disproved(const HistoryResult& result, const Request& request, const Now& now);
  bool beginning_believed(const HistoryResult& result, const Request& request, const Now& now);
  bool believed(const Request& request, std::span<const engine::Bar> bars, const Now& now);
  void history_failed(std::string_view why, const Request& request, const Now& now);
  std::int64_t slot_of(const engine::Bar& bar) const { return rules_.interval.ordinal(bar.open_time_ms); }

  SeriesRules rules_;
  SeriesHandler& handler_;
  std::vector<engine::Bar> bars_;
  std::vector<PendingBar> pending_;       // closed by frame, in order, behind a hole
  bool rows_follow_ = false;              // closed ones in the answer that is being taken
  std::optional<std::int64_t> unproven_;  // ordinal: the last bar of a row that proved nothing
  std::int64_t covered_from_;             // ordinal
  std::int64_t next_;                     // ordinal of the first slot that is not accounted for
  std::int64_t back_target_;              // ordinal that require_from asked for
  std::int64_t looked_to_ = 0;  // ordinal: from next_ to before it there is no row, as was answered twice
  std::int64_t empty_to_ = 0;   // ordinal: to here the last answer was empty, for the first time
  std::optional<std::int64_t> empty_since_ms_;  // monotonic: every answer was, or lacked its beginning
  std::optional<Request> request_;              // of what is next, and
  std::optional<Request> past_;                 // of the past: it may wait for long behind those of others
  DoubtedPage doubted_;                         // of the past, as it was answered last
  // Ordinals: the first slot that was asked for, and that of the first row, the last time.
  std::optional<std::pair<std::int64_t, std::int64_t>> beginning_;
  std::optional<std::int64_t> disproved_since_ms_;  // monotonic: no answer had our newest bar, since then
  std::optional<std::int64_t> lacking_since_ms_;    // monotonic: no page was whole, since then
  struct Unusable {
    std::vector<std::int64_t> open_ms;  // of rows that are no bars, as told last
    std::int64_t since_ms = 0;          // monotonic: so they were told in every answer that had some
  };
  Unusable unusable_, past_unusable_;
  std::int64_t look_again_at_ms_ = 0;  // monotonic: at pages of the past
  std::optional<std::int64_t> overdue_since_ms_;
  struct Over {
    std::int64_t slot;
    std::int64_t ask_at_ms;  // monotonic
    int in_vain;             // answers that did not close it
  };
  std::optional<Over> over_;  // the slot that the clock has passed
  std::int64_t retry_at_ms_ = 0;
  std::int64_t last_frame_ms_ = 0;
  // Nothing was traded in the last bar that REST closed, since the last frame and the last complaint.
  bool untraded_ = false;
  int failures_ = 0, past_failures_ = 0;  // of requests forward and backward, in a row
  int errors_ = 0;                        // of REST, since the last answer
  bool stream_up_ = false;
  bool caught_up_ = false;  // since the stream came up, nothing is missing before next_
  SeriesState state_ = SeriesState::catching_up;
  Listing listing_ = Listing::trading;
  SeriesCounters counters_;
};

}  // namespace atcd::feeds
