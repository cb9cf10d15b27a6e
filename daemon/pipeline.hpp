#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>

#include "daemon/config.hpp"
#include "daemon/pipeline_status.hpp"
#include "daemon/redis_login.hpp"

namespace atcd::daemon {

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
  /// A configuration that was to be taken up had errors: for the status.
  void reload_refused();
  /// Stops the feeds, brings what is ready to Redis, says what was flushed, then calls `done`.
  void stop(const std::function<void()>& done);

  PipelineStatus status() const;
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
