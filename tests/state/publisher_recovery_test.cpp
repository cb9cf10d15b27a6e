// What Redis had taken and lost again: the publisher finds out and sends it anew.
#include <gmock/gmock.h>

#include "state/publish_function.hpp"
#include "tests/state/publisher_rig.hpp"

namespace atcd::state {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class PublisherRecoveryTest : public PublisherTest {
 protected:
  static constexpr SeriesIndex kSeries = 4;

  void add_all(Daemon& daemon) {
    for (SeriesIndex series = 0; series < kSeries; ++series) daemon.add(series, 0, 1);
    run_until([&] { return daemon.handler.published >= kSeries; }, "the first of all");
  }
  /// So many bars of every series close and are acknowledged.
  void publish(Daemon& daemon, int bars) {
    for (int bar = 0; bar < bars; ++bar) {
      for (SeriesIndex series = 0; series < kSeries; ++series) daemon.close_bar(series);
    }
    run_until([&] { return daemon.publisher->unpublished() == 0; }, "acknowledged");
  }
  /// So many bars of every series close while nobody hears of it.
  static void publish_unheard(Daemon& daemon, int bars) {
    for (int bar = 0; bar < bars; ++bar) {
      for (SeriesIndex series = 0; series < kSeries; ++series) daemon.close_bar(series);
    }
  }
  static std::size_t entries(const RedisServer& server) {
    RedisClient redis = server.client();
    std::size_t count = 0;
    for (SeriesIndex series = 0; series < kSeries; ++series) {
      count += std::stoul(redis.text({"XLEN", stream_key(series)}));
    }
    return count;
  }
  void expect_all(const RedisServer& server, Daemon& daemon) {
    run_until_idle(daemon);
    RedisClient redis = server.client();
    for (SeriesIndex series = 0; series < kSeries; ++series) expect_complete(redis, daemon, series);
    EXPECT_EQ(daemon.publisher->counters().different + daemon.publisher->counters().unknown, 0U);
  }
};

TEST_F(PublisherRecoveryTest, WhatADeadRedisHadAcknowledgedButNotSyncedIsSentAgain) {
  RedisServer server({"--appendonly", "yes", "--appendfsync", "everysec"});
  Daemon daemon(io_, options_for(server));
  add_all(daemon);
  server.spoil_disk("slow");
  std::size_t lost = 0;
  for (int round = 0; round < 60 && lost == 0; ++round) {
    // While one fsync runs, Redis keeps what it acknowledges in its own memory.
    run_until(
        [&] {
          publish(daemon, 1);
          const std::string told = server.client().text({"INFO", "persistence"});
          return told.find("aof_buffer_length:0\r") == std::string::npos;
        },
        "not even written");
    const std::size_t acknowledged = entries(server);
    server.kill();
    run_until([&] { return !daemon.publisher->connected(); }, "lost");
    server.start();
    lost = acknowledged - std::min(entries(server), acknowledged);
    run_until([&] { return daemon.publisher->connected(); }, "back");
  }
  EXPECT_GT(lost, 0U) << "Redis has lost nothing: the test shows nothing";
  server.mend_disk("slow");
  expect_all(server, daemon);
}

TEST_F(PublisherRecoveryTest, AnOldDumpThatWasPutBackIsCompleted) {
  RedisServer server({"--dbfilename", "dump.rdb"});
  Daemon daemon(io_, options_for(server));
  add_all(daemon);
  publish(daemon, 50);
  server.client().command({"SAVE"});
  publish(daemon, 50);
  server.kill();  // the dump of half the bars is all that is left
  run_until([&] { return !daemon.publisher->connected(); }, "lost");
  for (int bar = 0; bar < 5; ++bar) {
    for (SeriesIndex series = 0; series < kSeries; ++series) daemon.close_bar(series);
  }
  server.start();
  RedisClient redis = server.client();
  EXPECT_LT(redis.stream(stream_key(0)).size(), 60U);
  expect_all(server, daemon);
  EXPECT_EQ(redis.stream(stream_key(0)).size(), 106U);
}

TEST_F(PublisherRecoveryTest, AReplicaThatLaggedBehindIsCompletedWhenItTakesOver) {
  RedisServer master, replica;
  const fs::path current = fs::path(master.directory()) / "current.sock";
  fs::create_symlink(master.path(), current);
  RedisOptions options = options_for(master);
  options.url = redis_url("unix://" + current.string());
  Daemon daemon(io_, options);
  add_all(daemon);
  publish(daemon, 20);
  // What the replica has: everything up to here, by way of a dump; what follows does not reach it.
  const auto dump_of = [&](const std::string& key) { return master.client().text({"DUMP", key}); };
  for (const std::string& key : master.client().texts({"KEYS", "*"})) {
    replica.client().command({"RESTORE", key, "0", dump_of(key)});
  }
  publish(daemon, 20);
  fs::remove(current);
  fs::create_symlink(replica.path(), current);
  master.kill();
  run_until([&] { return daemon.publisher->counters().connects == 2; }, "with the replica");
  run_until([&] { return daemon.publisher->connected(); }, "back");
  expect_all(replica, daemon);
  EXPECT_EQ(replica.client().stream(stream_key(0)).size(), 41U);
}

TEST_F(PublisherRecoveryTest, AReplicaIsNotWrittenToAndSaid) {
  RedisServer server;
  server.client().command({"REPLICAOF", "127.0.0.1", "1"});
  Daemon daemon(io_, options_for(server));
  daemon.add(1, 0, 2);
  run_until([&] { return daemon.handler.count(PublishEvent::refused) > 0; }, "refused");
  EXPECT_THAT(daemon.handler.detail(PublishEvent::refused), HasSubstr("READONLY"));
  run_until([&] { return daemon.publisher->counters().disconnects >= 3; }, "tried again");
  EXPECT_EQ(daemon.handler.count(PublishEvent::refused), 1U) << "once, however often it is tried";
  EXPECT_EQ(daemon.handler.count(PublishEvent::disconnected), 1U);
  EXPECT_EQ(daemon.handler.count(PublishEvent::connected), 1U);
  server.client().command({"REPLICAOF", "NO", "ONE"});
  run_until_drained_after_first(daemon);
  daemon.publisher->look_after();
  EXPECT_EQ(daemon.handler.count(PublishEvent::connected), 2U) << "it is kept";
  RedisClient redis = server.client();
  expect_complete(redis, daemon, 1);
}

TEST_F(PublisherRecoveryTest, AFullDiskOfRedisIsWaitedFor) {
  RedisServer server({"--appendonly", "yes", "--appendfsync", "everysec"});
  Daemon daemon(io_, options_for(server));
  add_all(daemon);
  server.spoil_disk("full");
  // What Redis finds out one write too late it has taken; then it refuses.
  run_until(
      [&] {
        for (SeriesIndex series = 0; series < kSeries; ++series) daemon.close_bar(series);
        return daemon.handler.count(PublishEvent::refused) > 0;
      },
      "refused");
  EXPECT_THAT(daemon.handler.detail(PublishEvent::refused), HasSubstr("MISCONF"));
  server.mend_disk("full");
  run_until([&] { return daemon.publisher->unpublished() == 0; }, "acknowledged");
  expect_all(server, daemon);
  server.kill();
  run_until([&] { return !daemon.publisher->connected(); }, "lost");
  server.start();
  run_until([&] { return daemon.publisher->connected(); }, "back");
  expect_all(server, daemon);
}

TEST_F(PublisherRecoveryTest, WhatWaitedForItsTurnWhenTheConnectionWasLostGetsItOnTheNext) {
  RedisServer server;
  Daemon daemon(io_, options_for(server));
  add_all(daemon);
  server.client().command({"CONFIG", "SET", "maxmemory", "1"});
  for (SeriesIndex series = 0; series < kSeries; ++series) daemon.close_bar(series);
  run_until([&] { return daemon.publisher->counters().errors >= 1; }, "refused: they wait");
  server.kill();
  run_until([&] { return !daemon.publisher->connected(); }, "lost");
  server.start();
  run_until([&] { return daemon.publisher->connected() && daemon.publisher->unpublished() == 0; }, "settled");
  expect_all(server, daemon);
}

TEST_F(PublisherRecoveryTest, WhatStoppedASeriesIsGoneWithAllThatRedisForgot) {
  RedisServer server;
  RedisClient redis = server.client();
  Daemon before(io_, options_for(server));
  before.add(1, 0, 3, 'a');
  run_until_drained_after_first(before);
  before.stop();
  Daemon daemon(io_, options_for(server));
  daemon.add(1, 0, 3, 'b');
  run_until([&] { return daemon.publisher->stopped(1); }, "stopped");
  redis.command({"FLUSHALL"});
  daemon.publisher->look_after();
  run_until([&] { return !daemon.publisher->stopped(1); }, "noticed");
  run_until_drained(daemon);
  expect_complete(redis, daemon, 1);
}

TEST_F(PublisherRecoveryTest, AnEmptyRedisGetsEveryBarSinceTheLastThatItHadAcknowledged) {
  RedisServer server;
  Daemon daemon(io_, options_for(server));
  add_all(daemon);
  publish(daemon, 20);
  server.kill();
  run_until([&] { return !daemon.publisher->connected(); }, "lost");
  for (int bar = 0; bar < 7; ++bar) {
    for (SeriesIndex series = 0; series < kSeries; ++series) daemon.close_bar(series);
  }
  server.start();
  run_until([&] { return daemon.publisher->connected() && daemon.publisher->unpublished() == 0; }, "settled");
  expect_all(server, daemon);
  EXPECT_EQ(server.client().stream(stream_key(0)).size(), 8U);
}

TEST_F(PublisherRecoveryTest, AnEmptyRedisGetsEveryBarSinceTheHeadThatARestartFound) {
  RedisServer server;
  Daemon daemon(io_, options_for(server));
  add_all(daemon);
  daemon.stop();
  daemon.start();
  for (SeriesIndex series = 0; series < kSeries; ++series) daemon.announce(series);
  run_until([&] { return daemon.publisher->counters().same == kSeries; }, "the heads are what we have");
  server.kill();
  run_until([&] { return !daemon.publisher->connected(); }, "lost");
  publish_unheard(daemon, 7);
  server.start();
  run_until([&] { return daemon.publisher->connected() && daemon.publisher->unpublished() == 0; }, "settled");
  expect_all(server, daemon);
  EXPECT_EQ(server.client().stream(stream_key(0)).size(), 8U);
}

/// As where the disk does not reach the head, and REST is away.
TEST_F(PublisherRecoveryTest, AnEmptyRedisGetsEveryBarSinceAHeadThatHistoryCouldNotTellYet) {
  RedisServer server;
  Daemon daemon(io_, options_for(server));
  add_all(daemon);
  daemon.stop();
  for (SeriesIndex series = 0; series < kSeries; ++series) daemon.history.series[series].waiting = true;
  daemon.start();
  const auto all_asked = [&] {
    const auto& asked = daemon.history.series;
    return std::all_of(asked.begin(), asked.end(), [](const auto& each) { return each.second.was_asked; });
  };
  for (SeriesIndex series = 0; series < kSeries; ++series) {
    daemon.history.series[series].was_asked = false;
    daemon.announce(series);
  }
  run_until(all_asked, "the heads are read");
  server.kill();
  run_until([&] { return !daemon.publisher->connected(); }, "lost");
  publish_unheard(daemon, 7);
  server.start();
  run_until([&] { return daemon.publisher->connected(); }, "an empty one");
  for (SeriesIndex series = 0; series < kSeries; ++series) {
    daemon.history.series[series].waiting = false;
    daemon.publisher->resume(series);
  }
  run_until([&] { return daemon.publisher->unpublished() == 0; }, "settled");
  expect_all(server, daemon);
  EXPECT_EQ(server.client().stream(stream_key(0)).size(), 8U);
}

TEST_F(PublisherRecoveryTest, AHeadOfTheFutureThatWasFlushedHoldsNothingUp) {
  RedisServer server;
  Daemon daemon(io_, options_for(server));
  add_all(daemon);
  daemon.stop();
  for (auto& [series, history] : daemon.history.series)
    history.records.pop_back();  // as if it had never closed
  for (SeriesIndex series = 0; series < kSeries; ++series)
    daemon.history.series[series].records.push_back(record_of(series, -3));
  daemon.start();
  for (SeriesIndex series = 0; series < kSeries; ++series) daemon.announce(series);
  run_until([&] { return daemon.publisher->settled(); }, "the heads are read");
  server.client().command({"FLUSHALL"});
  for (SeriesIndex series = 0; series < kSeries; ++series) daemon.close_bar(series);
  server.kill();
  server.start();
  run_until([&] { return entries(server) >= kSeries; }, "signals go on");
}

TEST_F(PublisherRecoveryTest, WhatAnEmptyRedisRefusedAtFirstIsNotLeftOut) {
  RedisServer server;
  Daemon daemon(io_, options_for(server));
  add_all(daemon);
  publish(daemon, 20);
  server.kill();
  run_until([&] { return !daemon.publisher->connected(); }, "lost");
  publish_unheard(daemon, 7);
  server.start();
  // Refuses the first three calls, as one whose replica comes while they are on their way.
  std::string source(publish_function_source());
  const std::string begin = "local function publish(keys, args)\n";
  source.insert(source.find(begin) + begin.size(),
                "if redis.call('INCR', 'calls') <= 3 then return redis.error_reply('NOREPLICAS none') end\n");
  daemon.history.when_asked = [&] {
    daemon.history.when_asked = nullptr;
    server.client().command({"FUNCTION", "LOAD", "REPLACE", source});
  };
  run_until([&] { return daemon.publisher->connected() && daemon.publisher->unpublished() == 0; }, "settled");
  EXPECT_GE(daemon.publisher->counters().errors, 3U);
  expect_all(server, daemon);
  for (SeriesIndex series = 0; series < kSeries; ++series)
    EXPECT_EQ(server.client().stream(stream_key(series)).size(), 8U);
}

}  // namespace
}  // namespace atcd::state
