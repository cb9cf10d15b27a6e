// What a feed tells of itself, for metrics and the status.
#include "daemon/feed_runner.hpp"

namespace atcd::daemon {

FeedReport FeedRunner::report() const {
  FeedReport report = ended_;
  report.exchange = &exchange_;
  report.event_lag = event_lag_;
  if (feed_) {
    report.counters = feed_->counters();
    report.connections = feed_->connections();
    report.rest_left = feed_->estimated_rest_time();
  }
  for (const auto& [name, series] : series_) report.add(series->series().counters());
  return report;
}

/// Clocks that differ make it longer or shorter: clock_offset_ms() says by how much, about. More than a day
/// is no lag.
void FeedRunner::count_lag(std::int64_t event_time_ms, std::int64_t received_us) {
  if (event_time_ms == 0) return;
  const std::chrono::microseconds lag(received_us - event_time_ms * 1000);
  if (std::chrono::abs(lag) <= std::chrono::days(1)) event_lag_.add(lag);
}

}  // namespace atcd::daemon
