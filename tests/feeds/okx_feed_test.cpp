#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "feeds/feed.hpp"
#include "feeds/fold.hpp"
#include "feeds/interval_source.hpp"
#include "feeds/okx.hpp"
#include "tests/feeds/exchange_wrapper.hpp"
#include "tests/feeds/frame_reader.hpp"
#include "tests/feeds/local_server.hpp"
#include "tests/feeds/simulator_client.hpp"

// What a whole feed does where the exchange answers for each stream by its name: against a server of a few
// lines that answers as the test says, and against the simulated OKX.

namespace atcd::feeds {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::LocalServer;
using testing::Peer;
using testing::run_until;
using ::testing::UnorderedElementsAre;

struct Recorder final : FeedHandler {
  void on_trades_interrupted(StreamIndex) override {}
  void on_trade(StreamIndex stream, const Trade& trade, std::int64_t) override {
    trades[stream].push_back(trade.price);
  }
  void on_kline(StreamIndex stream, const Kline& kline, std::int64_t) override {
    if (kline.closed) closed[stream].push_back(kline.bar);
  }
  void on_stream_up(StreamIndex stream) override { ups.push_back(stream); }
  void on_stream_down(StreamIndex stream, std::string_view) override { downs.push_back(stream); }
  void on_stream_refused(StreamIndex stream, std::string_view reason) override {
    refused.push_back(stream);
    last_reason = reason;
  }
  void on_feed_event(Severity, std::string_view event, std::string_view detail) override {
    events.emplace_back(std::string(event) + " " + std::string(detail));
  }

  std::vector<StreamIndex> ups, downs, refused;
  std::map<StreamIndex, std::vector<engine::Bar>> closed;
  std::map<StreamIndex, std::vector<double>> trades;
  std::vector<std::string> events;
  std::string last_reason;
};

/// The arguments of {"id":"1","op":"subscribe","args":[{"channel":"candle1m","instId":"A-B"}]}, as they
/// stand.
std::vector<std::string> args_of(const std::string& request) {
  std::vector<std::string> args;
  for (auto at = request.find("{\"channel\""); at != std::string::npos;
       at = request.find("{\"channel\"", at + 1))
    args.push_back(request.substr(at, request.find('}', at) + 1 - at));
  return args;
}

std::string ack(const std::string& arg) {
  return R"({"event":"subscribe","arg":)" + arg + R"(,"connId":"1"})";
}

std::string refusal(const std::string& symbol) {
  return R"({"event":"error","code":"60018","msg":"Wrong URL or channel:candle1m,instId:)" + symbol +
         R"( doesn't exist. Please use the correct URL, channel and parameters referring to API document."})";
}

class OkxFeed : public ::testing::Test {
 protected:
  void connect(const std::string& websocket_url, const std::string& rest_url) {
    FeedOptions options;
    options.websocket_url = websocket_url;
    options.rest_url = rest_url;
    feed_ = std::make_unique<Feed>(io_, exchange_, options, recorder_);
  }
  void start() {
    server_ = std::make_unique<LocalServer>(io_);
    connect(server_->websocket_url(), server_->rest_url());
  }
  void add(StreamIndex count) {
    for (StreamIndex i = 0; i < count; ++i) feed_->add(i, {symbol(i), "1m"});
  }
  static std::string symbol(StreamIndex i) { return "SYM" + std::to_string(i) + "-USDT"; }
  template <class Condition>
  void wait(Condition condition) {
    ASSERT_TRUE(run_until(io_, condition)) << ::testing::PrintToString(recorder_.events);
  }

  asio::io_context io_;
  Recorder recorder_;
  testing::ExchangeWrapper exchange_{okx_spot()};
  std::unique_ptr<LocalServer> server_;
  std::unique_ptr<Feed> feed_;
};

TEST_F(OkxFeed, AnswersByNameMayComeInAnyOrderAndMoreThanOnce) {
  start();
  server_->on_text = [](Peer& peer, const std::string& text) {
    std::vector<std::string> args = args_of(text);
    std::reverse(args.begin(), args.end());
    for (const std::string& arg : args) peer.send(ack(arg));
    for (const std::string& arg : args) peer.send(ack(arg));
  };
  add(4);
  wait([&] { return recorder_.ups.size() == 4; });
  EXPECT_THAT(recorder_.ups, ElementsAre(3, 2, 1, 0));
  wait([&] { return feed_->counters().frames == 8; });
  EXPECT_EQ(recorder_.ups.size(), 4U);
  EXPECT_EQ(server_->peers[0]->received.size(), 1U);
}

