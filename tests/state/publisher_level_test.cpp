// The publisher where a stream is level with history: what is sent at once, and what has to be looked at
// first.
#include <gmock/gmock.h>

#include "tests/state/publisher_rig.hpp"

namespace atcd::state {
namespace {

class PublisherLevelTest : public PublisherTest {
 protected:
  RedisServer server_;
  RedisClient redis_ = server_.client();
};

TEST_F(PublisherLevelTest, ABarThatNobodyToldIsSentBeforeTheNext) {
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 3);
  run_until_drained_after_first(daemon);
  daemon.history.series[1].records.push_back(record_of(1, 3));
  daemon.close_bar(1);
  run_until_drained(daemon);
  expect_complete(redis_, daemon, 1);
  EXPECT_EQ(redis_.stream(stream_key(1)).size(), 3U);
}

TEST_F(PublisherLevelTest, ABarThatDoesNotFollowTheHeadIsSentOnceTheHeadWasAskedAbout) {
  Daemon other(io_, options_for(server_));
  other.add(1, 0, 4);
  run_until_drained_after_first(other);
  other.stop();
  Daemon daemon(io_, options_for(server_));
  daemon.history.when_different = [&](SeriesIndex series, std::int64_t) { daemon.publisher->resume(series); };
  daemon.add(1, 0, 3);
  run_until_idle(daemon);
  auto& records = daemon.history.series[1].records;
  records.push_back(record_of(1, 4));
  records.back().prev_close_ms = record_of(1, 2).bar.close_time_ms;  // it lacks bar 3
  daemon.publisher->publish(1, records.back());
  run_until_drained(daemon);
  expect_complete(redis_, daemon, 1);
  ASSERT_EQ(daemon.history.differences.size(), 1U);
  EXPECT_EQ(daemon.history.differences[0].close_ms, record_of(1, 3).bar.close_time_ms);
}

TEST_F(PublisherLevelTest, ALongWayToWhatIsLackingHoldsUpNoOtherSeries) {
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 3);
  run_until_drained_after_first(daemon);
  for (const bool head : {true, false}) {
    auto& far = daemon.history.series[1];
    far.records.push_back(record_of(1, static_cast<std::int64_t>(far.records.size())));
    far.pieces = 1000;
    SCOPED_TRACE(head ? "the head's own bar" : "the bars after it");
    head ? daemon.publisher->add(1, series_info(1), true) : daemon.publisher->resume(1);
    run_until([&] { return far.pieces < 990; }, "on its way");
    far.pieces = 1'000'000'000;
    const SeriesIndex other = head ? 2 : 3;
    daemon.add(other, 0, 2);
    run_until([&] { return !redis_.stream(stream_key(other)).empty(); }, "another that begins");
    daemon.close_bar(other);
    run_until([&] { return redis_.stream(stream_key(other)).size() == 2; }, "its next bar");
    EXPECT_GT(far.pieces, 1000);
    daemon.close_bar(1);
    far.pieces = 10;
    run_until_drained(daemon);
    expect_complete(redis_, daemon, 1);
  }
  EXPECT_EQ(redis_.stream(stream_key(1)).size(), 5U);
}

TEST_F(PublisherLevelTest, WhatHistoryHasMeanwhileIsSentWhenItIsResumed) {
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 3);
  run_until_drained_after_first(daemon);
  daemon.history.series[1].records.push_back(record_of(1, 3));
  daemon.publisher->resume(1);
  run_until_drained(daemon);
  expect_complete(redis_, daemon, 1);
}

TEST_F(PublisherLevelTest, WhereHistoryBeginsBehindTheHeadTheGapIsNamed) {
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 3);
  run_until_drained_after_first(daemon);
  daemon.stop();
  auto& records = daemon.history.series[1].records;
  records = {record_of(1, 5), record_of(1, 6)};
  daemon.start();
  daemon.announce(1);
  run_until([&] { return daemon.publisher->counters().added == 2; }, "sent");
  const auto entries = redis_.stream(stream_key(1));
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[1].fields.at("gap_from_ms"), entries[0].fields.at("close_ms"));
  EXPECT_FALSE(entries[2].fields.contains("gap_from_ms"));
}

TEST_F(PublisherLevelTest, TheOldestBarThatWaitsIsThatOfAllSeries) {
  server_.kill();
  Daemon daemon(io_, options_for(server_));
  for (const auto& [series, bar] : {std::pair(1U, 5), std::pair(2U, 0), std::pair(3U, 8)}) {
    daemon.add(series, bar, 1);
    daemon.close_bar(series);
  }
  EXPECT_EQ(daemon.publisher->oldest_unpublished_us(), record_of(2, 1).received_us);
}

TEST_F(PublisherLevelTest, AGroupsStreamKeepsAsMuchAsThoseOfItsSeriesTogether) {
  RedisOptions options = options_for(server_);
  options.keep = 100;
  Daemon daemon(io_, options);
  for (SeriesIndex series = 0; series < 5; ++series) daemon.add(series, 0, 1);
  run_until([&] { return daemon.handler.published == 5; }, "the first");
  for (int bar = 0; bar < 99; ++bar) {
    for (SeriesIndex series = 0; series < 5; ++series) daemon.close_bar(series);
  }
  run_until_drained(daemon);
  EXPECT_EQ(redis_.text({"XLEN", "atc:1:{sim:spot:1m:default}:all"}), "500");
}

TEST_F(PublisherLevelTest, OfAStoppedSeriesNoFormingBarIsPushed) {
  Daemon before(io_, options_for(server_));
  before.add(1, 0, 3, 'a');
  run_until_drained_after_first(before);
  before.stop();
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 3, 'b');
  daemon.add(2, 0, 3, 'b');
  run_until([&] { return daemon.publisher->stopped(1) && daemon.handler.published == 1; }, "stopped");
  RedisClient subscriber = server_.client();
  subscriber.command({"PSUBSCRIBE", "atc:1:forming:*"});
  for (const SeriesIndex series : {1U, 2U}) daemon.publisher->publish_forming(series, record_of(series, 7));
  run_until_drained(daemon);
  EXPECT_STREQ(subscriber.next_message()->element[2]->str, "atc:1:forming:sim:spot:SYM2:1m:default");
}

}  // namespace
}  // namespace atcd::state
