#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "feeds/binance.hpp"
#include "tests/feeds/frame_reader.hpp"

namespace atcd::feeds {
namespace {

using testing::frame_text;
using ::testing::HasSubstr;
using testing::Parsed;

struct BinanceTradeFrame : ::testing::Test {
  Parsed parse(std::string_view frame) { return testing::parse_frame(*parser_, frame); }
  Parsed parse_with(const std::string& piece, const std::string& other) {
    std::string frame = combined_;
    const auto at = frame.find(piece);
    EXPECT_NE(at, std::string::npos) << piece;
    frame.replace(at, piece.size(), other);
    return parse(frame);
  }
  void expect_refused(const std::string& piece, const std::string& other, const std::string& reason) {
    const Parsed parsed = parse_with(piece, other);
    EXPECT_EQ(parsed.kind, FrameKind::malformed) << other;
    EXPECT_THAT(parsed.text, HasSubstr(reason)) << other;
    EXPECT_TRUE(parsed.trades.empty());
  }

  std::unique_ptr<FrameParser> parser_ = binance_spot().new_parser();
  const std::string combined_ = frame_text("binance/2026-11-23-agg-trade.json");
};

TEST_F(BinanceTradeFrame, AnAggregatedTradeIsOneTrade) {
  for (const std::string& frame : {combined_, frame_text("binance/2026-11-27-usdm-agg-trade-raw.json")}) {
    const Parsed parsed = parse(frame);
    ASSERT_EQ(parsed.kind, FrameKind::trades) << parsed.text;
    ASSERT_EQ(parsed.trades.size(), 1U);
    EXPECT_TRUE(parsed.klines.empty());
  }
  const Parsed::TradeRow row = parse(combined_).trades.at(0);
  EXPECT_EQ(row.symbol, "BTCUSDT");
  EXPECT_EQ(row.price, 91240.01);
  EXPECT_EQ(row.quantity, 0.002);
  EXPECT_EQ(row.time_ms, 1795477262011);
  EXPECT_EQ(row.event_time_ms, 1795477262014);
  EXPECT_EQ(row.first_id, 26129) << "a counts the aggregates without a hole; f and l those within";
  EXPECT_EQ(row.last_id, 26129);
}

TEST_F(BinanceTradeFrame, AnyOrderOfFieldsGivesTheSameTrade) {
  const Parsed parsed = parse(
      R"({"data":{"T":1795477262011,"q":"0.002","p":"91240.01","a":26129,"s":"BTCUSDT","E":1795477262014,)"
      R"("e":"aggTrade"},"stream":"btcusdt@aggTrade"})");
  ASSERT_EQ(parsed.trades.size(), 1U) << parsed.text;
  EXPECT_EQ(parsed.trades[0].price, 91240.01);
}

TEST_F(BinanceTradeFrame, EveryFieldIsNeededOnce) {
  for (const auto& [piece, name] :
       std::vector<std::pair<std::string, std::string>>{{"\"E\":1795477262014,", "E"},
                                                        {"\"s\":\"BTCUSDT\",", "s"},
                                                        {"\"a\":26129,", "a"},
                                                        {"\"p\":\"91240.01000000\",", "p"},
                                                        {"\"q\":\"0.00200000\",", "q"},
                                                        {"\"T\":1795477262011,", "T"}}) {
    expect_refused(piece, "", name + " is missing");
    expect_refused(piece, piece + piece, name + " is there twice");
  }
}

TEST_F(BinanceTradeFrame, WhatIsNoTradeOfOurWorldIsRefused) {
  expect_refused("\"a\":26129", "\"a\":0", "a is not above 0");
  expect_refused("\"a\":26129", "\"a\":\"26129\"", "a is not a whole number");
  expect_refused("\"p\":\"91240.01000000\"", "\"p\":91240.01", "p is not a price in quotes");
  expect_refused("\"p\":\"91240.01000000\"", "\"p\":\"0\"", "p is not above 0");
  expect_refused("\"p\":\"91240.01000000\"", "\"p\":\"1e999\"", "p is not");
  expect_refused("\"q\":\"0.00200000\"", "\"q\":\"-1\"", "q is not");
  expect_refused("\"q\":\"0.00200000\"", "\"q\":\"0.000\"", "q is not above 0");
  expect_refused("\"s\":\"BTCUSDT\"", "\"s\":\"\"", "s is empty");
  expect_refused("\"T\":1795477262011", "\"T\":-5", "T is not a time of our calendar");
  expect_refused("\"T\":1795477262011", "\"T\":1795477322015", "T lies more than a minute after E");
  EXPECT_EQ(parse(combined_.substr(0, combined_.size() - 1)).kind, FrameKind::malformed);
  EXPECT_EQ(parse(combined_ + "}").kind, FrameKind::malformed);
}

TEST_F(BinanceTradeFrame, AStreamOfTradesIsSubscribedByItsName) {
  const std::vector<StreamName> streams = {{"BTCUSDT", ""}, {"ETHUSDT", "1m"}};
  EXPECT_EQ(binance_spot().subscribe_text(streams, 7),
            R"({"method":"SUBSCRIBE","params":["btcusdt@aggTrade","ethusdt@kline_1m"],"id":7})");
}

}  // namespace
}  // namespace atcd::feeds