TEST_F(OkxFeed, ARefusedStreamHoldsUpNoOtherThatIsAnsweredFor) {
  exchange_.request_spacing_ = std::chrono::hours(1);  // no second request
  start();
  server_->on_text = [](Peer& peer, const std::string& text) {
    for (const std::string& arg : args_of(text)) {
      const bool bad = arg.find("SYM1-") != std::string::npos || arg.find("SYM3-") != std::string::npos;
      peer.send(bad ? refusal(arg.find("SYM1-") != std::string::npos ? "SYM1-USDT" : "SYM3-USDT") : ack(arg));
    }
  };
  add(5);
  wait([&] { return recorder_.ups.size() + recorder_.refused.size() == 5; });
  EXPECT_THAT(recorder_.refused, ElementsAre(1, 3));
  EXPECT_THAT(recorder_.ups, ElementsAre(0, 2, 4));
  EXPECT_THAT(recorder_.last_reason, HasSubstr("code 60018: Wrong URL or channel:candle1m,instId:SYM3-USDT"));
  EXPECT_EQ(server_->peers[0]->received.size(), 1U);
}

TEST_F(OkxFeed, WhatARefusalLeavesUnansweredIsAskedForAgain) {
  start();
  server_->on_text = [](Peer& peer, const std::string& text) {
    if (text.find("SYM2-") != std::string::npos) return peer.send(refusal("SYM2-USDT"));
    for (const std::string& arg : args_of(text)) peer.send(ack(arg));
  };
  add(4);
  wait([&] { return recorder_.ups.size() + recorder_.refused.size() == 4; });
  EXPECT_THAT(recorder_.refused, ElementsAre(2));
  EXPECT_THAT(recorder_.ups, ElementsAre(0, 1, 3));
  EXPECT_EQ(server_->peers[0]->received.size(), 2U);
}

TEST_F(OkxFeed, WhatIsRemovedMeanwhileIsNotAskedForAgain) {
  start();
  exchange_.request_spacing_ = milliseconds(50);
  server_->on_text = [](Peer& peer, const std::string& text) {
    if (text.find("SYM0-") != std::string::npos) return peer.send(refusal("SYM0-USDT"));
    for (const std::string& arg : args_of(text)) peer.send(ack(arg));
  };
  add(3);
  wait([&] { return recorder_.refused.size() == 1; });
  feed_->remove(1);
  wait([&] { return recorder_.ups.size() == 1; });
  EXPECT_THAT(recorder_.ups, ElementsAre(2));
  const std::string& last = server_->peers[0]->received.back();
  EXPECT_THAT(last, HasSubstr("\"op\":\"subscribe\""));
  EXPECT_EQ(last.find("SYM1-"), std::string::npos) << last;
}

// An answer by name is the oldest request's that asked for it: one that waited still would take it.
TEST_F(OkxFeed, ARefusedUnsubscriptionThatNamesOneStreamWaitsForNoOther) {
  start();
  server_->on_text = [](Peer& peer, const std::string& text) {
    if (text.find("unsubscribe") != std::string::npos) return peer.send(refusal("SYM1-USDT"));
    for (const std::string& arg : args_of(text)) peer.send(ack(arg));
  };
  add(3);
  wait([&] { return recorder_.ups.size() == 3; });
  feed_->remove(0);
  feed_->remove(1);
  wait([&] { return feed_->counters().refusals == 1; });
  const std::string& ending = server_->peers[0]->received.back();
  EXPECT_THAT(ending, AllOf(HasSubstr("SYM0-"), HasSubstr("SYM1-"))) << "one request";
  feed_->add(0, {symbol(0), "1m"});
  wait([&] { return recorder_.ups.size() == 4; });
  EXPECT_THAT(recorder_.ups, ElementsAre(0, 1, 2, 0));
  EXPECT_TRUE(recorder_.downs.empty());
}

