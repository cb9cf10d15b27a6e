#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/bar_archive.hpp"
#include "daemon/clock_offsets.hpp"
#include "daemon/config.hpp"
#include "daemon/log.hpp"
#include "daemon/redis_login.hpp"
#include "daemon/share.hpp"
#include "daemon/watchdog.hpp"
#include "daemon/worker_report.hpp"
#include "feeds/address_limits.hpp"
#include "feeds/series.hpp"
#include "state/group_sizes.hpp"

namespace atcd::daemon {

class Bulk;
struct WorkerView;

/// What a worker last said of itself, about once a second. Written by its thread, read by any.
struct WorkerStatus {
  std::array<std::atomic<std::size_t>, feeds::kSeriesStates> by_state{};  // published series
  std::atomic<std::size_t> stopped{0};  // of the halted: Redis holds another configuration's signals
  std::atomic<std::size_t> unpublished{0};
  std::atomic<std::uint64_t> audited{0}, audit_differences{0};
  ClockOffsets clock_offsets;
  std::atomic<bool> redis_connected{false};
  SignsOfLife signs;
  std::atomic<std::int64_t> restored_us{0};  // from the start until it was warm
  std::atomic<bool> warm{false};             // at once: a start waits for it
};

/// A thread with its share of the symbols: their connections, their series and engines, and a connection to
/// Redis, wired in the order of a message. Workers share nothing on that way; they meet in the history's
/// writer, in the limits of the exchanges' addresses, in the sizes of groups and in the log.
class Worker {
 public:
  struct Context {
    const Config& config;
    RedisLogin login;
    BarStore& store;
    Bulk& bulk;
    feeds::AddressBook& addresses;
    std::shared_ptr<state::GroupSizes> group_sizes;
    Share share;
    /// Called from the worker's thread where it can't go on; nothing more comes from it.
    std::function<void(std::exception_ptr)> on_failure;
    /// Called from the worker's thread about once a second.
    std::function<void(WorkerReport)> on_report;
  };

  explicit Worker(Context context);
  /// Ends the thread.
  ~Worker();

  // From the owner's thread. They return at once; what they ask for happens on the worker's thread, where
  // callbacks are made too.
  void start();
  void reload(const Config& config, std::function<void()> done);
  /// From now on the exchanges are asked for what is missing.
  void fill();
  /// The entries of all its engines, some series at a time, whatever else is ready to run in between.
  void save(std::function<void(std::vector<std::string> entries)> done);
  void heartbeat(std::vector<std::pair<std::string, std::string>> fields);
  /// Looks at what runs here: daemon/worker_questions.hpp.
  void ask(std::function<void(const WorkerView& view)> question);
  /// As Journal::event, without a series.
  void event(Level level, std::string event, std::string detail);

  struct Stopped {
    std::size_t unacknowledged = 0;
    std::uint64_t added = 0;
    std::vector<std::string> entries;  // of the snapshot
    bool begun = true;                 // with all series; else that of the run before has more
  };
  /// Stops the feeds and brings what is ready to Redis.
  void stop(std::function<void(Stopped)> done);

  const WorkerStatus& status() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atcd::daemon
