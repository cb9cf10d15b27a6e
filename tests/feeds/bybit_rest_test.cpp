#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "feeds/bybit.hpp"
#include "tests/feeds/frame_reader.hpp"
#include "tests/locations.hpp"

namespace atcd::feeds {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kMinuteMs = 60'000, kWeekMs = 7 * 86'400'000LL;
constexpr std::int64_t kFridayMs = 1'795'737'600'000;  // 2026-11-27
constexpr std::int64_t kMondayMs = 1'795'392'000'000;  // 2026-11-23

const HistoryRequest kRequest{"BTCUSDT", "1m", kFridayMs, kFridayMs + kMinuteMs};

std::string frame_text(const std::string& name) {
  return testing::frame_text("bybit/2026-11-27-" + name + ".json");
}

std::string refused(const std::string& body, const HistoryRequest& request = kRequest) {
  std::vector<engine::Bar> rows(1);
  std::string error;
  EXPECT_FALSE(bybit_linear().parse_history(body, request, rows, error)) << body;
  EXPECT_EQ(rows.size(), 1U) << "rows are left as they were";
  return error;
}

std::vector<engine::Bar> rows_of(const Exchange& exchange, const std::string& body,
                                 const HistoryRequest& request) {
  std::vector<engine::Bar> rows;
  std::string error;
  EXPECT_TRUE(exchange.parse_history(body, request, rows, error)) << error;
  return rows;
}

/// An answer of linear klines with these rows.
std::string klines(const std::string& rows) {
  return R"({"retCode":0,"retMsg":"OK","result":{"category":"linear","symbol":"BTCUSDT","list":[)" + rows +
         "]}}";
}

TEST(BybitRest, RowsBecomeBarsOldestFirst) {
  const auto rows = rows_of(bybit_linear(), frame_text("rest-linear-klines"), kRequest);
  ASSERT_EQ(rows.size(), 2U);
  const engine::Bar first{kFridayMs, kFridayMs + kMinuteMs, 91210.4, 91230.5, 91201, 91218, 12.482};
  EXPECT_EQ(rows[0], first);
  EXPECT_EQ(rows[1].open_time_ms, rows[0].close_time_ms);
}

TEST(BybitRest, RowsOfAllMarketsAreRead) {
  EXPECT_EQ(rows_of(bybit_spot(), frame_text("rest-spot-klines"),
                    {"ETHUSDT", "1m", kFridayMs, kFridayMs + 2 * kMinuteMs})
                .size(),
            3U);
  const auto inverse = rows_of(bybit_inverse(), frame_text("rest-inverse-klines"),
                               {"BTCUSD", "5m", kFridayMs, kFridayMs + 5 * kMinuteMs});
  ASSERT_EQ(inverse.size(), 2U);
  EXPECT_EQ(inverse[0].volume, 1'204'377) << "contracts";
  const auto weeks = rows_of(bybit_spot(), frame_text("rest-spot-klines-week"),
                             {"BTCUSDT", "1w", kMondayMs - kWeekMs, kMondayMs});
  ASSERT_EQ(weeks.size(), 2U);
  EXPECT_EQ(weeks[1].open_time_ms, kMondayMs);
  EXPECT_TRUE(rows_of(bybit_linear(), frame_text("rest-klines-empty"), kRequest).empty());
}

TEST(BybitRest, AnErrorInABodyIsSaid) {
  EXPECT_EQ(refused(frame_text("rest-refusal")), "kline: retCode 10001: Not supported symbols");
  EXPECT_THAT(refused(frame_text("rest-too-many-visits")), HasSubstr("retCode 10006: Too many visits."));
  EXPECT_EQ(refused(R"({"retCode":5})"), "kline: retCode 5: no retMsg");
  EXPECT_EQ(refused(R"({"retCode":5,"retMsg":"a\"\nb\u00fc"})"), "kline: retCode 5: a'?b??")
      << "fit for a log line";
}

TEST(BybitRest, BodiesOfAnotherFormAreRefused) {
  EXPECT_THAT(refused(""), HasSubstr("not a JSON object"));
  EXPECT_THAT(refused("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(refused("{}"), HasSubstr("no retCode"));
  EXPECT_THAT(refused(R"({"retCode":"0"})"), HasSubstr("no retCode"));
  EXPECT_THAT(refused(R"({"retCode":0})"), HasSubstr("no result with a list"));
  EXPECT_THAT(refused(R"({"retCode":0,"result":[]})"), HasSubstr("no result with a list"));
  EXPECT_THAT(refused(R"({"retCode":0,"result":{"list":{}}})"), HasSubstr("no result with a list"));
  EXPECT_THAT(refused(R"({"retCode":0,"result":{"list":[]}})"), HasSubstr("category is not linear"));
  EXPECT_THAT(refused(R"({"retCode":0,"result":{"category":"spot","list":[]}})"),
              HasSubstr("category is not linear"));
  EXPECT_THAT(refused(R"({"retCode":0,"result":{"category":"linear","list":[]}})"),
              HasSubstr("symbol is not BTCUSDT"));
  EXPECT_THAT(refused(R"({"retCode":0,"result":{"category":"linear","symbol":"ETHUSDT","list":[]}})"),
              HasSubstr("symbol is not BTCUSDT"));
  EXPECT_THAT(refused(klines(""), {"BTCUSDT", "2m", 0, 0}), HasSubstr("unknown interval 2m"));
}

TEST(BybitRest, RowsOfAnotherFormAreRefused) {
  EXPECT_THAT(refused(klines("1")), HasSubstr("row 0 is not an array"));
  EXPECT_THAT(refused(klines(R"(["1795737600000","1","1","1","1","1"])")), HasSubstr("less than 7 columns"));
  const auto with = [](const std::string& start, const std::string& prices) {
    return klines("[" + start + "," + prices + R"(,"0"])");
  };
  const std::string good = R"("1","1","1","1","1")";
  for (const char* start : {"1795737600000", "\"\"", "\"-60000\"", "\"1795737600000x\"", "\" 1795737600000\"",
                            "\"99999999999999999999\"", "null"})
    EXPECT_THAT(refused(with(start, good)), HasSubstr("no whole number in quotes as its start")) << start;
  for (const char* start : {"\"1795737600001\"", "\"253402300800000\"", "\"9223372036854775807\""})
    EXPECT_THAT(refused(with(start, good)), HasSubstr("boundary")) << start;
  const std::string start = "\"1795737600000\"";
  for (const char* prices : {R"(1,"1","1","1","1")", R"("x","1","1","1","1")", R"("1","-1","1","1","1")",
                             R"("1","1","1 ","1","1")", R"("1","1","1","","1")", R"("1","1","1","1","nan")"})
    EXPECT_THAT(refused(with(start, prices)), HasSubstr("price or volume")) << prices;
  EXPECT_THAT(refused(with(start, R"("1","1","2","1","1")")), HasSubstr("breaks"));
  EXPECT_THAT(refused(with(start, R"("0","1","0","1","1")")), HasSubstr("breaks"));
  EXPECT_THAT(refused(with("\"1795737540000\"", good)), HasSubstr("outside"));
  EXPECT_THAT(refused(with("\"1795737720000\"", good)), HasSubstr("outside"));
  const std::string first = R"(["1795737600000","1","1","1","1","1","0"])";
  const std::string second = R"(["1795737660000","1","1","1","1","1","0"])";
  EXPECT_THAT(refused(klines(first + "," + first)), HasSubstr("row 1 is not earlier"));
  EXPECT_THAT(refused(klines(first + "," + second)), HasSubstr("row 1 is not earlier"));
  EXPECT_EQ(rows_of(bybit_linear(), klines(second + "," + first), kRequest).size(), 2U);
}

TEST(BybitRest, EveryPrefixOfABodyIsRefused) {
  const std::string body = frame_text("rest-linear-klines");
  for (std::size_t length = 0; length < body.size(); ++length) refused(body.substr(0, length));
}

TEST(BybitRest, RequestsAskForWhatIsWanted) {
  EXPECT_EQ(bybit_linear().history_target(kRequest),
            "/v5/market/kline?category=linear&symbol=BTCUSDT&interval=1&start=1795737600000"
            "&end=1795737660000&limit=2");
  EXPECT_THAT(bybit_spot().history_target({"A&x", "1M", 0, 3'600'000 * 5000LL}),
              HasSubstr("category=spot&symbol=A%26x&interval=M&start=0"));
  EXPECT_THAT(bybit_inverse().history_target({"A", "1h", 0, 3'600'000 * 5000LL}),
              HasSubstr("category=inverse&symbol=A&interval=60&"));
  EXPECT_THAT(bybit_inverse().history_target({"A", "1h", 0, 3'600'000 * 5000LL}), HasSubstr("&limit=1000"));
  EXPECT_EQ(bybit_spot().symbols_target(""), "/v5/market/instruments-info?category=spot");
  EXPECT_EQ(bybit_linear().symbols_target(""), "/v5/market/instruments-info?category=linear&limit=1000");
  EXPECT_EQ(bybit_linear().symbols_target("a%2C1&"),
            "/v5/market/instruments-info?category=linear&limit=1000&cursor=a%252C1%26");
  EXPECT_EQ(bybit_inverse().volumes_target(), "/v5/market/tickers?category=inverse");
  EXPECT_EQ(bybit_spot().rest_limit().weight, 600);
  EXPECT_EQ(bybit_spot().rest_limit().window, std::chrono::seconds(5));
}

TEST(BybitRest, SubscriptionsNameTopics) {
  const std::vector<StreamName> streams = {{"BTCUSDT", "1m"}, {"BTCUSD", "1M"}, {"A\"B\\", "12h"}, {"X", ""}};
  EXPECT_EQ(
      bybit_spot().subscribe_text(streams, 5),
      R"({"op":"subscribe","args":["kline.1.BTCUSDT","kline.M.BTCUSD","kline.720.A\"B\\","publicTrade.X"],)"
      R"("req_id":"5"})");
  EXPECT_EQ(bybit_spot().unsubscribe_text(std::span(streams).first(1), 6),
            R"({"op":"unsubscribe","args":["kline.1.BTCUSDT"],"req_id":"6"})");
  EXPECT_EQ(bybit_spot().ping_text(), R"({"op":"ping"})");
  EXPECT_EQ(bybit_spot().streams_per_request(), 10U);
}

TEST(BybitRest, IntervalsAreThoseOfBybit) {
  for (const Exchange* exchange : {&bybit_spot(), &bybit_linear(), &bybit_inverse()}) {
    for (const char* text : {"1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d", "1w", "1M"})
      EXPECT_TRUE(exchange->offers(*engine::Interval::parse(text))) << text;
    for (const char* text : {"1s", "2m", "8h", "3d", "2w", "60m"})
      EXPECT_FALSE(exchange->offers(*engine::Interval::parse(text))) << text;
  }
}

TEST(BybitRest, SymbolsOfSpotAreRead) {
  std::vector<SymbolInfo> symbols;
  std::string error, next_page = "before";
  const std::string body = frame_text("rest-spot-instruments");
  ASSERT_TRUE(bybit_spot().parse_symbols(body, symbols, next_page, error)) << error;
  ASSERT_EQ(symbols.size(), 2U);
  EXPECT_EQ(symbols[1].symbol, "ETHBTC");
  EXPECT_EQ(symbols[1].base, "ETH");
  EXPECT_EQ(symbols[1].quote, "BTC");
  EXPECT_TRUE(symbols[1].trading);
  EXPECT_EQ(symbols[1].listed_ms, 0) << "spot does not say";
  EXPECT_EQ(next_page, "");
  ASSERT_TRUE(bybit_spot().parse_volumes(frame_text("rest-spot-tickers"), symbols, error)) << error;
  EXPECT_EQ(symbols[0].quote_volume_24h, 412377120.11223344);
  EXPECT_EQ(symbols[1].quote_volume_24h, 31.70112);
  EXPECT_TRUE(
      bybit_spot().parse_symbols(frame_text("rest-spot-instruments-none"), symbols, next_page, error));
  EXPECT_TRUE(bybit_spot().parse_volumes(frame_text("rest-spot-tickers-none"), symbols, error));
  EXPECT_EQ(symbols.size(), 2U);
}

TEST(BybitRest, PagesOfSymbolsFollowTheCursor) {
  std::vector<SymbolInfo> symbols;
  std::string error, next_page;
  ASSERT_TRUE(
      bybit_linear().parse_symbols(frame_text("rest-linear-instruments-1"), symbols, next_page, error))
      << error;
  EXPECT_EQ(next_page, "ETHUSDT%2C1000%26") << "as it came";
  ASSERT_TRUE(
      bybit_linear().parse_symbols(frame_text("rest-linear-instruments-2"), symbols, next_page, error))
      << error;
  EXPECT_EQ(next_page, "");
  ASSERT_EQ(symbols.size(), 4U);
  EXPECT_EQ(symbols[0].listed_ms, 1683705600000);
  EXPECT_EQ(symbols[0].settle, "USDT");
  EXPECT_EQ(symbols[0].delivery_ms, 0);
  EXPECT_EQ(symbols[1].settle, "USDC");
  EXPECT_EQ(symbols[1].delivery_ms, 1798185600000);
  EXPECT_EQ(symbols[1].contract_size, 0) << "a lot is no contract size";
  EXPECT_TRUE(symbols[2].trading);
  EXPECT_FALSE(symbols[3].trading) << "PreLaunch";
  ASSERT_TRUE(bybit_linear().parse_volumes(frame_text("rest-linear-tickers"), symbols, error)) << error;
  EXPECT_EQ(symbols[2].quote_volume_24h, 5120993771.0021);
  EXPECT_EQ(symbols[0].quote_volume_24h, 0);
  // A server that sends a page again would keep us asking for ever.
  EXPECT_FALSE(
      bybit_linear().parse_symbols(frame_text("rest-linear-instruments-1"), symbols, next_page, error));
  EXPECT_EQ(error, "instruments-info: entry 0 is there twice");
  EXPECT_EQ(symbols.size(), 4U);
}

TEST(BybitRest, InverseVolumesAreTheContractsOfOneDollar) {
  std::vector<SymbolInfo> symbols;
  std::string error, next_page;
  ASSERT_TRUE(
      bybit_inverse().parse_symbols(frame_text("rest-inverse-instruments"), symbols, next_page, error))
      << error;
  ASSERT_EQ(symbols.size(), 2U);
  EXPECT_FALSE(symbols[1].trading) << "Settling";
  ASSERT_TRUE(bybit_inverse().parse_volumes(frame_text("rest-inverse-tickers"), symbols, error)) << error;
  EXPECT_EQ(symbols[0].quote_volume_24h, 192011377);
  ASSERT_TRUE(bybit_inverse().parse_volumes(frame_text("rest-inverse-tickers-quiet"), symbols, error));
  EXPECT_EQ(symbols[1].quote_volume_24h, 0);
}

TEST(BybitRest, SymbolListsOfAnotherFormAreRefused) {
  const auto spot = [](const std::string& entry) {
    return R"({"retCode":0,"result":{"category":"spot","list":[)" + entry + "]}}";
  };
  std::vector<SymbolInfo> symbols(1);
  std::string error, next_page;
  for (const std::string& body :
       {std::string(), std::string("[]"), frame_text("rest-refusal"), frame_text("rest-linear-tickers"),
        spot("1"), spot(R"({"symbol":"A","baseCoin":"A","quoteCoin":"B"})"),
        spot(R"({"symbol":"A","baseCoin":"A","status":"Trading"})"),
        spot(R"({"symbol":"","baseCoin":"A","quoteCoin":"B","status":"Trading"})"),
        spot(R"({"symbol":1,"baseCoin":"A","quoteCoin":"B","status":"Trading"})")}) {
    error.clear();
    EXPECT_FALSE(bybit_spot().parse_symbols(body, symbols, next_page, error)) << body;
    EXPECT_THAT(error, ::testing::StartsWith("instruments-info: ")) << body;
    EXPECT_EQ(symbols.size(), 1U);
  }
  for (const std::string& body :
       {std::string(), frame_text("rest-refusal"), frame_text("rest-linear-tickers"), spot("1"),
        spot(R"({"symbol":"A"})"), spot(R"({"symbol":"A","turnover24h":1})"),
        spot(R"({"symbol":"A","turnover24h":"x"})"), spot(R"({"turnover24h":"1"})")}) {
    error.clear();
    EXPECT_FALSE(bybit_spot().parse_volumes(body, symbols, error)) << body;
    EXPECT_THAT(error, ::testing::StartsWith("tickers: ")) << body;
  }
}

TEST(BybitRest, RowsThatAreNoBarsAreGivenToWhoeverAsksForThem) {
  HistoryRequest request = kRequest;
  request.with_unusable = true;
  for (const char* prices : {R"("1","1","2","1","1")", R"("1","1","0","0","1")", R"("1","1","1","","1")"}) {
    const auto rows = rows_of(bybit_linear(),
                              klines(R"(["1795737660000","1","1","1","1","1","0"],["1795737600000",)" +
                                     std::string(prices) + R"(,"0"])"),
                              request);
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_FALSE(engine::is_valid(rows[0])) << prices;
    EXPECT_EQ(rows[0].open_time_ms, kFridayMs);
    EXPECT_TRUE(engine::is_valid(rows[1]));
  }
  EXPECT_THAT(refused(klines(R"(["1795737600001","0","1","1","1","1","0"])"), request),
              HasSubstr("boundary"));
}

TEST(BybitRest, WhatWasNeverTradedMayHaveAnEmptyVolume) {
  std::vector<SymbolInfo> symbols(2);
  symbols[0].symbol = "NEW";
  symbols[0].quote_volume_24h = 7;
  symbols[1].symbol = "BTC";
  std::string error;
  ASSERT_TRUE(bybit_spot().parse_volumes(
      R"({"retCode":0,"result":{"category":"spot","list":[{"symbol":"NEW","turnover24h":""},)"
      R"({"symbol":"BTC","turnover24h":"2.5"}]}})",
      symbols, error))
      << error;
  EXPECT_EQ(symbols[0].quote_volume_24h, 0);
  EXPECT_EQ(symbols[1].quote_volume_24h, 2.5);
}

TEST(BybitRest, BodiesThatAskForAPauseAreKnown) {
  using std::chrono::minutes;
  const Exchange& bybit = bybit_spot();
  EXPECT_EQ(bybit.pause_asked(403, "403, access too frequent"), minutes(10));
  EXPECT_EQ(bybit.pause_asked(403, "<html>The distribution blocks your country</html>"), minutes(0));
  EXPECT_EQ(bybit.pause_asked(200, frame_text("rest-too-many-visits")), minutes(1));
  EXPECT_EQ(bybit.pause_asked(200, R"({"retCode":10018,"retMsg":"Exceeded the IP Rate Limit."})"),
            minutes(1));
  EXPECT_EQ(bybit.pause_asked(200, R"({"retCode":10429,"retMsg":"System level frequency protection"})"),
            minutes(1));
  for (const std::string& body :
       {frame_text("rest-refusal"), frame_text("rest-linear-klines"), std::string(), std::string("x"),
        std::string("[1]"), std::string(R"({"retCode":"10006"})")})
    EXPECT_EQ(bybit.pause_asked(200, body), minutes(0)) << body;
  EXPECT_EQ(bybit.pause_asked(500, frame_text("rest-too-many-visits")), minutes(0));
}

// Its one row opens at 22:14:39: it was made by hand, and no bar begins there.
TEST(BybitRest, TheRecordedBodyHasARowOffTheGrid) {
  const std::filesystem::path file =
      std::filesystem::path(ATCD_SHARED_DIR) / "data/rest/bybit/nautilus-http_get_klines_linear.json";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "the recording is not at " << file;
  std::ifstream stream(file);
  std::string body((std::istreambuf_iterator<char>(stream)), {});
  const HistoryRequest all{"BTCUSDT", "1m", 0, 4'000'000'000'000};
  EXPECT_EQ(refused(body, all), "kline: row 0 does not open at a boundary of the interval");
  body.replace(body.find("1709891679000"), 13, "1709891640000");
  const auto rows = rows_of(bybit_linear(), body, all);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].volume, 123.45);
}

TEST(Exchanges, OfBybitAreFoundByNameAndMarket) {
  EXPECT_EQ(find_exchange("bybit", "spot"), &bybit_spot());
  EXPECT_EQ(find_exchange("bybit", "linear"), &bybit_linear());
  EXPECT_EQ(find_exchange("bybit", "inverse")->websocket_path(StreamKind::klines), "/v5/public/inverse");
  EXPECT_EQ(find_exchange("bybit", "option"), nullptr);
}

}  // namespace
}  // namespace atcd::feeds
