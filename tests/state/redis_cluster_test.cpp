// The publisher and a Redis Cluster: servers die under load.
#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "tests/state/redis_cluster_rig.hpp"

namespace atcd::state {
namespace {

using ::testing::HasSubstr;

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
