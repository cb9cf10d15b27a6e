// Bars of intervals that an exchange does not offer, over REST: Feed::fetch_history folds them from others.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <ctime>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "feeds/binance.hpp"
#include "feeds/feed.hpp"
#include "feeds/fold.hpp"
#include "feeds/interval_source.hpp"
#include "feeds/okx.hpp"
#include "tests/feeds/exchange_wrapper.hpp"
#include "tests/feeds/local_server.hpp"

namespace atcd::feeds {
namespace {

namespace asio = boost::asio;
using engine::Bar;
using engine::Interval;

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kMondayMs = 1'795'392'000'000;  // 2026-11-23

Interval interval(std::string_view text) { return *Interval::parse(text); }

// ---- which interval is made of which

struct Subscribed {
  std::vector<Interval> intervals;
  explicit Subscribed(std::initializer_list<const char*> texts) {
    for (const char* text : texts) intervals.push_back(interval(text));
  }
};

std::string frames_of(const char* text, std::initializer_list<const char*> subscribed) {
  const auto found = frames_from(binance_spot(), interval(text), Subscribed(subscribed).intervals);
  return found ? found->text() : "";
}

std::string rows_of(const Exchange& exchange, const char* text) {
  const auto found = rows_from(exchange, interval(text));
  return found ? found->text() : "";
}

TEST(IntervalSource, WhatTheExchangeOffersIsUsed) {
  EXPECT_EQ(rows_of(binance_spot(), "1h"), "1h");
  EXPECT_EQ(frames_of("1h", {"1m"}), "1h");
}

TEST(IntervalSource, RowsComeFromTheLongestThatDivides) {
  EXPECT_EQ(rows_of(binance_spot(), "10m"), "5m");
  EXPECT_EQ(rows_of(binance_spot(), "2m"), "1m");
  EXPECT_EQ(rows_of(binance_spot(), "90m"), "30m");
  EXPECT_EQ(rows_of(binance_spot(), "24h"), "1d");
  EXPECT_EQ(rows_of(binance_spot(), "6d"), "3d");
  EXPECT_EQ(rows_of(binance_spot(), "2w"), "1w");
  EXPECT_EQ(rows_of(binance_spot(), "3M"), "1M");
  EXPECT_EQ(rows_of(binance_coinm(), "3d"), "4h") << "a request may span 200 days only";
  EXPECT_EQ(rows_of(binance_spot(), "7s"), "1s");
  EXPECT_EQ(rows_of(okx_spot(), "2d"), "1d") << "its own has boundaries that are written nowhere";
  EXPECT_EQ(rows_of(okx_swap(), "3d"), "1d");
  EXPECT_EQ(rows_of(binance_usdm(), "7s"), "") << "nothing shorter than minutes there";
}

TEST(IntervalSource, FramesComeFromTheShortestThatIsSubscribedAnyway) {
  EXPECT_EQ(frames_of("10m", {"15m", "5m", "1m"}), "1m");
  EXPECT_EQ(frames_of("10m", {"15m", "5m"}), "5m");
  EXPECT_EQ(frames_of("10m", {"15m", "10m", "2m"}), "5m") << "of those that the exchange offers";
  EXPECT_EQ(frames_of("2w", {"1M", "3d"}), "1w");
}

TEST(IntervalSource, AFoldedPageHasAsManyBarsAsItsRowsMake) {
  testing::ExchangeWrapper exchange(binance_usdm());
  EXPECT_EQ(history_rows_per_request(exchange, interval("1h")), 1000);
  EXPECT_EQ(history_rows_per_request(exchange, interval("10m")), 500);
  EXPECT_EQ(history_rows_per_request(exchange, interval("997m")), 2) << "two bars even where they take pages";
  EXPECT_EQ(history_depth(exchange, interval("10m")), std::numeric_limits<std::int64_t>::max());
  exchange.history_depth_ = 720;
  EXPECT_EQ(history_depth(exchange, interval("10m")), 360);
  EXPECT_EQ(history_weight(exchange, interval("1h"), 3000), 3 * 5);
  EXPECT_EQ(history_weight(exchange, interval("10m"), 3000), 6 * 5);
}

// ---- the rows

/// Minutes of a symbol as the exchange tells them.
struct FoldedHistory : ::testing::Test {
  const Interval seven = interval("7m");
  const std::int64_t first_slot = seven.ordinal(kMondayMs) + 1;

