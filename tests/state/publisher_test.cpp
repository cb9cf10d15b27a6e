// The publisher against a real Redis: what reaches it, and in which order.
#include "state/publisher.hpp"

#include <gmock/gmock.h>

#include "tests/state/publisher_rig.hpp"

namespace atcd::state {
namespace {

using ::testing::HasSubstr;

class PublisherWithRedis : public PublisherTest {
 protected:
  RedisServer server_;
  RedisClient redis_ = server_.client();
};

TEST_F(PublisherWithRedis, AFreshStreamStartsAtTheLastClosedBarAndGoesOnLive) {
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 10);
  run_until([&] { return daemon.handler.published == 1; }, "the first");
  for (int i = 0; i < 5; ++i) daemon.close_bar(1);
  EXPECT_EQ(daemon.publisher->unpublished(), 5U);
  EXPECT_EQ(daemon.publisher->oldest_unpublished_us(), record_of(1, 10).received_us);
  run_until_drained(daemon);
  EXPECT_EQ(daemon.publisher->oldest_unpublished_us(), std::nullopt);
  EXPECT_EQ(daemon.publisher->counters().close_to_publish.count(), 5U);
  EXPECT_GE(daemon.publisher->counters().command.count(), 6U);
  EXPECT_EQ(redis_.stream(stream_key(1)).size(), 6U);
  expect_complete(redis_, daemon, 1);
  EXPECT_EQ(daemon.publisher->counters().added, 6U);
  EXPECT_EQ(daemon.publisher->counters().pushes, 6U);
  EXPECT_EQ(redis_.stream("atc:1:{sim:spot:1m:default}:all").size(), 6U);
  EXPECT_EQ(daemon.publisher->unpublished(), 0U);
}

TEST_F(PublisherWithRedis, ARestartSendsWhatIsMissingInOrderAsBackfillAndPushesOnlyTheLiveOne) {
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 3);
  run_until([&] { return daemon.handler.published == 1; }, "the first");
  daemon.stop();
  for (int i = 0; i < 1000; ++i) daemon.close_bar(1);
  redis_.command({"DEL", last_key(1)});

  RedisClient subscriber = server_.client();
  subscriber.command({"SUBSCRIBE", "atc:1:signal:sim:spot:SYM1:1m:default"});
  daemon.start();
  daemon.announce(1);
  run_until([&] { return daemon.handler.published == 1 + 1 + 1000; }, "all");
  run_until_drained(daemon);
  expect_complete(redis_, daemon, 1);
  const auto entries = redis_.stream(stream_key(1));
  ASSERT_EQ(entries.size(), 1001U);
  for (std::size_t i = 1; i + 1 < entries.size(); ++i) ASSERT_EQ(entries[i].fields.at("source"), "backfill");
  EXPECT_EQ(entries.back().fields.at("source"), "live");
  EXPECT_EQ(daemon.publisher->counters().same, 1U) << "the head's own bar was checked";
  EXPECT_EQ(daemon.publisher->counters().pushes, 1U);
  EXPECT_THAT(subscriber.next_message()->element[2]->str,
              HasSubstr("\"close_ms\":" + entries.back().fields.at("close_ms")));
  EXPECT_EQ(daemon.handler.count(PublishEvent::backfilled), 1U);
}

TEST_F(PublisherWithRedis, ARestartWithNothingNewRestoresTheLatestAsWarm) {
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 3);
  run_until_drained_after_first(daemon);
  daemon.stop();
  redis_.command({"DEL", last_key(1)});
  daemon.start();
  daemon.announce(1);
  run_until([&] { return daemon.publisher->counters().same == 1; }, "the check");
  EXPECT_EQ(redis_.hash(last_key(1)).at("source"), "warm");
  EXPECT_EQ(redis_.stream(stream_key(1)).size(), 1U);
}

