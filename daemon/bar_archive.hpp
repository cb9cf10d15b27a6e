#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "feeds/exchange.hpp"
#include "state/history.hpp"
#include "state/history_writer.hpp"
#include "state/snapshot.hpp"

namespace atcd::daemon {

/// exchange:market:symbol:interval, each part percent-encoded: what a series of bars is called in the
/// history.
std::string archive_name(const feeds::Exchange& exchange, const feeds::StreamName& stream);

/// The running daemon's history on disk: what earlier runs left, and the writer of what comes. Reading and
/// writing share no state: a series is read once, before the first of its bars is written.
class BarArchive {
 public:
  using Handle = state::HistoryWriter::Handle;

  /// `directory`: [state] directory. Throws std::runtime_error with a sentence where it can't be used.
  explicit BarArchive(const std::string& directory);

  struct Opened {
    Handle handle;
    state::StoredBars bars;         // the newest that can be had quickly; none: nothing is known
    std::uint64_t corrections = 0;  // of its bars, so far
    std::vector<state::LateBar> late;
  };
  Opened open(const std::string& name);
  /// Something was known of the series at the start.
  bool knows(const std::string& name) const { return before_.find(name).has_value(); }
  /// What lies before the bars that open() gave, back to from_ms or to the newest hole. For the first time
  /// before the series is written to: its newest bars lie where those that follow are put.
  state::StoredBars earlier(const std::string& name, std::int64_t boundary_ms, std::int64_t from_ms);
  /// The engine of a published series as an earlier run saved it.
  std::optional<state::SnapshotEntry> engine_of(const std::string& series) const {
    return snapshot_.find(series);
  }
  const state::Snapshot& snapshot() const { return snapshot_; }
  state::HistoryWriter& writer() { return writer_; }

 private:
  BarArchive(const std::string& directory, std::unique_ptr<state::History> history);

  state::History before_;  // as it was at the start
  state::HistoryWriter writer_;
  state::Snapshot snapshot_;
  std::set<std::string> opened_;
};

}  // namespace atcd::daemon
