#include "feeds/stream_router.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace atcd::feeds {
namespace {

using Words = std::vector<std::string>;

struct FakeFeed final : StreamRouter::Streams {
  Words asked;
  void add(StreamIndex stream, const StreamName& name) override {
    asked.push_back("add " + std::to_string(stream) + " " + name.symbol + "@" + name.interval);
  }
  void remove(StreamIndex stream) override { asked.push_back("remove " + std::to_string(stream)); }
  void resubscribe(StreamIndex stream) override { asked.push_back("resubscribe " + std::to_string(stream)); }
};

struct Listener final : StreamListener {
  Words heard;
  void on_kline(const Kline& kline, std::int64_t) override {
    heard.push_back("kline " + std::to_string(kline.bar.open_time_ms));
  }
  void on_trade(const Trade& trade, std::int64_t) override {
    heard.push_back("trade " + std::to_string(trade.time_ms));
  }
  void on_trades_interrupted() override { heard.emplace_back("interrupted"); }
  void on_stream_up() override { heard.emplace_back("up"); }
  void on_stream_down(std::string_view reason) override { heard.push_back("down " + std::string(reason)); }
  void on_stream_refused(std::string_view reason) override {
    heard.push_back("refused " + std::string(reason));
  }
};

const StreamName kMinutes{"BTCUSDT", "1m"}, kTrades{"BTCUSDT", ""};

struct StreamRouting : testing::Test {
  FakeFeed feed;
  StreamRouter router{feed};
  Listener minutes, tens;
};

TEST_F(StreamRouting, AStreamIsSubscribedWithItsFirstListenerAndGivenUpWithItsLast) {
  router.listen(minutes, kMinutes);
  router.listen(tens, kMinutes);
  router.listen(tens, kTrades);
  EXPECT_EQ(feed.asked, (Words{"add 0 BTCUSDT@1m", "add 1 BTCUSDT@"}));
  router.leave(minutes, kMinutes);
  router.leave(minutes, kMinutes);
  EXPECT_EQ(feed.asked.size(), 2U) << "one still listens";
  router.leave(tens, kMinutes);
  EXPECT_EQ(feed.asked.back(), "remove 0");
  router.listen(tens, kMinutes);
  EXPECT_EQ(feed.asked.back(), "add 2 BTCUSDT@1m") << "frames of the old subscription may be on the way";
}

TEST_F(StreamRouting, EveryListenerHearsEverything) {
  router.listen(minutes, kMinutes);
  router.listen(tens, kMinutes);
  router.on_stream_up(0);
  router.on_kline(0, {"BTCUSDT", "1m", {60'000, 120'000}, 0, true}, 1);
  router.on_trade(0, {"BTCUSDT", 1, 1, 5}, 1);
  router.on_trades_interrupted(0);
  router.on_stream_down(0, "cut");
  router.on_stream_refused(0, "no such symbol");
  const Words all{"up", "kline 60000", "trade 5", "interrupted", "down cut", "refused no such symbol"};
  EXPECT_EQ(minutes.heard, all);
  EXPECT_EQ(tens.heard, all);
}

TEST_F(StreamRouting, NobodyHearsWhatComesAfterAStreamWasGivenUp) {
  router.listen(minutes, kMinutes);
  router.leave(minutes, kMinutes);
  router.listen(tens, kMinutes);
  router.on_kline(0, {"BTCUSDT", "1m", {0, 60'000}, 0, true}, 1);
  router.on_stream_up(0);
  router.on_stream_down(0, "cut");
  EXPECT_TRUE(minutes.heard.empty());
  EXPECT_TRUE(tens.heard.empty()) << "its stream is another one";
}

TEST_F(StreamRouting, WhoComesLaterHearsAtOnceThatTheStreamIsUp) {
  router.listen(minutes, kMinutes);
  router.listen(tens, kMinutes);
  EXPECT_TRUE(tens.heard.empty()) << "not up yet";
  router.leave(tens, kMinutes);
  router.on_stream_up(0);
  router.listen(tens, kMinutes);
  EXPECT_EQ(tens.heard, Words{"up"});
  EXPECT_EQ(minutes.heard, Words{"up"}) << "once";
  router.leave(tens, kMinutes);
  router.on_stream_down(0, "cut");
  router.listen(tens, kMinutes);
  EXPECT_EQ(tens.heard, Words{"up"});
}

TEST_F(StreamRouting, AnythingThatOneAsksForConcernsTheStream) {
  router.listen(minutes, kMinutes);
  router.listen(tens, kMinutes);
  router.resubscribe(kMinutes);
  EXPECT_EQ(feed.asked.back(), "resubscribe 0");
  router.resubscribe(kTrades);
  EXPECT_EQ(feed.asked.size(), 2U) << "nobody listens to them";
}

TEST_F(StreamRouting, ARefusedStreamIsAskedForAgainWithTheNextListener) {
  router.listen(minutes, kMinutes);
  router.on_stream_refused(0, "busy");
  router.listen(tens, kMinutes);
  EXPECT_EQ(feed.asked.back(), "resubscribe 0");
  router.on_stream_up(0);
  EXPECT_EQ(minutes.heard, (Words{"refused busy", "up"}));
}

}  // namespace
}  // namespace atcd::feeds
