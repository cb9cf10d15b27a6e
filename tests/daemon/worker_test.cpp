// A worker with a simulated exchange and a Redis of its own.
#include "daemon/worker.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <future>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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

/// The configuration of feeds of one simulated exchange, each "[[feed]]" under an address of its own.
ConfigResult config_of(std::uint16_t port, const std::map<std::string, std::vector<std::string>>& feeds) {
  std::string text = "[[profile]]\nname = \"default\"\nhistory_bars = 60\nanchor_period = 60\n";
  for (const auto& [host, symbols] : feeds) {
    const std::string address = "://" + host + ":" + std::to_string(port) + "\"\n";
    text +=
        "[[feed]]\nexchange = \"binance\"\nmarket = \"spot\"\nintervals = [\"1m\"]\nrest_share = 1.0\n"
        "websocket_url = \"ws" +
        address + "rest_url = \"http" + address + "symbols = [";
    for (const std::string& symbol : symbols) text += "\"" + symbol + "\",";
    text += "]\n";
  }
  return parse_config(text);
}

simulator::ServerOptions fast_exchange() {
  simulator::ServerOptions options;
  options.venue.symbols = simulator::first_symbols(2);
  options.venue.speed = 3000;
  options.venue.weight_limit = 1'000'000;
  return options;
}

/// A worker, and what it last reported of its feeds.
class RunningWorker {
 public:
  RunningWorker(const Config& config, const state::RedisServer& redis)
      : store_(directory_in(redis), 1),
        worker_({config,
                 {*state::parse_redis_url(redis.url(), error_), nullptr},
                 store_,
                 bulk_,
                 addresses_,
                 groups_,
                 {0, 1},
                 [](const auto&) {},
                 [this](WorkerReport report) {
                   const std::lock_guard lock(mutex_);
                   report_ = std::move(report);
                 }}) {
    worker_.start();
    worker_.fill();
  }

  Worker& worker() { return worker_; }
  state::GroupSizes& groups() { return *groups_; }
  /// Of all feeds of the one market that it has; nothing before the first report.
  FeedReport market() {
    const std::lock_guard lock(mutex_);
    WorkerReport sums;
    sums.add(report_);
    return sums.feeds.empty() ? FeedReport() : sums.feeds[0];
  }

 private:
  static std::string directory_in(const state::RedisServer& redis) {
    const std::string directory = redis.directory() + "/state";
    std::filesystem::create_directory(directory);
    return directory;
  }

  std::string error_;
  BarStore store_;
  gpu::Planner planner_{{nullptr, 1}};
  Bulk bulk_{planner_};
  feeds::AddressBook addresses_;
  std::mutex mutex_;
  WorkerReport report_;
  std::shared_ptr<state::GroupSizes> groups_ = std::make_shared<state::GroupSizes>(1);
  Worker worker_;
};

TEST(WorkerTest, AStreamThatCannotBePublishedHasItsOwnBarsKeptAndNoOther) {
  const simulator::ServerOptions options = fast_exchange();
  const simulator::testing::RunningServer exchange(options);
  const std::string stuck = options.venue.symbols[0].symbol, other = options.venue.symbols[1].symbol;
  state::RedisServer redis;
  redis.client().command({"SET", "atc:1:{binance:spot:1m:default}:stream:" + stuck, "of another type"});
  const ConfigResult read = config_of(exchange.port(), {{"127.0.0.1", {stuck, other}}});
  ASSERT_TRUE(read.errors.empty()) << read.errors[0].key << " " << read.errors[0].message;
  RunningWorker running(read.config, redis);
  std::map<std::string, std::size_t> most;
  const bool trimmed = simulator::testing::eventually([&] {
    const auto held = bars_held(running.worker());
    for (const auto& [symbol, bars] : held) most[symbol] = std::max(most[symbol], bars);
    return held.contains(other) && held.at(other) < most[other];
  });
  EXPECT_TRUE(trimmed) << most[other] << " bars are held";
  EXPECT_GE(bars_held(running.worker())[stuck], most[stuck]);
  EXPECT_GT(most[stuck], 350U) << "so many that they would have been trimmed";
}

