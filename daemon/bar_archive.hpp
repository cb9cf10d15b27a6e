#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "state/history.hpp"
#include "state/history_writer.hpp"

namespace atcd::daemon {

/// The running daemon's history on disk: what earlier runs left, and the writer of what comes. Reading and
/// writing share no state: a series is read once, before the first of its bars is written.
class BarArchive {
 public:
  using Handle = state::HistoryWriter::Handle;

  /// `directory`: [state] directory. Throws std::runtime_error with a sentence where it can't be used.
  explicit BarArchive(const std::string& directory);

  struct Opened {
    Handle handle;
    state::StoredBars bars;  // from from_ms on, or from the newest hole on; empty: nothing is known
  };
  /// `name`: exchange:market:symbol:interval.
  Opened open(const std::string& name, std::int64_t from_ms);
  state::HistoryWriter& writer() { return writer_; }

 private:
  std::string directory_;
  state::HistoryWriter writer_;
  state::History before_;  // as it was at the start
  std::set<std::string> opened_;
};

}  // namespace atcd::daemon
