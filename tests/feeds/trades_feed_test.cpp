// From which connection a feed takes trades: with numbers from each, without from one at a time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "feeds/bybit.hpp"
#include "feeds/clocks.hpp"
#include "feeds/feed.hpp"
#include "feeds/okx.hpp"
#include "tests/feeds/exchange_wrapper.hpp"
#include "tests/feeds/local_server.hpp"

namespace atcd::feeds {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using testing::LocalServer;
using testing::Peer;
using testing::run_until;
using Words = std::vector<std::string>;

constexpr std::int64_t kNowMs = 1'795'748'412'345, kYear2100Ms = 4'102'444'800'000;

/// What it is told, as words: "up 0", "trade 0 7".
struct Recorder final : FeedHandler {
  void on_kline(StreamIndex, const Kline&, std::int64_t) override {}
  void on_trade(StreamIndex stream, const Trade& trade, std::int64_t) override {
    heard.push_back("trade " + std::to_string(stream) + " " + std::to_string(static_cast<int>(trade.price)));
  }
  void on_trades_interrupted(StreamIndex stream) override {
    heard.push_back("interrupted " + std::to_string(stream));
  }
  void on_stream_up(StreamIndex stream) override { heard.push_back("up " + std::to_string(stream)); }
  void on_stream_down(StreamIndex stream, std::string_view) override {
    heard.push_back("down " + std::to_string(stream));
  }
  void on_stream_refused(StreamIndex, std::string_view reason) override { ADD_FAILURE() << reason; }
  void on_feed_event(Severity, std::string_view event, std::string_view) override {
    events.emplace_back(event);
  }
  Words heard, events;
};

class TradesFeed : public ::testing::Test {
 protected:
  void start(const Exchange& exchange, StreamIndex streams) {
    exchange_ = std::make_unique<testing::ExchangeWrapper>(exchange);
    exchange_->streams_per_request_ = 1;
    exchange_->connection_lifetime_ =
        milliseconds(200);  // the next one is dialled soon, and waits for its answers
    server_.on_text = [this](Peer& peer, const std::string& text) {
      const bool first = server_.peers.size() == 1;
      if (first && text.find("subscribe") != std::string::npos) peer.send(answer(text));
      if (!first) waiting_.push_back(text);
    };
    FeedOptions options;
    options.websocket_url = server_.websocket_url();
    options.rest_url = server_.rest_url();
    feed_ = std::make_unique<Feed>(io_, *exchange_, options, recorder_);
    for (StreamIndex i = 0; i < streams; ++i) feed_->add(i, {"SYM" + std::to_string(i), ""});
    wait([&] { return waiting_.size() == streams; });
    EXPECT_EQ(recorder_.heard.size(), streams);
    recorder_.heard.clear();
  }
  std::string answer(const std::string& request) const {
    const bool okx = exchange_->name() == "okx";
    const std::string key = okx ? "\"id\":\"" : "\"req_id\":\"";
    const auto at = request.find(key) + key.size();
    const std::string id = request.substr(at, request.find('"', at) - at);
    if (!okx)
      return R"({"success":true,"ret_msg":"","conn_id":"x","req_id":")" + id + R"(","op":"subscribe"})";
    const auto args = request.find("[{") + 1;
    return R"({"id":")" + id + R"(","event":"subscribe","arg":)" +
           request.substr(args, request.find("}]") + 1 - args) + "}";
  }
  std::string trade(StreamIndex stream, int price, std::int64_t time_ms = kNowMs) const {
    const std::string symbol = "SYM" + std::to_string(stream), paid = std::to_string(price);
    const std::string time = std::to_string(time_ms);
    if (exchange_->name() == "okx")
      return R"({"arg":{"channel":"trades","instId":")" + symbol + R"("},"data":[{"instId":")" + symbol +
             R"(","tradeId":")" + paid + R"(","px":")" + paid + R"(","sz":"1","ts":")" + time + R"("}]})";
    return R"({"topic":"publicTrade.)" + symbol + R"(","ts":)" + time + R"(,"data":[{"T":)" + time +
           R"(,"s":")" + symbol + R"(","v":"1","p":")" + paid + R"(","i":")" + paid + R"(","BT":false}]})";
  }
  template <class Condition>
  void wait(Condition condition) {
    ASSERT_TRUE(run_until(io_, condition)) << ::testing::PrintToString(recorder_.heard);
  }
  void hear(std::size_t count) {
    wait([&] { return recorder_.heard.size() >= count; });
  }
  Peer& peer(std::size_t index) { return *server_.peers.at(index); }

  asio::io_context io_;
  Recorder recorder_;
  std::unique_ptr<testing::ExchangeWrapper> exchange_;
  LocalServer server_{io_};
  Words waiting_;  // what the second connection asked for
  std::unique_ptr<Feed> feed_;
};

