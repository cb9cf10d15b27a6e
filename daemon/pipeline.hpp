#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/bulk.hpp"
#include "daemon/config.hpp"
#include "daemon/pipeline_status.hpp"
#include "daemon/redis_login.hpp"
#include "daemon/self_audit.hpp"
#include "daemon/series_rows.hpp"
#include "daemon/watchdog.hpp"

namespace atcd::daemon {

/// What the end brought to Redis.
struct Drained {
  std::uint64_t added = 0;         // signals of this run that Redis took
  std::size_t unacknowledged = 0;  // those that were ready and that it has not acknowledged
  std::string snapshot_problem;    // a sentence; empty: the last snapshot is written
};

/// Where a page of series begins.
struct RowsPlace {
  std::size_t worker = 0;
  state::SeriesIndex first = 0;
};
struct RowsPage {
  std::vector<SeriesRow> rows;
  std::optional<RowsPlace> next;  // empty: that was the last
};

/// The running daemon: its workers, each with a share of the symbols, and what concerns all of them: the
/// store on disk, snapshots, the heartbeat. Used from the one thread that runs the io_context.
class Pipeline {
 public:
  /// `login`: of the configuration's Redis. `bulk` outlives this.
  Pipeline(boost::asio::io_context& io, const Config& config, const RedisLogin& login, Bulk& bulk);
  ~Pipeline();

  void start();
  /// Takes up another configuration: series that are in both are not touched. What only a restart can change
  /// (Redis, state, http, instance, threads) is named in the log and left as it is. Then calls `done`.
  void reload(const Config& config, const std::function<void()>& done);
  /// The same, and tells what it came to, that included, once the exchanges' lists are there, or half a
  /// minute later. One at a time.
  void reload_and_tell(const Config& config, const std::function<void()>& done,
                       const std::function<void(Changes)>& told);
  /// The file was read again, and can be taken up or has errors: for the status.
  void configuration_read(bool usable);
  /// Stops the feeds, brings what is ready to Redis, says what was flushed, then calls `done`.
  void stop(const std::function<void(const Drained&)>& done);

  PipelineStatus status() const;
  /// Of each worker.
  std::vector<const SignsOfLife*> signs_of_life() const;
  /// All that could be known from the last run is: its signals are the latest in Redis.
  bool warm() const;
  /// From now on the exchanges are asked for what is missing.
  void fill();
  /// Takes a snapshot of all engines, as it does by itself every minute.
  void take_snapshot();
  /// The same, after one that may be under way; `written` is told why it is not written, or "" when it is.
  void take_snapshot(std::function<void(const std::string& problem)> written);

  // Questions, answered on our thread; the workers look some series at a time.
  /// At most `limit` of a worker's series.
  void rows(const RowsPlace& place, std::size_t limit, std::function<void(RowsPage)> done);
  void feeds(const std::function<void(std::vector<FeedRow>)>& done);
  /// What the newest signal of the series is computed from, empty where there is no signal yet; and its
  /// state, empty where there is no such series.
  using SubjectDone =
      std::function<void(std::optional<SelfAudit::Subject>, std::optional<feeds::SeriesState>)>;
  void subject(const std::string& series, SubjectDone done);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atcd::daemon
