#include "daemon/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <initializer_list>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/version.hpp"

namespace atcd::daemon {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

double number(std::uint64_t value) { return static_cast<double>(value); }
double seconds(std::int64_t micros) { return static_cast<double>(micros) / 1e6; }

Labels market_labels(const feeds::Exchange& exchange) {
  return {{"exchange", std::string(exchange.name())}, {"market", std::string(exchange.market())}};
}
Labels with(Labels labels, std::string name, std::string_view value) {
  labels.push_back({std::move(name), std::string(value)});
  return labels;
}

/// The families in the order in which they are added.
class Page {
 public:
  void gauge(std::string name, std::string help, double value) {
    begin(MetricType::Gauge, std::move(name), std::move(help));
    gauge(Labels{}, value);
  }
  void counter(std::string name, std::string help, double value) {
    begin(MetricType::Counter, std::move(name), std::move(help));
    counter(Labels{}, value);
  }
  void begin(MetricType type, std::string name, std::string help) {
    families_.push_back({std::move(name), std::move(help), type, {}});
  }
  // Another value of the last family.
  void gauge(Labels labels, double value) { next(std::move(labels)).gauge.value = value; }
  void counter(Labels labels, double value) { next(std::move(labels)).counter.value = value; }
  /// Buckets from one bound to another, in nanoseconds; what is below the first counts in it.
  void histogram(Labels labels, const state::LatencyHistogram& times, std::int64_t from_ns,
                 std::int64_t to_ns) {
    ClientMetric::Histogram& histogram = next(std::move(labels)).histogram;
    histogram.sample_count = times.count();
    histogram.sample_sum = times.sum_s();
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < state::LatencyHistogram::kBounds; ++i) {
      const std::int64_t bound_ns = state::LatencyHistogram::kBoundsNs[i];
      below += times.counts()[i];
      if (bound_ns >= from_ns && bound_ns <= to_ns)
        histogram.bucket.push_back({below, static_cast<double>(bound_ns) / 1e9});
    }
    histogram.bucket.push_back({histogram.sample_count, std::numeric_limits<double>::infinity()});
  }

  std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  ClientMetric& next(Labels labels) {
    ClientMetric& metric = families_.back().metric.emplace_back();
    metric.label = std::move(labels);
    return metric;
  }

  std::vector<MetricFamily> families_;
};

/// One value for each exchange and market.
template <class Value>
void feed_gauge(Page& page, const PipelineStatus& status, std::string name, std::string help, Value value) {
  page.begin(MetricType::Gauge, std::move(name), std::move(help));
  for (const FeedReport& feed : status.total.feeds) page.gauge(market_labels(*feed.exchange), value(feed));
}
template <class Value>
void feed_counter(Page& page, const PipelineStatus& status, std::string name, std::string help, Value value) {
  page.begin(MetricType::Counter, std::move(name), std::move(help));
  for (const FeedReport& feed : status.total.feeds) page.counter(market_labels(*feed.exchange), value(feed));
}

void add_daemon(Page& page, const PipelineStatus& status, std::int64_t now_us) {
  page.begin(MetricType::Gauge, "atcd_build_info", "Always 1; the labels say which daemon this is.");
  page.gauge(Labels{{"version", std::string(version_number())}, {"daemon", status.instance}}, 1);
  page.gauge("atcd_ready",
             "1 where /-/ready says so: warm, Redis connected, caught up once, a series live, none stopped.",
             why_not_ready(status, now_us / 1000).empty() ? 1 : 0);
  page.begin(MetricType::Gauge, "atcd_series", "Published series by state.");
  for (std::size_t i = 0; i < status.by_state.size(); ++i) {
    std::string state(feeds::state_name(static_cast<feeds::SeriesState>(i)));
    for (char& c : state) c = c == '_' ? '_' : static_cast<char>(c - 'A' + 'a');
    page.gauge(Labels{{"state", state}}, number(status.by_state[i]));
  }
  page.gauge(
      "atcd_restore_seconds",
      "From the start until the latest signal of every series known from the last run was in Redis; 0: not "
      "yet.",
      status.restore_s);
  page.gauge("atcd_snapshot_last_success_timestamp_seconds",
             "When the newest snapshot of the engines on disk was taken; 0: there is none.",
             static_cast<double>(status.snapshot_ms) / 1e3);
  page.gauge("atcd_last_shutdown_clean", "0 where the run before this one was killed or crashed.",
             status.last_run_ended ? 1 : 0);
  page.counter("atcd_config_reload_errors_total", "Reloads that were refused because of errors.",
               number(status.reload_errors));
  page.gauge("atcd_config_last_reload_successful", "0 where the last reload was refused.",
             status.reload_failed ? 0 : 1);
  page.counter("atcd_audits_total",
               "Series whose newest signal was computed anew on another path and compared.",
               number(status.audited));
  page.counter("atcd_audit_differences_total", "Audits that found other bits.",
               number(status.audit_differences));
}

