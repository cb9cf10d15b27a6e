#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config.hpp"
#include "daemon/redis_login.hpp"
#include "daemon/watchdog.hpp"
#include "feeds/exchange.hpp"

namespace atcd::daemon {

/// An exchange's clock, as measured: by so much it is ahead of ours (behind: negative).
struct ExchangeClock {
  const feeds::Exchange* exchange;
  std::int64_t offset_ms;
};

/// How many series there are and how many of them are live, and the clocks; for readiness and status lines.
struct PipelineStatus {
  std::size_t series = 0;
  std::size_t live = 0;
  std::size_t unpublished = 0;
  bool redis_connected = false;
  std::vector<ExchangeClock> clocks;  // of the exchanges that have told their time
};

/// The running daemon: its workers, each with a share of the symbols, and what concerns all of them: the
/// store on disk, snapshots, the heartbeat. Used from the one thread that runs the io_context.
class Pipeline {
 public:
  /// `login`: of the configuration's Redis.
  Pipeline(boost::asio::io_context& io, const Config& config, const RedisLogin& login);
  ~Pipeline();

  void start();
  /// Takes up another configuration: series that are in both are not touched. What only a restart can change
  /// (Redis, state, http, instance, threads) is named in the log and left as it is. Then calls `done`.
  void reload(const Config& config, const std::function<void()>& done);
  /// Stops the feeds, brings what is ready to Redis, says what was flushed, then calls `done`.
  void stop(const std::function<void()>& done);

  PipelineStatus status() const;
  /// Of each worker.
  std::vector<const SignsOfLife*> signs_of_life() const;
  /// All that could be known from the last run is: its signals are the latest in Redis.
  bool warm() const;
  /// From now on the exchanges are asked for what is missing.
  void fill();
  /// Takes a snapshot of all engines, as it does by itself every minute.
  void take_snapshot();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atcd::daemon