TEST_F(PublisherWithRedis, AHeadThatSaysTheSameIsNotSentAgain) {
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 3);
  run_until_drained_after_first(daemon);
  daemon.stop();
  redis_.command({"CONFIG", "RESETSTAT"});
  daemon.start();
  daemon.announce(1);
  run_until([&] { return daemon.publisher->counters().same == 1; }, "the check");
  EXPECT_THAT(redis_.text({"INFO", "commandstats"}), Not(HasSubstr("cmdstat_xlen"))) << "as publishing does";
  daemon.close_bar(1);
  run_until_drained(daemon);
  expect_complete(redis_, daemon, 1);
}

TEST_F(PublisherWithRedis, PublishedBeforeRedisIsThereIsNotLost) {
  server_.kill();
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 0);
  run_until([&] { return daemon.handler.count(PublishEvent::disconnected) == 1; }, "said to be unreachable");
  for (int i = 0; i < 3; ++i) daemon.close_bar(1);
  EXPECT_EQ(daemon.publisher->unpublished(), 3U);
  server_.start();
  run_until([&] { return daemon.publisher->unpublished() == 0; }, "published");
  RedisClient redis = server_.client();
  expect_complete(redis, daemon, 1);
}

TEST_F(PublisherWithRedis, HistoryThatHasToFetchIsAskedAgainAfterResume) {
  Daemon daemon(io_, options_for(server_));
  daemon.history.series[1].waiting = true;
  daemon.add(1, 0, 3);
  run_until([&] { return daemon.history.series[1].was_asked; }, "asked");
  daemon.close_bar(1);
  run_until_idle(daemon);
  EXPECT_EQ(daemon.publisher->counters().added, 0U);
  daemon.history.series[1].waiting = false;
  daemon.publisher->resume(1);
  run_until_drained(daemon);
  expect_complete(redis_, daemon, 1);
}

TEST_F(PublisherWithRedis, ASeriesThatIsNotReadyWaitsForResume) {
  Daemon daemon(io_, options_for(server_));
  daemon.history.series[1].records = {record_of(1, 0)};
  daemon.publisher->add(1, series_info(1), false);
  run_until_idle(daemon);
  EXPECT_FALSE(daemon.history.series[1].was_asked);
  daemon.publisher->resume(1);
  run_until([&] { return daemon.handler.published == 1; }, "published");
}

TEST_F(PublisherWithRedis, TwinsPublishEveryBarOnce) {
  RedisOptions options = options_for(server_);
  Daemon one(io_, options);
  options.instance = "twin";
  Daemon two(io_, options);
  for (SeriesIndex series = 1; series <= 4; ++series) {
    one.add(series, 0, 5);
    two.add(series, 0, 5);
  }
  for (int bar = 0; bar < 100; ++bar) {
    for (SeriesIndex series = 1; series <= 4; ++series) {
      // Sometimes one is first, sometimes the other, sometimes one is several bars late.
      Daemon& first = (bar + static_cast<int>(series)) % 3 == 0 ? two : one;
      Daemon& second = &first == &one ? two : one;
      first.close_bar(series);
      if (bar % 5 == 0) io_.poll();
      second.close_bar(series);
    }
    if (bar % 7 == 0) io_.poll();
  }
  run_until_drained(one);
  run_until_drained(two);
  for (SeriesIndex series = 1; series <= 4; ++series) {
    expect_complete(redis_, one, series);
    expect_complete(redis_, two, series);
  }
  const auto& a = one.publisher->counters();
  const auto& b = two.publisher->counters();
  std::size_t entries = 0;
  for (SeriesIndex series = 1; series <= 4; ++series) entries += redis_.stream(stream_key(series)).size();
  EXPECT_EQ(a.added + b.added, entries);
  EXPECT_GT(a.same + b.same, 0U);
  EXPECT_EQ(a.different + b.different, 0U);
  EXPECT_EQ(a.errors + b.errors, 0U);
  // Where one began a stream with a bar newer than the other's first, the other is told so, once.
  EXPECT_LE(a.unknown + b.unknown, 4U);
}

