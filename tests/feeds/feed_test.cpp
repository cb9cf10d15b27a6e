#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <string>
#include <utility>

#include "tests/feeds/feed_rig.hpp"
#include "tests/feeds/frame_reader.hpp"

namespace atcd::feeds {
namespace {

namespace http = boost::beast::http;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using testing::FeedTest;
using testing::frame_text;
using ::testing::HasSubstr;
using testing::id_of;
using testing::LocalServer;
using testing::Peer;
using testing::run_until;

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

TEST_F(FeedTest, SeveralConnectAtOnceWhereTheExchangeAllows) {
  exchange_.streams_per_connection_ = 1;
  exchange_.connect_spacing_ = std::chrono::hours(1);
  exchange_.connects_at_once_ = 3;
  start();
  add(0, 3);
  wait([&] { return up().size() == 3; });
  EXPECT_EQ(server_->accepted, 3U);
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
