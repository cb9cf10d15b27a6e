// The publisher and a Redis Cluster: slots move and servers die under load.
#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "state/key_slot.hpp"
#include "tests/state/publisher_rig.hpp"
#include "tests/state/redis_cluster.hpp"

namespace atcd::state {
namespace {

using ::testing::HasSubstr;

constexpr SeriesIndex kFirst = 100;  // each in a group of its own
constexpr SeriesIndex kEnd = 112;

TEST(KeySlotTest, IsTheSlotThatRedisSays) {
  const ReservedPort port, bus;
  RedisServer server({"--port", port.text(), "--bind", "127.0.0.1", "--cluster-enabled", "yes",
                      "--cluster-port", bus.text()});
  RedisClient redis = server.client();
  for (const std::string key : {"", "a", "atc:1:catalogue", "atc:1:{binance:spot:1m:default}:stream:BTCUSDT",
                                "{}a", "a{b}c{d}", "{a", "a}{b", "{{a}}", "123456789"}) {
    EXPECT_EQ(std::to_string(key_slot(key)), redis.text({"CLUSTER", "KEYSLOT", key})) << key;
  }
}

class RedisClusterTest : public PublisherTest {
 protected:
  static RedisOptions options_for(const RedisCluster& cluster) {
    RedisOptions options;
    options.url = redis_url(cluster.url());
    options.keep = 1'000'000;
    options.command_timeout = std::chrono::milliseconds(2000);
    return options;
  }

