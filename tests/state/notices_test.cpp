// Catalogue, configurations, states, events, heartbeat and forming bars.
#include <gmock/gmock.h>

#include "tests/state/publisher_rig.hpp"

namespace atcd::state {
namespace {

using ::testing::HasSubstr;

class NoticesTest : public PublisherTest {
 protected:
  RedisServer server_;
  RedisClient redis_ = server_.client();
};

TEST_F(NoticesTest, WhatExistsIsWrittenOnConnectAndOnChange) {
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 1);
  run_until_drained_after_first(daemon);
  daemon.add(2, 0, 1);
  run_until([&] { return daemon.handler.published == 2; }, "the second");
  run_until_drained(daemon);
  EXPECT_EQ(redis_.hash("atc:1:catalogue"), (Fields{{"sim:spot:SYM1:1m:default", R"({"symbol":"SYM1"})"},
                                                    {"sim:spot:SYM2:1m:default", R"({"symbol":"SYM2"})"}}));
  EXPECT_EQ(redis_.hash("atc:1:configs"), (Fields{{config_hash_of('a'), R"({"dialect":"lts"})"}}));
  daemon.publisher->set_state("sim:spot:SYM1:1m:default", "STALE", 77, "no \"frames\"");
  run_until_drained(daemon);
  EXPECT_EQ(redis_.hash("atc:1:state:main").at("sim:spot:SYM1:1m:default"),
            R"({"state":"STALE","since_ms":77,"reason":"no \"frames\""})");
}

TEST_F(NoticesTest, ARemovedSeriesLeavesCatalogueAndStatesButNotItsStream) {
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 1);
  daemon.add(2, 0, 1);
  run_until([&] { return daemon.handler.published == 2; }, "both");
  daemon.close_bar(1);
  daemon.publisher->remove(1);
  run_until_drained(daemon);
  EXPECT_EQ(redis_.hash("atc:1:catalogue").size(), 1U);
  EXPECT_EQ(redis_.hash("atc:1:state:main").size(), 1U);
  EXPECT_EQ(redis_.stream(stream_key(1)).size(), 2U) << "what was on its way arrived";
}

TEST_F(NoticesTest, ASeriesThatIsMovedStaysInCatalogueAndStates) {
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 1);
  run_until([&] { return daemon.handler.published == 1; }, "there");
  daemon.publisher->add(2, series_info(1), false);  // the same series, from another feed
  daemon.publisher->set_state("sim:spot:SYM1:1m:default", "LIVE", 77, "");
  daemon.publisher->remove(1);
  run_until_drained(daemon);
  EXPECT_EQ(redis_.hash("atc:1:catalogue").size(), 1U);
  EXPECT_EQ(redis_.hash("atc:1:state:main").size(), 1U);
  daemon.publisher->remove(2);
  run_until_drained(daemon);
  EXPECT_TRUE(redis_.hash("atc:1:catalogue").empty());
  EXPECT_TRUE(redis_.hash("atc:1:state:main").empty());
}

TEST_F(NoticesTest, WhatAnotherInstanceGivesUpStaysInTheCatalogue) {
  RedisOptions other = options_for(server_);
  other.instance = "other";
  Daemon daemon(io_, options_for(server_)), twin(io_, other);
  constexpr SeriesIndex kSeries = 250, kGivenUp = 120;
  for (SeriesIndex series = 1; series <= kSeries; ++series) daemon.add(series, 0, 1);
  twin.add(kGivenUp, 0, 1);
  run_until([&] { return daemon.handler.published == kSeries && twin.handler.published == 1; }, "all");
  run_until_drained(daemon);
  run_until_drained(twin);
  twin.publisher->remove(kGivenUp);
  run_until_drained(twin);
  ASSERT_EQ(redis_.hash("atc:1:catalogue").size(), kSeries - 1);
  for (int looks = 0; looks < 3; ++looks) {
    daemon.publisher->look_after();
    run_until_drained(daemon);
  }
  EXPECT_EQ(redis_.hash("atc:1:catalogue").size(), kSeries);
}

TEST_F(NoticesTest, ASeriesRemovedWhileRedisIsAwayLeavesWhenItIsBack) {
  RedisServer server({"--appendonly", "yes", "--appendfsync", "always"});
  Daemon daemon(io_, options_for(server));
  daemon.add(1, 0, 1);
  daemon.add(2, 0, 1);
  run_until([&] { return daemon.handler.published == 2; }, "both");
  run_until_drained(daemon);
  server.kill();
  run_until([&] { return !daemon.publisher->connected(); }, "lost");
  daemon.publisher->remove(1);
  server.start();
  run_until_idle(daemon);
  RedisClient redis = server.client();
  EXPECT_EQ(redis.hash("atc:1:catalogue").size(), 1U);
  EXPECT_EQ(redis.hash("atc:1:state:main").size(), 1U);
}

