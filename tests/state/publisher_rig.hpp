#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "state/publisher.hpp"
#include "tests/state/redis_server.hpp"

namespace atcd::state {

inline constexpr std::int64_t kBarMs = 60'000;
inline constexpr std::int64_t kFirstOpenMs = 1'700'000'040'000;  // a minute's boundary

inline RedisUrl redis_url(const std::string& text) {
  std::string error;
  const auto url = parse_redis_url(text, error);
  if (!url) throw std::invalid_argument(error);
  return *url;
}

inline std::string config_hash_of(char digit) { return std::string(16, digit); }

/// Series up to 99 share a group; each from 100 on has one of its own.
inline std::string profile_of(SeriesIndex series) {
  return series < 100 ? "default" : "p" + std::to_string(series);
}

inline PublishedSeries series_info(SeriesIndex series, char config = 'a') {
  PublishedSeries info;
  info.id = {"sim", "spot", "SYM" + std::to_string(series), "1m", profile_of(series)};
  info.config = config_hash_of(config);
  info.dialect = "lts";
  info.catalogue_json = R"({"symbol":"SYM)" + std::to_string(series) + "\"}";
  return info;
}

inline std::string stream_key(SeriesIndex series) {
  return "atc:1:{sim:spot:1m:" + profile_of(series) + "}:stream:SYM" + std::to_string(series);
}
inline std::string last_key(SeriesIndex series) {
  return "atc:1:{sim:spot:1m:" + profile_of(series) + "}:last:SYM" + std::to_string(series);
}

/// Bar number `bar` of a series and a signal that is a pure function of both.
inline SignalRecord record_of(SeriesIndex series, std::int64_t bar) {
  SignalRecord record;
  record.bar.open_time_ms = kFirstOpenMs + bar * kBarMs;
  record.bar.close_time_ms = record.bar.open_time_ms + kBarMs;
  record.bar.open = 100 + static_cast<double>((bar * 7 + series) % 13) / 3;
  record.bar.close = 100 + static_cast<double>((bar * 11 + series) % 17) / 7;
  record.bar.high = 110;
  record.bar.low = 90;
  record.bar.volume = 1.5;
  for (std::size_t i = 0; i < engine::kFamilies; ++i) {
    record.signal.layer1[i] = static_cast<double>((bar + static_cast<std::int64_t>(i)) % 200 - 100) / 100;
    record.signal.equity[i] = 1.0 / static_cast<double>(bar + 3);
  }
  record.signal.average = record.signal.layer1[0];
  record.signal.bar_index = bar;
  record.signal.trend = static_cast<std::int8_t>(bar % 3 - 1);
  record.signal.previous_trend = static_cast<std::int8_t>((bar + 2) % 3 - 1);
  record.signal.trend_since_ms = record.bar.close_time_ms;
  record.prev_close_ms = bar == 0 ? 0 : record.bar.open_time_ms;
  record.next_close_ms = record.bar.close_time_ms + kBarMs;
  record.anchor_ms = kFirstOpenMs;
  record.received_us = record.bar.close_time_ms * 1000 + 5;
  return record;
}

/// The daemon's side: bars that have closed, and what the publisher asked of it.
class FakeHistory final : public SignalHistory {
 public:
  struct Series {
    std::vector<SignalRecord> records;
    bool waiting = false;
    int pieces = 0;  // of a long way to what is asked for next
    bool was_asked = false;
  };
  struct Difference {
    SeriesIndex series;
    std::int64_t close_ms;
  };

  HistoryAnswer signals_after(SeriesIndex index, std::int64_t after_close_ms, std::size_t limit,
                              std::vector<SignalRecord>& records) override {
    Series& found = series[index];
    found.was_asked = true;
    if (const auto hook = when_asked) hook();
    if (found.waiting) return HistoryAnswer::wait;
    if (found.pieces > 0 && found.pieces-- > 0) return HistoryAnswer::again;
    const auto& all = found.records;
    if (all.empty()) return HistoryAnswer::records;
    std::size_t first = after_close_ms == 0 ? all.size() - 1 : 0;
    while (first < all.size() && all[first].bar.close_time_ms <= after_close_ms) ++first;
    for (std::size_t i = first; i < all.size() && records.size() < limit; ++i) {
      records.push_back(all[i]);
      records.back().source = i + 1 == all.size() ? Source::live : Source::backfill;
      records.back().correction = false;
    }
    return HistoryAnswer::records;
  }

  void on_different(SeriesIndex index, std::int64_t close_ms) override {
    differences.push_back({index, close_ms});
    if (when_different) when_different(index, close_ms);
  }

  std::map<SeriesIndex, Series> series;
  std::vector<Difference> differences;
  std::function<void(SeriesIndex, std::int64_t)> when_different;
  std::function<void()> when_asked;
};

class RecordingHandler final : public PublishHandler {
 public:
  struct Event {
    PublishEvent event;
    std::string series, detail;
  };

  void on_publish_event(PublishEvent event, std::string_view series, std::string_view detail) override {
    events.push_back({event, std::string(series), std::string(detail)});
    if (const auto hook = when) hook(events.back());
  }
  void on_published(SeriesIndex, std::int64_t, std::int64_t) override { ++published; }

