#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace atcd::daemon {

class ServiceManager;

/// A worker's life as its thread shows it, in milliseconds of the monotonic clock; 0: it has not begun. Any
/// thread.
struct SignsOfLife {
  std::atomic<std::int64_t> ticked_ms{0};      // about once a second
  std::atomic<std::int64_t> feeds_sign_ms{0};  // of its feeds, the oldest last_sign (feeds/feed.hpp)
};

/// How long a worker or a connection may give no sign. Milliseconds.
struct Patience {
  std::int64_t worker_ms, feeds_ms;

  /// `watchdog_ms`: the service manager's; 0: it has none.
  static Patience with(std::int64_t watchdog_ms);
};

/// What is stuck, as a sentence; empty where nothing is.
std::string what_is_stuck(const std::vector<const SignsOfLife*>& workers, const Patience& patience,
                          std::int64_t now_ms);

/// Feeds the service manager's watchdog, so that it starts a daemon anew that does not work any more, and
/// only then. It is fed while the owner's thread runs (the timer is on it), every worker ticks, and no
/// connection is left unread and unreplaced. Fresh data means just that: that whatever an exchange sends
/// would be heard. A night without trades, an exchange that is away or shuts us out, and a Redis that is down
/// are no reason to start anew: nothing would be mended by it. What is stuck is logged as well, so that the
/// log tells why it was killed. One io_context, its thread only.
class Watchdog {
 public:
  /// What `workers` points to outlives it.
  Watchdog(boost::asio::io_context& io, ServiceManager& manager, std::vector<const SignsOfLife*> workers);

  void start();
  void stop();
  /// As what_is_stuck, when last looked.
  const std::string& stuck() const { return stuck_; }

 private:
  void look();

  ServiceManager& manager_;
  std::vector<const SignsOfLife*> workers_;
  std::int64_t watchdog_ms_;  // 0: the service manager has none
  Patience patience_;
  std::chrono::milliseconds period_;
  boost::asio::steady_timer timer_;
  std::string stuck_;
};

}  // namespace atcd::daemon