TEST(WorkerTest, AGroupIsNotCutWhileAReloadAddsItsSeriesAnew) {
  const simulator::ServerOptions options = fast_exchange();
  const simulator::testing::RunningServer exchange(options);
  const std::vector<std::string> symbols = {options.venue.symbols[0].symbol, options.venue.symbols[1].symbol};
  const ConfigResult here = config_of(exchange.port(), {{"127.0.0.1", symbols}});
  const ConfigResult elsewhere = config_of(exchange.port(), {{"localhost", symbols}});
  state::RedisServer redis;
  RunningWorker running(here.config, redis);
  const state::GroupSizes::Size two = 2;
  const auto kept = [&] { return running.groups().kept(two, 500); };
  EXPECT_TRUE(simulator::testing::eventually([&] { return kept() == 1000; }));
  std::promise<std::int64_t> meanwhile;
  running.worker().reload(elsewhere.config, [&] { meanwhile.set_value(kept()); });
  EXPECT_EQ(meanwhile.get_future().get(), 1'000'000);
  EXPECT_TRUE(simulator::testing::eventually([&] { return kept() == 1000; }));
}

TEST(WorkerTest, WhatIsAuditedIsCopiedInPiecesBehindWhateverElseIsReady) {
  const simulator::ServerOptions options = fast_exchange();
  const simulator::testing::RunningServer exchange(options);
  ConfigResult read = config_of(exchange.port(), {{"127.0.0.1", {options.venue.symbols[0].symbol}}});
  ASSERT_TRUE(read.errors.empty());
  constexpr std::int64_t kBars = 3 * MarketSeries::kCopiedAtOnce;
  read.config.profiles[0].anchor.history_bars = kBars;
  state::RedisServer redis;
  RunningWorker running(read.config, redis);
  struct Copy {
    std::vector<std::string> order;  // of what the worker's thread did
    std::promise<std::optional<SelfAudit::Subject>> subject;
  };
  const auto copied = [&running] {
    const auto copy = std::make_shared<Copy>();
    running.worker().ask([copy](const WorkerView& view) {
      if (view.outputs.empty()) return copy->subject.set_value({});
      ask_subject(view, view.outputs.begin()->first, [copy](std::optional<SelfAudit::Subject> subject) {
        copy->order.emplace_back("subject");
        copy->subject.set_value(std::move(subject));
      });
      boost::asio::post(view.io, [copy] { copy->order.emplace_back("other"); });
    });
    const auto subject = copy->subject.get_future().get();
    if (!subject || std::ssize(subject->bars) < kBars) return false;
    EXPECT_EQ(copy->order, (std::vector<std::string>{"other", "subject"})) << subject->bars.size();
    EXPECT_TRUE(SelfAudit::recompute(*subject));
    return true;
  };
  EXPECT_TRUE(simulator::testing::eventually(copied));
}

Config far_from_bar_zero(std::uint16_t port, const std::string& symbol) {
  ConfigResult read = config_of(port, {{"127.0.0.1", {symbol}}});
  EXPECT_TRUE(read.errors.empty());
  read.config.profiles[0].anchor.history_bars = 2 * static_cast<std::int64_t>(SignalSeries::kLongWay);
  return read.config;
}