TEST_F(TradesFeed, WithoutNumbersAHandOverIsAnInterruptionAndNoTradeIsToldTwice) {
  start(bybit_linear(), 1);
  peer(0).send(trade(0, 1));
  hear(1);
  peer(1).send(trade(0, 2));  // before the first connection tells it
  wait([&] { return feed_->counters().passed_over == 1; });
  peer(0).send(trade(0, 2));
  hear(2);
  exchange_->connection_lifetime_ = std::chrono::hours(24);
  peer(1).send(answer(waiting_[0]));
  hear(3);
  peer(1).send(trade(0, 3));
  hear(4);
  EXPECT_THAT(recorder_.heard, ElementsAre("trade 0 1", "trade 0 2", "interrupted 0", "trade 0 3"));
  EXPECT_THAT(recorder_.events, ::testing::Contains("handed_over"));
}

TEST_F(TradesFeed, WithoutNumbersTheNextConnectionIsHeardWhereItTakesOverEarly) {
  start(bybit_linear(), 2);
  exchange_->connection_lifetime_ = std::chrono::hours(24);
  peer(1).send(answer(waiting_[0]));
  peer(1).send(trade(0, 1));
  wait([&] { return feed_->counters().passed_over == 1; });
  peer(0).cut();
  hear(2);
  peer(1).send(trade(0, 2));
  peer(1).send(trade(1, 2));
  peer(1).send(answer(waiting_[1]));
  peer(1).send(trade(1, 3));
  hear(5);
  EXPECT_THAT(recorder_.heard, ElementsAre("interrupted 0", "down 1", "trade 0 2", "up 1", "trade 1 3"));
}

TEST_F(TradesFeed, WithoutNumbersTheEndOfTheNextConnectionChangesNothing) {
  start(bybit_linear(), 1);
  exchange_->connection_lifetime_ = std::chrono::hours(24);
  peer(1).cut();
  wait([&] { return waiting_.size() == 2; });
  peer(0).send(trade(0, 1));
  hear(1);
  EXPECT_THAT(recorder_.heard, ElementsAre("trade 0 1"));
}

TEST_F(TradesFeed, WithoutNumbersAFrameThatIsNotUnderstoodMayHaveBeenATrade) {
  start(bybit_linear(), 2);
  peer(0).send(trade(0, 1));
  peer(0).send(R"({"topic":"publicTrade.SYM0","ts":1795748412346,"data":[{}]})");
  peer(0).send(trade(1, 1));
  hear(4);
  EXPECT_THAT(recorder_.heard, ElementsAre("trade 0 1", "interrupted 0", "interrupted 1", "trade 1 1"));
  peer(1).send("{");
  wait([&] { return feed_->counters().malformed == 2; });
  EXPECT_EQ(recorder_.heard.size(), 4U) << "nobody listens to that one";
}

TEST_F(TradesFeed, ATradeFromTheFutureIsLeftOutAndMovesNoClock) {
  for (const Exchange* exchange : {&okx_spot(), &bybit_linear()}) {
    recorder_.heard.clear();
    waiting_.clear();
    feed_.reset();
    server_.peers.clear();
    start(*exchange, 1);
    peer(0).send(trade(0, 1));
    peer(0).send(trade(0, 2, kYear2100Ms));
    peer(0).send(trade(0, 3));
    hear(exchange->numbers_trades() ? 2 : 3);
    const Words told = exchange->numbers_trades() ? Words{"trade 0 1", "trade 0 3"}
                                                  : Words{"trade 0 1", "interrupted 0", "trade 0 3"};
    EXPECT_EQ(recorder_.heard, told) << exchange->name();
    EXPECT_EQ(feed_->counters().malformed, 1U);
    EXPECT_LT(*feed_->exchange_ms(monotonic_ms()), kNowMs + 600'000);
  }
}

TEST_F(TradesFeed, WithNumbersTheTradesOfBothConnectionsAreToldAndNothingIsInterrupted) {
  start(okx_spot(), 1);
  peer(1).send(trade(0, 2));
  hear(1);
  peer(0).send(trade(0, 1));
  peer(0).send("{");
  peer(0).send(trade(0, 2));
  hear(3);
  exchange_->connection_lifetime_ = std::chrono::hours(24);
  peer(1).send(answer(waiting_[0]));
  peer(1).send(trade(0, 3));
  hear(4);
  EXPECT_THAT(recorder_.heard, ElementsAre("trade 0 2", "trade 0 1", "trade 0 2", "trade 0 3"));
  EXPECT_EQ(feed_->counters().passed_over, 0U);
}

}  // namespace
}  // namespace atcd::feeds
