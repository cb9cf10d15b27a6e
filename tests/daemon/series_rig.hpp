#pragma once

#include <gtest/gtest.h>

#include <ctime>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "daemon/bulk.hpp"
#include "daemon/clock.hpp"
#include "daemon/snapshot_taker.hpp"
#include "daemon/worker.hpp"
#include "daemon/worker_questions.hpp"
#include "tests/feeds/simulator_client.hpp"
#include "tests/state/redis_server.hpp"

namespace atcd::daemon::testing {

namespace simulator = feeds::simulator;
using simulator::testing::eventually;

inline constexpr std::int64_t kMinuteMs = 60'000;

/// A profile of a configuration; `rule`: its keys that say where bar 0 lies.
inline std::string profile(const std::string& name, const std::string& rule) {
  return "[[profile]]\nname = \"" + name +
         "\"\nlengths = { ema = 9, hma = 9, wma = 9, dema = 9, lsma = 9, kama = 9 }\n" + rule + "\n";
}
inline std::string period(std::int64_t history_bars) {
  return "history_bars = " + std::to_string(history_bars) + "\nanchor_period = 60";
}
inline std::string anchor_at(std::int64_t ms) {
  std::string text(32, '\0');
  const std::time_t seconds = ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  text.resize(std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts));
  return "anchor = \"" + text + "\"";
}

/// A worker that may be started anew, with one symbol's minutes of a simulated exchange, whose clock stands
/// still but on request where no speed is given, and with a Redis of its own.
class SeriesRig : public ::testing::Test {
 protected:
  void open_exchange(std::int64_t listed_ms = simulator::kListedLongAgoMs, double speed = 0) {
    simulator::ServerOptions options;
    options.venue.symbols = simulator::first_symbols(1);
    options.venue.symbols[0].listed_ms = listed_ms;
    options.venue.speed = speed;
    options.venue.start_ms = start_ms_;
    options.venue.weight_limit = 1'000'000;
    exchange_.emplace(options);
    symbol_ = options.venue.symbols[0].symbol;
  }

  /// `names`: of the profiles, as in a list.
  void start(const std::string& names, const std::string& profiles) {
    const std::string address = "://127.0.0.1:" + std::to_string(exchange_->port());
    const ConfigResult read = parse_config(
        profiles +
        "[[feed]]\nexchange = \"binance\"\nmarket = \"spot\"\nintervals = [\"1m\"]\nrest_share = 1.0\n"
        "profiles = [" +
        names + "]\nsymbols = [\"" + symbol_ + "\"]\nwebsocket_url = \"ws" + address +
        "\"\nrest_url = \"http" + address + "\"\n");
    ASSERT_TRUE(read.errors.empty()) << read.errors[0].key << " " << read.errors[0].message;
    std::string error;
    const auto url = state::parse_redis_url(redis_.url(), error);
    std::filesystem::create_directory(directory_);
    store_.emplace(directory_, 1);
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
    ASSERT_TRUE(eventually([this] { return worker_->status().warm.load(); }));
    worker_->fill();
  }
  /// Its engines are saved.
  void stop() {
    std::promise<Worker::Stopped> stopped;
    worker_->stop([&](Worker::Stopped all) { stopped.set_value(std::move(all)); });
    SnapshotTaker taker(directory_ + "/history", 0);
    EXPECT_EQ(taker.write_now(stopped.get_future().get().entries), "");
    worker_.reset();
    store_.reset();
  }

  Worker& worker() { return *worker_; }
  void control(const std::string& target) { simulator::testing::post(exchange_->port(), "/sim/" + target); }
  std::int64_t status(const std::string& name) { return simulator::testing::status(exchange_->port(), name); }

  struct Seen {
    bool live = false;
    std::size_t bars = 0;
    std::size_t outputs = 0;
    std::size_t resumed = 0;        // outputs whose engines go on from earlier ones
    std::uint64_t by_history = 0;   // of the bars
    std::uint64_t corrections = 0;  // of the newest bar
    std::uint64_t connects = 0;     // of the feed
  };
  Seen seen() {
    const auto told = std::make_shared<std::promise<Seen>>();
    worker_->ask([told](const WorkerView& view) {
      if (view.outputs.empty()) return told->set_value({});
      const MarketSeries& series = *view.outputs.begin()->second;
      Seen now{series.series().state() == feeds::SeriesState::live,
               series.series().bars().size(),
               series.outputs().size(),
               0,
               series.series().counters().closed_by_history,
               series.series().counters().corrections,
               feed_rows(view)[0].counters.connects};
      for (const auto& output : series.outputs()) now.resumed += output->resumed ? 1U : 0U;
      told->set_value(now);
    });
    return told->get_future().get();
  }
  /// What the profile's newest signal is computed from.
  std::optional<SelfAudit::Subject> subject(const std::string& profile_name) {
    const auto told = std::make_shared<std::promise<std::optional<SelfAudit::Subject>>>();
    worker_->ask([told, series = "binance:spot:" + symbol_ + ":1m:" + profile_name](const WorkerView& view) {
      ask_subject(view, series, [told](std::optional<SelfAudit::Subject> found, auto) {
        told->set_value(std::move(found));
      });
    });
    return told->get_future().get();
  }
  /// The feed's connection is cut, and it has caught up since.
  bool reconnects() {
    const std::uint64_t before = seen().connects;
    control("cut?how=reset");
    return eventually([&] {
      const Seen now = seen();
      return now.connects > before && now.live;
    });
  }
  bool is_live() {
    return eventually([this] { return seen().live; });
  }
  bool close_a_bar() {
    const std::size_t before = seen().bars;
    control("advance?ms=60000");
    return eventually([&] { return seen().bars > before; });
  }

  std::string key(const std::string& name) const {
    return "atc:1:{binance:spot:1m:" + name + "}:stream:" + symbol_;
  }
  std::vector<state::Entry> published(const std::string& name) { return redis_.client().stream(key(name)); }
  bool has_published(const std::string& name, std::size_t count) {
    return eventually([&] { return published(name).size() == count; });
  }

  const std::int64_t start_ms_ = utc_ms() / kMinuteMs * kMinuteMs + 20'000;  // the bars before have settled
  std::string symbol_;
  state::RedisServer redis_;

 private:
  std::string directory_ = redis_.directory() + "/state";
  std::optional<simulator::testing::RunningServer> exchange_;
  std::optional<BarStore> store_;
  gpu::Planner planner_{{nullptr, 1}};
  Bulk bulk_{planner_};
  feeds::AddressBook addresses_;
  std::unique_ptr<Worker> worker_;
};

}  // namespace atcd::daemon::testing
