#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "feeds/okx.hpp"
#include "tests/feeds/frame_reader.hpp"
#include "tests/locations.hpp"

namespace atcd::feeds {
namespace {

using testing::frame_text;
using ::testing::HasSubstr;

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kFromMs = 1795748400000;
const HistoryRequest kRequest{"BTC-USDT", "1m", kFromMs, kFromMs + kMinuteMs, kFromMs + kMinuteMs + 5000, 0};

std::string file(const std::string& name) { return frame_text("okx/2026-11-27-" + name + ".json"); }

std::string refused(const std::string& body, const HistoryRequest& request = kRequest) {
  std::vector<engine::Bar> rows(1);
  std::string error;
  EXPECT_FALSE(okx_spot().parse_history(body, request, rows, error)) << body;
  EXPECT_EQ(rows.size(), 1U) << "rows are left as they were";
  return error;
}

std::string body_of(const std::string& rows) { return R"({"code":"0","msg":"","data":[)" + rows + "]}"; }

std::string row_at(std::int64_t open_ms, const std::string& confirm = "1") {
  return "[\"" + std::to_string(open_ms) + R"(","1","1","1","1","1","1","1",")" + confirm + "\"]";
}

/// The newest `count` of the bars up to `to_ms`, newest first, as the exchange gives them.
std::string page(std::int64_t to_ms, int count) {
  std::string rows;
  for (int i = 0; i < count; ++i) rows += (i == 0 ? "" : ",") + row_at(to_ms - i * kMinuteMs);
  return body_of(rows);
}

TEST(OkxRest, RowsBecomeBarsOldestFirst) {
  std::vector<engine::Bar> rows;
  std::string error;
  ASSERT_TRUE(okx_spot().parse_history(file("rest-candles"), kRequest, rows, error)) << error;
  ASSERT_EQ(rows.size(), 2U);
  const engine::Bar first{kFromMs, kFromMs + kMinuteMs, 91238.4, 91252.7, 91230.1, 91240, 12.83455};
  EXPECT_EQ(rows[0], first);
  EXPECT_EQ(rows[1].open_time_ms, rows[0].close_time_ms);

  rows.clear();
  const HistoryRequest hours{"BTC-USDT-SWAP", "1h", 1795737600000, 1795741200000, 0, 0};
  ASSERT_TRUE(okx_swap().parse_history(file("rest-history-candles-swap"), hours, rows, error)) << error;
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[1].volume, 30110.2) << "contracts, as in the frames";

