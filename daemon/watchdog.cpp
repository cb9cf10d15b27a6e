#include "daemon/watchdog.hpp"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <utility>

#include "daemon/clock.hpp"
#include "daemon/log.hpp"
#include "daemon/service_manager.hpp"

namespace atcd::daemon {
namespace {

constexpr std::int64_t kUsualWatchdogMs = 30'000;
constexpr std::int64_t kLooks = 6;  // within the service manager's patience
// A worker ticks every second, and may have much to do in between.
constexpr std::int64_t kLeastWorkerPatienceMs = 3000;
// A silent connection is given up after half a minute, and connecting may take a quarter of one.
constexpr std::int64_t kFeedsPatienceMs = 60'000;

std::int64_t asked_for_ms() {
  std::uint64_t watchdog_us = 0;
  return sd_watchdog_enabled(0, &watchdog_us) > 0 ? static_cast<std::int64_t>(watchdog_us / 1000) : 0;
}

std::string seconds(std::int64_t ms) { return std::to_string(ms / 1000) + " s"; }

}  // namespace

Patience Patience::with(std::int64_t watchdog_ms) {
  if (watchdog_ms == 0) watchdog_ms = kUsualWatchdogMs;
  return {std::max(kLeastWorkerPatienceMs, watchdog_ms / 3), kFeedsPatienceMs};
}

std::string what_is_stuck(const std::vector<const SignsOfLife*>& workers, const Patience& patience,
                          std::int64_t now_ms) {
  for (std::size_t i = 0; i < workers.size(); ++i) {
    const std::string worker = "worker " + std::to_string(i);
    const std::int64_t ticked_ms = workers[i]->ticked_ms, feeds_sign_ms = workers[i]->feeds_sign_ms;
    if (ticked_ms == 0) continue;
    if (now_ms - ticked_ms > patience.worker_ms)
      return worker + " has given no sign of life for " + seconds(now_ms - ticked_ms);
    if (now_ms - feeds_sign_ms > patience.feeds_ms)
      return "a connection of " + worker + " has not been read for " + seconds(now_ms - feeds_sign_ms);
  }
  return "";
}

Watchdog::Watchdog(boost::asio::io_context& io, ServiceManager& manager,
                   std::vector<const SignsOfLife*> workers)
    : manager_(manager),
      workers_(std::move(workers)),
      watchdog_ms_(asked_for_ms()),
      patience_(Patience::with(watchdog_ms_)),
      period_((watchdog_ms_ == 0 ? kUsualWatchdogMs : watchdog_ms_) / kLooks),
      timer_(io) {}

void Watchdog::start() { look(); }

void Watchdog::stop() { timer_.cancel(); }

void Watchdog::look() {
  const std::string before = std::exchange(stuck_, what_is_stuck(workers_, patience_, monotonic_ms()));
  if (stuck_.empty()) {
    manager_.tell("WATCHDOG=1");
    if (!before.empty()) log_event(Level::warning, "watchdog", {{"detail", std::string_view("all goes on")}});
  } else if (before.empty()) {
    log_event(Level::error, "watchdog", {{"detail", std::string_view(stuck_)}});
  }
  timer_.expires_after(period_);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) look();
  });
}

}  // namespace atcd::daemon