TEST_F(PublisherWithRedis, TwinsThatBeginWithDifferentBarsMakeOneStream) {
  RedisOptions options = options_for(server_);
  Daemon one(io_, options);
  options.instance = "twin";
  Daemon two(io_, options);
  // Both mostly find the stream empty, and the second is told "unknown"; else it finds a head that it waits
  // for.
  one.add(1, 0, 20);
  two.add(1, 0, 5);
  run_until([&] { return one.handler.published > 0; }, "the first");
  for (int bar = 5; bar < 21; ++bar) two.close_bar(1);
  run_until_drained(two);
  expect_complete(redis_, two, 1);
  const auto& counters = two.publisher->counters();
  EXPECT_EQ(counters.different + counters.errors, 0U);
}

TEST_F(PublisherWithRedis, AHeadNewerThanAllWeKnowIsWaitedFor) {
  Daemon one(io_, options_for(server_));
  one.add(1, 0, 1);
  run_until_drained_after_first(one);
  for (int i = 0; i < 10; ++i) one.close_bar(1);
  run_until_drained(one);
  Daemon late(io_, options_for(server_));
  late.add(1, 0, 3);
  run_until([&] { return late.publisher->connected(); }, "connected");
  run_until_idle(late);
  for (int i = 0; i < 10; ++i) late.close_bar(1);
  run_until_drained(late);
  expect_complete(redis_, late, 1);
  EXPECT_EQ(late.publisher->counters().added, 2U) << "bars 11 and 12; the others were there";
  EXPECT_EQ(late.publisher->counters().same, 8U) << "each was compared";
  EXPECT_EQ(late.publisher->counters().behind, 0U);
}

TEST_F(PublisherWithRedis, AnotherConfigurationStopsThatSeriesAndNoOther) {
  Daemon before(io_, options_for(server_));
  before.add(1, 0, 3, 'a');
  before.add(2, 0, 3, 'b');
  run_until([&] { return before.handler.published == 2; }, "the first");
  before.stop();
  Daemon after(io_, options_for(server_));
  after.add(1, 0, 5, 'b');
  after.add(2, 0, 5, 'b');
  run_until([&] { return after.handler.count(PublishEvent::stopped) == 1 && after.handler.published == 3; },
            "stopped");
  after.close_bar(1);
  after.close_bar(2);
  run_until_drained(after);
  EXPECT_EQ(redis_.stream(stream_key(1)).size(), 1U);
  expect_complete(redis_, after, 2);
  EXPECT_THAT(after.handler.detail(PublishEvent::stopped), HasSubstr(config_hash_of('a')));
  EXPECT_THAT(after.handler.detail(PublishEvent::stopped), HasSubstr(config_hash_of('b')));
  EXPECT_THAT(after.handler.detail(PublishEvent::stopped), HasSubstr("adopt = true"));
  const auto events = redis_.stream("atc:1:events");
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].fields.at("event"), "stopped");
  EXPECT_THAT(events[0].fields.at("detail"), HasSubstr(config_hash_of('a')));
  const std::string state = redis_.hash("atc:1:state:main").at("sim:spot:SYM1:1m:default");
  EXPECT_THAT(state, HasSubstr("\"state\":\"HALTED\""));
  EXPECT_THAT(state, HasSubstr(config_hash_of('a')));
  EXPECT_THAT(redis_.hash("atc:1:state:main").at("sim:spot:SYM2:1m:default"), HasSubstr("\"LIVE\""));
  EXPECT_EQ(after.publisher->unpublished(), 0U) << "what is stopped does not wait";
  EXPECT_TRUE(after.publisher->stopped(1));
  EXPECT_FALSE(after.publisher->stopped(2) || after.publisher->stopped(3));

  redis_.command({"DEL", stream_key(1)});
  redis_.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  run_until([&] { return !after.publisher->stopped(1); }, "nothing is in the way any more");
  run_until_drained(after);
  expect_complete(redis_, after, 1);
  EXPECT_THAT(redis_.hash("atc:1:state:main").at("sim:spot:SYM1:1m:default"), HasSubstr("\"LIVE\""));
}