TEST_F(NoticesTest, StatesOfAnEarlierRunAreTakenBack) {
  redis_.command({"HSET", "atc:1:state:main", "sim:spot:GONE:1m:default", R"({"state":"LIVE"})"});
  redis_.command({"HSET", "atc:1:state:twin", "sim:spot:OTHER:1m:default", R"({"state":"LIVE"})"});
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 1);
  run_until_drained_after_first(daemon);
  EXPECT_EQ(redis_.hash("atc:1:state:main").size(), 1U);
  EXPECT_EQ(redis_.hash("atc:1:state:twin").size(), 1U) << "another instance's";
}

TEST_F(NoticesTest, TwoThreadsOfOneInstanceShareTheHashes) {
  const auto half = [this](SeriesIndex series) {
    RedisOptions options = options_for(server_);
    options.owns = [name = series_info(series).id.name()](std::string_view each) { return each == name; };
    return options;
  };
  redis_.command({"HSET", "atc:1:state:main", series_info(2).id.name(), R"({"state":"LIVE"})"});
  Daemon first(io_, half(1));
  first.add(1, 0, 1);
  run_until_drained_after_first(first);
  EXPECT_EQ(redis_.hash("atc:1:state:main").size(), 2U) << "the other's was taken back";
  Daemon second(io_, half(2));
  second.add(2, 0, 1);
  run_until_drained_after_first(second);
  EXPECT_EQ(redis_.hash("atc:1:state:main").size(), 2U);

  redis_.command({"FLUSHALL"});
  first.publisher->look_after();
  run_until([&] { return redis_.hash("atc:1:catalogue").size() == 1; }, "the first writes its own again");
  second.publisher->look_after();
  run_until([&] { return redis_.hash("atc:1:catalogue").size() == 2; },
            "though the key is there, the second too");
  run_until([&] { return redis_.hash("atc:1:state:main").size() == 2; }, "and its states");
}