  std::size_t count(PublishEvent event) const {
    std::size_t found = 0;
    for (const Event& each : events) found += each.event == event ? 1 : 0;
    return found;
  }
  /// The first event of the kind, "" where there was none.
  std::string detail(PublishEvent event) const {
    for (const Event& each : events) {
      if (each.event == event) return each.detail;
    }
    return "";
  }

  std::vector<Event> events;
  std::size_t published = 0;
  std::function<void(const Event&)> when;
};

/// One daemon: its history and its publisher.
class Daemon {
 public:
  Daemon(boost::asio::io_context& io, RedisOptions options) : io_(io), options_(std::move(options)) {
    start();
  }

  void start() {
    publisher = std::make_unique<Publisher>(io_, options_, history, handler);
    publisher->start();
  }
  void stop() { publisher.reset(); }

  void add(SeriesIndex series, std::int64_t first_bar, std::int64_t bars, char config = 'a') {
    auto& records = history.series[series].records;
    for (std::int64_t i = 0; i < bars; ++i) records.push_back(record_of(series, first_bar + i));
    announce(series, config);
  }
  void announce(SeriesIndex series, char config = 'a') {
    publisher->set_config(config_hash_of(config), R"({"dialect":"lts"})");
    publisher->add(series, series_info(series, config), true);
    publisher->set_state(series_info(series).id.name(), "LIVE", 1000, "");
  }
  /// The next bar of the series closes.
  void close_bar(SeriesIndex series) {
    auto& records = history.series[series].records;
    const std::int64_t bar =
        records.empty() ? 0 : (records.back().bar.open_time_ms - kFirstOpenMs) / kBarMs + 1;
    records.push_back(record_of(series, bar));
    if (publisher) publisher->publish(series, records.back());
  }
  /// The newest bar closes anew with another content.
  void correct_bar(SeriesIndex series, double close) {
    SignalRecord& record = history.series[series].records.back();
    const engine::Bar before = record.bar;
    record.bar.close = close;
    SignalRecord sent = record;
    sent.correction = true;
    sent.before = before;
    publisher->publish(series, sent);
  }

  FakeHistory history;
  RecordingHandler handler;
  std::unique_ptr<Publisher> publisher;

 private:
  boost::asio::io_context& io_;
  RedisOptions options_;
};

class PublisherTest : public ::testing::Test {
 protected:
  static RedisOptions options_for(const RedisServer& server) {
    RedisOptions options;
    options.url = redis_url(server.url());
    options.keep = 1'000'000;
    return options;
  }

  void run_until(const std::function<bool()>& condition, const char* what) {
    const auto deadline = std::chrono::steady_clock::now() + tests::deadline();
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "not in time: " << what;
      io_.restart();
      io_.run_one_for(std::chrono::milliseconds(20));
    }
  }
  void run_until_drained(Daemon& daemon) {
    bool drained = false;
    std::size_t left = 1;
    daemon.publisher->drain(tests::deadline(), [&](std::size_t unacknowledged) {
      drained = true;
      left = unacknowledged;
    });
    run_until([&] { return drained; }, "drained");
    EXPECT_EQ(left, 0U);
  }

  void run_until_drained_after_first(Daemon& daemon) {
    run_until([&] { return daemon.handler.published > 0; }, "the first");
    run_until_drained(daemon);
  }
  /// Nothing is on its way any more, whether or not all is published.
  void run_until_idle(Daemon& daemon) {
    bool idle = false;
    run_until([&] { return daemon.publisher->connected(); }, "connected");
    daemon.publisher->drain(tests::deadline(), [&](std::size_t) { idle = true; });
    run_until([&] { return idle; }, "idle");
  }

  /// The stream holds every bar from its first to the history's newest, once, in order, with the bar's
  /// content.
  static void expect_complete(RedisClient& redis, const Daemon& daemon, SeriesIndex series) {
    const auto entries = redis.stream(stream_key(series));
    ASSERT_FALSE(entries.empty()) << stream_key(series);
    std::int64_t bar = (std::stoll(entries[0].fields.at("open_ms")) - kFirstOpenMs) / kBarMs;
    for (const Entry& entry : entries) {
      const SignalRecord expected = record_of(series, bar++);
      ASSERT_EQ(entry.id, std::to_string(expected.bar.close_time_ms) + "-0");
      ASSERT_EQ(entry.fields.at("close_ms"), std::to_string(expected.bar.close_time_ms));
      ASSERT_EQ(std::stod(entry.fields.at("close")), expected.bar.close);
      ASSERT_EQ(entry.fields.at("bar_index"), std::to_string(expected.signal.bar_index));
    }
    const auto& records = daemon.history.series.at(series).records;
    EXPECT_EQ(entries.back().fields.at("close_ms"), std::to_string(records.back().bar.close_time_ms));
    EXPECT_EQ(redis.hash(last_key(series)).at("close_ms"), entries.back().fields.at("close_ms"));
  }

  boost::asio::io_context io_{1};
};

}  // namespace atcd::state
