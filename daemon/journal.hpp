#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/log.hpp"
#include "daemon/seldom.hpp"

namespace atcd::state {
class Publisher;
}

namespace atcd::daemon {

/// What happens to the daemon and its series, told where it belongs: one line in the log, and an entry in the
/// events stream where subscribers should know. One thread.
class Journal {
 public:
  using Listener =
      std::function<void(std::string_view event, std::string_view series, std::string_view detail)>;

  explicit Journal(state::Publisher& publisher) : publisher_(publisher) {}

  /// Is told of every event() too, until another one is; null: nobody is.
  void listen(Listener listener) { listener_ = std::move(listener); }

  /// Log and events stream. `series` is empty where the event concerns the daemon; `detail` is a sentence.
  void event(Level level, std::string_view event, std::string_view series, std::string_view detail);
  /// Log only.
  void log(Level level, std::string_view event, std::string_view series, std::string_view detail);
  /// The same where all series may have one trouble over and over: of one detail ten lines a minute.
  void warn_seldom(std::string_view event, std::string_view series, std::string_view detail);

 private:
  state::Publisher& publisher_;
  Listener listener_;
  Seldom seldom_;
};

}  // namespace atcd::daemon
