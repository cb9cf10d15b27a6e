// What a feed asks of REST, and the exchange's clock as its answers and frames tell it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "feeds/clocks.hpp"
#include "tests/feeds/feed_rig.hpp"
#include "tests/feeds/frame_reader.hpp"

namespace atcd::feeds {
namespace {

namespace http = boost::beast::http;
using testing::FeedTest;
using testing::frame_text;
using ::testing::HasSubstr;
using testing::LocalServer;

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

}  // namespace
}  // namespace atcd::feeds
