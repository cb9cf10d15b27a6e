#include "daemon/journal.hpp"

#include <string>

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

void Journal::warn_seldom(std::string_view event, std::string_view series, std::string_view detail) {
  const auto left_out = seldom_.take(detail, monotonic_ms());
  if (!left_out) return;
  std::string text(detail);
  if (*left_out > 0) text += " (and " + std::to_string(*left_out) + " lines more like this were left out)";
  log(Level::warning, event, series, text);
}

}  // namespace atcd::daemon
