#include "daemon/worker_report.hpp"

#include <algorithm>

namespace atcd::daemon {
namespace {

void add(feeds::FeedCounters& to, const feeds::FeedCounters& from) {
  to.connects += from.connects;
  to.disconnects += from.disconnects;
  to.frames += from.frames;
  to.bytes += from.bytes;
  to.klines += from.klines;
  to.trades += from.trades;
  to.ignored += from.ignored;
  to.malformed += from.malformed;
  to.refusals += from.refusals;
  to.unknown_streams += from.unknown_streams;
  to.rest_requests += from.rest_requests;
  to.rest_errors += from.rest_errors;
  to.passed_over += from.passed_over;
  for (std::size_t i = 0; i < to.connects_for.size(); ++i) to.connects_for[i] += from.connects_for[i];
  to.last_frame_us = std::max(to.last_frame_us, from.last_frame_us);
}

void add(state::PublishCounters& to, const state::PublishCounters& from) {
  to.added += from.added;
  to.same += from.same;
  to.different += from.different;
  to.behind += from.behind;
  to.unknown += from.unknown;
  to.errors += from.errors;
  to.connects += from.connects;
  to.disconnects += from.disconnects;
  to.timeouts += from.timeouts;
  to.pushes += from.pushes;
  to.events_dropped += from.events_dropped;
  to.conflicts += from.conflicts;
  to.repaired += from.repaired;
  to.close_to_publish += from.close_to_publish;
  to.command += from.command;
}

auto find_feed(auto& feeds, const feeds::Exchange* exchange) {
  return std::find_if(feeds.begin(), feeds.end(),
                      [exchange](const FeedReport& each) { return each.exchange == exchange; });
}

void add_feed(std::vector<FeedReport>& feeds, const FeedReport& feed) {
  const auto known = find_feed(feeds, feed.exchange);
  known == feeds.end() ? feeds.push_back(feed) : known->add(feed);
}

}  // namespace

void FeedReport::add(const feeds::SeriesCounters& series) {
  bars_closed += series.closed_by_frame;
  bars_backfilled += series.closed_by_history;
  gap_bars += series.gap_bars;
}

void FeedReport::add(const FeedReport& other) {
  daemon::add(counters, other.counters);
  connections.open += other.connections.open;
  connections.wanted += other.connections.wanted;
  bars_closed += other.bars_closed;
  bars_backfilled += other.bars_backfilled;
  gap_bars += other.gap_bars;
  event_lag += other.event_lag;
  rest_left = std::max(rest_left, other.rest_left);
}

void RetiredFeeds::add(FeedReport last) {
  last.connections = {};
  last.rest_left = {};
  add_feed(feeds_, last);
}

void RetiredFeeds::add_to(std::vector<FeedReport>& running) const {
  for (const FeedReport& retired : feeds_) {
    if (const auto other = find_feed(running, retired.exchange); other != running.end()) other->add(retired);
  }
}

void WorkerReport::add(const WorkerReport& other) {
  for (const FeedReport& feed : other.feeds) add_feed(feeds, feed);
  daemon::add(publish, other.publish);
  indicator_update += other.indicator_update;
  if (other.oldest_unpublished_us)
    oldest_unpublished_us =
        std::min(*other.oldest_unpublished_us, oldest_unpublished_us.value_or(*other.oldest_unpublished_us));
  waiting_changes += other.waiting_changes;
  waiting_events += other.waiting_events;
}

}  // namespace atcd::daemon