TEST_F(PublisherWithRedis, AdoptContinuesAStreamOfAnotherConfiguration) {
  Daemon before(io_, options_for(server_));
  before.add(1, 0, 3, 'a');
  run_until_drained_after_first(before);
  before.stop();
  RedisOptions options = options_for(server_);
  options.adopt = true;
  Daemon after(io_, options);
  after.add(1, 0, 6, 'b');
  run_until([&] { return after.handler.published == 3; }, "continued");
  expect_complete(redis_, after, 1);
  EXPECT_EQ(after.handler.count(PublishEvent::conflict), 0U);
  EXPECT_EQ(redis_.hash(last_key(1)).at("config"), config_hash_of('b'));
}

TEST_F(PublisherWithRedis, AGapIsNamedInTheFirstEntryAfterIt) {
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 3);
  run_until_drained_after_first(daemon);
  const std::string head = redis_.hash(last_key(1)).at("close_ms");
  daemon.stop();
  auto& records = daemon.history.series[1].records;
  records.clear();
  for (std::int64_t bar = 20; bar < 23; ++bar) records.push_back(record_of(1, bar));
  records[0].gap_from_ms = std::stoll(head);
  records[0].prev_close_ms = std::stoll(head);
  daemon.start();
  daemon.announce(1);
  run_until([&] { return daemon.publisher->counters().added == 3; }, "sent");
  const auto entries = redis_.stream(stream_key(1));
  ASSERT_EQ(entries.size(), 4U);
  EXPECT_EQ(entries[1].fields.at("gap_from_ms"), head);
  EXPECT_FALSE(entries[2].fields.contains("gap_from_ms"));
  EXPECT_EQ(daemon.handler.count(PublishEvent::conflict), 0U);
}

TEST_F(PublisherWithRedis, ACorrectionRaisesRev) {
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 3);
  run_until_drained_after_first(daemon);
  daemon.correct_bar(1, 123.25);
  daemon.close_bar(1);
  run_until_drained(daemon);
  const auto entries = redis_.stream(stream_key(1));
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[1].fields.at("rev"), "1");
  EXPECT_EQ(entries[1].fields.at("close"), "123.25");
  EXPECT_EQ(entries[2].fields.at("rev"), "0");
}

TEST_F(PublisherWithRedis, ACorrectionMadeWhileRedisWasAwayIsSentAsOne) {
  RedisServer server({"--appendonly", "yes", "--appendfsync", "always"});
  Daemon daemon(io_, options_for(server));
  daemon.add(1, 0, 3);
  run_until_drained_after_first(daemon);
  server.kill();
  run_until([&] { return !daemon.publisher->connected(); }, "lost");
  daemon.correct_bar(1, 123.25);
  server.start();
  run_until([&] { return daemon.publisher->counters().added == 2; }, "sent");
  RedisClient redis = server.client();
  EXPECT_EQ(redis.stream(stream_key(1)).back().id, std::to_string(record_of(1, 2).bar.close_time_ms) + "-1");
  EXPECT_TRUE(daemon.history.differences.empty());
}

TEST_F(PublisherWithRedis, OtherContentInRedisIsAskedAboutOnceAndThenGoneOnFrom) {
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 3);
  run_until_drained_after_first(daemon);
  daemon.stop();
  daemon.history.series[1].records.back().bar.close = 77;  // what we have now is not what we published
  daemon.start();
  daemon.announce(1);
  run_until([&] { return daemon.history.differences.size() == 1; }, "asked");
  EXPECT_EQ(daemon.history.differences[0].close_ms, record_of(1, 2).bar.close_time_ms);
  EXPECT_EQ(daemon.handler.count(PublishEvent::conflict), 1U);
  daemon.close_bar(1);
  run_until_idle(daemon);
  EXPECT_EQ(redis_.stream(stream_key(1)).size(), 1U) << "paused while the exchange is asked";
  daemon.publisher->resume(1);
  run_until_drained(daemon);
  expect_complete(redis_, daemon, 1);
  EXPECT_EQ(daemon.history.differences.size(), 1U) << "settled: not asked again";
}

