// What a worker remembers of bars that came again otherwise, with a simulated exchange and a Redis of its
// own.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "daemon/bulk.hpp"
#include "daemon/clock.hpp"
#include "daemon/worker.hpp"
#include "daemon/worker_questions.hpp"
#include "tests/feeds/simulator_client.hpp"
#include "tests/state/redis_server.hpp"

namespace atcd::daemon {
namespace {

namespace simulator = feeds::simulator;

using Subject = SelfAudit::Subject;

/// The bars of the only series, and what was told of them since.
std::optional<Subject> seen(Worker& worker) {
  const auto told = std::make_shared<std::promise<std::optional<Subject>>>();
  worker.ask([told](const WorkerView& view) {
    if (view.outputs.empty()) return told->set_value({});
    ask_subject(view, view.outputs.begin()->first,
                [told](std::optional<Subject> subject) { told->set_value(std::move(subject)); });
  });
  return told->get_future().get();
}
std::size_t bars(Worker& worker) {
  const auto subject = seen(worker);
  return subject ? subject->bars.size() : 0;
}
std::size_t late(Worker& worker) {
  const auto subject = seen(worker);
  return subject ? subject->late.size() : 0;
}

class LateBarsTest : public ::testing::Test {
 protected:
  /// A worker that has the bars of the exchange's only symbol.
  void begin(double speed) {
    simulator::ServerOptions options;
    options.venue.symbols = simulator::first_symbols(1);
    options.venue.speed = speed;
    options.venue.start_ms = utc_ms() / 60'000 * 60'000 + 20'000;  // the bars before have settled
    options.venue.weight_limit = 1'000'000;
    exchange_.emplace(options);
    symbol_ = options.venue.symbols[0].symbol;
    const std::string address = "://127.0.0.1:" + std::to_string(exchange_->port());
    const ConfigResult read = parse_config(
        "[[profile]]\nname = \"default\"\nhistory_bars = 60\nanchor_period = 60\n"
        "[[feed]]\nexchange = \"binance\"\nmarket = \"spot\"\nintervals = [\"1m\"]\nrest_share = 1.0\n"
        "symbols = [\"" +
        symbol_ + "\"]\nwebsocket_url = \"ws" + address + "\"\nrest_url = \"http" + address + "\"\n");
    ASSERT_TRUE(read.errors.empty()) << read.errors[0].key << " " << read.errors[0].message;
    std::string error;
    const auto url = state::parse_redis_url(redis_.url(), error);
    ASSERT_TRUE(url) << error;
    const std::string directory = redis_.directory() + "/state";
    std::filesystem::create_directory(directory);
    store_.emplace(directory, 1);
    worker_ = std::make_unique<Worker>(Worker::Context{read.config,
                                                       {*url, nullptr},
                                                       *store_,
                                                       bulk_,
                                                       addresses_,
                                                       std::make_shared<state::GroupSizes>(1),
                                                       {0, 1},
                                                       [](const auto&) {},
                                                       [](const WorkerReport&) {}});
    worker_->start();
    worker_->fill();
  }
  Worker& worker() { return *worker_; }
  void control(const std::string& target) { simulator::testing::post(exchange_->port(), "/sim/" + target); }
  /// How often the worker has connected, where it misses nothing since; else 0.
  std::uint64_t connects() {
    const auto told = std::make_shared<std::promise<std::uint64_t>>();
    worker_->ask([told](const WorkerView& view) {
      const bool live =
          !view.outputs.empty() && view.outputs.begin()->second->series().state() == feeds::SeriesState::live;
      told->set_value(live ? feed_rows(view)[0].counters.connects : 0);
    });
    return told->get_future().get();
  }
  /// How many rows of REST the only series has compared with its bars.
  std::uint64_t compared() {
    const auto told = std::make_shared<std::promise<std::uint64_t>>();
    worker_->ask([told](const WorkerView& view) {
      told->set_value(view.outputs.begin()->second->series().counters().compared);
    });
    return told->get_future().get();
  }
  bool reconnects() {
    const std::uint64_t before = connects();
    control("cut?how=reset");
    return simulator::testing::eventually([&] { return connects() > before; });
  }

  std::string symbol_;

 private:
  std::optional<simulator::testing::RunningServer> exchange_;
  state::RedisServer redis_;
  std::optional<BarStore> store_;
  gpu::Planner planner_{{nullptr, 1}};
  Bulk bulk_{planner_};
  feeds::AddressBook addresses_;
  std::unique_ptr<Worker> worker_;
};

TEST_F(LateBarsTest, AreForgottenWithTheBarsThatTheyAreOf) {
  begin(3000);
  ASSERT_TRUE(simulator::testing::eventually([&] { return bars(worker()) > 120; }));
  control("correct?symbol=" + symbol_ + "&bars_ago=20");
  ASSERT_TRUE(simulator::testing::eventually([&] { return late(worker()) == 1; }));
  std::size_t most = 0;
  const bool trimmed = simulator::testing::eventually([&] {
    const std::size_t held = bars(worker());
    most = std::max(most, held);
    return held < most;
  });
  EXPECT_TRUE(trimmed) << most << " bars are held";
  EXPECT_TRUE(simulator::testing::eventually([&] { return late(worker()) == 0; }));
}

/// A server of REST that is behind shows a bar as it was before its last trades, for the next run to take.
TEST_F(LateBarsTest, WhatRestTookBackDoesNotHold) {
  begin(0);
  const auto close_a_bar = [&] {
    const std::size_t before = bars(worker());
    control("advance?ms=60000");
    return simulator::testing::eventually([&] { return bars(worker()) > before; });
  };
  ASSERT_TRUE(simulator::testing::eventually([&] { return connects() > 0 && bars(worker()) > 60; }));
  ASSERT_TRUE(close_a_bar());
  ASSERT_TRUE(reconnects()) << "the first answer after a jump of the exchange's clock is not believed";
  control("rest?how=unsettled&count=1");
  ASSERT_TRUE(reconnects());
  ASSERT_EQ(late(worker()), 1U);
  ASSERT_TRUE(close_a_bar());
  ASSERT_TRUE(simulator::testing::eventually([&] { return late(worker()) == 2; }));
  const auto subject = seen(worker());
  const engine::Bar& used = subject->bars[subject->bars.size() - 2];
  EXPECT_EQ(subject->late[0].bar.open_time_ms, used.open_time_ms);
  EXPECT_FALSE(same_prices(subject->late[0].bar, used));
  EXPECT_EQ(subject->late[1].bar, used);
}

/// Where REST and frames differ for good one answer would else give rise to the next question, and so on.
TEST_F(LateBarsTest, OnlyWhatWasToldOtherwiseIsAskedForAgain) {
  begin(0);
  ASSERT_TRUE(simulator::testing::eventually([&] { return connects() > 0 && bars(worker()) > 60; }));
  control("turn_away?ms=600000");
  control("cut?how=reset");
  ASSERT_TRUE(simulator::testing::eventually([&] { return connects() == 0; }));
  control("correct?symbol=" + symbol_ + "&bars_ago=3");  // nobody hears of it
  control("turn_away?ms=1");
  ASSERT_TRUE(simulator::testing::eventually([&] { return connects() > 0; }));
  ASSERT_EQ(compared(), 0U);
  control("correct?symbol=" + symbol_ + "&bars_ago=6");
  ASSERT_TRUE(simulator::testing::eventually([&] { return compared() > 0; }));
  EXPECT_EQ(compared(), 1U);
  EXPECT_EQ(late(worker()), 1U);
}

}  // namespace
}  // namespace atcd::daemon
