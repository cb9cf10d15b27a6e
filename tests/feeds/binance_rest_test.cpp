#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "feeds/binance.hpp"
#include "tests/feeds/frame_reader.hpp"
#include "tests/locations.hpp"

namespace atcd::feeds {
namespace {

using testing::frame_text;
using ::testing::HasSubstr;

const HistoryRequest kRequest{"BTCUSDT", "1m", 1795477200000, 1795477260000};

std::string refused(const std::string& body, const HistoryRequest& request = kRequest) {
  std::vector<engine::Bar> rows(1);
  std::string error;
  EXPECT_FALSE(binance_spot().parse_history(body, request, rows, error)) << body;
  EXPECT_EQ(rows.size(), 1U) << "rows are left as they were";
  return error;
}

TEST(BinanceRest, RowsBecomeBarsOldestFirst) {
  std::vector<engine::Bar> rows;
  std::string error;
  const std::string body = frame_text("binance/2026-11-23-rest-spot-klines.json");
  ASSERT_TRUE(binance_spot().parse_history(body, kRequest, rows, error)) << error;
  ASSERT_EQ(rows.size(), 2U);
  const engine::Bar first{1795477200000, 1795477260000, 91238.41, 91252.70, 91230.15, 91240.0, 12.83455};
  EXPECT_EQ(rows[0], first);
  EXPECT_EQ(rows[1].open_time_ms, rows[0].close_time_ms);
}

TEST(BinanceRest, AnEmptyAnswerHasNoRows) {
  std::vector<engine::Bar> rows;
  std::string error;
  EXPECT_TRUE(binance_spot().parse_history("[]", kRequest, rows, error));
  EXPECT_TRUE(rows.empty());
}

TEST(BinanceRest, BodiesOfAnotherFormAreRefused) {
  EXPECT_THAT(refused(""), HasSubstr("not a JSON array"));
  EXPECT_THAT(refused("{\"code\":-1121,\"msg\":\"Invalid symbol.\"}"), HasSubstr("not a JSON array"));
  EXPECT_THAT(refused("[1]"), HasSubstr("row 0 is not an array"));
  EXPECT_THAT(refused("[[1,2]]"), HasSubstr("less than 7 columns"));
  EXPECT_THAT(refused(R"([["1795477200000","1","1","1","1","1",1795477259999]])"), HasSubstr("open time"));
  EXPECT_THAT(refused(R"([[1795477200000,1,"1","1","1","1",1795477259999]])"), HasSubstr("price or volume"));
  EXPECT_THAT(refused(R"([[1795477200000,"1","1","1","x","1",1795477259999]])"),
              HasSubstr("price or volume"));
  EXPECT_THAT(refused(R"([[1795477200000,"1","1","1","1 ","1",1795477259999]])"),
              HasSubstr("price or volume"));
  EXPECT_THAT(refused(R"([[1795477200001,"1","1","1","1","1",1795477259999]])"), HasSubstr("boundary"));
  EXPECT_THAT(refused(R"([[1795477200000,"1","1","1","1","1",1795477260000]])"), HasSubstr("close within"));
  EXPECT_THAT(refused(R"([[1795477200000,"1","1","2","1","1",1795477259999]])"), HasSubstr("breaks"));
  EXPECT_THAT(refused(R"([[9223372036854775807,"1","1","1","1","1",1795477259999]])"), HasSubstr("boundary"));
  EXPECT_THAT(refused(R"([[1795477140000,"1","1","1","1","1",1795477199999]])"), HasSubstr("outside"));
  const std::string row = R"([1795477200000,"1","1","1","1","1",1795477259999])";
  EXPECT_THAT(refused("[" + row + "," + row + "]"), HasSubstr("row 1 is not later"));
}

TEST(BinanceRest, EveryPrefixOfABodyIsRefused) {
  const std::string body = frame_text("binance/2026-11-23-rest-spot-klines.json");
  for (std::size_t length = 0; length < body.size(); ++length) refused(body.substr(0, length));
}

TEST(BinanceRest, ABarThatEndedEarlyKeepsItsSlot) {
  std::vector<engine::Bar> rows;
  std::string error;
  const std::string body = R"([[1795477200000,"1","1","1","1","1",1795477230000]])";
  ASSERT_TRUE(binance_spot().parse_history(body, kRequest, rows, error)) << error;
  EXPECT_EQ(rows[0].close_time_ms, 1795477260000);
}

TEST(BinanceRest, RequestsAskForWhatIsWanted) {
  EXPECT_EQ(
      binance_spot().history_target(kRequest),
      "/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=1795477200000&endTime=1795477260000&limit=2");
  EXPECT_THAT(binance_usdm().history_target({"\u5e01&x", "1h", 0, 3600000 * 5000LL}),
              HasSubstr("/fapi/v1/klines?symbol=%E5%B8%81%26x&interval=1h&startTime=0"));
  EXPECT_THAT(binance_usdm().history_target({"A", "1h", 0, 3600000 * 5000LL}), HasSubstr("&limit=1000"));
}

TEST(BinanceRest, WeightsFollowTheNumberOfRows) {
  const auto request = [](std::int64_t rows) {
    return HistoryRequest{"BTCUSDT", "1m", 0, 60'000 * (rows - 1)};
  };
  EXPECT_EQ(binance_spot().history_weight(request(1000)), 2);
  for (const auto& [rows, weight] :
       {std::pair{1, 1}, {99, 1}, {100, 2}, {499, 2}, {500, 5}, {1000, 5}, {5000, 5}}) {
    EXPECT_EQ(binance_usdm().history_weight(request(rows)), weight) << rows;
  }
}

TEST(BinanceRest, SubscriptionsAreLowerCaseAndEscaped) {
  const std::vector<StreamName> streams = {{"BTCUSDT", "1m"}, {"BTCUSD_PERP", "1M"}, {"A\"B\\", "1h"}};
  EXPECT_EQ(
      binance_spot().subscribe_text(streams, 5),
      R"({"method":"SUBSCRIBE","params":["btcusdt@kline_1m","btcusd_perp@kline_1M","a\"b\\@kline_1h"],"id":5})");
  EXPECT_EQ(binance_spot().unsubscribe_text(std::span(streams).first(1), 6),
            R"({"method":"UNSUBSCRIBE","params":["btcusdt@kline_1m"],"id":6})");
}

TEST(BinanceRest, IntervalsAreThoseOfTheMarket) {
  const auto offers = [](const Exchange& exchange, const char* text) {
    return exchange.offers(*engine::Interval::parse(text));
  };
  for (const char* text : {"1m", "15m", "4h"}) {
    EXPECT_TRUE(offers(binance_spot(), text)) << text;
    EXPECT_TRUE(offers(binance_usdm(), text)) << text;
    EXPECT_TRUE(offers(binance_coinm(), text)) << text;
  }
  EXPECT_TRUE(offers(binance_spot(), "1s"));
  EXPECT_FALSE(offers(binance_usdm(), "1s"));
  EXPECT_TRUE(offers(binance_usdm(), "1M"));
  EXPECT_FALSE(offers(binance_coinm(), "1d")) << "a request may span 200 days only";
  EXPECT_FALSE(offers(binance_spot(), "2m"));
}

TEST(BinanceRest, SymbolsAreRead) {
  std::vector<SymbolInfo> symbols;
  std::string error, next_page;
  ASSERT_TRUE(binance_spot().parse_symbols(frame_text("binance/2026-11-23-rest-spot-exchange-info.json"),
                                           symbols, next_page, error))
      << error;
  ASSERT_EQ(symbols.size(), 2U);
  EXPECT_EQ(symbols[0].symbol, "BTCUSDT");
  EXPECT_EQ(symbols[0].base, "BTC");
  EXPECT_EQ(symbols[0].quote, "USDT");
  EXPECT_TRUE(symbols[0].trading);
  EXPECT_FALSE(symbols[1].trading);
  ASSERT_TRUE(binance_spot().parse_volumes(frame_text("binance/2026-11-23-rest-spot-ticker-24hr-mini.json"),
                                           symbols, error))
      << error;
  EXPECT_EQ(symbols[0].quote_volume_24h, 1650123456.78);
  EXPECT_EQ(symbols[1].quote_volume_24h, 0);

  symbols.clear();
  ASSERT_TRUE(binance_usdm().parse_symbols(frame_text("binance/2026-11-23-rest-usdm-exchange-info.json"),
                                           symbols, next_page, error))
      << error;
  ASSERT_EQ(symbols.size(), 2U);
  EXPECT_EQ(symbols[0].listed_ms, 1567965300000);
  EXPECT_EQ(symbols[1].symbol, "BTCUSDT_270326");
  EXPECT_EQ(symbols[1].listed_ms, 1790323200000);
  EXPECT_EQ(symbols[0].settle, "USDT");
  EXPECT_EQ(symbols[0].delivery_ms, 0) << "a perpetual, though it has a date of delivery";
  EXPECT_EQ(symbols[1].delivery_ms, 1806048000000);
  EXPECT_EQ(symbols[0].contract_size, 0) << "USD-M does not say";
}

TEST(BinanceRest, CoinMarginedContractsHaveASize) {
  std::vector<SymbolInfo> symbols;
  std::string error, next_page;
  ASSERT_TRUE(binance_coinm().parse_symbols(
      R"({"symbols":[{"symbol":"BTCUSD_PERP","pair":"BTCUSD","contractType":"PERPETUAL",)"
      R"("deliveryDate":4133404800000,"onboardDate":1597042800000,"contractStatus":"TRADING",)"
      R"("contractSize":100,"marginAsset":"BTC","baseAsset":"BTC","quoteAsset":"USD"},)"
      R"({"symbol":"ETHUSD_PERP","contractStatus":"TRADING","contractSize":"10","baseAsset":"ETH",)"
      R"("quoteAsset":"USD"}]})",
      symbols, next_page, error))
      << error;
  ASSERT_EQ(symbols.size(), 2U);
  EXPECT_EQ(symbols[0].contract_size, 100);
  EXPECT_EQ(symbols[0].settle, "BTC");
  EXPECT_EQ(symbols[1].contract_size, 0) << "not said in the way that is documented: not known";
  EXPECT_EQ(symbols[1].settle, "");
}

TEST(BinanceRest, SymbolListsOfAnotherFormAreRefused) {
  std::vector<SymbolInfo> symbols(1);
  std::string error, next_page;
  for (const char* body : {"", "[]", "{}", R"({"symbols":{}})", R"({"symbols":[1]})",
                           R"({"symbols":[{"symbol":"A","baseAsset":"A","quoteAsset":"B"}]})"}) {
    EXPECT_FALSE(binance_spot().parse_symbols(body, symbols, next_page, error)) << body;
    EXPECT_EQ(symbols.size(), 1U);
  }
  for (const char* body : {"", "{}", "[1]", R"([{"symbol":"A"}])", R"([{"symbol":"A","quoteVolume":1}])",
                           R"([{"symbol":"A","quoteVolume":"x"}])"}) {
    EXPECT_FALSE(binance_spot().parse_volumes(body, symbols, error)) << body;
  }
}

TEST(BinanceRest, WhatWasNeverTradedMayHaveAnEmptyVolume) {
  std::vector<SymbolInfo> symbols(2);
  symbols[0].symbol = "NEW";
  symbols[0].quote_volume_24h = 7;
  symbols[1].symbol = "BTC";
  std::string error;
  ASSERT_TRUE(binance_spot().parse_volumes(
      R"([{"symbol":"NEW","quoteVolume":""},{"symbol":"BTC","quoteVolume":"2.5"}])", symbols, error))
      << error;
  EXPECT_EQ(symbols[0].quote_volume_24h, 0);
  EXPECT_EQ(symbols[1].quote_volume_24h, 2.5);
  ASSERT_TRUE(binance_coinm().parse_volumes(R"([{"symbol":"NEW","baseVolume":"","weightedAvgPrice":""},)"
                                            R"({"symbol":"BTC","baseVolume":"2","weightedAvgPrice":"3"}])",
                                            symbols, error))
      << error;
  EXPECT_EQ(symbols[0].quote_volume_24h, 0);
  EXPECT_EQ(symbols[1].quote_volume_24h, 6);
}

TEST(BinanceRest, CoinMarginedVolumesAreTurnedIntoTheQuote) {
  std::vector<SymbolInfo> symbols(1);
  symbols[0].symbol = "BTCUSD_PERP";
  std::string error;
  ASSERT_TRUE(binance_coinm().parse_volumes(
      R"([{"symbol":"BTCUSD_PERP","volume":"9","baseVolume":"2.5","weightedAvgPrice":"100.5"}])", symbols,
      error))
      << error;
  EXPECT_EQ(symbols[0].quote_volume_24h, 251.25);
}

TEST(BinanceRest, RecordedBodiesAreRead) {
  const std::filesystem::path folder = std::filesystem::path(ATCD_SHARED_DIR) / "data/rest/binance";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "the recordings are not at " << folder;
  std::size_t bodies = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    const auto interval_at = name.find("interval=");
    if (interval_at == std::string::npos || name.find("continuous") != std::string::npos) continue;
    const std::string interval =
        name.substr(interval_at + 9, name.find_first_of("_.", interval_at) - interval_at - 9);
    gzFile file = gzopen(entry.path().c_str(), "rb");  // reads plain files too
    std::string body(4U << 20, '\0');
    body.resize(static_cast<std::size_t>(gzread(file, body.data(), static_cast<unsigned>(body.size()))));
    gzclose(file);
    std::vector<engine::Bar> rows;
    std::string error;
    EXPECT_TRUE(binance_spot().parse_history(body, {"X", interval, 0, 4'000'000'000'000}, rows, error))
        << name << ": " << error;
    // An independent count: each row, and nothing else but the whole, opens a bracket.
    EXPECT_EQ(rows.size() + 1, static_cast<std::size_t>(std::count(body.begin(), body.end(), '['))) << name;
    ++bodies;
  }
  EXPECT_GT(bodies, 5U);
}

TEST(Exchanges, AreFoundByNameAndMarket) {
  EXPECT_EQ(find_exchange("binance", "spot"), &binance_spot());
  EXPECT_EQ(find_exchange("binance", "usdm")->websocket_path(StreamKind::klines), "/market/stream");
  EXPECT_EQ(find_exchange("binance", "options"), nullptr);
  EXPECT_EQ(find_exchange("okx", "swap")->market(), "swap");
  EXPECT_EQ(find_exchange("", ""), nullptr);
  EXPECT_THAT(known_exchanges(), HasSubstr("binance spot, binance usdm"));
}

}  // namespace
}  // namespace atcd::feeds
