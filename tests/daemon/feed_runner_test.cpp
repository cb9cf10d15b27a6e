#include "daemon/feed_runner.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "daemon/bulk.hpp"
#include "tests/deadline.hpp"
#include "tests/feeds/simulator_client.hpp"

namespace atcd::daemon {
namespace {

using std::chrono::steady_clock;

/// A worker's parts, without a Redis and without an exchange.
class FeedRunnerTest : public ::testing::Test, state::SignalHistory, state::PublishHandler {
 protected:
  FeedRunnerTest() {
    std::string form = (std::filesystem::temp_directory_path() / "atcd-feed-runner-XXXXXX").string();
    EXPECT_NE(mkdtemp(form.data()), nullptr);
    folder_ = form;
    store_ = std::make_unique<BarStore>(folder_.string(), 1);
    archive_ = std::make_unique<BarArchive>(*store_, 0, io_);
  }
  ~FeedRunnerTest() override {
    archive_.reset();
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::unique_ptr<FeedRunner> runner(const FeedConfig& block) {
    const FeedRunner::Context context{
        io_,        publisher_, journal_, *archive_, numbers_,
        addresses_, {},         times_,   bulk_,     [](state::SeriesIndex, MarketSeries*) {},
        [] {},      no_others_};
    auto made = std::make_unique<FeedRunner>(context, FeedKey::of(block));
    made->configure({block}, {ProfileConfig{}});
    return made;
  }

  // state::SignalHistory and state::PublishHandler: nothing is published
  state::HistoryAnswer signals_after(state::SeriesIndex, std::int64_t, std::size_t,
                                     std::vector<state::SignalRecord>&) override {
    return state::HistoryAnswer::wait;
  }
  void on_different(state::SeriesIndex, std::int64_t) override {}
  void on_publish_event(state::PublishEvent, std::string_view, std::string_view) override {}
  void on_published(state::SeriesIndex, std::int64_t, std::int64_t) override {}

  template <class Condition>
  bool runs_until(const Condition& condition) {
    const auto end = steady_clock::now() + tests::deadline();
    while (!condition() && steady_clock::now() < end) io_.run_one_for(std::chrono::milliseconds(10));
    return condition();
  }

  /// Nobody listens: the list is asked for again after two seconds.
  static FeedConfig nowhere_block() {
    FeedConfig block;
    block.exchange = "binance";
    block.market = "spot";
    block.intervals = {"1m"};
    block.rest_url = "http://127.0.0.1:1";
    block.websocket_url = "ws://127.0.0.1:1";
    return block;
  }

  static FeedConfig block_of(std::uint16_t port) {
    FeedConfig block = nowhere_block();
    block.rest_url = "http://127.0.0.1:" + std::to_string(port);
    block.websocket_url = "ws://127.0.0.1:" + std::to_string(port);
    return block;
  }

  /// With symbols of which the archive has a bar.
  FeedConfig block_of_the_last_run(int symbols) {
    FeedConfig block = nowhere_block();
    constexpr std::int64_t kOpenMs = 1'795'392'000'000;
    for (int i = 0; i < symbols; ++i) {
      const std::string symbol = "S" + std::to_string(i) + "USDT";
      block.symbols.push_back(symbol);
      const std::string name = archive_name(*feeds::find_exchange("binance", "spot"), {symbol, "1m"});
      archive_->left(name,
                     {0, {{{kOpenMs, kOpenMs + 60'000, 1, 1, 1, 1, 1}}, kOpenMs, kOpenMs + 60'000}, 0, {}},
                     true, 0);
    }
    return block;
  }

  static state::RedisOptions nowhere() {
    state::RedisOptions options;
    std::string error;
    options.url = *state::parse_redis_url("unix:///nowhere", error);
    return options;
  }

  boost::asio::io_context io_{1};
  std::filesystem::path folder_;
  std::unique_ptr<BarStore> store_;
  std::unique_ptr<BarArchive> archive_;
  state::Publisher publisher_{io_, nowhere(), *this, *this};
  Journal journal_{publisher_};
  SeriesNumbers numbers_;
  FeedRunners no_others_;
  feeds::AddressBook addresses_;
  UpdateTimes times_;
  gpu::Planner planner_{{nullptr, 1}};
  Bulk bulk_{planner_};
};

TEST_F(FeedRunnerTest, WhoLeavesTheConfigurationGoesAlsoWhileTheListCanNotBeHad) {
  FeedConfig block = nowhere_block();
  block.symbols = {"BTCUSDT", "ETHUSDT"};
  const auto running = runner(block);
  const auto begun = steady_clock::now();
  while (!running->settled() && steady_clock::now() - begun < std::chrono::minutes(1)) io_.run_one();
  ASSERT_EQ(running->series_count(), 2U);
  ProfileConfig other;
  other.parameters.robustness = engine::Robustness::wide;
  block.symbols = {"ETHUSDT"};
  running->configure({block}, {other});
  EXPECT_EQ(running->series_count(), 1U) << "another set of parameters takes the place of the one that runs";
  other.name = "other";
  running->configure({block}, {other});
  EXPECT_EQ(running->series_count(), 0U);
}

TEST_F(FeedRunnerTest, ARefreshThatIsDueWhenItIsStoppedAsksForNothing) {
  FeedConfig block = nowhere_block();
  block.symbols = {"*USDT"};
  const auto stopped = runner(block);
  const auto begun = steady_clock::now();
  while (!stopped->settled() && steady_clock::now() - begun < std::chrono::minutes(1)) io_.run_one();
  ASSERT_TRUE(stopped->settled());
  // The loop does not run until the timer is due, and stops the runner before it comes to it.
  std::this_thread::sleep_until(steady_clock::now() + std::chrono::milliseconds(2100));
  boost::asio::post(io_, [&] { stopped->stop(); });
  io_.poll();
  EXPECT_TRUE(stopped->settled()) << "it asked for a list";
}

/// Its snapshot would have those alone that were taken up already.
TEST_F(FeedRunnerTest, AStopBeforeAllOfTheLastRunIsTakenUpIsOneBeforeItHasBegun) {
  const FeedConfig block = block_of_the_last_run(40);
  const auto stopped = runner(block);
  ASSERT_LT(stopped->series_count(), block.symbols.size()) << "the rest is taken up behind whatever is ready";
  stopped->stop();
  io_.poll();
  EXPECT_FALSE(stopped->begun());
}

/// Nobody lets the exchange be asked meanwhile, which would bring them too.
TEST_F(FeedRunnerTest, AReloadMeanwhileEndsNoTakingUpOfTheLastRun) {
  FeedConfig block = block_of_the_last_run(100);
  const auto reloaded = runner(block);
  io_.poll_one();
  ASSERT_LT(reloaded->series_count(), block.symbols.size());
  block.symbols.erase(block.symbols.begin());
  reloaded->configure({block}, {ProfileConfig{}});
  EXPECT_FALSE(reloaded->begun());
  EXPECT_TRUE(runs_until([&] { return reloaded->begun(); }));
  EXPECT_EQ(reloaded->series_count(), block.symbols.size());
}

TEST_F(FeedRunnerTest, TheLargestAreNotChosenFromAListThatWasAskedForWithoutVolumes) {
  feeds::simulator::ServerOptions options;
  options.venue.symbols = feeds::simulator::first_symbols(8);
  std::reverse(options.venue.symbols.begin(), options.venue.symbols.end());  // the largest last
  options.venue.speed = 0;
  const feeds::simulator::testing::RunningServer exchange(options);
  FeedConfig block = block_of(exchange.port());
  block.symbols = {"NOUSDT"};
  const auto largest = [&](bool reloaded) {
    FeedConfig top = block;
    top.symbols = {"*"};
    top.top = 1;
    const auto made = runner(reloaded ? block : top);
    if (reloaded) made->configure({top}, {ProfileConfig{}});  // the first list is on its way
    const auto begun = steady_clock::now();
    while (!made->settled() && steady_clock::now() - begun < std::chrono::minutes(1)) io_.run_one();
    std::vector<std::string> symbols;
    for (const auto& symbol : options.venue.symbols) {
      if (made->has({symbol.symbol, "1m"})) symbols.push_back(symbol.symbol);
    }
    made->stop();
    return symbols;
  };
  const auto expected = largest(false);
  ASSERT_EQ(expected.size(), 1U);
  ASSERT_NE(expected[0], options.venue.symbols[0].symbol) << "any order would do";
  EXPECT_EQ(largest(true), expected);
}

/// It has closed before its part was told otherwise, and REST may show it as it was for some seconds more.
TEST_F(FeedRunnerTest, ABarWhosePartWasToldOtherwiseIsNotAskedForAtOnce) {
  feeds::simulator::ServerOptions options;
  options.venue.symbols = feeds::simulator::first_symbols(1);
  options.venue.speed = 0;
  const feeds::simulator::testing::RunningServer exchange(options);
  const auto control = [&](const std::string& target) {
    feeds::simulator::testing::post(exchange.port(), "/sim/" + target);
  };
  std::set<std::string> live;
  bool told_otherwise = false;
  journal_.listen([&](std::string_view event, std::string_view series, std::string_view detail) {
    if (event == "state" && detail.starts_with("LIVE")) live.emplace(series);
    told_otherwise = told_otherwise || event == "late_correction";
  });
  FeedConfig block = block_of(exchange.port());
  block.symbols = {options.venue.symbols[0].symbol};
  block.intervals = {"1m", "2m"};
  const auto running = runner(block);
  ASSERT_TRUE(runs_until([&] { return live.size() == 2; }));
  const auto close_a_minute = [&] {
    const std::uint64_t before = running->report().bars_closed;
    control("advance?ms=60000");
    EXPECT_TRUE(runs_until([&] { return running->report().bars_closed > before; }));
    io_.poll();
    return running->report().bars_closed - before;
  };
  close_a_minute();
  close_a_minute();
  for (int i = 0; i < 2 && close_a_minute() != 2; ++i) {
  }  // with it two minutes have closed, which were heard
  close_a_minute();
  control("correct?symbol=" + block.symbols[0] + "&bars_ago=2");
  ASSERT_TRUE(runs_until([&] { return told_otherwise; }));
  const std::uint64_t asked = running->counters().rest_requests;
  for (int tick = 0; tick < 60; ++tick) running->on_timer();  // some of these mark a minute
  EXPECT_EQ(running->counters().rest_requests, asked);
  journal_.listen(nullptr);
  running->stop();
}

/// REST may show it as it was before its last trades, of which it was built.
TEST_F(FeedRunnerTest, ABarThatWasBuiltJustNowIsNotComparedYet) {
  feeds::simulator::ServerOptions options;
  options.venue.symbols = feeds::simulator::first_symbols(1);
  options.venue.speed = 0;
  options.venue.start_ms = 1'795'392'005'000;  // five seconds after a minute's end
  const feeds::simulator::testing::RunningServer exchange(options);
  const auto control = [&](const std::string& target) {
    feeds::simulator::testing::post(exchange.port(), "/sim/" + target);
  };
  bool live = false, corrected = false;
  journal_.listen([&](std::string_view event, std::string_view, std::string_view detail) {
    live = live || (event == "state" && detail.starts_with("LIVE"));
    corrected = corrected || event == "correction";
  });
  FeedConfig block = block_of(exchange.port());
  block.symbols = {options.venue.symbols[0].symbol};
  block.source = FeedSource::trades;
  const auto running = runner(block);
  ASSERT_TRUE(runs_until([&] { return live; }));
  for (int minute = 0; minute < 2; ++minute) {  // the first was not heard from its beginning: REST closes it
    const auto closed = [&] { return running->report().bars_closed + running->report().bars_backfilled; };
    const std::uint64_t before = closed();
    control("advance?ms=60000");
    ASSERT_TRUE(runs_until([&] {
      running->on_timer();
      return closed() > before;
    }));
  }
  ASSERT_EQ(running->report().bars_closed, 1U);
  control("rest?how=unsettled&count=1000");
  const std::uint64_t asked = running->counters().rest_requests;
  ASSERT_TRUE(runs_until([&] {  // after the clock's jump the second answer is believed
    running->on_timer();
    return running->counters().rest_requests > asked + 3;  // one comparison follows upon the other's answer
  }));
  EXPECT_FALSE(corrected);
  journal_.listen(nullptr);
  running->stop();
}

}  // namespace
}  // namespace atcd::daemon
