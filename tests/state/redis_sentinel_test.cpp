// Sentinels name the master: they are asked before every attempt to connect.
#include <gmock/gmock.h>

#include "tests/state/publisher_rig.hpp"

namespace atcd::state {
namespace {

using ::testing::HasSubstr;

/// A master, its replica and a Sentinel that watches them.
class RedisSentinelTest : public PublisherTest {
 protected:
  static std::vector<std::string> at(const ReservedPort& port) {
    return {"--port", port.text(),    "--bind", "127.0.0.1", "--repl-diskless-sync-delay",
            "0",      "--appendonly", "yes"};
  }
  static std::vector<std::string> copy_of(const ReservedPort& master, const ReservedPort& port) {
    std::vector<std::string> options = at(port);
    options.insert(options.end(), {"--replicaof", "127.0.0.1", master.text()});
    return options;
  }

  RedisOptions options(const std::string& master = "mymaster") const {
    // The first of them is not there.
    RedisOptions options;
    options.url = redis_url("redis-sentinel://127.0.0.1:" + nobodys_port_.text() +
                            ",127.0.0.1:" + sentinel_port_.text() + "/" + master);
    options.keep = 1'000'000;
    return options;
  }

  /// `dead_after`: a master that is quiet for so many milliseconds is replaced, and be it that the machine is
  /// busy.
  void watch(const std::string& dead_after = "60000") {
    RedisClient sentinel = sentinel_.client();
    sentinel.command({"SENTINEL", "MONITOR", "mymaster", "127.0.0.1", master_port_.text(), "1"});
    sentinel.command({"SENTINEL", "SET", "mymaster", "down-after-milliseconds", dead_after});
    sentinel.command({"SENTINEL", "SET", "mymaster", "failover-timeout", "3000"});
    run_until(
        [&] {
          return sentinel.command({"SENTINEL", "REPLICAS", "mymaster"})->elements == 1;
        },
        "the replica is known");
  }

  const ReservedPort master_port_, replica_port_, sentinel_port_, nobodys_port_;
  RedisServer master_{at(master_port_)};
  RedisServer replica_{copy_of(master_port_, replica_port_)};
  RedisServer sentinel_{{"--port", sentinel_port_.text(), "--bind", "127.0.0.1", "--sentinel"},
                        "sentinel.conf"};
};

TEST_F(RedisSentinelTest, TheNewMasterIsFoundAndNothingIsLost) {
  watch("300");
  Daemon daemon(io_, options());
  for (SeriesIndex series = 0; series < 4; ++series) daemon.add(series, 0, 1);
  run_until([&] { return daemon.handler.published == 4; }, "the first of all");
  for (int bar = 0; bar < 50; ++bar) {
    for (SeriesIndex series = 0; series < 4; ++series) daemon.close_bar(series);
    io_.poll_one();
  }
  master_.kill();
  for (int bar = 0; bar < 50; ++bar) {
    for (SeriesIndex series = 0; series < 4; ++series) daemon.close_bar(series);
  }
  run_until([&] { return daemon.publisher->connected() && daemon.publisher->unpublished() == 0; },
            "published by the new master");
  run_until_drained(daemon);
  RedisClient redis = replica_.client();
  for (SeriesIndex series = 0; series < 4; ++series) expect_complete(redis, daemon, series);
}

TEST_F(RedisSentinelTest, AMasterThatBecomesAReplicaIsLeft) {
  watch();
  Daemon daemon(io_, options());
  daemon.add(1, 0, 1);
  run_until([&] { return daemon.handler.published == 1; }, "the first");
  run_until(
      [&] {
        return sentinel_.client().raw({"SENTINEL", "FAILOVER", "mymaster"})->type != REDIS_REPLY_ERROR;
      },
      "the replica is good enough");
  const auto promoted = [&] {
    try {
      return replica_.client().texts({"ROLE"})[0] == "master";
    } catch (const std::runtime_error&) {  // the Sentinel cuts every connection of the new master once
      return false;
    }
  };
  run_until(
      [&] {
        daemon.close_bar(1);
        return promoted();
      },
      "promoted");
  // Until the old master knows that it is none it took what was published then: that is sent again.
  const auto newest = std::to_string(daemon.history.series[1].records.back().bar.close_time_ms);
  run_until(
      [&] {
        try {
          return replica_.client().hash(last_key(1))["close_ms"] == newest;
        } catch (const std::runtime_error&) {
          return false;
        }
      },
      "all of it is with the new master");
  run_until_drained(daemon);
  RedisClient redis = replica_.client();
  expect_complete(redis, daemon, 1);
}

TEST_F(RedisSentinelTest, ASentinelThatFellSilentIsPassedOverWhileTheMasterAnswers) {
  watch();
  const ReservedPort port;
  auto first = std::make_unique<RedisServer>(
      std::vector<std::string>{"--port", port.text(), "--bind", "127.0.0.1", "--sentinel"}, "sentinel.conf");
  first->client().command({"SENTINEL", "MONITOR", "mymaster", "127.0.0.1", master_port_.text(), "1"});
  RedisOptions options;
  options.url = redis_url("redis-sentinel://127.0.0.1:" + port.text() +
                          ",127.0.0.1:" + sentinel_port_.text() + "/mymaster");
  options.keep = 1'000'000;
  Daemon daemon(io_, options);
  daemon.add(1, 0, 1);
  run_until([&] { return daemon.handler.published == 1; }, "the first");
  // Its machine takes connections, and nobody reads them.
  first.reset();
  const boost::asio::ip::tcp::acceptor silent(
      io_, {boost::asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(std::stoi(port.text()))});
  // The other one names another master; the old one lives, and is master still.
  replica_.client().command({"REPLICAOF", "NO", "ONE"});
  sentinel_.client().command({"SENTINEL", "REMOVE", "mymaster"});
  sentinel_.client().command({"SENTINEL", "MONITOR", "mymaster", "127.0.0.1", replica_port_.text(), "1"});
  run_until([&] { return daemon.handler.count(PublishEvent::connected) == 2; }, "left the old master");
  daemon.close_bar(1);
  run_until_drained(daemon);
  RedisClient redis = replica_.client();
  expect_complete(redis, daemon, 1);
}

TEST_F(RedisSentinelTest, AnUnknownMasterIsSaid) {
  watch();
  Daemon daemon(io_, options("nobody"));
  run_until([&] { return daemon.handler.count(PublishEvent::disconnected) == 1; }, "said");
  EXPECT_THAT(daemon.handler.detail(PublishEvent::disconnected), HasSubstr("knows no master named"));
}

}  // namespace
}  // namespace atcd::state
