#include "feeds/feed.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "feeds/binance.hpp"
#include "feeds/clocks.hpp"
#include "tests/feeds/exchange_wrapper.hpp"
#include "tests/feeds/frame_reader.hpp"
#include "tests/feeds/local_server.hpp"

namespace atcd::feeds {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using std::chrono::milliseconds;
using testing::Certificates;
using ::testing::ElementsAre;
using testing::frame_text;
using ::testing::Ge;
using ::testing::HasSubstr;
using testing::LocalServer;
using testing::Peer;
using testing::run_until;

struct Recorder final : FeedHandler {
  struct Seen {
    StreamIndex stream;
    engine::Bar bar;
    bool closed;
  };
  void on_trades_interrupted(StreamIndex) override {}
  void on_trade(StreamIndex, const Trade&, std::int64_t) override {}
  void on_kline(StreamIndex stream, const Kline& kline, std::int64_t received_us) override {
    klines.push_back({stream, kline.bar, kline.closed});
    EXPECT_GT(received_us, 0);
    if (then) then();
  }
  void on_stream_up(StreamIndex stream) override { ups.push_back(stream); }
  void on_stream_down(StreamIndex stream, std::string_view reason) override {
    downs.push_back(stream);
    last_reason = reason;
  }
  void on_stream_refused(StreamIndex stream, std::string_view reason) override {
    refused.push_back(stream);
    last_reason = reason;
  }
  void on_feed_event(Severity, std::string_view event, std::string_view detail) override {
    events.emplace_back(std::string(event) + " " + std::string(detail));
  }
  std::size_t count(std::string_view event) const {
    return static_cast<std::size_t>(std::count_if(
        events.begin(), events.end(), [&](const std::string& each) { return each.starts_with(event); }));
  }

  std::vector<Seen> klines;
  std::vector<StreamIndex> ups, downs, refused;
  std::vector<std::string> events;
  std::string last_reason;
  std::function<void()> then;
};

/// The request number in {"method":...,"id":7}.
std::string id_of(const std::string& request) {
  const auto at = request.rfind("\"id\":") + 5;
  return request.substr(at, request.size() - at - 1);
}

bool subscribes(const std::string& request) { return request.find("\"SUBSCRIBE\"") != std::string::npos; }

class FeedTest : public ::testing::Test {
 protected:
  /// An exchange that acknowledges everything.
  void start(const std::string& certificate = {}) {
    server_ = std::make_unique<LocalServer>(io_, certificate);
    server_->on_text = [this](Peer& peer, const std::string& text) {
      if (acknowledge_) peer.send("{\"result\":null,\"id\":" + id_of(text) + "}");
    };
    FeedOptions options;
    options.websocket_url = server_->websocket_url();
    options.rest_url = server_->rest_url();
    if (!certificate.empty()) options.ca_file = Certificates::get().file("ca.pem");
    feed_ = std::make_unique<Feed>(io_, exchange_, options, recorder_);
  }
  void add(StreamIndex from, StreamIndex to) {
    for (StreamIndex i = from; i <= to; ++i) feed_->add(i, {"SYM" + std::to_string(i) + "USDT", "1m"});
  }
  template <class Condition>
  void wait(Condition condition) {
    ASSERT_TRUE(run_until(io_, condition)) << ::testing::PrintToString(recorder_.events);
  }
  std::set<StreamIndex> up() const { return {recorder_.ups.begin(), recorder_.ups.end()}; }
  std::string frame_of(StreamIndex stream) const {
    std::string frame = frame_text("binance/2026-11-23-spot-kline-closed.json");
    const std::string symbol = "SYM" + std::to_string(stream) + "USDT";
    for (auto at = frame.find("BTCUSDT"); at != std::string::npos; at = frame.find("BTCUSDT"))
      frame.replace(at, 7, symbol);
    return frame;
  }
  Peer& peer(std::size_t index) { return *server_->peers.at(index); }