TEST(WorkerTest, SignalsALongWayFromBarZeroAreComputedInPieces) {
  const simulator::ServerOptions options = fast_exchange();
  const simulator::testing::RunningServer exchange(options);
  const Config config = far_from_bar_zero(exchange.port(), options.venue.symbols[0].symbol);
  state::RedisServer redis;
  RunningWorker running(config, redis);
  /// Asks for the signal of the last bar but one, with what was gone forgotten; 0: nothing is published yet.
  const auto pieces = [&running] {
    std::promise<std::size_t> done;
    running.worker().ask([&done](const WorkerView& view) {
      Output* output = view.outputs.empty() ? nullptr : view.outputs.begin()->second->output(0);
      if (output == nullptr || output->published_ms == 0) return done.set_value(0);
      MarketSeries& series = *view.outputs.begin()->second;
      const auto bars = series.series().bars();
      output->signals.forget();
      std::vector<state::SignalRecord> records;
      std::size_t asked = 1;
      while (series.signals_after(*output, bars[bars.size() - 3].close_time_ms, 1, records) ==
             state::HistoryAnswer::again)
        ++asked;
      const BarHistory history{bars, series.series().covered_from()};
      const auto expected = SignalSeries::Replay(output->signals).at(history, bars.size() - 2);
      EXPECT_TRUE(same_bits({records.at(0).signal, records.at(0).anchor_ms}, *expected));
      output->signals.forget();  // the next bar finds no engine
      done.set_value(asked);
    });
    return done.get_future().get();
  };
  std::size_t asked = 0;
  ASSERT_TRUE(simulator::testing::eventually([&] { return (asked = pieces()) > 0; }));
  EXPECT_GT(asked, 7U);
  state::RedisClient client = redis.client();
  const std::string key = "atc:1:{binance:spot:1m:default}:stream:" + options.venue.symbols[0].symbol;
  const std::size_t length = client.stream(key).size();
  ASSERT_TRUE(simulator::testing::eventually([&] { return client.stream(key).size() > length + 20; }));
  std::int64_t close_ms = 0;
  for (const auto& entry : client.stream(key)) {
    const std::int64_t before_ms = std::exchange(close_ms, std::stoll(entry.fields.at("close_ms")));
    EXPECT_TRUE(before_ms == 0 || close_ms == before_ms + 60'000) << entry.id;
  }
}

/// As a twin might do that was told something else meanwhile.
void publish_over(state::RedisClient& client, const std::string& key, const std::string& close) {
  const auto newest = client.stream(key).back();
  std::vector<std::string> command = {"XADD", key, newest.fields.at("close_ms") + "-1"};
  for (auto [name, value] : newest.fields) {
    command.push_back(name);
    command.push_back(name == "close" ? close : name == "rev" ? "1" : value);
  }
  client.command(command);
}

TEST(WorkerTest, ACorrectionOfASeriesWithoutAnEngineIsNotPutOverWhatNobodyKnowsOf) {
  simulator::ServerOptions options = fast_exchange();
  options.venue.speed = 0;  // no bar closes
  const simulator::testing::RunningServer exchange(options);
  const Config config = far_from_bar_zero(exchange.port(), options.venue.symbols[0].symbol);
  state::RedisServer redis;
  RunningWorker running(config, redis);
  state::RedisClient client = redis.client();
  const std::string key = "atc:1:{binance:spot:1m:default}:stream:" + options.venue.symbols[0].symbol;
  ASSERT_TRUE(simulator::testing::eventually([&] { return client.stream(key).size() == 1; }));
  const std::string close = client.stream(key)[0].fields.at("close");
  publish_over(client, key, "77");
  running.worker().ask([](const WorkerView& view) {
    const auto& [number, series] = *view.outputs.begin();
    series->output(number)->signals.forget();
    feeds::Kline told;
    told.bar = series->series().bars().back();
    told.closed = true;
    told.bar.close = (told.bar.low + told.bar.high) / 3;
    told.bar.low = told.bar.close;
    series->on_kline(told, 1);
    EXPECT_EQ(series->series().bars().back(), told.bar);
  });
  // What the exchange tells when it is asked is what comes next.
  ASSERT_TRUE(simulator::testing::eventually([&] { return client.stream(key).size() >= 3; }));
  EXPECT_EQ(client.stream(key)[2].fields.at("close"), close);
}

using Strings = std::vector<std::string>;

/// What a reload, or a start where `config` is the running one, came to.
Changes reloaded(Worker& worker, const Config& config) {
  std::promise<Changes> done;
  const auto changes = std::make_shared<Changes>();
  worker.ask([changes](const WorkerView& view) { watch_changes(view, changes); });
  worker.reload(config, [] {});
  worker.ask([&done, changes](const WorkerView& view) {
    await_changes(view, std::chrono::minutes(2), changes, [&done, changes] { done.set_value(*changes); });
  });
  return done.get_future().get();
}

/// By host: the symbols that are taken from there.
std::map<std::string, Strings> held_by(Worker& worker) {
  std::promise<std::map<std::string, Strings>> held;
  worker.ask([&held](const WorkerView& view) {
    std::map<std::string, Strings> symbols;
    for (const auto& [index, series] : view.outputs) {
      for (const auto& [key, runner] : view.runners) {
        const std::string host = key.rest_url.substr(7, key.rest_url.rfind(':') - 7);
        if (runner->has(series->name())) symbols[host].push_back(series->name().symbol);
      }
    }
    for (auto& [host, each] : symbols) std::sort(each.begin(), each.end());
    held.set_value(std::move(symbols));
  });
  return held.get_future().get();
}

TEST(WorkerTest, OfTwoAddressesWhosePatternsMeetTheFirstKeepsASeriesUntilItLeavesIt) {
  const simulator::ServerOptions options = fast_exchange();
  const simulator::testing::RunningServer exchange(options);
  const std::string one = options.venue.symbols[0].symbol, two = options.venue.symbols[1].symbol;
  using Feeds = std::map<std::string, Strings>;
  const auto config = [&](const Feeds& feeds) {
    const ConfigResult read = config_of(exchange.port(), feeds);
    EXPECT_TRUE(read.errors.empty()) << read.errors[0].key << " " << read.errors[0].message;
    return read.config;
  };
  const std::string first = "localhost", second = "127.0.0.1";  // the second comes first in every order
  state::RedisServer redis;
  RunningWorker running(config({{first, {one}}}), redis);
  ASSERT_TRUE(
      simulator::testing::eventually([&] { return held_by(running.worker())[first] == Strings{one}; }));

  const Changes met =
      reloaded(running.worker(), config({{first, {one.substr(0, 3) + "*"}}, {second, {"*USDT"}}}));
  EXPECT_EQ(held_by(running.worker()), (Feeds{{first, {one}}, {second, {two}}}));
  ASSERT_EQ(met.problems.size(), 1U);
  EXPECT_TRUE(met.problems[0].starts_with("binance spot already has " + one + " 1m from another"))
      << met.problems[0];

  // The first leaves it; what it has instead is the second's.
  reloaded(running.worker(), config({{first, {two.substr(0, 3) + "*"}}, {second, {"*USDT"}}}));
  EXPECT_TRUE(simulator::testing::eventually([&] {
    return held_by(running.worker()) == Feeds{{second, {one, two}}};
  }));

  // Between outright names: nobody is refused, though the one whose it was is told last.
  const Changes moved = reloaded(running.worker(), config({{first, {one, two}}}));
  EXPECT_EQ(moved.problems, Strings{});
  EXPECT_EQ(held_by(running.worker()), (Feeds{{first, {one, two}}}));
}

TEST(WorkerTest, ASeriesThatLeftTheListOfTheFirstOfTwoAddressesIsTakenUpByTheSecondBeforeItsOwnListIsDue) {
  const simulator::ServerOptions options = fast_exchange();
  const simulator::testing::RunningServer first(options), second(options);
  const std::string one = options.venue.symbols[0].symbol, two = options.venue.symbols[1].symbol;
  Config config =
      config_of(first.port(), {{"localhost", {one.substr(0, 3) + "*", two.substr(0, 3) + "*"}}}).config;
  config.feeds[0].refresh_ms = 500;
  state::RedisServer redis;
  RunningWorker running(config, redis);
  const auto held = [&] { return held_by(running.worker()); };
  ASSERT_TRUE(simulator::testing::eventually([&] { return held()["localhost"] == Strings{one, two}; }));

  const Config other = config_of(second.port(), {{"127.0.0.1", {"*USDT"}}}).config;
  config.feeds.push_back(other.feeds[0]);
  EXPECT_EQ(reloaded(running.worker(), config).problems.size(), 2U);
  simulator::testing::post(first.port(), "/sim/halt?symbol=" + one);
  EXPECT_TRUE(simulator::testing::eventually([&] {
    return held() == std::map<std::string, Strings>{{"127.0.0.1", {one}}, {"localhost", {two}}};
  }));
}

TEST(WorkerTest, WhatAFeedCountedStaysInItsMarketsSumsWhenAReloadEndsIt) {
  const simulator::ServerOptions options = fast_exchange();
  const simulator::testing::RunningServer exchange(options);
  const std::string stays = options.venue.symbols[0].symbol, goes = options.venue.symbols[1].symbol;
  const ConfigResult both = config_of(exchange.port(), {{"127.0.0.1", {stays}}, {"localhost", {goes}}});
  const ConfigResult one = config_of(exchange.port(), {{"127.0.0.1", {stays}}});
  ASSERT_TRUE(both.errors.empty() && one.errors.empty());
  state::RedisServer redis;
  RunningWorker running(both.config, redis);
  FeedReport before, after;
  ASSERT_TRUE(simulator::testing::eventually([&] {
    before = running.market();
    return before.connections.open == 2 && before.bars_closed > 100;
  }));
  running.worker().reload(one.config, [] {});
  ASSERT_TRUE(simulator::testing::eventually([&] {
    after = running.market();
    return after.connections.wanted == 1;
  }));
  EXPECT_GE(after.counters.frames, before.counters.frames);
  EXPECT_GE(after.counters.connects, before.counters.connects);
  EXPECT_GE(after.bars_closed, before.bars_closed);
  EXPECT_GE(after.event_lag.count(), before.event_lag.count());
}

}  // namespace
}  // namespace atcd::daemon
