// The publisher and a Redis Cluster whose slots move under load.
#include "tests/state/redis_cluster_rig.hpp"

namespace atcd::state {
namespace {

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

}  // namespace
}  // namespace atcd::state
