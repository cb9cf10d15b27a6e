#pragma once

#include <chrono>

namespace atcd::daemon {

/// How long the process may take to end once all is written that is to be: with its destruction the time
/// begins, and what goes after it is only freed. A driver that hangs, or a log that nobody reads, would else
/// keep the next run waiting until the service manager kills this one.
class EndLimit {
 public:
  explicit EndLimit(std::chrono::milliseconds limit) : limit_(limit) {}
  ~EndLimit();
  EndLimit(const EndLimit&) = delete;
  EndLimit& operator=(const EndLimit&) = delete;

 private:
  std::chrono::milliseconds limit_;
};

}  // namespace atcd::daemon
