#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/fold_reader.hpp"
#include "feeds/exchange.hpp"
#include "state/history.hpp"
#include "state/history_writer.hpp"
#include "state/snapshot.hpp"

namespace atcd::daemon {

/// exchange:market:symbol:interval, each part percent-encoded: what a series of bars is called in the
/// history.
std::string archive_name(const feeds::Exchange& exchange, const feeds::StreamName& stream);

/// The running daemon's history on disk, for all its workers: what earlier runs left, and the writer of what
/// comes.
class BarStore {
 public:
  /// `directory`: [state] directory. Throws std::runtime_error with a sentence where it can't be used.
  BarStore(const std::string& directory, std::size_t workers);

  /// As it was at the start, for one worker alone.
  state::History& before(std::size_t worker) { return *before_[worker]; }
  state::HistoryWriter& writer() { return *writer_; }
  const state::Snapshot& snapshot() const { return snapshot_; }

 private:
  BarStore(const std::string& directory, std::size_t workers, std::unique_ptr<state::History> history);

  std::vector<std::unique_ptr<state::History>> before_;
  std::unique_ptr<state::HistoryWriter> writer_;
  state::Snapshot snapshot_;
};

/// One worker's part of the store. Reading and writing share no state: a series is read once, before the
/// first of its bars is written. The worker's thread.
class BarArchive {
 public:
  using Handle = state::HistoryPort::Handle;

  /// `io`: the thread's.
  BarArchive(BarStore& store, std::size_t worker, boost::asio::io_context& io)
      : before_(store.before(worker)),
        port_(store.writer().port(worker)),
        snapshot_(store.snapshot()),
        folds_(io, before_) {}

  struct Opened {
    Handle handle = 0;
    state::StoredBars bars;         // the newest that can be had quickly; none: nothing is known
    std::uint64_t corrections = 0;  // of its bars, so far
    std::vector<state::LateBar> late;
  };
  /// A series that was there before goes on with what it left.
  Opened open(const std::string& name);
  /// Something was known of the series at the start.
  bool knows(const std::string& name) const { return series_before(name).has_value(); }
  /// open() gives bars of a series that is not there at present.
  bool has_bars(const std::string& name) const { return left_.contains(name) || knows(name); }
  /// What lies before the bars that open() gave, back to from_ms or to the newest hole. For the first time
  /// before the series is written to: its newest bars lie where those that follow are put.
  state::StoredBars earlier(const std::string& name, std::int64_t boundary_ms, std::int64_t from_ms);
  /// The engine of a published series as an earlier run saved it.
  std::optional<state::SnapshotEntry> engine_of(const std::string& series) const {
    return snapshot_.find(series);
  }
  state::HistoryPort& writer() { return port_; }
  FoldReader& folds() { return folds_; }

  /// Of what the series' bars are the prices; empty where that was never told.
  std::optional<state::Instrument> instrument(const std::string& name) const;
  void set_instrument(const std::string& name, const state::Instrument& instrument);
  /// All symbols of the market whose instrument is known, each once.
  std::vector<feeds::SymbolInfo> known_symbols(const feeds::Exchange& exchange) const;
  /// Close of the last bar that the series is known to have had; 0: none.
  std::int64_t end_ms(const std::string& name) const;
  /// No bar that it had at the start closed before this time; 0: not known, or it has been away since.
  std::int64_t first_close_ms(const std::string& name);
  /// The series goes; it may come again, and goes on then with these bars: what was published is of them,
  /// whatever REST tells by now. `complete`: earlier() has no more of them. `now_ms`: monotonic.
  void left(const std::string& name, Opened known, bool complete, std::int64_t now_ms);
  /// The same of one that has had no bar since it was opened: nothing was written, and the next one finds
  /// what was found now. So with a clock that was set far ahead at the start: no bar seemed to be wanted.
  void left_unused(const std::string& name);
  /// About once a minute: forgets those that went first, where they are more than memory should hold. Should
  /// they come again, REST is asked for all.
  void trim(std::int64_t now_ms);
  /// What reading has found damaged since the last call, a sentence each.
  std::vector<std::string> take_problems();
  /// What is held is set aside, and the name is a new series' that nothing is known of. Handles of before
  /// belong to what was set aside.
  void begin_anew(const std::string& name, const state::Instrument& instrument, std::int64_t at_ms);

 private:
  struct Left {
    Opened known;
    bool complete;
    std::int64_t at_ms;
  };
  std::optional<state::History::Series> series_before(const std::string& name) const;

  state::History& before_;  // as it was at the start
  state::HistoryPort& port_;
  const state::Snapshot& snapshot_;
  std::set<std::string> opened_;
  std::set<std::string> anew_;                            // what was there at the start is set aside
  std::map<std::string, state::Instrument> instruments_;  // told since the start
  std::map<std::string, std::int64_t> ends_;              // of series that went
  std::map<std::string, Left> left_;                      // of these what is held still
  std::set<std::string> complete_;                        // came again with all that the disk had before
  std::size_t told_problems_ = 0;                         // of before_
  FoldReader folds_;
};

}  // namespace atcd::daemon
