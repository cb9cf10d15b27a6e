#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "state/key_slot.hpp"
#include "tests/state/publisher_rig.hpp"
#include "tests/state/redis_cluster.hpp"

namespace atcd::state {

inline constexpr SeriesIndex kFirst = 100;  // each in a group of its own
inline constexpr SeriesIndex kEnd = 112;

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

}  // namespace atcd::state