TEST_F(PublisherWithRedis, CorrectSendsTheNewestBarOnceWithTheFlag) {
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 3);
  run_until_drained_after_first(daemon);
  daemon.stop();
  daemon.history.series[1].records.back().bar.close = 77;
  daemon.start();
  daemon.history.when_different = [&](SeriesIndex series, std::int64_t close_ms) {
    daemon.publisher->answered(series);
    daemon.publisher->correct(series, close_ms);
  };
  daemon.announce(1);
  run_until([&] { return daemon.publisher->counters().added == 1; }, "corrected");
  EXPECT_EQ(daemon.publisher->counters().conflicts, 1U);
  EXPECT_EQ(daemon.publisher->counters().repaired, 1U);
  const auto entries = redis_.stream(stream_key(1));
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[1].fields.at("rev"), "1");
  EXPECT_EQ(entries[1].fields.at("close"), "77");
  daemon.close_bar(1);
  run_until_drained(daemon);
  EXPECT_EQ(redis_.stream(stream_key(1)).size(), 3U);
}

TEST_F(PublisherWithRedis, AHeadThatOurHistoryLacksIsAskedAboutAndThenGoneOnFrom) {
  Daemon other(io_, options_for(server_));
  other.add(1, 0, 4);
  run_until_drained_after_first(other);
  other.stop();
  Daemon daemon(io_, options_for(server_));
  daemon.history.when_different = [&](SeriesIndex series, std::int64_t) { daemon.publisher->resume(series); };
  for (const std::int64_t bar : {1, 2, 4, 5}) daemon.history.series[1].records.push_back(record_of(1, bar));
  daemon.history.series[1].records[2].prev_close_ms = record_of(1, 2).bar.close_time_ms;
  daemon.announce(1);
  run_until([&] { return daemon.publisher->counters().added == 2; }, "gone on");
  EXPECT_EQ(daemon.history.differences.size(), 1U);
  EXPECT_EQ(daemon.history.differences[0].close_ms, record_of(1, 3).bar.close_time_ms);
  expect_complete(redis_, daemon, 1);
}

TEST_F(PublisherWithRedis, AStreamTrimmedToNothingIsContinuedWithoutAHole) {
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 3);
  run_until_drained_after_first(daemon);
  daemon.stop();
  redis_.command({"XTRIM", stream_key(1), "MAXLEN", "0"});
  for (int i = 0; i < 5; ++i) daemon.close_bar(1);
  daemon.start();
  daemon.announce(1);
  run_until([&] { return daemon.publisher->counters().added == 5; }, "continued");
  expect_complete(redis_, daemon, 1);
  EXPECT_EQ(redis_.stream(stream_key(1)).size(), 5U);
}

TEST_F(PublisherWithRedis, ManySeriesAreBroughtLevelAtOnce) {
  Daemon daemon(io_, options_for(server_));
  for (SeriesIndex series = 0; series < 300; ++series) daemon.add(series, 0, 2);
  run_until([&] { return daemon.handler.published == 300; }, "the first of all");
  daemon.stop();
  for (SeriesIndex series = 0; series < 300; ++series) {
    for (int i = 0; i < 30; ++i) daemon.close_bar(series);
  }
  daemon.start();
  for (SeriesIndex series = 0; series < 300; ++series) daemon.announce(series);
  run_until([&] { return daemon.publisher->counters().added == 300U * 30U; }, "all backfilled");
  run_until_drained(daemon);
  for (SeriesIndex series = 0; series < 300; ++series) expect_complete(redis_, daemon, series);
}

}  // namespace
}  // namespace atcd::state
