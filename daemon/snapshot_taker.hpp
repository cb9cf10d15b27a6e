#pragma once

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <functional>
#include <future>
#include <string>
#include <vector>

#include "state/publisher.hpp"

namespace atcd::daemon {

/// Takes snapshots of all engines without stalling the hot path: some series at a time, whatever else is
/// ready to run in between, and the file is written on a thread of its own. Each series' entry is true by
/// itself, so that bars may close meanwhile. Used from the io_context's thread.
class SnapshotTaker {
 public:
  /// Appends the entry of one published series, where there is one.
  using Save = std::function<void(state::SeriesIndex series, std::string& bytes)>;

  SnapshotTaker(boost::asio::io_context& io, std::string directory, Save save);
  /// Waits for the file that is being written.
  ~SnapshotTaker();
  SnapshotTaker(const SnapshotTaker&) = delete;
  SnapshotTaker& operator=(const SnapshotTaker&) = delete;

  /// Begins one; nothing happens while the last is still under way.
  void begin(std::vector<state::SeriesIndex> series);
  /// Takes and writes one at once: the daemon ends. A sentence, or empty when all is well.
  std::string take_now(const std::vector<state::SeriesIndex>& series);
  /// Once after each snapshot that could not be written: a sentence. Else empty.
  std::string take_problem();

 private:
  void save_some();

  boost::asio::io_context& io_;
  std::string directory_;
  Save save_;
  std::vector<state::SeriesIndex> waiting_;
  std::vector<std::string> pieces_;
  std::future<std::string> writing_;
};

}  // namespace atcd::daemon
