// The publisher while Redis is killed, hangs, forgets, refuses or is full.
#include <gmock/gmock.h>

#include <random>

#include "state/publish_function.hpp"
#include "tests/state/publisher_rig.hpp"

namespace atcd::state {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class PublisherFaultTest : public PublisherTest {};

TEST_F(PublisherFaultTest, EveryBarArrivesOnceAlthoughTheConnectionIsKilledFiftyTimes) {
  RedisServer server;
  RedisClient redis = server.client();
  Daemon daemon(io_, options_for(server));
  constexpr SeriesIndex kSeries = 8;
  for (SeriesIndex series = 0; series < kSeries; ++series) daemon.add(series, 0, 1);
  run_until([&] { return daemon.handler.published == kSeries; }, "the first of all");
  std::mt19937 random(20261123);
  std::size_t closed = 0;
  for (int kill = 1; kill <= 50; ++kill) {
    const auto bars = random() % 20;
    closed += (bars + 1) * kSeries;
    for (std::size_t bar = 0; bar < bars; ++bar) {
      for (SeriesIndex series = 0; series < kSeries; ++series) daemon.close_bar(series);
      for (std::size_t steps = random() % 4; steps > 0; --steps) io_.poll_one();
      io_.restart();
    }
    redis.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
    for (SeriesIndex series = 0; series < kSeries; ++series) daemon.close_bar(series);
    const auto wanted = static_cast<std::uint64_t>(kill);
    run_until(
        [&] { return daemon.publisher->counters().disconnects >= wanted && daemon.publisher->connected(); },
        "connected again");
  }
  run_until_drained(daemon);
  for (SeriesIndex series = 0; series < kSeries; ++series) expect_complete(redis, daemon, series);
  EXPECT_EQ(daemon.publisher->counters().different + daemon.publisher->counters().unknown, 0U);
  EXPECT_EQ(daemon.publisher->counters().close_to_publish.count(), closed)
      << "each bar's delay is counted once";
  std::size_t entries = 0;
  for (SeriesIndex series = 0; series < kSeries; ++series) entries += redis.stream(stream_key(series)).size();
  EXPECT_EQ(redis.stream("atc:1:{sim:spot:1m:default}:all").size(), entries);
}

TEST_F(PublisherFaultTest, EveryBarArrivesOnceAlthoughRedisIsKilled) {
  RedisServer server({"--appendonly", "yes", "--appendfsync", "always"});
  Daemon daemon(io_, options_for(server));
  for (SeriesIndex series = 0; series < 4; ++series) daemon.add(series, 0, 1);
  run_until([&] { return daemon.handler.published == 4; }, "the first of all");
  for (int round = 0; round < 4; ++round) {
    for (int bar = 0; bar < 30; ++bar) {
      for (SeriesIndex series = 0; series < 4; ++series) daemon.close_bar(series);
      if (bar % 3 == 0) io_.poll_one();
    }
    server.kill();
    for (SeriesIndex series = 0; series < 4; ++series) daemon.close_bar(series);
    run_until([&] { return !daemon.publisher->connected(); }, "lost");
    server.start();
    run_until([&] { return daemon.publisher->connected(); }, "back");
  }
  run_until_drained(daemon);
  RedisClient redis = server.client();
  for (SeriesIndex series = 0; series < 4; ++series) {
    expect_complete(redis, daemon, series);
    EXPECT_EQ(redis.stream(stream_key(series)).size(), 1U + 4U * 31U);
  }
}

TEST_F(PublisherFaultTest, ARedisThatForgotEverythingGetsEverythingAgain) {
  RedisServer server;
  Daemon daemon(io_, options_for(server));
  daemon.add(1, 0, 5);
  run_until_drained_after_first(daemon);
  for (int i = 0; i < 5; ++i) daemon.close_bar(1);
  run_until_drained(daemon);
  server.kill();
  run_until([&] { return !daemon.publisher->connected(); }, "lost");
  server.start();
  const auto before = daemon.handler.published;
  run_until([&] { return daemon.handler.published > before; }, "the last closed bar again");
  daemon.close_bar(1);
  run_until_drained(daemon);
  RedisClient redis = server.client();
  expect_complete(redis, daemon, 1);
  EXPECT_EQ(redis.stream(stream_key(1)).size(), 2U) << "a stream starts at the last closed bar";
  EXPECT_EQ(redis.text({"HLEN", "atc:1:catalogue"}), "1");
  EXPECT_EQ(redis.text({"HLEN", "atc:1:configs"}), "1");
  EXPECT_EQ(redis.text({"HLEN", "atc:1:state:main"}), "1");
}

TEST_F(PublisherFaultTest, FlushallIsNoticed) {
  RedisServer server;
  RedisClient redis = server.client();
  Daemon daemon(io_, options_for(server));
  daemon.add(1, 0, 5);
  daemon.add(2, 0, 5);
  run_until([&] { return daemon.handler.published == 2; }, "the first");
  run_until_drained(daemon);
  redis.command({"FLUSHALL"});
  daemon.publisher->look_after();
  run_until([&] { return daemon.handler.published == 4; }, "the last closed bars again");
  daemon.close_bar(1);
  run_until_drained(daemon);
  expect_complete(redis, daemon, 1);
  expect_complete(redis, daemon, 2);
  EXPECT_EQ(redis.text({"HLEN", "atc:1:catalogue"}), "2");
  EXPECT_EQ(redis.text({"HLEN", "atc:1:configs"}), "1");
  EXPECT_EQ(redis.text({"HLEN", "atc:1:state:main"}), "2");
}

TEST_F(PublisherFaultTest, AHangingRedisIsDroppedAndRecoveredFrom) {
  RedisServer server;
  RedisOptions options = options_for(server);
  options.command_timeout = std::chrono::milliseconds(200);
  Daemon daemon(io_, options);
  daemon.add(1, 0, 5);
  run_until_drained_after_first(daemon);
  server.signal(SIGSTOP);
  const auto before = daemon.publisher->counters().timeouts;  // on a busy machine there may have been one
  daemon.close_bar(1);
  run_until([&] { return daemon.publisher->counters().timeouts > before; }, "a timeout");
  daemon.close_bar(1);
  EXPECT_EQ(daemon.publisher->unpublished(), 2U);
  server.signal(SIGCONT);
  run_until([&] { return daemon.publisher->unpublished() == 0; }, "recovered");
  RedisClient redis = server.client();
  expect_complete(redis, daemon, 1);
  EXPECT_THAT(daemon.handler.detail(PublishEvent::disconnected), HasSubstr("200 ms"));
}

TEST_F(PublisherFaultTest, AnOutageIsToldWithWhatKeepsItFromEnding) {
  RedisServer server;
  Daemon daemon(io_, options_for(server));
  daemon.add(1, 0, 0);
  run_until([&] { return daemon.publisher->connected(); }, "connected");
  server.kill();
  run_until([&] { return daemon.handler.count(PublishEvent::disconnected) == 2; },
            "the loss, and why it lasts");
  EXPECT_THAT(daemon.handler.events.back().detail, HasSubstr("cannot connect"));
}

TEST_F(PublisherFaultTest, AFullRedisIsWaitedForAndNothingIsLost) {
  RedisServer server;
  RedisClient redis = server.client();
  Daemon daemon(io_, options_for(server));
  for (SeriesIndex series = 0; series < 5; ++series) daemon.add(series, 0, 1);
  run_until([&] { return daemon.handler.published == 5; }, "the first");
  redis.command({"CONFIG", "SET", "maxmemory", "1"});
  for (int bar = 0; bar < 3; ++bar) {
    for (SeriesIndex series = 0; series < 5; ++series) daemon.close_bar(series);
  }
  daemon.publisher->event("state", 1, "s", "kept");
  run_until([&] { return daemon.publisher->counters().errors >= 20; }, "refused, and tried again");
  EXPECT_EQ(daemon.publisher->unpublished(), 15U);
  EXPECT_THAT(daemon.handler.detail(PublishEvent::refused), HasSubstr("OOM"));
  EXPECT_LE(daemon.handler.count(PublishEvent::refused), 2U) << "said once, not with each attempt";
  redis.command({"CONFIG", "SET", "maxmemory", "0"});
  run_until([&] { return daemon.publisher->unpublished() == 0; }, "all published");
  daemon.publisher->look_after();
  run_until_drained(daemon);
  for (SeriesIndex series = 0; series < 5; ++series) expect_complete(redis, daemon, series);
  EXPECT_EQ(redis.stream("atc:1:events").size(), 1U);
}

TEST_F(PublisherFaultTest, AFunctionThatVanishesIsLoadedAgain) {
  RedisServer server;
  RedisClient redis = server.client();
  Daemon daemon(io_, options_for(server));
  daemon.add(1, 0, 2);
  run_until_drained_after_first(daemon);
  redis.command({"FUNCTION", "FLUSH"});
  for (int i = 0; i < 5; ++i) daemon.close_bar(1);
  run_until([&] { return daemon.publisher->unpublished() == 0; }, "published all the same");
  run_until_drained(daemon);
  expect_complete(redis, daemon, 1);
}

TEST_F(PublisherFaultTest, AFunctionThatVanishesUnderManySeriesIsLoadedOnce) {
  RedisServer server;
  RedisClient redis = server.client();
  Daemon daemon(io_, options_for(server));
  for (SeriesIndex series = 0; series < 99; ++series) daemon.add(series, 0, 1);
  run_until([&] { return daemon.handler.published == 99; }, "the first");
  redis.command({"CONFIG", "RESETSTAT"});
  redis.command({"FUNCTION", "FLUSH"});
  for (SeriesIndex series = 0; series < 99; ++series) daemon.close_bar(series);
  run_until([&] { return daemon.publisher->unpublished() == 0; }, "published all the same");
  run_until_drained(daemon);
  EXPECT_THAT(redis.text({"INFO", "commandstats"}), HasSubstr("cmdstat_function|load:calls=1,"));
  for (SeriesIndex series = 0; series < 99; ++series) expect_complete(redis, daemon, series);
}

TEST_F(PublisherFaultTest, AnOtherFunctionOfTheSameNameIsReplaced) {
  RedisServer server;
  RedisClient redis = server.client();
  redis.command({"FUNCTION", "LOAD",
                 "#!lua name=atcd\nredis.register_function('atc_publish_2', function() return 'old' end)"});
  Daemon daemon(io_, options_for(server));
  daemon.add(1, 0, 2);
  run_until_drained_after_first(daemon);
  expect_complete(redis, daemon, 1);
}

TEST_F(PublisherFaultTest, WithoutTheRightToLoadTheFunctionItMustBeThere) {
  RedisServer server;
  RedisClient redis = server.client();
  redis.command(
      {"ACL", "SETUSER", "narrow", "on", ">secret-word", "~atc:1:*", "&atc:1:*", "+@all", "-function"});
  RedisOptions options = options_for(server);
  options.url.addresses[0].username = "narrow";
  options.url.addresses[0].password = "secret-word";
  Daemon daemon(io_, options);
  daemon.add(1, 0, 2);
  run_until([&] { return daemon.handler.count(PublishEvent::refused) == 1; }, "refused");
  EXPECT_THAT(daemon.handler.detail(PublishEvent::refused), HasSubstr("atc_publish_2 is missing"));
  EXPECT_THAT(daemon.handler.detail(PublishEvent::refused), HasSubstr("redis-setup"));
  redis.command({"FUNCTION", "LOAD", std::string(publish_function_source())});
  run_until_drained_after_first(daemon);
  expect_complete(redis, daemon, 1);
}

TEST_F(PublisherFaultTest, AWrongPasswordIsSaidInClearWordsAndNeverShown) {
  RedisServer server({"--requirepass", "right-password"});
  RedisOptions options = options_for(server);
  options.url.addresses[0].password = "wrong-password";
  Daemon wrong(io_, options);
  run_until([&] { return wrong.handler.count(PublishEvent::refused) == 1; }, "refused");
  EXPECT_THAT(wrong.handler.detail(PublishEvent::refused), HasSubstr("WRONGPASS"));
  options.url.addresses[0].password.clear();
  Daemon none(io_, options);
  run_until([&] { return none.handler.count(PublishEvent::refused) == 1; }, "refused");
  EXPECT_THAT(none.handler.detail(PublishEvent::refused), HasSubstr("NOAUTH"));
  options.url.addresses[0].password = "right-password";
  Daemon right(io_, options);
  right.add(1, 0, 1);
  run_until([&] { return right.handler.published == 1; }, "published");
  for (const auto* daemon : {&wrong, &none, &right}) {
    for (const auto& event : daemon->handler.events)
      EXPECT_THAT(event.detail, Not(HasSubstr("wrong-password")));
  }
}

TEST_F(PublisherFaultTest, AKeyOfAnotherTypeStopsOnlyItsSeries) {
  RedisServer server;
  RedisClient redis = server.client();
  redis.command({"SET", stream_key(1), "text"});
  Daemon daemon(io_, options_for(server));
  daemon.add(1, 0, 2);
  daemon.add(2, 0, 2);
  run_until([&] { return daemon.handler.published == 1 && daemon.publisher->counters().errors >= 2; },
            "refused");
  EXPECT_THAT(daemon.handler.detail(PublishEvent::refused), HasSubstr("WRONGTYPE"));
  redis.command({"DEL", stream_key(1)});
  run_until([&] { return daemon.handler.published == 2; }, "published once it can be");
  expect_complete(redis, daemon, 1);
}

TEST_F(PublisherFaultTest, ASeriesThatIsRefusedIsAskedForNoFasterHoweverOftenItIsWanted) {
  RedisServer server;
  RedisClient redis = server.client();
  redis.command({"SET", stream_key(1), "no stream"});
  Daemon daemon(io_, options_for(server));
  daemon.add(1, 0, 1);
  for (std::uint64_t times = 1; times <= 100; ++times) {
    run_until([&] { return daemon.publisher->counters().errors >= times; }, "refused");
    daemon.publisher->correct(1, record_of(1, 0).bar.close_time_ms);
  }
  const auto before = daemon.publisher->counters().errors;
  Daemon calm(io_, options_for(server));  // so long as it takes another one to slow down
  calm.add(1, 0, 1);
  run_until([&] { return calm.publisher->counters().errors == 8; }, "refused as often");
  EXPECT_LT(daemon.publisher->counters().errors - before, 20U);
}

TEST_F(PublisherFaultTest, ASeriesThatWasRefusedForLongIsForgivenOnceItWasTaken) {
  RedisServer server;
  RedisClient redis = server.client();
  redis.command({"SET", stream_key(1), "no stream"});
  Daemon daemon(io_, options_for(server));
  daemon.add(1, 0, 1);
  run_until([&] { return daemon.publisher->counters().errors >= 5; }, "refused");
  redis.command({"DEL", stream_key(1)});
  run_until_drained_after_first(daemon);
  for (const SeriesIndex series : {1U, 2U}) redis.command({"SET", stream_key(series), "no stream"});
  const auto before = daemon.publisher->counters().errors;
  daemon.close_bar(1);
  Daemon fresh(io_, options_for(server));
  fresh.add(2, 0, 1);
  run_until([&] { return fresh.publisher->counters().errors == 5; }, "refused for the first time");
  EXPECT_GE(daemon.publisher->counters().errors - before, 3U) << "tried again as soon";
}

TEST_F(PublisherFaultTest, WhatOthersWriteHoldsUpNoSeriesForEver) {
  RedisServer server;
  RedisClient redis = server.client();
  Daemon daemon(io_, options_for(server));
  daemon.add(1, 0, 1);
  run_until([&] { return daemon.handler.published == 1; }, "the first");
  daemon.history.series[2].records.push_back(record_of(2, 0));
  daemon.publisher->add(2, series_info(2), false);
  const std::string detail(1000, 'x');
  for (int i = 0; i < 20'000; ++i) daemon.publisher->event("state", 1, "s", detail);  // as after an outage
  daemon.publisher->resume(2);
  run_until([&] { return daemon.handler.published == 2; }, "the series behind so many events");
  run_until_drained(daemon);
  expect_complete(redis, daemon, 2);
}

TEST_F(PublisherFaultTest, AnOutputFullOfEventsDelaysTheFunctionAndNoMore) {
  RedisServer server;
  server.kill();
  RedisOptions options = options_for(server);
  options.command_timeout = std::chrono::minutes(1);  // an instrumented program takes long to write so many
  Daemon daemon(io_, options);
  daemon.add(1, 0, 1);
  const std::string detail(1000, 'x');
  for (int i = 0; i < 80'000; ++i) daemon.publisher->event("state", 1, "s", detail);
  server.start();
  run_until([&] { return daemon.handler.published == 1; }, "the series behind more than the output takes");
  RedisClient redis = server.client();
  expect_complete(redis, daemon, 1);
}

TEST_F(PublisherFaultTest, ABarForWhichTheOutputIsTooFullIsSentWhenThereIsRoom) {
  RedisServer server;
  RedisOptions options = options_for(server);
  options.command_timeout = std::chrono::minutes(1);
  Daemon daemon(io_, options);
  daemon.add(1, 0, 1);
  run_until_drained_after_first(daemon);
  server.signal(SIGSTOP);
  const std::string detail(1000, 'x');
  for (int i = 0; i < 80'000; ++i) daemon.publisher->event("state", 1, "s", detail);
  daemon.close_bar(1);
  server.signal(SIGCONT);
  run_until([&] { return daemon.publisher->unpublished() == 0; }, "there is room");
  RedisClient redis = server.client();
  expect_complete(redis, daemon, 1);
}

TEST_F(PublisherFaultTest, ARedisThatIsFullNoMoreIsAskedForAllHeadsTogether) {
  RedisServer server;
  RedisClient redis = server.client();
  Daemon daemon(io_, options_for(server));
  for (SeriesIndex series = 0; series < 99; ++series) daemon.add(series, 0, 1);
  run_until([&] { return daemon.handler.published == 99; }, "the first");
  redis.command({"DEL", "atc:1:catalogue"});
  redis.command({"CONFIG", "SET", "maxmemory", "1"});
  daemon.publisher->look_after();  // finds it missing: all heads are read again
  run_until([&] { return daemon.publisher->counters().errors >= 99; }, "refused");
  const auto reads = [&] {
    const std::string all = redis.text({"INFO", "stats"});
    const std::string name = "total_reads_processed:";
    return std::stoll(all.substr(all.find(name) + name.size()));
  };
  redis.command({"CONFIG", "SET", "maxmemory", "0"});
  const auto before = reads();
  run_until_drained(daemon);
  EXPECT_LT(reads() - before, 50) << "one after the other";
}

TEST_F(PublisherFaultTest, NothingIsCalledAfterThePublisherIsGone) {
  RedisServer server;
  auto daemon = std::make_unique<Daemon>(io_, options_for(server));
  daemon->add(1, 0, 2);
  run_until_drained_after_first(*daemon);
  for (int i = 0; i < 100; ++i) daemon->close_bar(1);
  daemon->publisher->drain(std::chrono::seconds(60), [](std::size_t) {});
  daemon->stop();
  const auto events = daemon->handler.events.size();
  io_.restart();
  io_.run();
  EXPECT_EQ(daemon->handler.events.size(), events);
}

TEST_F(PublisherFaultTest, TlsWithoutItsSettingsIsRefusedAtOnce) {
  RedisOptions options;
  options.url = redis_url("rediss://user:secret@host");
  FakeHistory history;
  RecordingHandler handler;
  try {
    Publisher publisher(io_, options, history, handler);
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_THAT(error.what(), HasSubstr("rediss"));
    EXPECT_THAT(error.what(), Not(HasSubstr("secret")));
  }
}

}  // namespace
}  // namespace atcd::state
