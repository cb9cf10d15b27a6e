#include "tests/feeds/okx_feed.hpp"

#include <algorithm>
#include <set>

#include "tests/feeds/frame_reader.hpp"

// What a whole feed does where the exchange answers for each stream by its name: against a server of a few
// lines that answers as the test says. Against the simulated OKX: okx_simulated_test.cpp.

namespace atcd::feeds {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::LocalServer;
using testing::OkxFeed;
using testing::Peer;
using ::testing::UnorderedElementsAre;

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

TEST_F(OkxFeed, AStreamThatIsLeftUnansweredCostsTheOthersNothing) {
  start();
  server_->on_text = [](Peer& peer, const std::string& text) {
    const std::vector<std::string> args = args_of(text);
    for (const std::string& arg : args) {
      if (args.size() == 1 || arg.find("SYM1-") == std::string::npos) peer.send(ack(arg));
    }
  };
  add(3);
  wait([&] { return recorder_.refused.size() == 1; });
  EXPECT_THAT(recorder_.refused, ElementsAre(1));
  EXPECT_THAT(recorder_.last_reason, HasSubstr("was not answered within 10 s"));
  wait([&] { return recorder_.ups.size() == 3; });
  EXPECT_THAT(recorder_.ups, ElementsAre(0, 2, 1)) << "it is asked for again";
  EXPECT_TRUE(recorder_.downs.empty());
  EXPECT_EQ(server_->accepted, 1U);
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

}  // namespace
}  // namespace atcd::feeds