  asio::io_context io;
  testing::ExchangeWrapper exchange{binance_spot()};
  testing::LocalServer server{io};
  std::int64_t now_ms = kMondayMs + 1000 * kMinuteMs;
  std::set<std::int64_t> absent;            // open times
  std::set<std::int64_t> unusable;          // open times of rows whose low is 0
  std::vector<std::int64_t> asked_from_ms;  // of each request
  std::function<void()> after_request = [] {};
  std::size_t fail_from = 1000;  // the first request that is not answered well

  struct Handler final : FeedHandler {
    void on_kline(StreamIndex, const Kline&, std::int64_t) override {}
    void on_trades_interrupted(StreamIndex) override {}
    void on_trade(StreamIndex, const Trade&, std::int64_t) override {}
    void on_stream_up(StreamIndex) override {}
    void on_stream_down(StreamIndex, std::string_view) override {}
    void on_stream_refused(StreamIndex, std::string_view) override {}
    void on_feed_event(Severity, std::string_view, std::string_view) override {}
  } handler;

  /// Those that there are at present.
  std::vector<Bar> minutes(std::int64_t from_ms, std::int64_t to_ms) const {
    std::vector<Bar> bars;
    for (std::int64_t at = from_ms; at <= std::min(to_ms, now_ms); at += kMinuteMs) {
      if (absent.contains(at)) continue;
      const double price = 100 + static_cast<double>(at / kMinuteMs * 37 % 50);
      bars.push_back({at, at + kMinuteMs, price, price + 2, price - 2, price + 1, 1});
    }
    return bars;
  }

  static std::int64_t parameter(const std::string& target, const std::string& name) {
    return std::stoll(target.substr(target.find("&" + name + "=") + name.size() + 2));
  }

  std::optional<testing::LocalServer::Response> answer(const testing::LocalServer::Request& request) {
    const std::string target(request.target());
    EXPECT_NE(target.find("interval=1m"), std::string::npos) << target;
    asked_from_ms.push_back(parameter(target, "startTime"));
    testing::LocalServer::Response response(testing::http::status::ok, 11);
    if (asked_from_ms.size() > fail_from) response.result(testing::http::status::bad_request);
    std::string& body = response.body() = "[";
    for (const Bar& bar : minutes(asked_from_ms.back(), parameter(target, "endTime"))) {
      body += (body.size() > 1 ? ",[" : "[") + std::to_string(bar.open_time_ms);
      const double low = unusable.contains(bar.open_time_ms) ? 0 : bar.low;
      for (const double value : {bar.open, bar.high, low, bar.close, bar.volume})
        body += ",\"" + std::to_string(value) + "\"";
      body += "," + std::to_string(bar.close_time_ms - 1) + "]";
    }
    body += "]";
    const std::time_t seconds = now_ms / 1000;
    std::array<char, 64> date{};
    std::tm utc{};
    std::strftime(date.data(), date.size(), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&seconds, &utc));
    response.set("Date", date.data());
    after_request();
    return response;
  }

  /// So many slots of seven minutes.
  HistoryResult fetch(std::int64_t count) {
    server.on_request = [this](const auto& request) { return answer(request); };
    FeedOptions options;
    options.websocket_url = server.websocket_url();
    options.rest_url = server.rest_url();
    options.rest_share = 1;
    Feed feed(io, exchange, options, handler);
    std::optional<HistoryResult> result;
    feed.fetch_history(
        {"BTCUSDT", "7m", seven.open_time_ms(first_slot), seven.open_time_ms(first_slot + count - 1), 0}, 0,
        [&](HistoryResult got) { result = std::move(got); });
    EXPECT_TRUE(testing::run_until(io, [&] { return result.has_value(); }));
    return result.value_or(HistoryResult{RestError::timeout, "", {}, 0});
  }

