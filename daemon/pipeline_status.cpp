#include "daemon/pipeline_status.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "daemon/clock.hpp"
#include "daemon/version.hpp"
#include "daemon/worker.hpp"

namespace atcd::daemon {
namespace {

// A bar over which the exchange is asked waits ten seconds at most.
constexpr double kLongestUnpublishedS = 15;

std::size_t count(const PipelineStatus& status, feeds::SeriesState state) {
  return status.by_state[static_cast<std::size_t>(state)];
}

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
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
  if (status.stopping || status.stuck.empty()) return {};  // while it stops workers end one by one
  return {status.stuck};
}

std::vector<std::string> why_not_ready(const PipelineStatus& status, std::int64_t now_ms) {
  if (status.stopping) return {"the daemon is stopping"};
  std::vector<std::string> why;
  const std::size_t catching_up = count(status, feeds::SeriesState::catching_up);
  if (!status.redis_connected) why.emplace_back("Redis is not connected");
  const double waits_s = status.oldest_unpublished_s(now_ms * 1000);
  if (status.redis_connected && waits_s > kLongestUnpublishedS) {
    why.push_back("Redis is connected, but a bar that closed " +
                  std::to_string(static_cast<std::int64_t>(waits_s)) +
                  " s ago is not in it: event=redis_refused in the log says why");
  }
  if (!status.warm) why.emplace_back("what the last run knew is not in Redis yet");
  if (status.series == 0) {
    why.emplace_back(
        "there is no series: the exchange's list of symbols has not come, or has none that is asked for");
  } else if (!status.caught_up && catching_up > 0) {
    const std::int64_t left_ms = status.warm_up_ends_ms(now_ms) - now_ms;
    why.push_back(std::to_string(catching_up) + " of " + std::to_string(status.series) +
                  " series are catching up, for about " +
                  std::to_string(std::max<std::int64_t>(1, left_ms / 1000)) + " s more");
  } else if (status.live == 0) {
    why.push_back("none of " + std::to_string(status.series) + " series is live");
  }
  if (status.stopped > 0) {
    why.push_back(
        std::to_string(status.stopped) + " of " + std::to_string(status.series) +
        " series are stopped: Redis holds signals of another configuration; adopt = true in [redis] "
        "continues them");
  }
  return why;
}

void add_worker(PipelineStatus& status, const WorkerStatus& worker) {
  status.redis_connected = status.redis_connected && worker.redis_connected;
  status.stopped += worker.stopped;
  status.unpublished += worker.unpublished;
  status.audited += worker.audited;
  status.audit_differences += worker.audit_differences;
  status.restore_s = std::max(status.restore_s, static_cast<double>(worker.restored_us) / 1e6);
  for (std::size_t state = 0; state < worker.by_state.size(); ++state) {
    status.by_state[state] += worker.by_state[state];
    status.series += worker.by_state[state];
  }
}

std::string clock_name(const feeds::Exchange& exchange) {
  return std::string(exchange.name()) + ":" + std::string(exchange.market());
}

std::vector<std::pair<std::string, std::string>> heartbeat_fields(const PipelineStatus& status) {
  std::vector<std::pair<std::string, std::string>> fields = {
      {"beat_ms", std::to_string(utc_ms())},
      {"started_ms", std::to_string(status.started_ms)},
      {"version", std::string(version_number())},
      {"host", host_name()},
      {"pid", std::to_string(getpid())},
      {"series", std::to_string(status.series)},
      {"audited", std::to_string(status.audited)},
      {"audit_differences", std::to_string(status.audit_differences)}};
  for (std::size_t state = 0; state < status.by_state.size(); ++state) {
    std::string name(feeds::state_name(static_cast<feeds::SeriesState>(state)));
    for (char& c : name) c = c == '_' ? '_' : static_cast<char>(c - 'A' + 'a');
    fields.emplace_back(std::move(name), std::to_string(status.by_state[state]));
  }
  for (const auto& [exchange, offset_ms] : status.clocks)
    fields.emplace_back("clock_offset_ms:" + clock_name(*exchange), std::to_string(offset_ms));
  return fields;
}

}  // namespace atcd::daemon
