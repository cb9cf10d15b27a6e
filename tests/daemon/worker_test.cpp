// A worker with a simulated exchange and a Redis of its own.
#include "daemon/worker.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <map>
#include <string>

#include "daemon/bulk.hpp"
#include "daemon/worker_questions.hpp"
#include "tests/feeds/simulator_client.hpp"
#include "tests/state/redis_server.hpp"

namespace atcd::daemon {
namespace {

namespace simulator = feeds::simulator;

/// So many bars of each symbol are held.
std::map<std::string, std::size_t> bars_held(Worker& worker) {
  std::promise<std::map<std::string, std::size_t>> held;
  worker.ask([&held](const WorkerView& view) {
    std::map<std::string, std::size_t> bars;
    for (const auto& [index, series] : view.outputs)
      bars[series->name().symbol] = series->series().bars().size();
    held.set_value(std::move(bars));
  });
  return held.get_future().get();
}

TEST(WorkerTest, AStreamThatCannotBePublishedHasItsOwnBarsKeptAndNoOther) {
  simulator::ServerOptions options;
  options.venue.symbols = simulator::first_symbols(2);
  options.venue.speed = 3000;
  options.venue.weight_limit = 1'000'000;
  const simulator::testing::RunningServer exchange(options);
  const std::string stuck = options.venue.symbols[0].symbol, other = options.venue.symbols[1].symbol;
  state::RedisServer redis;
  redis.client().command({"SET", "atc:1:{binance:spot:1m:default}:stream:" + stuck, "of another type"});
  const std::string address = "://127.0.0.1:" + std::to_string(exchange.port());
  const ConfigResult read = parse_config(
      "[[profile]]\nname = \"default\"\nhistory_bars = 60\nanchor_period = 60\n"
      "[[feed]]\nexchange = \"binance\"\nmarket = \"spot\"\nintervals = [\"1m\"]\nrest_share = 1.0\n"
      "symbols = [\"" +
      stuck + "\", \"" + other + "\"]\nwebsocket_url = \"ws" + address + "\"\nrest_url = \"http" + address +
      "\"\n");
  ASSERT_TRUE(read.errors.empty()) << read.errors[0].key << " " << read.errors[0].message;
  std::string error;
  const auto url = state::parse_redis_url(redis.url(), error);
  ASSERT_TRUE(url) << error;

  const std::string directory = redis.directory() + "/state";
  std::filesystem::create_directory(directory);
  BarStore store(directory, 1);
  gpu::Planner planner({nullptr, 1});
  Bulk bulk(planner);
  feeds::AddressBook addresses;
  Worker worker({read.config,
                 {*url, nullptr},
                 store,
                 bulk,
                 addresses,
                 {0, 1},
                 [](const auto&) {},
                 [](const WorkerReport&) {}});
  worker.start();
  worker.fill();
  std::map<std::string, std::size_t> most;
  const bool trimmed = simulator::testing::eventually([&] {
    const auto held = bars_held(worker);
    for (const auto& [symbol, bars] : held) most[symbol] = std::max(most[symbol], bars);
    return held.contains(other) && held.at(other) < most[other];
  });
  EXPECT_TRUE(trimmed) << most[other] << " bars are held";
  EXPECT_GE(bars_held(worker)[stuck], most[stuck]);
  EXPECT_GT(most[stuck], 350U) << "so many that they would have been trimmed";
}

}  // namespace
}  // namespace atcd::daemon