TEST_F(OkxFeed, AnswersForOtherStreamsChangeNothing) {
  start();
  server_->on_text = [](Peer& peer, const std::string& text) {
    peer.send(ack(R"({"channel":"candle1m","instId":"OTHER-USDT"})"));
    peer.send(ack(R"({"channel":"candle5m","instId":"SYM0-USDT"})"));
    peer.send(ack(R"({"channel":"trades","instId":"SYM0-USDT"})"));
    peer.send(refusal("OTHER-USDT"));
    for (const std::string& arg : args_of(text)) peer.send(ack(arg));
  };
  add(2);
  wait([&] { return recorder_.ups.size() == 2; });
  EXPECT_THAT(recorder_.ups, ElementsAre(0, 1));
  EXPECT_TRUE(recorder_.refused.empty());
  EXPECT_EQ(server_->peers[0]->received.size(), 1U);
}

TEST_F(OkxFeed, ARefusalWithoutANameIsFoundByItsNumberAndHalves) {
  start();
  server_->on_text = [](Peer& peer, const std::string& text) {
    const std::string id = text.substr(7, text.find('"', 7) - 7);
    if (text.find("SYM2-") != std::string::npos)
      return peer.send(R"({"id":")" + id + R"(","event":"error","code":"60012","msg":"Invalid request"})");
    for (const std::string& arg : args_of(text)) peer.send(ack(arg));
  };
  add(5);
  wait([&] { return recorder_.ups.size() + recorder_.refused.size() == 5; });
  EXPECT_THAT(recorder_.refused, ElementsAre(2));
  EXPECT_EQ(recorder_.last_reason, "code 60012: Invalid request");
}

TEST_F(OkxFeed, CandlesAndTradesHaveConnectionsOfTheirOwn) {
  start();
  server_->on_text = [](Peer& peer, const std::string& text) {
    for (const std::string& arg : args_of(text)) peer.send(ack(arg));
    peer.send(testing::frame_text(text.find("trades") != std::string::npos
                                      ? "okx/2026-11-27-trade.json"
                                      : "okx/2026-11-27-candle-closed.json"));
    peer.send("pong");
  };
  feed_->add(0, {"BTC-USDT", "1m"});
  feed_->add(1, {"BTC-USDT", ""});
  wait([&] { return recorder_.closed[0].size() == 1 && recorder_.trades[1].size() == 1; });
  std::set<std::string> targets;
  for (const auto& peer : server_->peers) targets.insert(peer->target);
  EXPECT_THAT(targets, UnorderedElementsAre("/ws/v5/business", "/ws/v5/public"));
  EXPECT_EQ(recorder_.trades[1][0], 91240.1);
  EXPECT_EQ(feed_->counters().malformed, 0U);
  server_->peers[0]->send(testing::frame_text("okx/2026-11-27-notice-upgrade.json"));
  wait([&] { return server_->peers.size() == 3; });
}

TEST_F(OkxFeed, TheExchangesClockDecidesWhatIsNewestAndWhatHasEnded) {
  constexpr std::int64_t kOpenMs = 1'749'999'960'000;  // of a bar that has just ended by the exchange's clock
  std::vector<std::string> targets;
  std::string confirm = "1";
  start();
  server_->on_request = [&](const LocalServer::Request& request) {
    targets.emplace_back(request.target());
    LocalServer::Response response(boost::beast::http::status::ok, 11);
    response.set("Date", "Sun, 15 Jun 2025 15:07:00 GMT");
    response.body() = R"({"code":"0","msg":"","data":[[")" + std::to_string(kOpenMs) +
                      R"(","1","1","1","1","1","1","1",")" + confirm + "\"]]}";
    response.prepare_payload();
    return std::optional(std::move(response));
  };
  const auto fetch = [&] {
    std::optional<HistoryResult> history;
    feed_->fetch_history({"BTC-USDT", "1m", kOpenMs, kOpenMs, 0, 0}, 0,
                         [&](HistoryResult result) { history = std::move(result); });
    wait([&] { return history.has_value(); });
    return *history;
  };
  EXPECT_EQ(fetch().rows.size(), 1U);
  EXPECT_EQ(fetch().rows.size(), 1U);
  ASSERT_EQ(targets.size(), 2U);
  EXPECT_THAT(targets[0], HasSubstr("/history-candles?")) << "by our own clock, for want of another";
  EXPECT_THAT(targets[1], HasSubstr("/market/candles?"));
  confirm = "0";
  const HistoryResult ended = fetch();
  EXPECT_EQ(ended.error, RestError::bad_body);
  EXPECT_THAT(ended.message, HasSubstr("row 0 is not confirmed, although it has ended"));
}

