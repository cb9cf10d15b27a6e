#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "feeds/binance.hpp"
#include "feeds/simulator/binance_wire.hpp"
#include "feeds/simulator/market.hpp"
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

// ---- what the simulator sends

using engine::Interval;
using simulator::Market;

constexpr std::int64_t kMondayMs = 1'795'392'000'000;  // 2026-11-23

TEST_F(BinanceTradeFrame, TheSimulatorsTradesAddUpToItsBars) {
  const auto wire = simulator::new_binance_wire(0);
  for (const double quiet_share : {0.0, 0.3}) {
    const Market market(simulator::first_symbols(25), {7, quiet_share});
    for (const std::size_t symbol : {0U, 4U, 24U}) {
      const Interval minute(1, Interval::Unit::minute);
      std::size_t with_trades = 0;
      for (std::int64_t number = 0; number < 200; ++number) {
        const std::int64_t open_ms = kMondayMs + number * 60'000, end_ms = open_ms + 60'000;
        const engine::Bar bar = market.kline(symbol, minute, open_ms, end_ms)->bar;
        engine::Bar built{open_ms, end_ms, 0, 0, 0, 0, 0};
        for (std::int64_t at = Market::next_trade_ms(open_ms - 1); at < end_ms;
             at = Market::next_trade_ms(at)) {
          auto trade = market.trade(symbol, at);
          if (!trade) continue;
          trade->bar.open_time_ms = at;
          const simulator::MarketSymbol& named = market.symbols()[symbol];
          const std::string frame =
              wire->trade_frame({"x@aggTrade", named, {}, *trade, true, at + 100}, number + 1, 1);
          const Parsed parsed = parse(frame);
          ASSERT_EQ(parsed.trades.size(), 1U) << frame << " " << parsed.text;
          const Parsed::TradeRow& row = parsed.trades[0];
          EXPECT_EQ(row.time_ms, at);
          EXPECT_EQ(row.first_id, number + 1);
          if (built.open == 0) built.open = built.high = built.low = row.price;
          built.high = std::max(built.high, row.price);
          built.low = std::min(built.low, row.price);
          built.close = row.price;
          built.volume += row.quantity;
        }
        if (built.open == 0) {
          EXPECT_EQ(bar.volume, 0) << "quiet";
          EXPECT_EQ(bar.high, bar.low);
          continue;
        }
        ++with_trades;
        EXPECT_EQ(built, bar) << "to the last bit";
      }
      EXPECT_GT(with_trades, 100U);
      if (quiet_share > 0) {
        EXPECT_LT(with_trades, 180U);
      }
    }
  }
}

}  // namespace
}  // namespace atcd::feeds
