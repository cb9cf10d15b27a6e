#include "daemon/journal.hpp"

#include "daemon/clock.hpp"
#include "state/publisher.hpp"

namespace atcd::daemon {

void Journal::event(Level level, std::string_view event, std::string_view series, std::string_view detail) {
  log(level, event, series, detail);
  publisher_.event(event, utc_ms(), series, detail);
  if (listener_) listener_(event, series, detail);
}

void Journal::log(Level level, std::string_view event, std::string_view series, std::string_view detail) {
  if (series.empty() && detail.empty()) {
    log_event(level, event, {});
  } else if (series.empty()) {
    log_event(level, event, {{"detail", detail}});
  } else if (detail.empty()) {
    log_event(level, event, {{"series", series}});
  } else {
    log_event(level, event, {{"series", series}, {"detail", detail}});
  }
}

}  // namespace atcd::daemon
