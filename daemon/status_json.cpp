#include "daemon/status_json.hpp"

#include <array>
#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/catalogue.hpp"
#include "daemon/version.hpp"

namespace atcd::daemon {
namespace {

std::string number(double value) {
  std::array<char, 32> digits;  // the longest shortest form of a double has 24 characters
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
}
std::string number(std::int64_t value) { return std::to_string(value); }
std::string number(std::uint64_t value) { return std::to_string(value); }
std::string truth(bool value) { return value ? "true" : "false"; }
/// UTC; 0 is none.
std::string time_ms(std::int64_t ms) { return ms == 0 ? "null" : std::to_string(ms); }

/// Values are JSON already.
std::string object(const std::vector<std::pair<std::string_view, std::string>>& members) {
  std::string text = "{";
  for (const auto& [name, value] : members)
    text += (text.size() > 1 ? "," : "") + json_string(name) + ":" + value;
  return text + "}";
}

template <class Items, class Text>
std::string array(const Items& items, Text&& text_of) {
  std::string text = "[";
  for (const auto& item : items) text += (text.size() > 1 ? "," : "") + text_of(item);
  return text + "]";
}

std::string lag(const state::LatencyHistogram& times) {
  return object({{"count", number(times.count())},
                 {"p50_s", number(times.quantile_s(0.5))},
                 {"p99_s", number(times.quantile_s(0.99))}});
}

std::string by_state(const PipelineStatus& status) {
  std::vector<std::pair<std::string_view, std::string>> members;
  for (std::size_t i = 0; i < status.by_state.size(); ++i)
    members.emplace_back(feeds::state_name(static_cast<feeds::SeriesState>(i)),
                         number(std::uint64_t{status.by_state[i]}));
  return object(members);
}

std::string feed(const PipelineStatus& status, const FeedReport& report) {
  std::string offset = "null";
  for (const ExchangeClock& clock : status.clocks) {
    if (clock.exchange == report.exchange) offset = number(clock.offset_ms);
  }
  return object({{"exchange", json_string(report.exchange->name())},
                 {"market", json_string(report.exchange->market())},
                 {"connections", number(std::uint64_t{report.connections.open})},
                 {"connections_wanted", number(std::uint64_t{report.connections.wanted})},
                 {"last_message_ms", time_ms(report.counters.last_frame_us / 1000)},
                 {"messages", number(report.counters.frames)},
                 {"bars_closed", number(report.bars_closed)},
                 {"bars_backfilled", number(report.bars_backfilled)},
                 {"gap_bars", number(report.gap_bars)},
                 {"event_lag", lag(report.event_lag)},
                 {"clock_offset_ms", offset}});
}

std::string problem(const LoggedProblem& each) {
  return object({{"at_ms", number(each.at_us / 1000)},
                 {"level", json_string(each.level == Level::error ? "error" : "warning")},
                 {"event", json_string(each.event)},
                 {"text", json_string(each.text)}});
}

std::string worker(std::int64_t silent_ms) {
  return object({{"silent_s", number(static_cast<double>(silent_ms) / 1e3)}});
}

std::string queue(const QueueStatus& each) {
  return object({{"queue", json_string(each.name)},
                 {"depth", number(std::uint64_t{each.depth})},
                 {"capacity", number(std::uint64_t{each.capacity})},
                 {"dropped", number(each.dropped)}});
}

}  // namespace

std::string status_json(const PipelineStatus& status, std::int64_t now_us) {
  const std::int64_t now_ms = now_us / 1000;
  const auto sentence = [](const std::string& text) { return json_string(text); };
  const state::PublishCounters& publish = status.total.publish;
  const std::string redis = object({{"connected", truth(status.redis_connected)},
                                    {"unpublished", number(std::uint64_t{status.unpublished})},
                                    {"oldest_unpublished_s", number(status.oldest_unpublished_s(now_us))},
                                    {"added", number(publish.added)},
                                    {"conflicts", number(publish.conflicts)},
                                    {"errors", number(publish.errors)},
                                    {"close_to_publish", lag(publish.close_to_publish)},
                                    {"command", lag(publish.command)}});
  return object({{"instance", json_string(status.instance)},
                 {"version", json_string(version_number())},
                 {"started_ms", number(status.started_ms)},
                 {"uptime_s", number(static_cast<double>(now_ms - status.started_ms) / 1e3)},
                 {"healthy", truth(why_unhealthy(status).empty())},
                 {"unhealthy_because", array(why_unhealthy(status), sentence)},
                 {"ready", truth(why_not_ready(status, now_ms).empty())},
                 {"not_ready_because", array(why_not_ready(status, now_ms), sentence)},
                 {"series", number(std::uint64_t{status.series})},
                 {"series_by_state", by_state(status)},
                 {"warm_up_ends_ms", time_ms(status.warm_up_ends_ms(now_ms))},
                 {"feeds",
                  array(status.total.feeds, [&](const FeedReport& report) { return feed(status, report); })},
                 {"redis", redis},
                 {"indicator_update", lag(status.total.indicator_update)},
                 {"workers", array(status.silent_ms, worker)},
                 {"queues", array(status.queues, queue)},
                 {"snapshot_ms", time_ms(status.snapshot_ms)},
                 {"restore_s", number(status.restore_s)},
                 {"last_run_ended", truth(status.last_run_ended)},
                 {"reload_failed", truth(status.reload_failed)},
                 {"reload_errors", number(status.reload_errors)},
                 {"last_problems", array(status.problems, problem)}}) +
         "\n";
}

}  // namespace atcd::daemon