  asio::io_context io_;
  Recorder recorder_;
  testing::ExchangeWrapper exchange_{binance_spot()};
  std::unique_ptr<LocalServer> server_;
  std::unique_ptr<Feed> feed_;
  bool acknowledge_ = true;
};

TEST_F(FeedTest, SubscribesInBatchesAndTellsWhatIsUp) {
  exchange_.streams_per_request_ = 3;
  start();
  add(0, 7);
  wait([&] { return up().size() == 8; });
  ASSERT_EQ(server_->peers.size(), 1U);
  EXPECT_EQ(peer(0).target, "/stream");
  EXPECT_EQ(peer(0).received.size(), 3U) << "8 streams by 3";
  EXPECT_THAT(peer(0).received[0], HasSubstr(R"("params":["sym0usdt@kline_1m","sym1usdt@kline_1m")"));
  EXPECT_EQ(feed_->counters().connects, 1U);
  EXPECT_TRUE(recorder_.downs.empty());
}

TEST_F(FeedTest, SpreadsStreamsOverConnections) {
  exchange_.streams_per_connection_ = 3;
  start();
  add(0, 6);
  wait([&] { return up().size() == 7; });
  EXPECT_EQ(server_->peers.size(), 3U);
}

TEST_F(FeedTest, ConnectsNoFasterThanTheExchangeAllows) {
  exchange_.streams_per_connection_ = 1;
  exchange_.connect_spacing_ = std::chrono::hours(1);
  start();
  add(0, 1);
  wait([&] { return up().size() == 1; });
  EXPECT_FALSE(run_until(
      io_, [&] { return server_->accepted > 1; }, std::chrono::seconds(1)));
}

TEST_F(FeedTest, WorksOverTls) {
  start("localhost");
  add(0, 0);
  wait([&] { return up().size() == 1; });
  peer(0).send(frame_of(0));
  wait([&] { return recorder_.klines.size() == 1; });
}

TEST_F(FeedTest, WhatNobodyReadsAgesTheLastSign) {
  start();
  const auto past = std::chrono::steady_clock::now() - std::chrono::hours(1);
  EXPECT_EQ(feed_->last_sign(past), past) << "without a connection there is nothing to hear";
  add(0, 0);
  wait([&] { return up().size() == 1; });
  const auto later = [] { return std::chrono::steady_clock::now() + std::chrono::hours(1); };
  const auto before = feed_->last_sign(later());
  EXPECT_LE(before, std::chrono::steady_clock::now());
  peer(0).send(frame_of(0));
  EXPECT_EQ(feed_->last_sign(later()), before) << "sent, but not read";
  wait([&] { return recorder_.klines.size() == 1; });
  EXPECT_GT(feed_->last_sign(later()), before);
}

TEST_F(FeedTest, AnExchangeThatIsAwayDoesNotAgeTheLastSign) {
  start();
  server_->decline = http::response<http::string_body>(http::status::too_many_requests, 11);
  server_->decline->set(http::field::retry_after, "3600");
  add(0, 0);
  wait([&] { return recorder_.count("connect_failed") == 1; });
  const auto soon = std::chrono::steady_clock::now() + std::chrono::minutes(59);
  EXPECT_EQ(feed_->last_sign(soon), soon) << "it waits for as long as the exchange asked";
  const auto late = std::chrono::steady_clock::now() + std::chrono::minutes(61);
  EXPECT_LT(feed_->last_sign(late), late) << "the time to connect again has passed";
}

TEST_F(FeedTest, BringsBarsBeforeAndAfterTheAck) {
  acknowledge_ = false;
  start();
  add(4, 5);
  wait([&] { return !server_->peers.empty() && !peer(0).received.empty(); });
  peer(0).send(frame_of(5));
  wait([&] { return recorder_.klines.size() == 1; });
  EXPECT_TRUE(recorder_.ups.empty());
  EXPECT_EQ(recorder_.klines[0].stream, 5U);
  EXPECT_TRUE(recorder_.klines[0].closed);
  EXPECT_EQ(recorder_.klines[0].bar.close, 91240.0);
  peer(0).send(R"({"result":null,"id":1})");
  wait([&] { return recorder_.ups.size() == 2; });
  peer(0).send(frame_of(4));
  wait([&] { return recorder_.klines.size() == 2; });
  EXPECT_EQ(recorder_.klines[1].stream, 4U);
  EXPECT_EQ(feed_->counters().klines, 2U);
  EXPECT_EQ(feed_->counters().frames, 3U);
}

TEST_F(FeedTest, FramesOfOtherStreamsAreCounted) {
  start();
  add(0, 0);
  wait([&] { return up().size() == 1; });
  peer(0).send(frame_of(9));
  peer(0).send(frame_text("binance/2026-11-23-agg-trade.json"));
  peer(0).send(R"({"stream":"!miniTicker@arr","data":[{"e":"24hrMiniTicker"}]})");
  peer(0).send(frame_of(0));
  wait([&] { return recorder_.klines.size() == 1; });
  EXPECT_EQ(feed_->counters().unknown_streams, 2U) << "a bar and a trade";
  EXPECT_EQ(feed_->counters().ignored, 1U);
}

TEST_F(FeedTest, HostileFramesAreCountedAndNeverFatal) {
  start();
  add(0, 0);
  wait([&] { return up().size() == 1; });
  const std::string frame = frame_of(0);
  std::size_t sent = 0;
  for (std::size_t length = 0; length < frame.size(); length += 3, ++sent)
    peer(0).send(frame.substr(0, length));
  peer(0).send(std::string(100'000, '['));
  ++sent;
  peer(0).send(frame);
  wait([&] { return recorder_.klines.size() == 1; });
  EXPECT_EQ(feed_->counters().malformed, sent);
  EXPECT_EQ(recorder_.count("malformed_frames"), 1U) << "the rest comes in a summary";
  EXPECT_THAT(recorder_.events.back(), HasSubstr("malformed_frames count=1 last_reason="));
  EXPECT_TRUE(recorder_.downs.empty());
}

TEST_F(FeedTest, WhatNoWebsocketMayCarryIsCountedAndTheStreamComesBack) {
  start();
  add(0, 0);
  std::size_t round = 0;
  for (const auto& [frame, reason] : {std::pair(std::string(100'000'000, ' '), "more than 1048576 bytes"),
                                      std::pair(std::string("\xff\xfe"), "not UTF-8")}) {
    wait([&] { return recorder_.ups.size() == round + 1; });
    server_->peers.back()->send(frame);
    ++round;
    wait([&] { return recorder_.downs.size() == round; });
    EXPECT_EQ(feed_->counters().malformed, round);
    EXPECT_THAT(recorder_.last_reason, HasSubstr(reason));
  }
  wait([&] { return recorder_.ups.size() == round + 1; });
  EXPECT_EQ(feed_->counters().klines, 0U);
}

TEST_F(FeedTest, ReconnectsAfterEveryCut) {
  start();
  add(0, 4);
  for (std::size_t round = 1; round <= 3; ++round) {
    wait([&] { return recorder_.ups.size() == 5 * round; });
    peer(server_->peers.size() - 1).cut();
    wait([&] { return recorder_.downs.size() == 5 * round; });
  }
  wait([&] { return recorder_.ups.size() == 20; });
  EXPECT_EQ(feed_->counters().connects, 4U);
  EXPECT_THAT(feed_->counters().connects_for, ElementsAre(1, 3, 0, 0)) << "start, lost, hand_over, stale";
  EXPECT_EQ(feed_->counters().disconnects, 3U);
  EXPECT_EQ(feed_->connections().open, 1U);
  EXPECT_EQ(feed_->connections().wanted, 1U);
  EXPECT_THAT(recorder_.last_reason, HasSubstr("cut without a websocket close"));
}

TEST_F(FeedTest, ComesUpWhenTheExchangeDoes) {
  start();
  server_->decline = LocalServer::Response(http::status::service_unavailable, 11);
  add(0, 0);
  wait([&] { return recorder_.count("connect_failed") == 2; });
  EXPECT_TRUE(recorder_.downs.empty()) << "it was never up";
  server_->decline.reset();
  wait([&] { return up().size() == 1; });
}

TEST_F(FeedTest, ARefusedLocationIsSaidAndNotHammered) {
  start();
  server_->decline = LocalServer::Response(http::status::unavailable_for_legal_reasons, 11);
  add(0, 0);
  wait([&] { return recorder_.count("connect_failed") == 1; });
  EXPECT_THAT(recorder_.events.back(), HasSubstr("the exchange refuses this location"));
  EXPECT_FALSE(run_until(
      io_, [&] { return server_->accepted > 1; }, std::chrono::seconds(2)));
}

TEST_F(FeedTest, ARefusalIsFoundByHalves) {
  acknowledge_ = false;
  start();
  server_->on_text = [](Peer& peer, const std::string& text) {
    const bool bad = text.find("sym3usdt@") != std::string::npos;
    peer.send(bad ? R"({"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":)" + id_of(text) + "}"
                  : R"({"result":null,"id":)" + id_of(text) + "}");
  };
  add(0, 9);
  wait([&] { return recorder_.refused.size() == 1 && up().size() == 9; });
  EXPECT_THAT(recorder_.refused, ElementsAre(3));
  EXPECT_EQ(recorder_.last_reason, "code 2: Invalid request: invalid stream");
  EXPECT_FALSE(up().contains(3));
  EXPECT_EQ(recorder_.ups.size(), 9U);
  EXPECT_GE(feed_->counters().refusals, 3U);
  peer(0).cut();
  wait([&] { return recorder_.ups.size() == 18; });
  EXPECT_EQ(recorder_.refused.size(), 1U) << "it is not asked for at once";
}

TEST_F(FeedTest, ARefusedStreamIsAskedForAgainUntilItIsTaken) {
  acknowledge_ = false;
  start();
  int refusals = 0;
  server_->on_text = [&](Peer& peer, const std::string& text) {
    const bool asked = text.find("\"SUBSCRIBE\"") != std::string::npos;
    const bool refused = asked && text.find("sym1usdt@") != std::string::npos && refusals < 3;
    refusals += refused ? 1 : 0;
    peer.send(refused
                  ? R"({"error":{"code":2,"msg":"Invalid request: maintenance"},"id":)" + id_of(text) + "}"
                  : R"({"result":null,"id":)" + id_of(text) + "}");
  };
  add(0, 1);
  wait([&] { return recorder_.refused.size() == 1; });
  EXPECT_FALSE(up().contains(1));
  wait([&] { return up().contains(1); });
  EXPECT_EQ(recorder_.refused.size(), 2U) << "with the other one, alone, and once more";
}

TEST_F(FeedTest, HandsOverBeforeTheLifetimeEndsWithoutALoss) {
  exchange_.connection_lifetime_ = milliseconds(400);
  exchange_.connect_spacing_ = milliseconds(1);
  start();
  add(0, 3);
  wait([&] { return recorder_.count("handed_over") >= 2; });
  EXPECT_THAT(feed_->counters().connects_for, ElementsAre(1, 0, Ge(2U), 0));
  EXPECT_EQ(recorder_.ups.size(), 4U) << "they never were down";
  EXPECT_TRUE(recorder_.downs.empty());
  EXPECT_GE(server_->peers.size(), 3U);
  wait([&] { return !peer(0).open() && !peer(1).open(); });
}

TEST_F(FeedTest, TheOldConnectionStaysUntilTheNewOneCarriesEverything) {
  start();
  exchange_.connection_lifetime_ = milliseconds(300);
  add(0, 1);
  wait([&] { return up().size() == 2; });
  acknowledge_ = false;
  wait([&] { return server_->peers.size() == 2 && !peer(1).received.empty(); });
  peer(1).send(frame_of(0));
  peer(0).send(frame_of(1));
  wait([&] { return recorder_.klines.size() == 2; });
  EXPECT_TRUE(peer(0).open());
  EXPECT_EQ(recorder_.count("handed_over"), 0U);
  peer(1).send(R"({"result":null,"id":1})");
  wait([&] { return recorder_.count("handed_over") == 1; });
  wait([&] { return !peer(0).open(); });
  EXPECT_TRUE(recorder_.downs.empty());
}

TEST_F(FeedTest, AnAnnouncedShutdownIsHandedOverAtOnce) {
  start();
  add(0, 1);
  wait([&] { return up().size() == 2; });
  peer(0).send(frame_text("binance/2026-11-23-server-shutdown.json"));
  wait([&] { return recorder_.count("handed_over") == 1; });
  EXPECT_TRUE(recorder_.downs.empty());
  EXPECT_EQ(feed_->counters().connects, 2U);
  EXPECT_EQ(feed_->counters().disconnects, 1U);
}

TEST_F(FeedTest, ACutDuringTheHandOverIsADownOnlyForWhatTheNextDoesNotCarry) {
  exchange_.streams_per_request_ = 1;
  start();
  add(0, 1);
  wait([&] { return up().size() == 2; });
  acknowledge_ = false;
  peer(0).send(frame_text("binance/2026-11-23-server-shutdown.json"));
  wait([&] { return server_->peers.size() == 2 && peer(1).received.size() == 2; });
  peer(1).send(R"({"result":null,"id":1})");
  peer(1).send(frame_of(0));
  wait([&] { return recorder_.klines.size() == 1; });
  peer(0).cut();
  wait([&] { return !recorder_.downs.empty(); });
  EXPECT_THAT(recorder_.downs, ElementsAre(1));
  peer(1).send(R"({"result":null,"id":2})");
  wait([&] { return recorder_.ups.size() == 3; });
  EXPECT_EQ(recorder_.ups.back(), 1U);
}

TEST_F(FeedTest, AFailedHandOverIsTriedAgain) {
  start();
  add(0, 0);
  wait([&] { return up().size() == 1; });
  server_->on_open = [this](Peer& each) {
    if (server_->peers.size() == 2) each.cut();
  };
  peer(0).send(frame_text("binance/2026-11-23-server-shutdown.json"));
  wait([&] { return recorder_.count("handed_over") == 1; });
  EXPECT_EQ(server_->peers.size(), 3U);
  EXPECT_TRUE(recorder_.downs.empty());
}

TEST_F(FeedTest, AConnectionThatTookOverEarlyIsHandedOverInItsTurn) {
  exchange_.connection_lifetime_ = milliseconds(500);
  start();
  add(0, 0);
  wait([&] { return up().size() == 1; });
  acknowledge_ = false;
  peer(0).send(frame_text("binance/2026-11-23-server-shutdown.json"));
  wait([&] { return server_->peers.size() == 2 && !peer(1).received.empty(); });
  peer(0).cut();
  wait([&] { return recorder_.downs.size() == 1; });
  acknowledge_ = true;
  peer(1).send(R"({"result":null,"id":1})");
  wait([&] { return recorder_.ups.size() == 2; });
  wait([&] { return recorder_.count("handed_over") == 1; });
  EXPECT_EQ(recorder_.downs.size(), 1U);
}

TEST_F(FeedTest, AStreamThatComesDuringAHandOverIsOnBothConnections) {
  start();
  add(0, 0);
  wait([&] { return up().size() == 1; });
  acknowledge_ = false;
  peer(0).send(frame_text("binance/2026-11-23-server-shutdown.json"));
  wait([&] { return server_->peers.size() == 2 && !peer(1).received.empty(); });
  acknowledge_ = true;
  add(1, 1);
  wait([&] { return peer(1).received.size() == 2 && up().contains(1); });
  ASSERT_EQ(peer(1).received.size(), 2U);
  EXPECT_THAT(peer(1).received[1], HasSubstr("sym1usdt@kline_1m"));
  EXPECT_THAT(peer(0).received.back(), HasSubstr("sym1usdt@kline_1m"));
  peer(1).send(R"({"result":null,"id":1})");
  wait([&] { return recorder_.count("handed_over") == 1; });
  EXPECT_TRUE(recorder_.downs.empty());
}

TEST_F(FeedTest, WhatTheNextConnectionIsRefusedIsToldUpWhenItIsTakenAgain) {
  exchange_.streams_per_request_ = 1;
  start();
  add(0, 1);
  wait([&] { return up().size() == 2; });
  bool refused = false;
  server_->on_text = [&](Peer& peer, const std::string& text) {
    const bool refuse = subscribes(text) && text.find("sym1usdt@") != std::string::npos && !refused;
    refused = refused || refuse;
    peer.send(refuse ? R"({"error":{"code":2,"msg":"Invalid request"},"id":)" + id_of(text) + "}"
                     : R"({"result":null,"id":)" + id_of(text) + "}");
  };
  peer(0).send(frame_text("binance/2026-11-23-server-shutdown.json"));
  wait([&] { return recorder_.refused.size() == 1; });
  wait([&] { return recorder_.ups.size() == 3; });
  EXPECT_EQ(recorder_.ups.back(), 1U);
}

TEST_F(FeedTest, ANextConnectionThatRefusesEverythingTakesNothingFromThePresentOne) {
  start();
  add(0, 1);
  wait([&] { return up().size() == 2; });
  server_->on_text = [&](Peer& peer, const std::string& text) {
    const bool refuse = server_->peers.size() < 4 && &peer != server_->peers[0].get();
    peer.send(refuse ? R"({"error":{"code":2,"msg":"Invalid request"},"id":)" + id_of(text) + "}"
                     : R"({"result":null,"id":)" + id_of(text) + "}");
  };
  peer(0).send(frame_text("binance/2026-11-23-server-shutdown.json"));
  wait([&] { return recorder_.count("handed_over") == 1; });
  EXPECT_EQ(server_->peers.size(), 4U);
  EXPECT_EQ(peer(0).received.size(), 1U) << "nothing was asked of it";
  EXPECT_TRUE(recorder_.refused.empty());
  EXPECT_TRUE(recorder_.downs.empty());
  EXPECT_EQ(recorder_.ups.size(), 2U);
}

TEST_F(FeedTest, AStaleStreamIsSubscribedAnewThenReconnected) {
  start();
  add(0, 2);
  wait([&] { return up().size() == 3; });
  feed_->resubscribe(1);
  wait([&] { return recorder_.ups.size() == 4; });
  EXPECT_EQ(recorder_.ups.back(), 1U);
  ASSERT_EQ(peer(0).received.size(), 3U);
  EXPECT_THAT(peer(0).received[1], HasSubstr(R"("UNSUBSCRIBE","params":["sym1usdt@kline_1m"])"));
  EXPECT_TRUE(subscribes(peer(0).received[2]));
  feed_->resubscribe(1);
  wait([&] { return recorder_.count("handed_over") == 1 && recorder_.ups.size() == 5; });
  EXPECT_EQ(recorder_.ups.back(), 1U);
  EXPECT_TRUE(recorder_.downs.empty()) << "the others did not miss a frame";
  EXPECT_THAT(feed_->counters().connects_for, ElementsAre(1, 0, 0, 1));
  feed_->resubscribe(1);
  wait([&] { return recorder_.ups.size() == 6; });
  EXPECT_EQ(server_->peers.size(), 2U) << "not again so soon";
}

TEST_F(FeedTest, OneSilentStreamIsNoReasonToGiveUpAConnectionThatTellsOfOthers) {
  start();
  add(0, 1);
  wait([&] { return up().size() == 2; });
  feed_->resubscribe(1);
  wait([&] { return recorder_.ups.size() == 3; });
  for (int i = 0; i < 2; ++i) peer(0).send(frame_of(0));  // more than an answer to the subscription
  wait([&] { return recorder_.klines.size() == 2; });
  feed_->resubscribe(1);
  wait([&] { return recorder_.ups.size() == 4; });
  EXPECT_EQ(server_->peers.size(), 1U);
  peer(0).send(frame_of(1));  // the answer, and nothing else
  wait([&] { return recorder_.klines.size() == 3; });
  feed_->resubscribe(1);
  wait([&] { return recorder_.count("handed_over") == 1; });
  EXPECT_THAT(feed_->counters().connects_for, ElementsAre(1, 0, 0, 1));
}

TEST_F(FeedTest, StreamsComeAndGoWithoutTouchingOthers) {
  start();
  add(0, 1);
  wait([&] { return up().size() == 2; });
  feed_->remove(0);
  wait([&] { return peer(0).received.size() == 2; });
  EXPECT_THAT(peer(0).received[1], HasSubstr("UNSUBSCRIBE"));
  add(7, 7);
  wait([&] { return up().contains(7); });
  EXPECT_EQ(server_->peers.size(), 1U);
  peer(0).send(frame_of(0));
  peer(0).send(frame_of(1));
  wait([&] { return recorder_.klines.size() == 1; });
  EXPECT_EQ(recorder_.klines[0].stream, 1U);
  feed_->remove(1);
  feed_->remove(7);
  wait([&] { return !peer(0).open(); });
  EXPECT_TRUE(recorder_.downs.empty());
  EXPECT_EQ(feed_->counters().disconnects, 1U);
  add(0, 0);
  wait([&] { return recorder_.ups.size() == 4; });
}

TEST_F(FeedTest, AStreamAddedTwiceIsRefused) {
  start();
  add(0, 0);
  add(0, 0);
  feed_->add(1, {"SYM0USDT", "1m"});
  EXPECT_EQ(recorder_.count("stream_added_twice"), 2U);
  wait([&] { return up().size() == 1; });
}

TEST_F(FeedTest, StopEndsEverythingAndCallsNothing) {
  start();
  add(0, 1);
  wait([&] { return up().size() == 2; });
  peer(0).send(frame_of(0));
  feed_->fetch_history({"SYM0USDT", "1m", 0, 60'000}, 0, [](const HistoryResult&) { FAIL(); });
  feed_->stop();
  const std::size_t events = recorder_.events.size();
  feed_->add(9, {"LATE", "1m"});
  feed_->fetch_symbols(false, [](const SymbolsResult&) { FAIL(); });
  wait([&] { return !peer(0).open(); });
  server_.reset();
  // With the server gone nothing of the feed keeps the io_context busy.
  io_.restart();
  io_.run_for(std::chrono::seconds(30));
  EXPECT_TRUE(io_.stopped());
  EXPECT_EQ(feed_->estimated_rest_time(), milliseconds(0));
  EXPECT_EQ(recorder_.events.size(), events);
  EXPECT_TRUE(recorder_.klines.empty());
  EXPECT_TRUE(recorder_.downs.empty());
}

TEST_F(FeedTest, StopInsideACallbackIsFine) {
  start();
  add(0, 0);
  wait([&] { return up().size() == 1; });
  recorder_.then = [&] { feed_->stop(); };
  peer(0).send(frame_of(0));
  peer(0).send(frame_of(0));
  wait([&] { return !peer(0).open(); });
  EXPECT_EQ(recorder_.klines.size(), 1U);
}

TEST_F(FeedTest, FetchesHistoryAndSymbols) {
  start();
  std::vector<std::string> targets;
  server_->on_request = [&](const LocalServer::Request& request) {
    targets.emplace_back(request.target());
    LocalServer::Response response(http::status::ok, 11);
    response.set(http::field::date, "Mon, 23 Nov 2026 23:41:02 GMT");
    const bool klines = targets.back().find("klines") != std::string::npos;
    const bool ticker = targets.back().find("ticker") != std::string::npos;
    response.body() = frame_text(klines   ? "binance/2026-11-23-rest-spot-klines.json"
                                 : ticker ? "binance/2026-11-23-rest-spot-ticker-24hr-mini.json"
                                          : "binance/2026-11-23-rest-spot-exchange-info.json");
    return response;
  };
  std::optional<HistoryResult> history;
  std::optional<SymbolsResult> symbols;
  feed_->fetch_history({"BTCUSDT", "1m", 1795477200000, 1795477260000}, 5,
                       [&](HistoryResult result) { history = std::move(result); });
  feed_->fetch_symbols(true, [&](SymbolsResult result) { symbols = std::move(result); });
  EXPECT_FALSE(history || symbols) << "never from inside the call";
  wait([&] { return history && symbols; });
  EXPECT_EQ(history->error, RestError::none) << history->message;
  EXPECT_EQ(history->rows.size(), 2U);
  EXPECT_EQ(history->server_time_ms, 1795477262000);
  EXPECT_EQ(symbols->symbols.size(), 2U);
  EXPECT_EQ(symbols->symbols[0].quote_volume_24h, 1650123456.78);
  EXPECT_EQ(targets[0], "/api/v3/exchangeInfo?showPermissionSets=false") << "the symbols go first";
  EXPECT_EQ(feed_->counters().rest_requests, 3U);
  EXPECT_EQ(feed_->counters().rest_errors, 0U);
}

TEST_F(FeedTest, OneAnswerWhoseClockIsAheadIsNotBelieved) {
  start();
  int answers = 0;
  server_->on_request = [&](const LocalServer::Request&) {
    LocalServer::Response response(http::status::ok, 11);
    response.set(http::field::date,
                 answers++ == 0 ? "Mon, 23 Nov 2026 23:41:02 GMT" : "Mon, 23 Nov 2026 23:51:02 GMT");
    response.body() = "[]";
    return response;
  };
  std::vector<std::int64_t> times;
  for (std::size_t i = 1; i <= 3; ++i) {
    feed_->fetch_history({"BTCUSDT", "1m", 1795477200000, 1795477260000}, 5,
                         [&](const HistoryResult& result) { times.push_back(result.server_time_ms); });
    wait([&] { return times.size() == i; });
  }
  EXPECT_EQ(times[0], 1795477262000);
  EXPECT_LT(times[1], 1795477262000 + 300'000) << "not ten minutes in no time";
  EXPECT_GE(times[2], 1795477262000 + 600'000) << "confirmed";
}

TEST_F(FeedTest, MeasuresTheExchangesClockByAnswersAndByFramesOnceTheyCome) {
  start();
  server_->on_request = [&](const LocalServer::Request&) {
    LocalServer::Response response(http::status::ok, 11);
    response.set(http::field::date, "Mon, 23 Nov 2026 23:41:02 GMT");
    response.body() = "[]";
    return response;
  };
  EXPECT_FALSE(feed_->exchange_ms(monotonic_ms()));
  bool answered = false;
  feed_->fetch_history({"BTCUSDT", "1m", 0, 60'000}, 5, [&](const HistoryResult&) { answered = true; });
  wait([&] { return answered; });
  const auto told_ms = [&] { return feed_->exchange_ms(monotonic_ms()).value_or(0); };
  EXPECT_NEAR(static_cast<double>(told_ms()), 1795477262500, 600'000) << "and what passes here meanwhile";
  add(0, 0);
  wait([&] { return up().size() == 1; });
  std::string frame = frame_of(0);
  frame.replace(frame.find("\"E\":1795477260071"), 17, "\"E\":1795466460071");
  frame.replace(frame.find("\"x\":true"), 8, "\"x\":false");
  peer(0).send(frame);
  wait([&] { return recorder_.klines.size() == 1; });
  EXPECT_NEAR(static_cast<double>(told_ms()), 1795466460071, 600'000) << "three hours before the answer's";
}

TEST_F(FeedTest, ABodyOfAnotherFormIsAnError) {
  start();
  server_->on_request = [](const LocalServer::Request&) {
    LocalServer::Response response(http::status::ok, 11);
    response.body() = "<html>maintenance</html>";
    return response;
  };
  std::optional<HistoryResult> history;
  std::optional<SymbolsResult> symbols;
  feed_->fetch_history({"BTCUSDT", "1m", 0, 60'000}, 5,
                       [&](HistoryResult result) { history = std::move(result); });
  feed_->fetch_symbols(true, [&](SymbolsResult result) { symbols = std::move(result); });
  wait([&] { return history && symbols; });
  EXPECT_EQ(history->error, RestError::bad_body);
  EXPECT_THAT(history->message, HasSubstr("not a JSON array"));
  EXPECT_EQ(symbols->error, RestError::bad_body);
  EXPECT_EQ(feed_->counters().rest_errors, 2U);
}

TEST_F(FeedTest, OfAPageWithARowThatIsNoBarTheOthersAreRead) {
  start();
  std::string first = "1", last = "x";
  server_->on_request = [&](const LocalServer::Request&) {
    LocalServer::Response response(http::status::ok, 11);
    response.body() = R"([[60000,"1","1","1",")" + first +
                      R"(","1",119999],[120000,"1","1","1","1","1",179999],)"
                      R"([180000,"1","1","1",")" +
                      last + R"(","1",239999]])";
    return response;
  };
  std::optional<HistoryResult> history;
  const auto fetch = [&] {
    history.reset();
    feed_->fetch_history({"BTCUSDT", "1m", 60'000, 180'000}, 5,
                         [&](HistoryResult result) { history = std::move(result); });
    wait([&] { return history.has_value(); });
  };
  fetch();
  EXPECT_EQ(history->error, RestError::bad_rows);
  EXPECT_THAT(history->message, HasSubstr("row 2 has a price or volume that is no number in quotes"));
  ASSERT_EQ(history->rows.size(), 2U);
  EXPECT_EQ(history->rows[1].open_time_ms, 120'000);
  EXPECT_EQ(history->unusable_ms, std::vector<std::int64_t>{180'000});
  EXPECT_EQ(feed_->counters().rest_errors, 1U);

  first = "0";
  fetch();
  EXPECT_EQ(history->error, RestError::bad_body) << "more rows are no bars than are";
  EXPECT_TRUE(history->rows.empty());
}

TEST_F(FeedTest, BadOptionsAreRefusedAtTheStart) {
  const auto refusal = [this](FeedOptions options) -> std::string {
    try {
      const Feed feed(io_, exchange_, std::move(options), recorder_);
    } catch (const std::exception& error) {
      return error.what();
    }
    return "";
  };
  FeedOptions options;
  EXPECT_EQ(refusal(options), "");
  options.websocket_url = "https://x";
  EXPECT_THAT(refusal(options), HasSubstr("websocket_url \"https://x\": expected the scheme ws or wss"));
  options = {};
  options.rest_url = "ws://x";
  EXPECT_THAT(refusal(options), HasSubstr("rest_url \"ws://x\": expected the scheme http or https"));
  options = {};
  options.rest_share = 0;
  EXPECT_THAT(refusal(options), HasSubstr("rest_share 0"));
  options = {};
  options.ca_file = "/nowhere.pem";
  EXPECT_THAT(refusal(options), HasSubstr("/nowhere.pem"));
}

}  // namespace
}  // namespace atcd::feeds
