#pragma once

#include <string>
#include <string_view>

#include "daemon/log.hpp"

namespace atcd::state {
class Publisher;
}

namespace atcd::daemon {

/// What happens to the daemon and its series, told where it belongs: one line in the log, and an entry in the
/// events stream where subscribers should know. One thread.
class Journal {
 public:
  explicit Journal(state::Publisher& publisher) : publisher_(publisher) {}

  /// Log and events stream. `series` is empty where the event concerns the daemon; `detail` is a sentence.
  void event(Level level, std::string_view event, std::string_view series, std::string_view detail);
  /// Log only.
  void log(Level level, std::string_view event, std::string_view series, std::string_view detail);

 private:
  state::Publisher& publisher_;
};

}  // namespace atcd::daemon