  void add_all(Daemon& daemon) {
    for (SeriesIndex series = kFirst; series < kEnd; ++series) daemon.add(series, 0, 1);
    run_until([&] { return daemon.handler.published >= kEnd - kFirst; }, "the first of all");
  }
  static void close_all(Daemon& daemon) {
    for (SeriesIndex series = kFirst; series < kEnd; ++series) daemon.close_bar(series);
  }
  /// The first series' slot is on its way from its owner to a new server, which has no other.
  struct Move {
    std::uint16_t slot;
    std::size_t from, to;
  };
  static Move begin_first_move(RedisCluster& cluster) {
    const std::size_t to = cluster.add_master();
    const Move move{key_slot(stream_key(kFirst)), cluster.owner(stream_key(kFirst)), to};
    cluster.begin_move(move.slot, move.from, move.to);
    return move;
  }
  void expect_all(RedisCluster& cluster, const Daemon& daemon) {
    for (SeriesIndex series = kFirst; series < kEnd; ++series) {
      RedisClient redis = cluster.node(cluster.owner(stream_key(series))).server.client();
      expect_complete(redis, daemon, series);
    }
    EXPECT_EQ(daemon.publisher->counters().different + daemon.publisher->counters().unknown, 0U);
  }
  static std::string newest(RedisCluster& cluster, SeriesIndex series) {
    return cluster.node(cluster.owner(stream_key(series))).server.client().hash(last_key(series))["close_ms"];
  }
};

TEST_F(RedisClusterTest, EverySeriesIsOnTheServerOfItsSlotAndPushesReachEveryServer) {
  RedisCluster cluster(3);
  Daemon daemon(io_, options_for(cluster));
  RedisClient listener = cluster.node(2).server.client();
  listener.command({"PSUBSCRIBE", "atc:1:signal:*"});
  add_all(daemon);
  close_all(daemon);
  run_until_drained(daemon);
  expect_all(cluster, daemon);
  std::set<std::size_t> owners;
  for (SeriesIndex series = kFirst; series < kEnd; ++series) owners.insert(cluster.owner(stream_key(series)));
  EXPECT_EQ(owners.size(), 3U) << "the groups of this test are on every server";
  for (SeriesIndex i = 0; i < kEnd - kFirst; ++i) {
    EXPECT_THAT(std::string(listener.next_message()->element[2]->str),
                HasSubstr("atc:1:signal:sim:spot:SYM1"));
  }
  // The notices' keys have no common slot.
  const auto client_of = [&](const std::string& key) {
    return cluster.node(cluster.owner(key)).server.client();
  };
  EXPECT_EQ(client_of("atc:1:catalogue").hash("atc:1:catalogue").size(), kEnd - kFirst);
  EXPECT_EQ(client_of("atc:1:configs").hash("atc:1:configs").size(), 1U);
  EXPECT_EQ(client_of("atc:1:state:main").hash("atc:1:state:main").size(), kEnd - kFirst);
  daemon.publisher->event("start", 1, "", "");
  daemon.publisher->heartbeat({{"beat_ms", "1"}});
  run_until_drained(daemon);
  EXPECT_EQ(client_of("atc:1:events").stream("atc:1:events").size(), 1U);
  EXPECT_EQ(client_of("atc:1:daemon:main").hash("atc:1:daemon:main").at("beat_ms"), "1");
}

TEST_F(RedisClusterTest, ASlotThatMovesUnderLoadLosesAndDoublesNothing) {
  RedisCluster cluster(3);
  Daemon daemon(io_, options_for(cluster));
  add_all(daemon);
  const std::uint16_t slot = key_slot(stream_key(kFirst));
  const std::size_t from = cluster.owner(stream_key(kFirst));
  const std::size_t to = (from + 1) % 3;
  const auto load = [&](int bars) {
    for (int bar = 0; bar < bars; ++bar) {
      close_all(daemon);
      for (int step = 0; step < 5; ++step) io_.poll_one();
      io_.restart();
    }
  };
  load(50);
  cluster.begin_move(slot, from, to);
  load(50);  // all keys are still where they were
  cluster.move_keys(slot, from, to, 1);
  load(50);  // some keys here, some there: only this series has to wait
  while (cluster.move_keys(slot, from, to, 1)) load(5);
  run_until_drained(daemon);  // nothing is here any more: ASK is followed
  EXPECT_EQ(cluster.node(to).server.client().raw({"EXISTS", stream_key(kFirst)})->type, REDIS_REPLY_ERROR)
      << "the slot has not changed hands yet";
  load(20);
  cluster.end_move(slot, to);
  load(50);
  run_until_drained(daemon);
  EXPECT_EQ(cluster.owner(stream_key(kFirst)), to);
  expect_all(cluster, daemon);
  EXPECT_EQ(daemon.handler.count(PublishEvent::refused), 0U) << daemon.handler.detail(PublishEvent::refused);
}

TEST_F(RedisClusterTest, ADrainWaitsForWhatIsBetweenTwoServers) {
  RedisCluster cluster(2);
  Daemon daemon(io_, options_for(cluster));
  add_all(daemon);
  run_until_drained(daemon);
  const std::uint16_t slot = key_slot(stream_key(kFirst));
  const std::size_t from = cluster.owner(stream_key(kFirst));
  const std::size_t to = 1 - from;
  cluster.begin_move(slot, from, to);
  while (cluster.move_keys(slot, from, to, 10)) {
  }
  cluster.end_move(slot, to);
  daemon.close_bar(kFirst);
  std::size_t left = 0, drains = 0;
  const auto drain = [&] {  // looks at once, behind every single step
    daemon.publisher->drain(tests::deadline(), [&](std::size_t unacknowledged) {
      left = std::max(left, unacknowledged);
      ++drains;
    });
    return drains > 0;
  };
  run_until(drain, "drained");
  EXPECT_EQ(left, 0U);
  EXPECT_EQ(cluster.owner(stream_key(kFirst)), to);
  expect_all(cluster, daemon);
}

/// As after a partition: who has the slot now never saw the correction.
TEST_F(RedisClusterTest, AProvenCorrectionThatTheNewServerLacksIsAskedAboutAndSentAgain) {
  RedisCluster cluster(2);
  Daemon twin(io_, options_for(cluster)), daemon(io_, options_for(cluster));
  daemon.history.when_different = [&](SeriesIndex series, std::int64_t close_ms) {
    daemon.publisher->answered(series);
    daemon.publisher->correct(series, close_ms);
  };
  for (Daemon* each : {&twin, &daemon}) {
    each->add(kFirst, 0, 1);
    run_until([&] { return each->handler.published > 0; }, "the first");
    run_until_drained(*each);
  }
  auto& told = twin.history.series[kFirst].records;
  told.push_back(record_of(kFirst, 1));
  told.back().bar.close = 77;
  twin.publisher->publish(kFirst, told.back());
  run_until_drained(twin);
  twin.stop();
  const std::string stream = stream_key(kFirst), last = last_key(kFirst);
  const std::size_t from = cluster.owner(stream), to = 1 - from;
  for (const std::string& key : {stream, last}) cluster.command(from, {"COPY", key, key + "-before"});
  const auto newest_id = [&](std::size_t node) {
    return cluster.node(node).server.client().stream(stream).back().id;
  };
  const std::string corrected = std::to_string(record_of(kFirst, 1).bar.close_time_ms) + "-1";
  daemon.close_bar(kFirst);
  run_until([&] { return newest_id(from) == corrected; }, "corrected");
  run_until_drained(daemon);
  const std::uint16_t slot = key_slot(stream);
  cluster.begin_move(slot, from, to);
  while (cluster.move_keys(slot, from, to, 10)) {
  }
  cluster.end_move(slot, to);
  for (const std::string& key : {stream, last}) cluster.command(to, {"RENAME", key + "-before", key});
  daemon.close_bar(kFirst);
  run_until_drained(daemon);
  EXPECT_EQ(daemon.history.differences.size(), 2U);
  RedisClient redis = cluster.node(to).server.client();
  const auto entries = redis.stream(stream);
  ASSERT_EQ(entries.size(), 4U) << "two, the correction and the next";
  EXPECT_EQ(entries[2].id, corrected);
}

TEST_F(RedisClusterTest, ANewServerIsFoundThroughASlotThatMovesToIt) {
  RedisCluster cluster(2);
  Daemon daemon(io_, options_for(cluster));
  add_all(daemon);
  const auto [slot, from, to] = begin_first_move(cluster);
  while (cluster.move_keys(slot, from, to, 10)) close_all(daemon);
  close_all(daemon);
  cluster.end_move(slot, to);
  close_all(daemon);
  run_until_drained(daemon);
  EXPECT_EQ(cluster.owner(stream_key(kFirst)), to);
  expect_all(cluster, daemon);
}

TEST_F(RedisClusterTest, ANewServerIsPublishedToWhileItsFirstSlotIsStillOnItsWay) {
  RedisCluster cluster(2);
  Daemon daemon(io_, options_for(cluster));
  add_all(daemon);
  const auto [slot, from, to] = begin_first_move(cluster);
  while (cluster.move_keys(slot, from, to, 10)) {
  }
  for (int bar = 0; bar < 20 && !HasFatalFailure(); ++bar) {
    close_all(daemon);
    run_until([&] { return daemon.publisher->unpublished() == 0; }, "published where the slot is to be");
    daemon.publisher->look_after();
  }
  EXPECT_EQ(cluster.node(to).server.client().raw({"EXISTS", stream_key(kFirst)})->type, REDIS_REPLY_ERROR)
      << "the slot has not changed hands yet";
  const auto& counters = daemon.publisher->counters();
  EXPECT_EQ(counters.connects - counters.disconnects, 3U) << "it was not let go meanwhile";
  cluster.end_move(slot, to);
  close_all(daemon);
  run_until_drained(daemon);
  EXPECT_EQ(cluster.owner(stream_key(kFirst)), to);
  expect_all(cluster, daemon);
}

TEST_F(RedisClusterTest, WhoImportsASlotAndDiesIsLeftForWhoStillHasIt) {
  RedisCluster cluster(2);
  Daemon daemon(io_, options_for(cluster));
  add_all(daemon);
  const auto [slot, from, to] = begin_first_move(cluster);
  while (cluster.move_keys(slot, from, to, 10)) {
  }
  cluster.node(to).server.kill();  // before anybody was sent there
  daemon.close_bar(kFirst);
  run_until([&] { return daemon.publisher->counters().errors >= 3; }, "sent there again and again");
  // Its keys are given up: the old owner serves them, empty, from the newest bar on.
  cluster.command(from, {"CLUSTER", "SETSLOT", std::to_string(slot), "STABLE"});
  run_until_drained(daemon);
  EXPECT_EQ(newest(cluster, kFirst), std::to_string(record_of(kFirst, 1).bar.close_time_ms));
}

TEST_F(RedisClusterTest, AServerThatTheOthersHaveReplacedIsLeftThoughItAnswers) {
  RedisCluster cluster(2);
  Daemon daemon(io_, options_for(cluster));
  add_all(daemon);
  // The two lose sight of each other, not of us. The first knows that it is alone, the second has all.
  cluster.command(0, {"CONFIG", "SET", "cluster-require-full-coverage", "yes"});
  cluster.command(0, {"CLUSTER", "FORGET", cluster.node(1).id});
  cluster.command(1, {"CLUSTER", "FORGET", cluster.node(0).id});
  cluster.command(1, {"CLUSTER", "ADDSLOTSRANGE", "0", std::to_string(kClusterSlots / 2 - 1)});
  RedisCluster::wait([&] {
    return cluster.command(0, {"CLUSTER", "INFO"}).find("cluster_state:fail") != std::string::npos;
  });
  close_all(daemon);
  run_until([&] { return daemon.publisher->unpublished() == 0; }, "published by the second");
  EXPECT_THAT(daemon.handler.detail(PublishEvent::refused), HasSubstr("CLUSTERDOWN"));
  run_until_drained(daemon);
  for (SeriesIndex series = kFirst; series < kEnd; ++series) {
    RedisClient redis = cluster.node(1).server.client();
    expect_complete(redis, daemon, series);
  }
}

TEST_F(RedisClusterTest, AHeartbeatFindsItsServerToo) {
  RedisCluster cluster(2);
  Daemon daemon(io_, options_for(cluster));
  // With each of the two, and because the second was not there yet with the first.
  const auto layouts_read = [&] {
    int calls = 0;
    for (std::size_t i = 0; i < cluster.size(); ++i) {
      const std::string text = cluster.command(i, {"INFO", "commandstats"}), name = "cluster|slots:calls=";
      const auto at = text.find(name);
      if (at != std::string::npos) calls += std::stoi(text.substr(at + name.size()));
    }
    return calls;
  };
  run_until([&] { return layouts_read() >= 3; }, "all is known");
  const std::string key = "atc:1:daemon:main";
  const std::size_t cut_off = cluster.owner(key), other = 1 - cut_off;
  cluster.command(cut_off, {"CONFIG", "SET", "cluster-require-full-coverage", "yes"});
  cluster.command(cut_off, {"CLUSTER", "FORGET", cluster.node(other).id});
  cluster.command(other, {"CLUSTER", "FORGET", cluster.node(cut_off).id});
  cluster.command(other, {"CLUSTER", "ADDSLOTS", std::to_string(key_slot(key))});
  RedisCluster::wait([&] {
    return cluster.command(cut_off, {"CLUSTER", "INFO"}).find("cluster_state:fail") != std::string::npos;
  });
  RedisClient redis = cluster.node(other).server.client();
  const auto beats = [&] {
    daemon.publisher->heartbeat({{"beat_ms", "1"}});
    return redis.text({"EXISTS", key}) == "1";
  };
  run_until(beats, "it beats where it is served");
}

TEST_F(RedisClusterTest, WhatNobodyServesYetIsPublishedOnceItIsServed) {
  RedisCluster cluster(2, 1);
  const std::string slot = std::to_string(key_slot(stream_key(kFirst)));
  const std::size_t owner = cluster.owner(stream_key(kFirst));
  cluster.command(owner, {"CLUSTER", "DELSLOTS", slot});
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    if (i != owner)
      cluster.node(i).server.client().raw({"CLUSTER", "DELSLOTS", slot});  // it may know already
  }
  RedisOptions options = options_for(cluster);
  // The replica comes first, by its name too: it serves nothing.
  options.url = redis_url("redis-cluster://0.0.0.0:" + cluster.node(2).port.text());
  Daemon daemon(io_, options);
  for (SeriesIndex series = kFirst; series < kEnd; ++series) daemon.add(series, 0, 1);
  run_until([&] { return daemon.handler.published >= kEnd - kFirst - 1; }, "all but that one");
  close_all(daemon);
  cluster.command(owner, {"CLUSTER", "ADDSLOTS", slot});
  run_until_drained(daemon);
  expect_all(cluster, daemon);
}

TEST_F(RedisClusterTest, ASlotThatNobodyServesHoldsUpNoOtherOfItsServer) {
  RedisCluster cluster(1);
  Daemon daemon(io_, options_for(cluster));
  add_all(daemon);
  cluster.command(0, {"CLUSTER", "DELSLOTS", std::to_string(key_slot(stream_key(kFirst)))});
  daemon.close_bar(kFirst);
  const auto errors = [&] { return daemon.publisher->counters().errors; };
  run_until([&] { return errors() > 3; }, "refused");
  const auto before = errors();
  constexpr SeriesIndex other = kFirst + 1;
  constexpr std::int64_t kTurns = 40;
  for (std::int64_t turn = 0; turn < kTurns; ++turn) {
    const std::string newest_ms = std::to_string(record_of(other, turn + 1).bar.close_time_ms);
    daemon.history.series[other].records.push_back(record_of(other, turn + 1));
    daemon.publisher->correct(other, 1);  // by way of its head
    run_until([&] { return newest(cluster, other) == newest_ms; }, "published");
  }
  EXPECT_LT(errors() - before, std::uint64_t{kTurns}) << "tried again and again instead of the other";
}

TEST_F(RedisClusterTest, AServerThatIsAwayHoldsUpOnlyItsOwnSeries) {
  RedisCluster cluster(3);
  Daemon daemon(io_, options_for(cluster));
  add_all(daemon);
  const std::size_t dead = cluster.owner(stream_key(kFirst));
  SeriesIndex elsewhere = kFirst + 1;
  while (cluster.owner(stream_key(elsewhere)) == dead) ++elsewhere;
  cluster.node(dead).server.kill();
  for (int bar = 0; bar < 20; ++bar) {
    close_all(daemon);
    const auto expected = std::to_string(daemon.history.series[elsewhere].records.back().bar.close_time_ms);
    run_until([&] { return newest(cluster, elsewhere) == expected; }, "published by another server");
  }
  EXPECT_FALSE(daemon.publisher->connected());
  EXPECT_GE(daemon.publisher->unpublished(), 20U);
  cluster.node(dead).server.start();
  run_until([&] { return daemon.publisher->connected(); }, "connected again");
  run_until_drained(daemon);
  expect_all(cluster, daemon);
}

TEST_F(RedisClusterTest, TheReplicaOfADeadServerTakesOver) {
  RedisCluster cluster(3, 1);
  cluster.dead_after("1000");
  Daemon daemon(io_, options_for(cluster));
  add_all(daemon);
  for (int bar = 0; bar < 20; ++bar) close_all(daemon);
  run_until([&] { return daemon.publisher->unpublished() == 0; }, "published");
  cluster.node(0).server.kill();  // the only one that the URL names
  for (int bar = 0; bar < 20; ++bar) close_all(daemon);
  run_until([&] { return daemon.publisher->connected() && daemon.publisher->unpublished() == 0; },
            "published by the replica");
  run_until_drained(daemon);
  EXPECT_GE(daemon.handler.count(PublishEvent::moved), 1U);
  for (SeriesIndex series = kFirst; series < kEnd; ++series) {
    std::size_t owner = 1;
    while (owner < 3 && cluster.node(owner).server.client().raw({"EXISTS", stream_key(series)})->type ==
                            REDIS_REPLY_ERROR) {
      ++owner;
    }
    RedisClient redis = cluster.node(owner).server.client();
    expect_complete(redis, daemon, series);
  }
}

TEST_F(RedisClusterTest, AClusterThatCameBackUnderOtherAddressesIsFoundThroughTheUrl) {
  RedisCluster cluster(1);
  const ReservedPort port, bus;
  RedisOptions options = options_for(cluster);
  options.url = redis_url(cluster.url() + ",127.0.0.1:" + port.text());
  Daemon daemon(io_, options);
  add_all(daemon);
  cluster.node(0).server.kill();  // the only one that serves anything
  close_all(daemon);
  run_until([&] { return !daemon.publisher->connected(); }, "lost");
  const RedisServer other({"--port", port.text(), "--bind", "127.0.0.1", "--cluster-enabled", "yes",
                           "--cluster-port", bus.text()});
  RedisClient redis = other.client();
  redis.command({"CLUSTER", "ADDSLOTSRANGE", "0", std::to_string(kClusterSlots - 1)});
  run_until([&] { return daemon.publisher->unpublished() == 0; }, "published there");
  run_until_drained(daemon);
  for (SeriesIndex series = kFirst; series < kEnd; ++series) expect_complete(redis, daemon, series);
}

TEST_F(RedisClusterTest, AClusterTakenForASingleServerIsSaid) {
  RedisCluster cluster(2);
  RedisOptions options = options_for(cluster);
  options.url = redis_url("redis://127.0.0.1:" + cluster.node(0).port.text());
  Daemon daemon(io_, options);
  for (SeriesIndex series = kFirst; series < kEnd; ++series) daemon.add(series, 0, 1);
  const auto said = [&] {
    return std::any_of(daemon.handler.events.begin(), daemon.handler.events.end(), [](const auto& event) {
      return event.detail.find("redis-cluster:// is its URL") != std::string::npos;
    });
  };
  run_until(said, "said");
}

TEST_F(RedisClusterTest, ASingleServerTakenForAClusterIsSaid) {
  const ReservedPort port;
  RedisServer server({"--port", port.text(), "--bind", "127.0.0.1"});
  RedisOptions options;
  options.url = redis_url("redis-cluster://127.0.0.1:" + port.text());
  Daemon daemon(io_, options);
  run_until([&] { return daemon.handler.count(PublishEvent::refused) > 0; }, "refused");
  EXPECT_THAT(daemon.handler.detail(PublishEvent::refused), HasSubstr("cluster support disabled"));
}

}  // namespace
}  // namespace atcd::state