void add_feeds(Page& page, const PipelineStatus& status) {
  feed_gauge(page, status, "atcd_feed_connected", "1 where every connection that its streams need is open.",
             [](const FeedReport& feed) {
               const auto& connections = feed.connections;
               return connections.wanted > 0 && connections.open == connections.wanted ? 1 : 0;
             });
  page.begin(
      MetricType::Counter, "atcd_feed_connects_total",
      "Connections made, by why: start, lost (the one before ended), hand_over (before the exchange's cut), "
      "stale (its streams were silent).");
  for (const FeedReport& feed : status.total.feeds) {
    for (std::size_t i = 0; i < feeds::kConnectReasons.size(); ++i) {
      page.counter(with(market_labels(*feed.exchange), "reason", feeds::kConnectReasons[i]),
                   number(feed.counters.connects_for[i]));
    }
  }
  feed_counter(page, status, "atcd_feed_messages_received_total", "Websocket messages.",
               [](const FeedReport& feed) { return number(feed.counters.frames); });
  feed_counter(page, status, "atcd_feed_received_bytes_total", "Bytes of these messages.",
               [](const FeedReport& feed) { return number(feed.counters.bytes); });
  page.begin(MetricType::Counter, "atcd_feed_parse_errors_total",
             "What could not be used, by kind: malformed (not understood), unknown_stream (of none that is "
             "subscribed), rest (a REST request without a usable answer).");
  for (const FeedReport& feed : status.total.feeds) {
    const Labels labels = market_labels(*feed.exchange);
    page.counter(with(labels, "kind", "malformed"), number(feed.counters.malformed));
    page.counter(with(labels, "kind", "unknown_stream"), number(feed.counters.unknown_streams));
    page.counter(with(labels, "kind", "rest"), number(feed.counters.rest_errors));
  }
  feed_gauge(page, status, "atcd_feed_last_message_timestamp_seconds",
             "When the last websocket message was read, an answer to a ping included; 0: none was.",
             [](const FeedReport& feed) { return seconds(feed.counters.last_frame_us); });
  feed_counter(page, status, "atcd_feed_updates_total", "Tellings of a bar and trades in these messages.",
               [](const FeedReport& feed) { return number(feed.counters.klines + feed.counters.trades); });
  feed_counter(page, status, "atcd_feed_gap_bars_total", "Bars that were missing when a later one closed.",
               [](const FeedReport& feed) { return number(feed.gap_bars); });
  feed_counter(page, status, "atcd_feed_backfilled_bars_total",
               "Closed bars that came over REST: warming up, and what frames did not bring.",
               [](const FeedReport& feed) { return number(feed.bars_backfilled); });
  page.begin(MetricType::Histogram, "atcd_feed_event_lag_seconds",
             "From the exchange's time of a message to its reading, by both clocks as they are.");
  for (const FeedReport& feed : status.total.feeds)
    page.histogram(market_labels(*feed.exchange), feed.event_lag, 1'000'000, 50'000'000'000);
  page.begin(MetricType::Gauge, "atcd_clock_offset_seconds",
             "By so much the exchange's clock is ahead of ours; absent until it is known.");
  for (const ExchangeClock& clock : status.clocks)
    page.gauge(market_labels(*clock.exchange), static_cast<double>(clock.offset_ms) / 1e3);
  feed_counter(page, status, "atcd_bars_closed_total",
               "Bars closed by frames, once for each symbol and interval.",
               [](const FeedReport& feed) { return number(feed.bars_closed); });
}

void add_times(Page& page, const WorkerReport& total) {
  page.begin(
      MetricType::Histogram, "atcd_bar_close_to_publish_seconds",
      "The service level: from reading the frame that closed a bar to Redis' acknowledgement of its signal, "
      "outages of Redis included.");
  page.histogram({}, total.publish.close_to_publish, 10'000, 50'000'000'000);
  page.begin(MetricType::Histogram, "atcd_indicator_update_seconds",
             "Computing the signal of one series from one closed bar; one in 16 is timed.");
  page.histogram({}, total.indicator_update, 100, 10'000'000);
  page.begin(MetricType::Histogram, "atcd_redis_command_seconds",
             "From giving a command to the connection to Redis to its reply.");
  page.histogram({}, total.publish.command, 10'000, 10'000'000'000);
}

void add_redis(Page& page, const PipelineStatus& status, std::int64_t now_us) {
  page.gauge("atcd_redis_connected", "1 where every server that has one of our series is connected.",
             status.redis_connected ? 1 : 0);
  page.gauge("atcd_unpublished_bars", "Closed bars that Redis has not acknowledged.",
             number(status.unpublished));
  page.gauge("atcd_unpublished_oldest_age_seconds", "How long the oldest of them waits; 0: none waits.",
             status.oldest_unpublished_s(now_us));
  const state::PublishCounters& publish = status.total.publish;
  page.begin(
      MetricType::Counter, "atcd_publish_total",
      "What Redis answered to signals: added, same (it was there), different (there with other content), "
      "behind (bars before it are missing there), unknown (trimmed away there), error.");
  for (const auto& [result, count] :
       std::initializer_list<std::pair<std::string_view, std::uint64_t>>{{"added", publish.added},
                                                                         {"same", publish.same},
                                                                         {"different", publish.different},
                                                                         {"behind", publish.behind},
                                                                         {"unknown", publish.unknown},
                                                                         {"error", publish.errors}}) {
    page.counter(Labels{{"result", std::string(result)}}, number(count));
  }
  page.counter("atcd_publish_conflicts_total", "Bars about which Redis and our history differed.",
               number(publish.conflicts));
  page.counter("atcd_publish_repaired_total", "Of these, settled by asking the exchange.",
               number(publish.repaired));
}

void add_replays(Page& page, const Bulk::Counters& replays) {
  page.begin(MetricType::Counter, "atcd_bulk_replays_total",
             "Series replayed from bar 0 apart from the bars that close: computed, taken_up (of these, where "
             "nothing changed meanwhile), refused (too many at once: the worker replays them).");
  page.counter(Labels{{"result", "computed"}}, number(replays.computed));
  page.counter(Labels{{"result", "taken_up"}}, number(replays.taken_up));
  page.counter(Labels{{"result", "refused"}}, number(replays.refused));
}

void add_queues(Page& page, const PipelineStatus& status) {
  page.begin(MetricType::Gauge, "atcd_queue_depth",
             "What waits: history (bars for the disk), events (for Redis), log (lines).");
  for (const QueueStatus& queue : status.queues)
    page.gauge(Labels{{"queue", std::string(queue.name)}}, number(queue.depth));
  page.begin(MetricType::Gauge, "atcd_queue_capacity", "How much may wait.");
  for (const QueueStatus& queue : status.queues)
    page.gauge(Labels{{"queue", std::string(queue.name)}}, number(queue.capacity));
  page.begin(MetricType::Counter, "atcd_queue_dropped_total", "What was dropped because too much waited.");
  for (const QueueStatus& queue : status.queues)
    page.counter(Labels{{"queue", std::string(queue.name)}}, number(queue.dropped));
}

/// Under the names that all client libraries use.
void add_process(Page& page, const PipelineStatus& status, const ProcessStats& process) {
  page.counter("process_cpu_seconds_total", "Processor time of the process, user and system.", process.cpu_s);
  page.gauge("process_resident_memory_bytes", "Resident memory.", number(process.resident_bytes));
  page.gauge("process_virtual_memory_bytes", "Virtual memory.", number(process.virtual_bytes));
  page.gauge("process_open_fds", "Open file descriptors.", number(process.open_files));
  page.gauge("process_max_fds", "How many may be open.", number(process.most_files));
  page.gauge("process_threads", "Threads.", number(process.threads));
  page.gauge("process_start_time_seconds", "When the daemon started, in seconds since 1970 (UTC).",
             static_cast<double>(status.started_ms) / 1e3);
}

}  // namespace

std::string metrics_text(const PipelineStatus& status, const ProcessStats& process, std::int64_t now_us) {
  Page page;
  add_daemon(page, status, now_us);
  add_feeds(page, status);
  add_times(page, status.total);
  add_redis(page, status, now_us);
  add_replays(page, status.replays);
  add_queues(page, status);
  add_process(page, status, process);
  return page.text();
}

}  // namespace atcd::daemon
