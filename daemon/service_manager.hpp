#pragma once

#include <optional>
#include <string>

namespace atcd::daemon {

/// Tells the service manager how the service stands, as sd_notify(3) does, but never waits: a manager that
/// stands still, or nobody who reads, must not hold up the thread that the heartbeat comes from. One thread.
class ServiceManager {
 public:
  /// Where NOTIFY_SOCKET says; nowhere where it is not set.
  ServiceManager();
  ~ServiceManager();
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  /// A state that it must learn of ("READY=1"). Where it takes nothing just now it is told again before
  /// whatever comes next, unless that is another state.
  void tell_state(std::string state);
  /// What the next one replaces ("STATUS=...", "WATCHDOG=1"): now or not at all.
  void tell(const std::string& text);

 private:
  bool send(const std::string& text) const;
  void tell_untold();

  std::string path_;  // empty: nobody wants to know
  // Held from the start on: who has no descriptor left is not dead.
  int socket_ = -1;
  std::optional<std::string> untold_;  // the newest state, until it is taken
};

}  // namespace atcd::daemon
