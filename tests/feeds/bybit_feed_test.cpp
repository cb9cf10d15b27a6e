// The real feed against the simulated Bybit, and against answers that the simulator never gives.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "feeds/bybit.hpp"
#include "feeds/feed.hpp"
#include "tests/feeds/exchange_wrapper.hpp"
#include "tests/feeds/feed_recorder.hpp"
#include "tests/feeds/local_server.hpp"
#include "tests/feeds/simulator_client.hpp"

namespace atcd::feeds {
namespace {

namespace asio = boost::asio;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::FeedRecorder;
using ::testing::HasSubstr;
using testing::LocalServer;
using testing::Peer;
using testing::run_until;

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kMondayMs = 1'795'392'000'000;  // 2026-11-23

class SimulatedBybit : public ::testing::TestWithParam<const Exchange* (*)()> {};

TEST_P(SimulatedBybit, BringsBarsHistoryAndSymbolsThroughTheRealFeed) {
  const Exchange& bybit = *GetParam()();
  simulator::ServerOptions options;
  options.venue.exchange = "bybit";
  options.venue.symbols = simulator::first_symbols(13);  // more than one request
  options.venue.start_ms = kMondayMs + 20'000;
  options.venue.speed = 0;
  options.venue.update = std::chrono::hours(1);
  const simulator::testing::RunningServer server(options);
  const auto advance = [&](std::int64_t ms) {
    const std::string target = "/sim/advance?ms=" + std::to_string(ms);
    ASSERT_EQ(simulator::testing::post(server.port(), target).result_int(), 200U);
  };

  asio::io_context io;
  FeedRecorder recorder;
  testing::ExchangeWrapper exchange(bybit);
  exchange.streams_per_request_ = bybit.streams_per_request();
  exchange.request_spacing_ = bybit.request_spacing();
  FeedOptions feed_options;
  feed_options.websocket_url = "ws://127.0.0.1:" + std::to_string(server.port());
  feed_options.rest_url = "http://127.0.0.1:" + std::to_string(server.port());
  Feed feed(io, exchange, feed_options, recorder);
  for (StreamIndex i = 0; i < 13; ++i) feed.add(i, {options.venue.symbols[i].symbol, "1m"});
  feed.add(13, {"BTCUSDT", "5m"});
  feed.add(14, {"NOPEUSDT", "1m"});
  // What is refused is asked for again after a second or two.
  ASSERT_TRUE(run_until(io, [&] { return recorder.ups.size() == 14 && !recorder.refused.empty(); }))
      << ::testing::PrintToString(recorder.events);
  EXPECT_THAT(recorder.refused, Each(14));
  EXPECT_EQ(recorder.last_reason, "error:handler not found,topic:kline.1.NOPEUSDT");

  advance(10 * kMinuteMs);
  ASSERT_TRUE(run_until(io, [&] {
    return recorder.closed[0].size() == 10 && recorder.closed[12].size() == 10 &&
           recorder.closed[13].size() == 2;
  })) << ::testing::PrintToString(recorder.events);
  std::optional<HistoryResult> history;
  feed.fetch_history({"BTCUSDT", "1m", kMondayMs, kMondayMs + 9 * kMinuteMs}, 5,
                     [&](HistoryResult result) { history = std::move(result); });
  std::optional<SymbolsResult> symbols;
  feed.fetch_symbols(true, [&](SymbolsResult result) { symbols = std::move(result); });
  ASSERT_TRUE(run_until(io, [&] { return history && symbols; }));
  EXPECT_EQ(history->message, "");
  EXPECT_EQ(history->rows, recorder.closed[0]) << "frames and REST tell the same bits";
  EXPECT_EQ(history->server_time_ms, kMondayMs + 20'000 + 10 * kMinuteMs);
  EXPECT_EQ(symbols->message, "");
  ASSERT_EQ(symbols->symbols.size(), 13U);
  EXPECT_EQ(symbols->symbols[0].symbol, "BTCUSDT");
  EXPECT_GT(symbols->symbols[0].quote_volume_24h, 0);

  ASSERT_EQ(simulator::testing::post(server.port(), "/sim/cut?how=reset").result_int(), 200U);
  ASSERT_TRUE(run_until(io, [&] { return recorder.ups.size() == 28; })) << "it comes back";
  EXPECT_EQ(recorder.downs.size(), 14U);
  EXPECT_EQ(feed.counters().malformed, 0U);
  EXPECT_EQ(feed.counters().rest_errors, 0U);
}

INSTANTIATE_TEST_SUITE_P(Markets, SimulatedBybit,
                         ::testing::Values([]() -> const Exchange* { return &bybit_spot(); },
                                           []() -> const Exchange* { return &bybit_linear(); },
                                           []() -> const Exchange* { return &bybit_inverse(); }));

/// The text behind "key":" in a request.
std::string value_of(const std::string& request, const std::string& key) {
  const auto at = request.find("\"" + key + "\":\"") + key.size() + 4;
  return request.substr(at, request.find('"', at) - at);
}

std::string answer_to(const std::string& request, bool success, const std::string& message) {
  return std::string(R"({"success":)") + (success ? "true" : "false") + R"(,"ret_msg":")" + message +
         R"(","conn_id":"x","req_id":")" + value_of(request, "req_id") + R"(","op":")" +
         value_of(request, "op") + "\"}";
}

class BybitFeed : public ::testing::Test {
 protected:
  void start(std::function<std::string(const std::string& request)> answer, StreamIndex streams) {
    server_.on_text = [answer = std::move(answer), this](Peer& peer, const std::string& text) {
      if (text.find("\"ping\"") != std::string::npos) return;
      if (value_of(text, "op") == "subscribe") requests_.push_back(text);
      if (const std::string reply = answer(text); !reply.empty()) peer.send(reply);
    };
    FeedOptions options;
    options.websocket_url = server_.websocket_url();
    options.rest_url = server_.rest_url();
    exchange_.streams_per_request_ = 10;
    feed_ = std::make_unique<Feed>(io_, exchange_, options, recorder_);
    for (StreamIndex i = 0; i < streams; ++i) feed_->add(i, {"SYM" + std::to_string(i) + "USDT", "1m"});
  }
  std::set<StreamIndex> up() const { return {recorder_.ups.begin(), recorder_.ups.end()}; }