class OkxSimulated : public OkxFeed {
 protected:
  static constexpr std::int64_t kMinuteMs = 60'000;
  static constexpr std::int64_t kMondayMs = 1'795'392'000'000;  // 2026-11-23

  static simulator::ServerOptions still() {
    simulator::ServerOptions options;
    options.venue.exchange = "okx";
    options.venue.symbols = simulator::first_symbols(3);
    options.venue.start_ms = kMondayMs + 20'000;
    options.venue.speed = 0;
    return options;
  }

  void SetUp() override {
    const std::string address = "127.0.0.1:" + std::to_string(running_.port());
    connect("ws://" + address, "http://" + address);
  }
  void advance(std::int64_t ms) {
    simulator::testing::post(running_.port(), "/sim/advance?ms=" + std::to_string(ms));
  }

  simulator::testing::RunningServer running_{still()};
};

TEST_F(OkxSimulated, BarsHistoryAndSymbolsComeAndOneStreamIsRefusedByName) {
  feed_->add(0, {"BTC-USDT", "1m"});
  feed_->add(1, {"BTC-USDT-SWAP", "1m"});
  feed_->add(2, {"NO-SUCH", "1m"});
  feed_->add(3, {"ETH-USDT", "5m"});
  wait([&] { return recorder_.ups.size() + recorder_.refused.size() == 4; });
  EXPECT_THAT(recorder_.refused, ElementsAre(2));
  EXPECT_THAT(recorder_.last_reason, HasSubstr("code 60018: Wrong URL or channel:candle1m,instId:NO-SUCH"));
  EXPECT_THAT(recorder_.ups, UnorderedElementsAre(0, 1, 3));

  advance(5 * kMinuteMs);
  wait([&] {
    return recorder_.closed[0].size() == 5 && recorder_.closed[1].size() == 5 &&
           recorder_.closed[3].size() == 1;
  });
  EXPECT_EQ(recorder_.closed[0].front().open_time_ms, kMondayMs);
  EXPECT_EQ(recorder_.closed[0], recorder_.closed[1]) << "the same market";
  EXPECT_EQ(feed_->counters().malformed, 0U);
  EXPECT_EQ(feed_->counters().unknown_streams, 0U);

  std::optional<SymbolsResult> symbols;
  feed_->fetch_symbols(true, [&](SymbolsResult result) { symbols = std::move(result); });
  wait([&] { return symbols.has_value(); });
  ASSERT_EQ(symbols->error, RestError::none) << symbols->message;
  ASSERT_EQ(symbols->symbols.size(), 3U);
  EXPECT_EQ(symbols->symbols[0].symbol, "BTC-USDT");
  EXPECT_EQ(symbols->symbols[0].base, "BTC");
  EXPECT_TRUE(symbols->symbols[0].trading);
  EXPECT_GT(symbols->symbols[0].quote_volume_24h, symbols->symbols[1].quote_volume_24h);

  std::optional<HistoryResult> history;
  feed_->fetch_history({"BTC-USDT", "1m", kMondayMs, kMondayMs + 5 * kMinuteMs, 0, 0}, 0,
                       [&](HistoryResult result) { history = std::move(result); });
  wait([&] { return history.has_value(); });
  ASSERT_EQ(history->error, RestError::none) << history->message;
  ASSERT_EQ(history->rows.size(), 6U) << "the last one is running";
  history->rows.pop_back();
  EXPECT_EQ(history->rows, recorder_.closed[0]);
}

