// How a feed passes its streams from one connection to the next without missing a frame.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/feeds/feed_rig.hpp"
#include "tests/feeds/frame_reader.hpp"

namespace atcd::feeds {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using testing::FeedTest;
using testing::frame_text;
using ::testing::Ge;
using ::testing::HasSubstr;
using testing::id_of;
using testing::Peer;
using testing::subscribes;

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

}  // namespace
}  // namespace atcd::feeds