  asio::io_context io_;
  FeedRecorder recorder_;
  testing::ExchangeWrapper exchange_{bybit_linear()};
  LocalServer server_{io_};
  std::vector<std::string> requests_;  // to subscribe
  std::unique_ptr<Feed> feed_;
};

TEST_F(BybitFeed, ARefusalThatNamesItsStreamCostsOneMoreRequest) {
  start(
      [](const std::string& request) {
        return request.find("SYM3USDT") == std::string::npos
                   ? answer_to(request, true, "")
                   : answer_to(request, false, "error:handler not found,topic:kline.1.SYM3USDT");
      },
      10);
  ASSERT_TRUE(run_until(io_, [&] { return recorder_.refused.size() == 1 && up().size() == 9; }));
  EXPECT_THAT(recorder_.refused, ElementsAre(3));
  EXPECT_EQ(requests_.size(), 2U);
}

// What Bybit took of a request that it refused is not documented: whatever it has it says so, stream by
// stream, and each is up.
TEST_F(BybitFeed, AStreamThatTheConnectionHasAlreadyIsUp) {
  start(
      [](const std::string& request) {
        for (const char* had : {"SYM0USDT", "SYM1USDT"}) {
          if (request.find(had) != std::string::npos)
            return answer_to(request, false, "error:already subscribed,topic:kline.1." + std::string(had));
        }
        return answer_to(request, true, "");
      },
      10);
  ASSERT_TRUE(run_until(io_, [&] { return up().size() == 10; }));
  EXPECT_TRUE(recorder_.refused.empty());
  EXPECT_EQ(recorder_.ups.size(), 10U);
  EXPECT_EQ(requests_.size(), 3U);
  EXPECT_TRUE(recorder_.downs.empty());
}

TEST_F(BybitFeed, ARefusalThatNamesNoneIsFoundByHalves) {
  start(
      [](const std::string& request) {
        return request.find("SYM3USDT") == std::string::npos ? answer_to(request, true, "subscribe")
                                                             : answer_to(request, false, "no");
      },
      10);
  ASSERT_TRUE(run_until(io_, [&] { return recorder_.refused.size() == 1 && up().size() == 9; }));
  EXPECT_THAT(recorder_.refused, ElementsAre(3));
}

TEST_F(BybitFeed, ABodyThatSaysTooManyVisitsPausesRest) {
  start([](const std::string& request) { return answer_to(request, true, ""); }, 1);
  server_.on_request = [](const LocalServer::Request&) {
    LocalServer::Response response(boost::beast::http::status::ok, 11);
    response.body() = R"({"retCode":10006,"retMsg":"Too many visits. Exceeded the API Rate Limit."})";
    return response;
  };
  std::optional<HistoryResult> history;
  feed_->fetch_history({"BTCUSDT", "1m", 0, 60'000}, 5,
                       [&](HistoryResult result) { history = std::move(result); });
  ASSERT_TRUE(run_until(io_, [&] { return history.has_value(); }));
  EXPECT_EQ(history->error, RestError::banned);
  EXPECT_THAT(history->message, HasSubstr("Too many visits"));
  ASSERT_FALSE(recorder_.events.empty());
  EXPECT_THAT(recorder_.events.back(), HasSubstr("rest_paused seconds=60"));
}

}  // namespace
}  // namespace atcd::feeds