  std::vector<Bar> expected(std::int64_t count) const {
    return fold_rows(
        minutes(seven.open_time_ms(first_slot), seven.open_time_ms(first_slot + count) - kMinuteMs), seven);
  }
};

TEST_F(FoldedHistory, IsWhatTheRowsOfItsSlotsMake) {
  absent = {seven.open_time_ms(first_slot), seven.open_time_ms(first_slot + 1) - kMinuteMs};
  for (std::int64_t i = 0; i < 7; ++i) absent.insert(seven.open_time_ms(first_slot + 2) + i * kMinuteMs);
  const HistoryResult result = fetch(5);
  ASSERT_EQ(result.error, RestError::none) << result.message;
  EXPECT_EQ(result.rows, expected(5));
  ASSERT_EQ(result.rows.size(), 4U) << "a slot without any row has no bar";
  EXPECT_EQ(result.rows[0].volume, 5);
  EXPECT_EQ(result.server_time_ms, now_ms);
  EXPECT_EQ(asked_from_ms.size(), 1U);
}

TEST_F(FoldedHistory, TakesAsManyRequestsAsItNeedsTheNewestFirst) {
  exchange.history_rows_per_request_ = 5;
  const HistoryResult result = fetch(3);
  ASSERT_EQ(result.error, RestError::none) << result.message;
  EXPECT_EQ(result.rows, expected(3));
  ASSERT_EQ(asked_from_ms.size(), 5U);
  for (std::size_t i = 0; i + 1 < asked_from_ms.size(); ++i)
    EXPECT_EQ(asked_from_ms[i + 1],
              std::max(asked_from_ms[i] - 5 * kMinuteMs, seven.open_time_ms(first_slot)));
}

TEST_F(FoldedHistory, TheClockIsThatOfTheRequestThatSawTheNewestRows) {
  exchange.history_rows_per_request_ = 7;
  now_ms = seven.open_time_ms(first_slot + 1) - 20'000;  // the first slot runs
  after_request = [this] { now_ms += 60'000; };          // and has ended when its rows are asked for
  const HistoryResult result = fetch(2);
  ASSERT_EQ(result.rows.size(), 1U);
  EXPECT_EQ(result.server_time_ms, seven.open_time_ms(first_slot + 1) - 20'000)
      << "nothing says that the row is final";
}

TEST_F(FoldedHistory, OneRequestThatFailsIsAFailureOfAll) {
  exchange.history_rows_per_request_ = 7;
  fail_from = 2;
  const HistoryResult result = fetch(4);
  EXPECT_NE(result.error, RestError::none);
  EXPECT_TRUE(result.rows.empty());
  EXPECT_EQ(asked_from_ms.size(), 3U);
}

TEST_F(FoldedHistory, OfASlotWithARowThatIsNoBarThereIsNone) {
  exchange.history_rows_per_request_ = 7;
  const std::int64_t slot_ms = seven.open_time_ms(first_slot + 1);
  unusable = {slot_ms + 2 * kMinuteMs, slot_ms + 3 * kMinuteMs};
  const HistoryResult result = fetch(4);
  EXPECT_EQ(result.error, RestError::bad_rows);
  EXPECT_NE(result.message.find("row 2 breaks 0 < low"), std::string::npos) << result.message;
  std::vector<Bar> others = expected(4);
  others.erase(others.begin() + 1);
  EXPECT_EQ(result.rows, others);
  EXPECT_EQ(result.unusable_ms, (std::vector<std::int64_t>{slot_ms, slot_ms}));
  EXPECT_EQ(asked_from_ms.size(), 4U);

  asked_from_ms.clear();
  for (std::int64_t i = 0; i < 3; ++i) unusable.insert(seven.open_time_ms(first_slot + i));
  const HistoryResult other_form = fetch(4);
  EXPECT_EQ(other_form.error, RestError::bad_body) << "most of its slots have one: it proves nothing";
  EXPECT_TRUE(other_form.rows.empty());
  EXPECT_TRUE(other_form.unusable_ms.empty());
}

TEST_F(FoldedHistory, ASlotWhoseFirstRowsCannotBeHadAnyMoreIsNotMade) {
  now_ms = seven.open_time_ms(first_slot + 4) + 30'000;
  exchange.history_depth_ = 7 * 3 + 1;  // minutes of three slots and the running one
  EXPECT_EQ(fetch(4).rows.size(), 3U);
  exchange.history_depth_ = 7 * 3;
  EXPECT_EQ(fetch(4).rows.size(), 2U);
}

}  // namespace
}  // namespace atcd::feeds