TEST_F(OkxSimulated, ThreeDaysAreFoldedFromDaysOfOurCalendar) {
  const engine::Interval day = *engine::Interval::parse("1d"), days = *engine::Interval::parse("3d");
  const std::int64_t first = days.ordinal(kMondayMs);
  const auto fetch = [&](const std::string& interval, std::int64_t from_ms, std::int64_t to_ms) {
    std::optional<HistoryResult> history;
    feed_->fetch_history({"BTC-USDT", interval, from_ms, to_ms, 0, 0}, 0,
                         [&](HistoryResult result) { history = std::move(result); });
    wait([&] { return history.has_value(); });
    EXPECT_EQ(history->error, RestError::none) << history->message;
    return history->rows;
  };
  feed_->add(0, {"BTC-USDT", "1d"});
  wait([&] { return recorder_.ups.size() == 1; });
  for (int i = 0; i < 7; ++i) advance(day.length_ms());
  wait([&] { return recorder_.closed[0].size() == 7; });

  const std::int64_t from_ms = days.open_time_ms(first - 200), to_ms = days.open_time_ms(first + 2);
  const auto folded = fetch("3d", from_ms, to_ms);
  ASSERT_EQ(folded.size(), 203U) << "of 609 days, in pages of 300";
  std::vector<engine::Bar> parts;
  for (std::int64_t at = from_ms; at <= to_ms; at += 200 * day.length_ms()) {
    const auto page = fetch("1d", at, std::min(at + 199 * day.length_ms(), to_ms + 2 * day.length_ms()));
    parts.insert(parts.end(), page.begin(), page.end());
  }
  EXPECT_EQ(folded, fold_rows(parts, days));
  // What the frames of days make is the same.
  FrameFold frames(day, days);
  std::vector<engine::Bar> closed;
  for (const engine::Bar& bar : recorder_.closed[0]) {
    const auto told = frames.take({"BTC-USDT", "1d", bar, 0, true});
    if (told && told->closed && frames.whole()) closed.push_back(told->bar);
  }
  ASSERT_EQ(closed.size(), 2U) << "of the third the first days were missed";
  for (const engine::Bar& bar : closed) {
    const auto at = std::find_if(folded.begin(), folded.end(), [&](const engine::Bar& each) {
      return each.open_time_ms == bar.open_time_ms;
    });
    ASSERT_NE(at, folded.end());
    EXPECT_EQ(bar, *at);
  }
}

TEST_F(OkxSimulated, EachStreamOfARequestIsTakenOrRefusedByItself) {
  exchange_.request_spacing_ = std::chrono::hours(1);  // no second request
  feed_->add(0, {"BTC-USDT", "1m"});
  feed_->add(1, {"NO-SUCH", "1m"});
  feed_->add(2, {"ETH-USDT", "1m"});
  feed_->add(3, {"NOR-SUCH", "1m"});
  wait([&] { return recorder_.ups.size() + recorder_.refused.size() == 4; });
  EXPECT_THAT(recorder_.ups, ElementsAre(0, 2)) << "those behind a refused one too";
  EXPECT_THAT(recorder_.refused, ElementsAre(1, 3));
}

TEST_F(OkxSimulated, HistoryReachesBackBeyondTheNewestRows) {
  std::optional<HistoryResult> history;
  std::size_t rows = 0;
  // The exchange's clock is days behind ours: only its first answer tells.
  for (const std::int64_t slots_ago : {4000, 2000, 1500, 1300, 1199, 300}) {
    history.reset();
    const std::int64_t from_ms = kMondayMs - slots_ago * kMinuteMs;
    feed_->fetch_history({"ETH-USDT", "1m", from_ms, from_ms + 299 * kMinuteMs, 0, 0}, 0,
                         [&](HistoryResult result) { history = std::move(result); });
    wait([&] { return history.has_value(); });
    ASSERT_EQ(history->error, RestError::none) << slots_ago << ": " << history->message;
    ASSERT_EQ(history->rows.size(), 300U) << slots_ago;
    EXPECT_EQ(history->rows.front().open_time_ms, from_ms);
    rows += history->rows.size();
  }
  EXPECT_EQ(rows, 1800U);
}

TEST_F(OkxSimulated, ARefusedSymbolIsAllowedLater) {
  simulator::testing::post(running_.port(), "/sim/refuse?symbol=ETH-USDT");
  feed_->add(0, {"ETH-USDT-SWAP", "1m"});
  wait([&] { return recorder_.refused.size() == 1; });
  simulator::testing::post(running_.port(), "/sim/allow?symbol=ETH-USDT");
  feed_->resubscribe(0);
  wait([&] { return recorder_.ups.size() == 1; });
  simulator::testing::post(running_.port(), "/sim/cut?how=shutdown");
  wait([&] {
    return std::any_of(recorder_.events.begin(), recorder_.events.end(),
                       [](const std::string& event) { return event.starts_with("close_announced"); });
  });
}

}  // namespace
}  // namespace atcd::feeds