TEST_F(NoticesTest, EventsAreKeptWhileRedisIsAwayAndTheOldestAreDroppedCounted) {
  server_.kill();
  RedisOptions options = options_for(server_);
  options.command_timeout = std::chrono::minutes(1);  // an instrumented program takes long to write so many
  Daemon daemon(io_, options);
  for (int i = 0; i < 100'010; ++i) daemon.publisher->event("state", i, "s", "d");
  EXPECT_EQ(daemon.publisher->counters().events_dropped, 10U);
  server_.start();
  run_until_idle(daemon);
  RedisClient redis = server_.client();
  const auto events = redis.stream("atc:1:events");
  ASSERT_EQ(events.size(), 100'000U);
  EXPECT_EQ(
      events.front().fields,
      (Fields{{"event", "state"}, {"at_ms", "10"}, {"instance", "main"}, {"series", "s"}, {"detail", "d"}}));
  EXPECT_EQ(events.back().fields.at("at_ms"), "100009");
}

TEST_F(NoticesTest, OfRefusedEventsOneIsTriedAtATimeAndThenAllGoOnceInOrder) {
  constexpr int kEvents = 3000;
  Daemon daemon(io_, options_for(server_));
  run_until([&] { return !redis_.texts({"FUNCTION", "LIST"}).empty(); }, "nothing else is to be refused");
  redis_.command({"CONFIG", "SET", "maxmemory", "1"});
  for (int i = 0; i < kEvents; ++i) daemon.publisher->event("state", i, "s", "d");
  run_until([&] { return daemon.publisher->counters().errors >= kEvents; }, "all were refused");

  redis_.command({"CONFIG", "RESETSTAT"});
  const auto refused = [&] {
    const std::string text = redis_.text({"INFO", "commandstats"});
    const auto at = text.find("rejected_calls=", text.find("cmdstat_xadd:"));
    return text.find("cmdstat_xadd:") == std::string::npos ? 0 : std::stoi(text.substr(at + 15));
  };
  for (int round = 1; round <= 3; ++round) {
    daemon.publisher->look_after();
    daemon.publisher->event("state", kEvents - 1 + round, "s", "d");
    const auto answered = static_cast<std::uint64_t>(kEvents + round);
    run_until([&] { return daemon.publisher->counters().errors >= answered; }, "refused again");
    EXPECT_EQ(refused(), round) << "one a round, whatever comes meanwhile";
  }
  EXPECT_EQ(daemon.publisher->waiting_events(), kEvents + 3U);

  redis_.command({"CONFIG", "SET", "maxmemory", "0"});
  daemon.publisher->look_after();
  run_until([&] { return daemon.publisher->waiting_events() == 0; }, "all are there");
  const auto events = redis_.stream("atc:1:events");
  ASSERT_EQ(events.size(), kEvents + 3U);
  for (std::size_t i = 0; i < events.size(); ++i)
    ASSERT_EQ(events[i].fields.at("at_ms"), std::to_string(i)) << "once and in order";
  daemon.publisher->event("state", 7, "s", "at once again");
  run_until([&] { return daemon.publisher->waiting_events() == 0; }, "as ever");
}

TEST_F(NoticesTest, AnEventThatCanNeverBeWrittenHoldsUpNoOther) {
  Daemon daemon(io_, options_for(server_));
  run_until([&] { return daemon.publisher->connected(); }, "connected");
  redis_.command({"CONFIG", "SET", "maxmemory", "1"});
  for (int i = 0; i < 5; ++i) daemon.publisher->event("state", i, "s", "d");
  run_until([&] { return daemon.publisher->counters().errors >= 5; }, "all were refused");
  redis_.command({"CONFIG", "SET", "maxmemory", "0"});
  redis_.command({"SET", "atc:1:events", "of another type"});
  daemon.publisher->look_after();
  run_until([&] { return daemon.publisher->waiting_events() == 0; }, "none waits any more");
  EXPECT_EQ(daemon.publisher->counters().events_dropped, 5U);
}

TEST_F(NoticesTest, TheEndTriesOnceMoreWhatWasRefused) {
  Daemon daemon(io_, options_for(server_));
  run_until([&] { return daemon.publisher->connected(); }, "connected");
  redis_.command({"CONFIG", "SET", "maxmemory", "1"});
  for (int i = 0; i < 5; ++i) daemon.publisher->event("state", i, "s", "d");
  run_until([&] { return daemon.publisher->counters().errors >= 5; }, "all were refused");
  redis_.command({"CONFIG", "SET", "maxmemory", "0"});
  run_until_idle(daemon);
  EXPECT_EQ(redis_.stream("atc:1:events").size(), 5U);
}

TEST_F(NoticesTest, TheHeartbeatEndsTenSecondsAfterTheLastBeat) {
  Daemon daemon(io_, options_for(server_));
  run_until([&] { return daemon.publisher->connected(); }, "connected");
  daemon.publisher->heartbeat({{"beat_ms", "5"}, {"live", "1"}});
  run_until_idle(daemon);
  EXPECT_EQ(redis_.hash("atc:1:daemon:main"), (Fields{{"beat_ms", "5"}, {"live", "1"}}));
  const auto ttl_ms = std::stoll(redis_.text({"PTTL", "atc:1:daemon:main"}));
  EXPECT_GT(ttl_ms, 0);
  EXPECT_LE(ttl_ms, 10'000);
}

TEST_F(NoticesTest, AnotherDaemonOfTheSameNameIsToldOnce) {
  Daemon one(io_, options_for(server_)), other(io_, options_for(server_));
  run_until([&] { return one.publisher->connected() && other.publisher->connected(); }, "connected");
  const auto beat = [&](Daemon& daemon, const char* host) {
    daemon.publisher->heartbeat({{"beat_ms", "5"}, {"host", host}, {"pid", "7"}, {"started_ms", "3"}});
    run_until_idle(daemon);
  };
  beat(one, "before");  // an earlier run's
  for (int i = 0; i < 3; ++i) beat(other, "here");
  EXPECT_EQ(other.handler.count(PublishEvent::instance_taken), 0U);
  for (int i = 0; i < 3; ++i) {
    beat(one, "there");
    beat(other, "here");
  }
  EXPECT_EQ(other.handler.count(PublishEvent::instance_taken), 1U);
  EXPECT_THAT(other.handler.detail(PublishEvent::instance_taken), HasSubstr("host there, pid 7"));
  redis_.command({"DEL", "atc:1:daemon:main"});
  beat(other, "here");
  EXPECT_EQ(other.handler.count(PublishEvent::instance_taken), 1U);
}

TEST_F(NoticesTest, AnotherNameOfTheHostIsNoOtherDaemon) {
  Daemon daemon(io_, options_for(server_));
  run_until([&] { return daemon.publisher->connected(); }, "connected");
  for (const char* host : {"localhost", "localhost", "ip-10-0-0-1", "ip-10-0-0-1"}) {  // as at boot
    daemon.publisher->heartbeat({{"beat_ms", "5"}, {"host", host}, {"pid", "7"}, {"started_ms", "3"}});
    run_until_idle(daemon);
  }
  EXPECT_EQ(daemon.handler.count(PublishEvent::instance_taken), 0U);
}

TEST_F(NoticesTest, FormingBarsArePushedAndNotKept) {
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 1);
  run_until_drained_after_first(daemon);
  RedisClient subscriber = server_.client();
  subscriber.command({"PSUBSCRIBE", "atc:1:*"});
  daemon.publisher->publish_forming(1, record_of(1, 7));
  run_until_drained(daemon);
  const auto message = subscriber.next_message();
  EXPECT_STREQ(message->element[2]->str, "atc:1:forming:sim:spot:SYM1:1m:default");
  EXPECT_THAT(message->element[3]->str, HasSubstr("\"bar_index\":7,"));
  EXPECT_EQ(redis_.stream(stream_key(1)).size(), 1U);
}

TEST_F(NoticesTest, AnotherPrefixHasItsOwnKeys) {
  RedisOptions options = options_for(server_);
  options.prefix = "mine";
  Daemon daemon(io_, options);
  daemon.add(1, 0, 1);
  run_until_drained_after_first(daemon);
  daemon.publisher->heartbeat({{"beat_ms", "5"}});
  daemon.publisher->event("start", 1, "", "");
  run_until_drained(daemon);
  for (const std::string& key : redis_.texts({"KEYS", "*"})) EXPECT_TRUE(key.starts_with("mine:1:")) << key;
}

}  // namespace
}  // namespace atcd::state
