#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

#include "daemon/control_request.hpp"

namespace atcd::daemon {

/// Which daemon a command speaks to.
struct ControlTarget {
  std::string instance = "main";
  std::string socket;  // a path; empty: where the instance listens
};

/// A connection to a running daemon, for commands: it waits for each answer. One thread.
class ControlClient {
 public:
  /// Throws std::runtime_error with a sentence where no daemon listens.
  explicit ControlClient(const ControlTarget& target);
  ~ControlClient();
  ControlClient(const ControlClient&) = delete;
  ControlClient& operator=(const ControlClient&) = delete;

  /// The answer's line without its end. Throws std::runtime_error with a sentence where none comes.
  std::string ask(const ControlRequest& request,
                  std::chrono::milliseconds longest = std::chrono::seconds(30));
  const std::string& path() const { return path_; }
  /// Who listens.
  struct Peer {
    uid_t user = 0;
    gid_t group = 0;
  };
  Peer peer() const { return peer_; }

 private:
  int descriptor_ = -1;
  std::string path_;
  Peer peer_;
  std::string received_;
};

}  // namespace atcd::daemon
