#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/bulk.hpp"
#include "daemon/log.hpp"
#include "daemon/worker_report.hpp"
#include "feeds/exchange.hpp"
#include "feeds/series.hpp"

namespace atcd::daemon {

/// An exchange's clock, as measured: by so much it is ahead of ours (behind: negative).
struct ExchangeClock {
  const feeds::Exchange* exchange;
  std::int64_t offset_ms;
};

/// A bounded queue of the daemon.
struct QueueStatus {
  std::string_view name;
  std::size_t depth, capacity;
  std::uint64_t dropped;
};

/// How the daemon stands: for readiness, metrics, the status page and whoever asks over the control socket.
/// Workers tell their part about once a second.
struct PipelineStatus {
  std::string instance;
  std::int64_t started_ms = 0;  // UTC
  std::size_t series = 0;       // published
  std::size_t live = 0;
  std::array<std::size_t, feeds::kSeriesStates> by_state{};
  std::size_t stopped = 0;  // of the halted: Redis holds another configuration's signals
  std::size_t unpublished = 0;
  bool redis_connected = false;
  bool warm = false;       // all that could be known from the last run is in Redis
  bool caught_up = false;  // since the start no series was left catching up, for once
  bool stopping = false;
  std::vector<ExchangeClock> clocks;    // of the exchanges that have told their time
  WorkerReport total;                   // of all workers; its feeds: one for each exchange and market
  std::vector<std::int64_t> silent_ms;  // of each worker: since its last report
  std::string stuck;                    // what_is_stuck(), see watchdog.hpp
  std::vector<QueueStatus> queues;
  Bulk::Counters replays;
  std::uint64_t audited = 0, audit_differences = 0;
  double restore_s = 0;                 // from the start until it was warm; 0: not yet
  std::int64_t snapshot_ms = 0;         // when the newest snapshot on disk was taken, UTC; 0: there is none
  bool last_run_ended = true;           // in order
  std::uint64_t reload_errors = 0;      // configurations that were refused
  bool reload_failed = false;           // the last one was
  std::vector<LoggedProblem> problems;  // the newest warnings and errors, oldest first

  /// When the series that catch up will be done, by the exchanges' limits, UTC; 0: none catches up.
  std::int64_t warm_up_ends_ms(std::int64_t now_ms) const;
  double oldest_unpublished_s(std::int64_t now_us) const;
};

/// What keeps the owner's thread or a worker from making progress, a sentence each; none: all is well.
std::vector<std::string> why_unhealthy(const PipelineStatus& status);
/// What is missing for the daemon to do what it is for, a sentence each; none: it is ready.
std::vector<std::string> why_not_ready(const PipelineStatus& status, std::int64_t now_ms);

struct WorkerStatus;
/// Adds what a worker tells of itself. `redis_connected` begins as true.
void add_worker(PipelineStatus& status, const WorkerStatus& worker);

/// exchange:market, as messages and the heartbeat name a clock.
std::string clock_name(const feeds::Exchange& exchange);
/// The fields of the heartbeat in Redis.
std::vector<std::pair<std::string, std::string>> heartbeat_fields(const PipelineStatus& status);

}  // namespace atcd::daemon
