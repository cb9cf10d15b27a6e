// What a worker remembers of bars that came again otherwise, with a simulated exchange and a Redis of its
// own.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <string>

#include "daemon/bulk.hpp"
#include "daemon/worker.hpp"
#include "daemon/worker_questions.hpp"
#include "tests/feeds/simulator_client.hpp"
#include "tests/state/redis_server.hpp"

namespace atcd::daemon {
namespace {

namespace simulator = feeds::simulator;

struct Seen {
  std::size_t bars = 0, late = 0;
};

/// Of the only series.
Seen seen(Worker& worker) {
  std::promise<Seen> told;
  worker.ask([&told](const WorkerView& view) {
    Seen seen;
    for (const auto& [index, series] : view.outputs) {
      if (const auto subject = series->whole_subject(*series->output(index)))
        seen = {subject->bars.size(), subject->late.size()};
    }
    told.set_value(seen);
  });
  return told.get_future().get();
}

TEST(LateBarsTest, AreForgottenWithTheBarsThatTheyAreOf) {
  simulator::ServerOptions options;
  options.venue.symbols = simulator::first_symbols(1);
  options.venue.speed = 3000;
  options.venue.weight_limit = 1'000'000;
  const simulator::testing::RunningServer exchange(options);
  const std::string symbol = options.venue.symbols[0].symbol;
  state::RedisServer redis;
  const std::string address = "://127.0.0.1:" + std::to_string(exchange.port());
  const ConfigResult read = parse_config(
      "[[profile]]\nname = \"default\"\nhistory_bars = 60\nanchor_period = 60\n"
      "[[feed]]\nexchange = \"binance\"\nmarket = \"spot\"\nintervals = [\"1m\"]\nrest_share = 1.0\n"
      "symbols = [\"" +
      symbol + "\"]\nwebsocket_url = \"ws" + address + "\"\nrest_url = \"http" + address + "\"\n");
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
  ASSERT_TRUE(simulator::testing::eventually([&] { return seen(worker).bars > 120; }));
  simulator::testing::post(exchange.port(), "/sim/correct?symbol=" + symbol + "&bars_ago=20");
  ASSERT_TRUE(simulator::testing::eventually([&] { return seen(worker).late == 1; }));
  std::size_t most = 0;
  const bool trimmed = simulator::testing::eventually([&] {
    const std::size_t bars = seen(worker).bars;
    most = std::max(most, bars);
    return bars < most;
  });
  EXPECT_TRUE(trimmed) << most << " bars are held";
  EXPECT_TRUE(simulator::testing::eventually([&] { return seen(worker).late == 0; }));
}

}  // namespace
}  // namespace atcd::daemon
