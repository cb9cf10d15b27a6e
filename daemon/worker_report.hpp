#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "feeds/exchange.hpp"
#include "feeds/feed.hpp"
#include "feeds/series.hpp"
#include "state/latency_histogram.hpp"
#include "state/publisher.hpp"

namespace atcd::daemon {

/// What the feeds of one exchange and market have counted since the start.
struct FeedReport {
  const feeds::Exchange* exchange = nullptr;
  feeds::FeedCounters counters;
  feeds::Feed::Connections connections;
  std::uint64_t bars_closed = 0;      // by frames
  std::uint64_t bars_backfilled = 0;  // by REST
  std::uint64_t gap_bars = 0;
  state::LatencyHistogram event_lag;       // from the exchange's time of a frame to its reading
  std::chrono::milliseconds rest_left{0};  // until the queued REST requests are answered, about

  void add(const feeds::SeriesCounters& series);
  void add(const FeedReport& other);
};

/// What the feeds that a reload ended have counted: where another of the exchange and market goes on, their
/// sum does not fall.
class RetiredFeeds {
 public:
  void add(FeedReport last);
  void add_to(std::vector<FeedReport>& running) const;

 private:
  std::vector<FeedReport> feeds_;  // one an exchange and market
};

/// What one worker tells the owner's thread about once a second: values, so that neither waits for the other.
struct WorkerReport {
  std::int64_t at_ms = 0;  // monotonic
  std::vector<FeedReport> feeds;
  state::PublishCounters publish;
  state::LatencyHistogram indicator_update;           // of signals by closed bars, one in UpdateTimes::kOneIn
  std::optional<std::int64_t> oldest_unpublished_us;  // UTC
  std::size_t waiting_changes = 0;                    // for the history's writer
  std::size_t waiting_events = 0;                     // for Redis

  /// Of several workers: sums; the oldest of what waits; at_ms is left as it is.
  void add(const WorkerReport& other);
};

}  // namespace atcd::daemon
