#include "daemon/pipeline_status.hpp"

#include <algorithm>

#include "daemon/log.hpp"

namespace atcd::daemon {
namespace {

// A worker tells of itself every second; this long it is never busy with one thing.
constexpr std::int64_t kLongestSilenceMs = 10'000;

std::size_t count(const PipelineStatus& status, feeds::SeriesState state) {
  return status.by_state[static_cast<std::size_t>(state)];
}

}  // namespace

std::int64_t PipelineStatus::warm_up_ends_ms(std::int64_t now_ms) const {
  if (count(*this, feeds::SeriesState::catching_up) == 0) return 0;
  std::chrono::milliseconds left{0};
  for (const FeedReport& feed : total.feeds) left = std::max(left, feed.rest_left);
  return now_ms + left.count();
}

double PipelineStatus::oldest_unpublished_s(std::int64_t now_us) const {
  if (!total.oldest_unpublished_us) return 0;
  return static_cast<double>(std::max<std::int64_t>(0, now_us - *total.oldest_unpublished_us)) / 1e6;
}

std::vector<std::string> why_unhealthy(const PipelineStatus& status) {
  std::vector<std::string> why;
  if (status.stopping) return why;  // workers end one by one
  for (std::size_t i = 0; i < status.silent_ms.size(); ++i) {
    if (status.silent_ms[i] <= kLongestSilenceMs) continue;
    why.push_back("worker " + std::to_string(i) + " has given no sign of life for " +
                  std::to_string(status.silent_ms[i] / 1000) + " s");
  }
  return why;
}

std::vector<std::string> why_not_ready(const PipelineStatus& status, std::int64_t now_ms) {
  if (status.stopping) return {"the daemon is stopping"};
  std::vector<std::string> why;
  if (!status.redis_connected) why.emplace_back("Redis is not connected");
  if (!status.warm) why.emplace_back("what the last run knew is not in Redis yet");
  if (status.series == 0) {
    why.emplace_back("there is no series yet: the exchange's list of symbols has not come");
  } else if (!status.caught_up) {
    const std::int64_t left_ms = status.warm_up_ends_ms(now_ms) - now_ms;
    why.push_back(std::to_string(count(status, feeds::SeriesState::catching_up)) + " of " +
                  std::to_string(status.series) + " series are catching up, for about " +
                  std::to_string(std::max<std::int64_t>(1, left_ms / 1000)) + " s more");
  } else if (status.live == 0) {
    why.push_back("none of " + std::to_string(status.series) + " series is live");
  }
  return why;
}

}  // namespace atcd::daemon