  rows.clear();
  EXPECT_TRUE(okx_spot().parse_history(file("rest-candles-empty"), kRequest, rows, error));
  EXPECT_TRUE(rows.empty());
  EXPECT_TRUE(okx_spot().parse_history(file("rest-candles-without-confirm"), kRequest, rows, error)) << error;
  EXPECT_EQ(rows.size(), 1U);
}

TEST(OkxRest, ErrorsAreSentences) {
  EXPECT_EQ(refused(file("rest-error-unknown-instrument")),
            "candles: code 51001: Instrument ID, Instrument ID code, or Spread ID doesn't exist.");
  EXPECT_EQ(refused(file("rest-error-too-many-requests")), "candles: code 50011: Too Many Requests");
  EXPECT_EQ(refused(R"({"code":"1"})"), "candles: code 1: ");
}

TEST(OkxRest, BodiesOfAnotherFormAreRefused) {
  EXPECT_THAT(refused(""), HasSubstr("not a JSON object"));
  EXPECT_THAT(refused("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(refused("{}"), HasSubstr("not a JSON object"));
  EXPECT_THAT(refused(R"({"code":0,"data":[]})"), HasSubstr("not a JSON object with a code"));
  EXPECT_THAT(refused(R"({"code":"0"})"), HasSubstr("no list of data"));
  EXPECT_THAT(refused(R"({"code":"0","data":{}})"), HasSubstr("no list of data"));
  EXPECT_THAT(refused(body_of("1")), HasSubstr("row 0 is not an array"));
  EXPECT_THAT(refused(body_of("[\"1\",\"2\"]")), HasSubstr("less than 7 columns"));
  EXPECT_THAT(refused(body_of(R"([1795748400000,"1","1","1","1","1","1"])")), HasSubstr("open time"));
  EXPECT_THAT(refused(body_of(R"(["253402300800000","1","1","1","1","1","1"])")), HasSubstr("open time"));
  EXPECT_THAT(refused(body_of(R"(["1795748400000 ","1","1","1","1","1","1"])")), HasSubstr("open time"));
  EXPECT_THAT(refused(body_of(R"(["1795748400000",1,"1","1","1","1","1"])")), HasSubstr("price or volume"));
  EXPECT_THAT(refused(body_of(R"(["1795748400000","1","1 ","1","1","1","1"])")),
              HasSubstr("price or volume"));
  EXPECT_THAT(refused(body_of(R"(["1795748400000","1","1","1","1","-1","1"])")),
              HasSubstr("price or volume"));
  EXPECT_THAT(refused(body_of(row_at(kFromMs, "2"))), HasSubstr("confirm"));
  EXPECT_THAT(refused(body_of(row_at(kFromMs + 1))), HasSubstr("boundary"));
  EXPECT_THAT(refused(body_of(R"(["1795748400000","1","1","2","1","1","1"])")), HasSubstr("breaks"));
  EXPECT_THAT(refused(body_of(row_at(kFromMs - kMinuteMs))), HasSubstr("outside"));
  EXPECT_THAT(refused(body_of(row_at(kFromMs + 2 * kMinuteMs))), HasSubstr("outside"));
  EXPECT_THAT(refused(body_of(row_at(kFromMs) + "," + row_at(kFromMs))), HasSubstr("row 1 is not earlier"));
  EXPECT_THAT(refused(body_of(row_at(kFromMs) + "," + row_at(kFromMs + kMinuteMs))),
              HasSubstr("row 1 is not earlier"));
  EXPECT_THAT(refused(body_of(""), {"BTC-USDT", "2d", 0, 0, 0, 0}), HasSubstr("unknown interval 2d"));
  const std::string body = file("rest-candles");
  for (std::size_t length = 0; length < body.size(); ++length) refused(body.substr(0, length));
}

TEST(OkxRest, RowsThatAreNoBarsAreGivenToWhoeverAsksForThem) {
  std::vector<engine::Bar> rows;
  std::string error;
  HistoryRequest request = kRequest;
  request.with_unusable = true;
  const std::string bad = R"(["1795748400000","1","1","2","1","1","1","1","1"])";
  const std::string newest = row_at(kFromMs + kMinuteMs);
  ASSERT_TRUE(okx_spot().parse_history(body_of(newest + "," + bad), request, rows, error)) << error;
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_FALSE(engine::is_valid(rows[0]));
  EXPECT_EQ(rows[0].open_time_ms, kFromMs);
  EXPECT_TRUE(engine::is_valid(rows[1]));
  rows.clear();
  ASSERT_TRUE(
      okx_spot().parse_history(body_of(R"(["1795748400000","1","1","1","","1","1"])"), request, rows, error));
  EXPECT_FALSE(engine::is_valid(rows.at(0)));
  // What has no place of its own says nothing of any slot.
  EXPECT_THAT(refused(body_of(R"(["1795748400001","0","1","1","1","1","1"])"), request),
              HasSubstr("boundary"));
  EXPECT_THAT(refused(body_of(bad + "," + bad), request), HasSubstr("row 1 is not earlier"));
}

TEST(OkxRest, ABarIsRunningOnlyWhereItCanBe) {
  const std::string newest = row_at(kFromMs + kMinuteMs, "0");
  EXPECT_THAT(refused(body_of(newest + "," + row_at(kFromMs, "0"))),
              HasSubstr("row 1 is not confirmed, but a later one exists"));
  HistoryRequest late = kRequest;
  late.answered_at_ms = kFromMs + 2 * kMinuteMs;
  EXPECT_THAT(refused(body_of(newest), late), HasSubstr("row 0 is not confirmed, although it has ended"));
  late.answered_at_ms -= 1;
  std::vector<engine::Bar> rows;
  std::string error;
  EXPECT_TRUE(okx_spot().parse_history(body_of(newest), late, rows, error)) << error;
}

TEST(OkxRest, APageThatMayHaveBeenCutIsRefused) {
  const std::int64_t to_ms = kFromMs + 299 * kMinuteMs;
  const HistoryRequest request{"BTC-USDT", "1m", kFromMs, to_ms, 0, 0};
  EXPECT_EQ(refused(page(to_ms, 100), request),
            "candles: exactly 100 rows of 300 came, the newest ones: the exchange may have cut the page");
  std::vector<engine::Bar> rows;
  std::string error;
  for (const int count : {99, 101, 300}) {
    rows.clear();
    EXPECT_TRUE(okx_spot().parse_history(page(to_ms, count), request, rows, error)) << count << error;
    EXPECT_EQ(rows.size(), static_cast<std::size_t>(count));
  }
  // All that was asked for.
  const HistoryRequest hundred{"BTC-USDT", "1m", to_ms - 99 * kMinuteMs, to_ms, 0, 0};
  EXPECT_TRUE(okx_spot().parse_history(page(to_ms, 100), hundred, rows, error)) << error;
  // Hundred rows that reach back to the first wanted one: those that lie between do not exist.
  std::string scattered = row_at(to_ms);
  for (int i = 98; i >= 0; --i) scattered += "," + row_at(kFromMs + i * kMinuteMs);
  EXPECT_TRUE(okx_spot().parse_history(body_of(scattered), request, rows, error)) << error;
}

TEST(OkxRest, RequestsAskForWhatIsWantedWithExclusiveBounds) {
  EXPECT_EQ(okx_spot().history_target(kRequest),
            "/api/v5/market/candles?instId=BTC-USDT&bar=1m&before=1795748399999&after=1795748460001&limit=2");
  EXPECT_EQ(okx_swap().history_target({"A&B-SWAP", "1d", 86'400'000, 86'400'000 * 1000LL, 0, 0}),
            "/api/v5/market/"
            "history-candles?instId=A%26B-SWAP&bar=1Dutc&before=86399999&after=86400000001&limit=300");
}

TEST(OkxRest, OnlyWhatIsSurelyAmongTheNewestRowsIsAskedForThere) {
  const auto request = [](std::int64_t slots_ago) {
    const std::int64_t asked_ms = kFromMs + 12'345;
    return HistoryRequest{"BTC-USDT", "1m", kFromMs - slots_ago * kMinuteMs, kFromMs, asked_ms, 0};
  };
  EXPECT_THAT(okx_spot().history_target(request(1199)), HasSubstr("/market/candles?"));
  EXPECT_EQ(okx_spot().history_weight(request(1199)), 1);
  EXPECT_THAT(okx_spot().history_target(request(1200)), HasSubstr("/market/history-candles?"));
  EXPECT_EQ(okx_spot().history_weight(request(1200)), 2);
  HistoryRequest unknown = request(0);
  unknown.asked_at_ms = 0;
  EXPECT_THAT(okx_spot().history_target(unknown), HasSubstr("/market/history-candles?"));
  EXPECT_EQ(okx_spot().history_weight(unknown), 2);
}

TEST(OkxRest, OlderRowsThanTheNewestAreNotTakenFromAnAddressThatHasNone) {
  HistoryRequest request = kRequest;
  request.answered_at_ms = kFromMs + 1440 * kMinuteMs;
  EXPECT_THAT(refused(body_of(""), request), HasSubstr("is our clock right?"));
  std::vector<engine::Bar> rows;
  std::string error;
  request.answered_at_ms -= kMinuteMs;
  EXPECT_TRUE(okx_spot().parse_history(body_of(""), request, rows, error)) << error;
  request.answered_at_ms += kMinuteMs;
  request.asked_at_ms = request.answered_at_ms;  // asked the other address
  EXPECT_TRUE(okx_spot().parse_history(body_of(""), request, rows, error)) << error;
}

TEST(OkxRest, SubscriptionsNameChannelAndInstrument) {
  const std::vector<StreamName> streams = {
      {"BTC-USDT", "1m"}, {"BTC-USDT-SWAP", "1M"}, {"A\"B\\", "6h"}, {"X-Y", ""}};
  EXPECT_EQ(
      okx_spot().subscribe_text(streams, 5),
      R"({"id":"5","op":"subscribe","args":[{"channel":"candle1m","instId":"BTC-USDT"},)"
      R"({"channel":"candle1Mutc","instId":"BTC-USDT-SWAP"},{"channel":"candle6Hutc","instId":"A\"B\\"},)"
      R"({"channel":"trades","instId":"X-Y"}]})");
  EXPECT_EQ(okx_spot().unsubscribe_text(std::span(streams).first(1), 6),
            R"({"id":"6","op":"unsubscribe","args":[{"channel":"candle1m","instId":"BTC-USDT"}]})");
  const std::vector<StreamName> many(okx_spot().streams_per_request(), {"1000000LONGNAME-USDT-SWAP", "12h"});
  EXPECT_LT(okx_spot().subscribe_text(many, 1'000'000).size(), 64U << 10);
}

TEST(OkxRest, CandlesAndTradesHaveTheirAddresses) {
  EXPECT_EQ(okx_spot().websocket_path(StreamKind::klines), "/ws/v5/business");
  EXPECT_EQ(okx_swap().websocket_path(StreamKind::trades), "/ws/v5/public");
  const auto hour = std::chrono::hours(1);
  EXPECT_LE(hour / okx_spot().request_spacing(), 480) << "an hour, on one connection";
}

TEST(OkxRest, IntervalsAreThoseWithOurBoundaries) {
  for (const char* text : {"1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d", "1w", "1M"}) {
    EXPECT_TRUE(okx_spot().offers(*engine::Interval::parse(text))) << text;
    EXPECT_TRUE(okx_swap().offers(*engine::Interval::parse(text))) << text;
  }
  for (const char* text : {"1s", "2m", "8h", "2d", "3d", "3M"})
    EXPECT_FALSE(okx_spot().offers(*engine::Interval::parse(text))) << text;
}

TEST(OkxRest, SpotSymbolsAreRead) {
  std::vector<SymbolInfo> symbols;
  std::string error, next_page = "x";
  ASSERT_TRUE(okx_spot().parse_symbols(file("rest-instruments-spot"), symbols, next_page, error)) << error;
  EXPECT_EQ(next_page, "");
  ASSERT_EQ(symbols.size(), 3U);
  EXPECT_EQ(symbols[0].symbol, "BTC-USDT");
  EXPECT_EQ(symbols[0].base, "BTC");
  EXPECT_EQ(symbols[0].quote, "USDT");
  EXPECT_EQ(symbols[0].listed_ms, 1548133413000);
  EXPECT_TRUE(symbols[0].trading);
  EXPECT_FALSE(symbols[1].trading);
  EXPECT_EQ(symbols[1].listed_ms, 0);
  EXPECT_FALSE(symbols[2].trading);
  ASSERT_TRUE(okx_spot().parse_volumes(file("rest-tickers-spot"), symbols, error)) << error;
  EXPECT_EQ(symbols[0].quote_volume_24h, 1650123456.78);
  EXPECT_EQ(symbols[1].quote_volume_24h, 0);
  EXPECT_EQ(symbols[2].quote_volume_24h, 0);
}

TEST(OkxRest, SwapsHaveTheirCurrenciesAndVolumesInOtherFields) {
  std::vector<SymbolInfo> symbols;
  std::string error, next_page;
  ASSERT_TRUE(okx_swap().parse_symbols(file("rest-instruments-swap"), symbols, next_page, error)) << error;
  ASSERT_EQ(symbols.size(), 2U);
  EXPECT_EQ(symbols[0].symbol, "BTC-USDT-SWAP");
  EXPECT_EQ(symbols[0].base, "BTC");
  EXPECT_EQ(symbols[0].quote, "USDT");
  EXPECT_EQ(symbols[1].quote, "USD") << "of instFamily, where uly is empty";
  EXPECT_EQ(symbols[0].settle, "USDT");
  EXPECT_EQ(symbols[1].settle, "BTC");
  EXPECT_EQ(symbols[0].contract_size, 0.01);
  EXPECT_EQ(symbols[1].contract_size, 100);
  EXPECT_EQ(symbols[1].listed_ms, 1545106980000);
  ASSERT_TRUE(okx_swap().parse_volumes(file("rest-tickers-swap"), symbols, error)) << error;
  EXPECT_EQ(symbols[0].quote_volume_24h, 20000 * 91000.5);
  EXPECT_EQ(symbols[1].quote_volume_24h, 1000 * 91000.0);
  EXPECT_EQ(okx_swap().symbols_target(""), "/api/v5/public/instruments?instType=SWAP");
  EXPECT_EQ(okx_swap().volumes_target(), "/api/v5/market/tickers?instType=SWAP");
}

// For days at a time one of the list is announced: nobody could start by a pattern, nor learn of a halt.
TEST(OkxRest, WhatIsAnnouncedIsNotYetInTheListAndKeepsNobodyFromIt) {
  std::vector<SymbolInfo> symbols;
  std::string error, next_page;
  const std::string spot = frame_text("okx/2026-11-29-rest-instruments-spot-announced.json");
  ASSERT_TRUE(okx_spot().parse_symbols(spot, symbols, next_page, error)) << error;
  ASSERT_EQ(symbols.size(), 1U);
  EXPECT_EQ(symbols[0].symbol, "BTC-USDT");
  const std::string swap = frame_text("okx/2026-11-29-rest-instruments-swap-announced.json");
  ASSERT_TRUE(okx_swap().parse_symbols(swap, symbols, next_page, error)) << error;
  ASSERT_EQ(symbols.size(), 2U);
  EXPECT_EQ(symbols[1].symbol, "BTC-USDT-SWAP");
  EXPECT_FALSE(okx_spot().parse_symbols(
      body_of(R"({"instId":"A-B","state":"preopen"},{"instId":"C-D","state":"live"})"), symbols, next_page,
      error));
  EXPECT_THAT(error, HasSubstr("entry 1 has not all of"));
}

TEST(OkxRest, SymbolListsOfAnotherFormAreRefused) {
  std::vector<SymbolInfo> symbols(1);
  std::string error, next_page;
  for (const char* entry : {"1", R"({"instId":"A-B","state":"live"})",
                            R"({"instId":"A-B","state":"live","baseCcy":"A","quoteCcy":""})",
                            R"({"instId":"","state":"live","baseCcy":"A","quoteCcy":"B"})",
                            R"({"instId":"A-B","baseCcy":"A","quoteCcy":"B"})"}) {
    EXPECT_FALSE(okx_spot().parse_symbols(body_of(entry), symbols, next_page, error)) << entry;
    EXPECT_THAT(error, HasSubstr("entry 0 has not all of"));
    EXPECT_EQ(symbols.size(), 1U);
  }
  for (const char* entry : {R"({"instId":"A-B-SWAP","state":"live","uly":""})",
                            R"({"instId":"A-B-SWAP","state":"live","uly":"","instFamily":"AB"})",
                            R"({"instId":"A-B-SWAP","state":"live","uly":"AB-"})"}) {
    EXPECT_FALSE(okx_swap().parse_symbols(body_of(entry), symbols, next_page, error)) << entry;
  }
  EXPECT_FALSE(okx_spot().parse_symbols(file("rest-error-too-many-requests"), symbols, next_page, error));
  EXPECT_EQ(error, "instruments: code 50011: Too Many Requests");
  for (const char* entry :
       {"1", R"({"instId":"A"})", R"({"instId":"A","volCcy24h":1,"last":"1"})",
        R"({"instId":"A","volCcy24h":"1"})", R"({"instId":"A","volCcy24h":"1x","last":"1"})"}) {
    EXPECT_FALSE(okx_spot().parse_volumes(body_of(entry), symbols, error)) << entry;
    EXPECT_THAT(error, HasSubstr("tickers: entry 0 has no"));
  }
  EXPECT_FALSE(
      okx_swap().parse_volumes(body_of(R"({"instId":"A","volCcy24h":"1","last":"x"})"), symbols, error));
}

// A hole must not wait for a minute because of a limit that is granted anew every two seconds.
TEST(OkxRest, ALimitOfTwoSecondsPausesForTwoOfThem) {
  using std::chrono::seconds;
  const Exchange& okx = okx_spot();
  EXPECT_EQ(okx.pause_asked(429, file("rest-error-too-many-requests")), seconds(4));
  EXPECT_EQ(okx.pause_asked(429, R"({"msg":"Requests too frequent.","code":50011})"), seconds(4));
  for (const std::string& body :
       {std::string(), std::string("<html>error 1015</html>"), std::string("[50011]"),
        std::string(R"({"code":"50013"})"), std::string(R"({"code":1})"), std::string(R"({"code":null})")})
    EXPECT_EQ(okx.pause_asked(429, body), seconds(0)) << body;
  EXPECT_EQ(okx.pause_asked(403, file("rest-error-too-many-requests")), seconds(0));
  EXPECT_EQ(okx.pause_asked(200, file("rest-candles")), seconds(0));
}

TEST(OkxRest, RecordedBodiesAreRead) {
  const std::string folder = std::string(ATCD_SHARED_DIR) + "/data/rest/okx/";
  std::ifstream file(folder + "candles-TRB-USDT-SWAP-15m-5rows.json");
  if (!file) GTEST_SKIP() << "the recordings are not at " << folder;
  const std::string body{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const HistoryRequest request{"TRB-USDT-SWAP", "15m", 1701221400000, 1701225000000, 0, 0};
  std::vector<engine::Bar> rows;
  std::string error;
  ASSERT_TRUE(okx_swap().parse_history(body, request, rows, error)) << error;
  ASSERT_EQ(rows.size(), 5U);
  EXPECT_EQ(rows.front().open_time_ms, request.from_ms);
  EXPECT_EQ(rows.back().close, 78.45);
  // The other is nobody's answer: its rows are oldest first.
  std::ifstream made_up(folder + "nautilus-http_get_candlesticks.json");
  const std::string other{std::istreambuf_iterator<char>(made_up), std::istreambuf_iterator<char>()};
  EXPECT_THAT(refused(other, {"X", "1m", 0, 4'000'000'000'000, 0, 0}), HasSubstr("row 1 is not earlier"));
}

}  // namespace
}  // namespace atcd::feeds
