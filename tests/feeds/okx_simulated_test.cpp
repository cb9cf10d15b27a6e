#include <algorithm>

#include "feeds/fold.hpp"
#include "tests/feeds/okx_feed.hpp"
#include "tests/feeds/simulator_client.hpp"

// A whole feed against the simulated OKX.

namespace atcd::feeds {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class OkxSimulated : public testing::OkxFeed {
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
