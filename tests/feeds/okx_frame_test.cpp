#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>

#include "feeds/okx.hpp"
#include "tests/feeds/frame_reader.hpp"

namespace atcd::feeds {
namespace {

using testing::frame_text;
using ::testing::HasSubstr;
using testing::Parsed;

class OkxFrame : public ::testing::Test {
 protected:
  Parsed parse(std::string_view frame) { return testing::parse_frame(*parser_, frame); }
  Parsed parse_file(const std::string& name) { return parse(frame_text("okx/2026-11-27-" + name + ".json")); }

  static std::string with(std::string frame, const std::string& piece, const std::string& other) {
    const auto at = frame.find(piece);
    EXPECT_NE(at, std::string::npos) << piece;
    return frame.replace(at, piece.size(), other);
  }

  void expect_refused(const std::string& frame, const std::string& reason) {
    const Parsed parsed = parse(frame);
    EXPECT_EQ(parsed.kind, FrameKind::malformed) << frame;
    EXPECT_THAT(parsed.text, HasSubstr(reason)) << frame;
    EXPECT_TRUE(parsed.klines.empty());
    EXPECT_TRUE(parsed.trades.empty());
  }
  /// The closed candle with one piece replaced.
  void expect_candle_refused(const std::string& piece, const std::string& other, const std::string& reason) {
    expect_refused(with(closed_, piece, other), reason);
  }
  void expect_trade_refused(const std::string& piece, const std::string& other, const std::string& reason) {
    expect_refused(with(trade_, piece, other), reason);
  }

  std::unique_ptr<FrameParser> parser_ = okx_spot().new_parser();
  const std::string closed_ = frame_text("okx/2026-11-27-candle-closed.json");
  const std::string trade_ = frame_text("okx/2026-11-27-trade.json");
};

TEST_F(OkxFrame, ClosedCandleBecomesABar) {
  const Parsed parsed = parse(closed_);
  ASSERT_EQ(parsed.kind, FrameKind::klines) << parsed.text;
  ASSERT_EQ(parsed.klines.size(), 1U);
  const auto& row = parsed.klines[0];
  EXPECT_EQ(row.symbol, "BTC-USDT");
  EXPECT_EQ(row.interval, "1m");
  EXPECT_EQ(row.event_time_ms, 0) << "OKX does not say";
  EXPECT_TRUE(row.closed);
  const engine::Bar expected{1795748400000, 1795748460000, 91238.4, 91252.7, 91230.1, 91240, 12.83455};
  EXPECT_EQ(row.bar, expected);
}

TEST_F(OkxFrame, FormingCandleIsNotClosed) {
  const Parsed parsed = parse_file("candle-forming");
  ASSERT_EQ(parsed.klines.size(), 1U) << parsed.text;
  EXPECT_FALSE(parsed.klines[0].closed);
}

TEST_F(OkxFrame, TwoCandlesInOneFrameComeInTheirOrder) {
  const Parsed parsed = parse_file("candle-closed-and-next");
  ASSERT_EQ(parsed.klines.size(), 2U) << parsed.text;
  EXPECT_TRUE(parsed.klines[0].closed);
  EXPECT_FALSE(parsed.klines[1].closed);
  EXPECT_EQ(parsed.klines[1].bar.open_time_ms, parsed.klines[0].bar.close_time_ms);
  EXPECT_EQ(parsed.klines[1].bar.volume, 0);
}

TEST_F(OkxFrame, ASwapsVolumeIsInContracts) {
  const Parsed linear = parse_file("candle-swap-closed");
  ASSERT_EQ(linear.klines.size(), 1U) << linear.text;
  EXPECT_EQ(linear.klines[0].symbol, "BTC-USDT-SWAP");
  EXPECT_EQ(linear.klines[0].interval, "1h");
  EXPECT_EQ(linear.klines[0].bar.volume, 48210.37);
  const Parsed inverse = parse_file("candle-inverse-swap");
  ASSERT_EQ(inverse.klines.size(), 1U) << inverse.text;
  EXPECT_EQ(inverse.klines[0].bar.volume, 3120);
}

TEST_F(OkxFrame, ARowWithoutConfirmNeverClosesABar) {
  const Parsed parsed = parse_file("candle-without-confirm");
  ASSERT_EQ(parsed.kind, FrameKind::klines) << parsed.text;
  ASSERT_EQ(parsed.klines.size(), 1U);
  EXPECT_FALSE(parsed.klines[0].closed);
  const Parsed eight = parse(with(closed_, ",\"1\"]", "]"));
  ASSERT_EQ(eight.klines.size(), 1U) << eight.text;
  EXPECT_FALSE(eight.klines[0].closed);
  // One that grows a tenth column keeps its mark.
  const Parsed ten = parse(with(closed_, ",\"1\"]", ",\"1\",{\"new\":[1]}]"));
  ASSERT_EQ(ten.klines.size(), 1U) << ten.text;
  EXPECT_TRUE(ten.klines[0].closed);
}

TEST_F(OkxFrame, EveryOfferedIntervalHasItsChannelAndBoundaries) {
  // Their channel, ours, open and close of the bar that holds 2026-11-27 03:00; 2026-11-23 is a Monday.
  struct Case {
    const char *channel, *interval, *open;
    std::int64_t close_ms;
  };
  constexpr std::array<Case, 13> kCases = {{{"candle1m", "1m", "1795748400000", 1795748460000},
                                            {"candle3m", "3m", "1795748400000", 1795748580000},
                                            {"candle5m", "5m", "1795748400000", 1795748700000},
                                            {"candle15m", "15m", "1795748400000", 1795749300000},
                                            {"candle30m", "30m", "1795748400000", 1795750200000},
                                            {"candle1H", "1h", "1795748400000", 1795752000000},
                                            {"candle2H", "2h", "1795744800000", 1795752000000},
                                            {"candle4H", "4h", "1795737600000", 1795752000000},
                                            {"candle6Hutc", "6h", "1795737600000", 1795759200000},
                                            {"candle12Hutc", "12h", "1795737600000", 1795780800000},
                                            {"candle1Dutc", "1d", "1795737600000", 1795824000000},
                                            {"candle1Wutc", "1w", "1795392000000", 1795996800000},
                                            {"candle1Mutc", "1M", "1793491200000", 1796083200000}}};
  ASSERT_EQ(kCases.size(), kOkxIntervals.size());
  for (const Case& each : kCases) {
    const std::string frame = with(with(closed_, "candle1m", each.channel), "1795748400000", each.open);
    const Parsed parsed = parse(frame);
    ASSERT_EQ(parsed.klines.size(), 1U) << each.interval << ": " << parsed.text;
    EXPECT_EQ(parsed.klines[0].interval, each.interval);
    EXPECT_EQ(parsed.klines[0].bar.close_time_ms, each.close_ms) << each.interval;
    EXPECT_TRUE(okx_spot().offers(*engine::Interval::parse(each.interval)));
    const std::int64_t open_ms = std::stoll(each.open);
    expect_refused(with(frame, each.open, std::to_string(open_ms + 1000)), "ts is not a boundary");
  }
  for (const char* name :
       {"candle-week-utc", "candle-month-utc", "candle-day-utc-closed", "candle-six-hours-utc"})
    EXPECT_EQ(parse_file(name).kind, FrameKind::klines) << name;
}

TEST_F(OkxFrame, BarsThatOpenInHongKongTimeAndOtherChannelsAreIgnored) {
  EXPECT_EQ(parse_file("candle-hong-kong-day").kind, FrameKind::ignored);
  for (const char* channel : {"candle6H", "candle2Dutc", "candle3Dutc", "candle1s", "candle", "books",
                              "tickers", "trades-all", "mark-price-candle1m", ""})
    EXPECT_EQ(parse(with(closed_, "candle1m", channel)).kind, FrameKind::ignored) << channel;
  EXPECT_EQ(parse(closed_).kind, FrameKind::klines) << "the channel is found again";
  EXPECT_EQ(parse(R"({"code":"0","msg":"","data":[]})").kind, FrameKind::ignored);
  EXPECT_EQ(parse(R"({"table":"spot/trade","data":[{"price":"1"}]})").kind, FrameKind::ignored);
  for (const char* text : {"{}", "17", "null", "[1]", "[[\"1\"]]", R"({"arg":7,"data":[]})"})
    EXPECT_EQ(parse(text).kind, FrameKind::ignored) << text;
}

TEST_F(OkxFrame, AnyOrderOfFieldsGivesTheSameBar) {
  const Parsed shuffled =
      parse(R"({"data":[["1795748400000","91238.4","91252.7","91230.1","91240","12.83455","1","1","1"]],)"
            R"("arg":{"instId":"BTC-USDT","new":[1],"channel":"candle1m"},"more":{"a":[]}})");
  ASSERT_EQ(shuffled.klines.size(), 1U) << shuffled.text;
  EXPECT_EQ(shuffled.klines[0].bar, parse(closed_).klines[0].bar);
  std::string spaced;
  for (const char c : closed_) {
    spaced += c;
    if (c == ',' || c == ':' || c == '{' || c == '[') spaced += " \n\t";
  }
  EXPECT_EQ(parse(spaced).klines.size(), 1U);
}

TEST_F(OkxFrame, EscapedAndUnicodeSymbolsAreRead) {
  const Parsed parsed = parse(with(closed_, "BTC-USDT", "\\u5e01\u5b89-USDT"));
  ASSERT_EQ(parsed.klines.size(), 1U) << parsed.text;
  EXPECT_EQ(parsed.klines[0].symbol, "\u5e01\u5b89-USDT");
}

TEST_F(OkxFrame, CellsThatAreNotWhatTheyShouldBeAreRefused) {
  for (const char* price : {"\"\"", "\"nan\"", "\"-1\"", "\"+1\"", "\" 1\"", "\"1 \"", "\"1.2.3\"", "\".5\"",
                            "\"1e999\"", "91238.4", "null", "true", "[]", "{}"}) {
    expect_candle_refused("\"91238.4\"", price, "o is not a price");
  }
  expect_candle_refused("\"91252.7\"", "\"x\"", "h is not a price");
  expect_candle_refused("\"91230.1\"", "1", "l is not a price");
  expect_candle_refused("\"91240\"", "\"\"", "c is not a price");
  expect_candle_refused("\"12.83455\"", "\"-1\"", "vol is not a volume");
  for (const char* time : {"\"\"", "\"-60000\"", "\"now\"", "1795748400000", "\"1795748400000.0\"",
                           "\"1795748400000 \"", "\"9223372036854775808\"", "\"253402300800000\"", "null"}) {
    expect_candle_refused("\"1795748400000\"", time, "ts is not a time");
  }
  for (const char* confirm : {"\"2\"", "\"\"", "\"10\"", "1", "true", "null"})
    expect_candle_refused(",\"1\"]", std::string(",") + confirm + "]", "confirm is neither");
  expect_candle_refused(",\"1171036.729116\",\"1171036.729116\",\"1\"]", "]", "less than 7 columns");
  expect_refused(R"({"arg":{"channel":"candle1m","instId":"A"},"data":[[]]})", "less than 7 columns");
}

TEST_F(OkxFrame, BarsThatContradictThemselvesAreRefused) {
  expect_candle_refused("\"91238.4\"", "\"0\"", "low <= open");
  expect_candle_refused("\"91230.1\"", "\"0\"", "0 < low");
  expect_candle_refused("\"91252.7\"", "\"91239\"", "close <= high");
  EXPECT_EQ(parse(with(closed_, "\"12.83455\"", "\"0\"")).kind, FrameKind::klines);
}

TEST_F(OkxFrame, AFrameIsTakenAsAWholeOrNotAtAll) {
  const std::string two = frame_text("okx/2026-11-27-candle-closed-and-next.json");
  expect_refused(with(two, "1795748400000", "1795748400001"), "ts is not a boundary");
  expect_refused(with(two, "\"0\"]", "\"?\"]"), "confirm is neither");
}

TEST_F(OkxFrame, FramesOfAnotherFormAreRefused) {
  expect_candle_refused("\"instId\":\"BTC-USDT\"", "\"instId\":\"\"", "instId is missing or empty");
  expect_candle_refused(",\"instId\":\"BTC-USDT\"", "", "instId is missing or empty");
  expect_candle_refused("\"instId\":\"BTC-USDT\"", "\"instId\":5", "instId is not a string");
  expect_candle_refused("\"instId\":", "\"instId\":\"A\",\"instId\":", "instId is there twice");
  expect_candle_refused("\"channel\":", "\"channel\":\"candle1m\",\"channel\":", "channel is there twice");
  expect_candle_refused("{\"arg\":", R"({"arg":{"channel":"candle1m","instId":"A"},"arg":)",
                        "arg is there twice");
  expect_candle_refused(",\"data\":", ",\"data\":[],\"data\":", "data is there twice");
  expect_candle_refused(",\"data\":", ",\"rows\":", "data is missing");
  expect_refused(R"({"arg":{"channel":"candle1m","instId":"A"},"data":{}})", "data is not an array");
  expect_refused(R"({"arg":{"channel":"candle1m","instId":"A"},"data":[]})", "not a list of candles");
  expect_refused(R"({"arg":{"channel":"candle1m","instId":"A"},"data":[7]})", "neither a candle nor a trade");
  expect_refused(with(trade_, "\"trades\"", "\"candle1m\""), "not a list of candles");
  expect_refused(with(closed_, "\"candle1m\"", "\"trades\""), "not a list of trades");
}

TEST_F(OkxFrame, TradesAreRead) {
  const Parsed parsed = parse(trade_);
  ASSERT_EQ(parsed.kind, FrameKind::trades) << parsed.text;
  ASSERT_EQ(parsed.trades.size(), 1U);
  const auto& trade = parsed.trades[0];
  EXPECT_EQ(trade.symbol, "BTC-USDT");
  EXPECT_EQ(trade.price, 91240.1);
  EXPECT_EQ(trade.quantity, 0.0214);
  EXPECT_EQ(trade.time_ms, 1795748412345);
  EXPECT_EQ(trade.event_time_ms, 0);

  EXPECT_EQ(parse_file("trade-swap").trades.at(0).quantity, 17.4) << "contracts, as in the candles";
  EXPECT_EQ(parse_file("trade-without-count").trades.at(0).price, 3010.44);
  const Parsed two = parse_file("trades-two-in-one");
  ASSERT_EQ(two.trades.size(), 2U);
  EXPECT_EQ(two.trades[0].price, 0.000018012);
  EXPECT_EQ(two.trades[1].quantity, 12000000);
}

TEST_F(OkxFrame, ARowOfSeveralTradesHasTheNumbersUpToTheLast) {
  const auto numbers = [this](const char* name) {
    const Parsed parsed = parse_file(name);
    EXPECT_FALSE(parsed.trades.empty()) << name << " " << parsed.text;
    return std::pair(parsed.trades.at(0).first_id, parsed.trades.at(0).last_id);
  };
  EXPECT_EQ(numbers("trade"), std::pair(905577312L, 905577312L));
  EXPECT_EQ(numbers("trade-of-several"), std::pair(905577313L, 905577315L));
  EXPECT_EQ(numbers("trade-swap"), std::pair(2901001L, 2901002L));
  EXPECT_EQ(numbers("trade-without-count"), std::pair(50110L, 50110L)) << "as before 2023";
  EXPECT_EQ(parse_file("trades-two-in-one").trades.at(1).first_id, 772);
  const Parsed sources = parse_file("trades-two-sources");  // 316 and 318 are of one, 317 of the other
  ASSERT_EQ(sources.trades.size(), 2U);
  EXPECT_EQ(sources.trades[0].first_id, 905577317L)
      << "what the row seems to say: TradeBars takes it for no more";
  EXPECT_EQ(sources.trades[1].first_id, 905577317L);
  EXPECT_EQ(parse(with(trade_, "\"count\":\"1\"", "\"count\":\"905577312\"")).trades.at(0).first_id, 1);
}

TEST_F(OkxFrame, TradesOfAnotherFormAreRefused) {
  for (const char* price : {"\"0\"", "\"-1\"", "\"\"", "\"nan\"", "91240.1", "null"})
    expect_trade_refused("\"91240.1\"", price, "px is not a price");
  for (const char* quantity : {"\"0\"", "\"-1\"", "\"\"", "0.0214"})
    expect_trade_refused("\"0.0214\"", quantity, "sz is not a quantity");
  for (const char* time : {"\"-1\"", "\"\"", "1795748412345", "\"253402300800000\""})
    expect_trade_refused("\"1795748412345\"", time, "ts is not a time");
  for (const char* number :
       {"\"0\"", "\"-1\"", "\"\"", "\"a1\"", "\"9223372036854775808\"", "905577312", "null"})
    expect_trade_refused("\"905577312\"", number, "tradeId is not a number above 0");
  for (const char* count : {"\"0\"", "\"-1\"", "\"\"", "\"1.5\"", "1"})
    expect_trade_refused("\"count\":\"1\"", std::string("\"count\":") + count,
                         "count is not a number above 0");
  expect_trade_refused("\"count\":\"1\"", "\"count\":\"905577313\"", "count is more than tradeId allows");
  expect_trade_refused("\"count\":\"1\"", "\"count\":\"1\",\"count\":\"1\"", "count is there twice");
  for (const auto& [piece, name] : {std::pair<std::string, std::string>{"\"px\":\"91240.1\",", "px"},
                                    {"\"tradeId\":\"905577312\",", "tradeId"},
                                    {"\"sz\":\"0.0214\",", "sz"},
                                    {"\"ts\":\"1795748412345\",", "ts"}}) {
    expect_trade_refused(piece, "", name + " is missing");
    expect_trade_refused(piece, piece + piece, name + " is there twice");
  }
  expect_trade_refused("{\"instId\":\"BTC-USDT\"", "{\"instId\":\"ETH-USDT\"", "not that of arg");
  expect_trade_refused("{\"instId\":\"BTC-USDT\",", "{", "not that of arg");
  expect_trade_refused("{\"instId\":\"BTC-USDT\"", "{\"instId\":7", "instId is not a string");
  expect_trade_refused("{\"instId\":\"BTC-USDT\"", "{\"instId\":\"A\",\"instId\":\"BTC-USDT\"",
                       "instId is there twice");
  const std::string two = frame_text("okx/2026-11-27-trades-two-in-one.json");
  expect_refused(with(two, "\"px\":\"0.000018013\"", "\"px\":\"0\""), "px is not a price");
}

TEST_F(OkxFrame, AcksNameTheirStream) {
  const Parsed candle = parse_file("ack-candle");
  EXPECT_EQ(candle.kind, FrameKind::ack);
  EXPECT_EQ(candle.request_id, 7);
  EXPECT_EQ(candle.answered_symbol, "BTC-USDT");
  EXPECT_EQ(candle.answered_interval, "1m");
  const Parsed without_id = parse_file("ack-without-id");
  EXPECT_EQ(without_id.kind, FrameKind::ack);
  EXPECT_EQ(without_id.request_id, 0);
  EXPECT_EQ(without_id.answered_symbol, "BTC-USDT-SWAP");
  EXPECT_EQ(without_id.answered_interval, "12h");
  const Parsed trades = parse_file("ack-trades");
  EXPECT_EQ(trades.kind, FrameKind::ack);
  EXPECT_EQ(trades.answered_symbol, "ETH-USDT");
  EXPECT_EQ(trades.answered_interval, "");
  EXPECT_EQ(parse_file("ack-unsubscribe").kind, FrameKind::ack);
  EXPECT_EQ(parse(R"({"event":"subscribe","arg":{"channel":"tickers","instId":"A"}})").kind,
            FrameKind::ignored);
  for (const char* frame :
       {R"({"event":"subscribe"})", R"({"event":"subscribe","arg":{"channel":"trades"}})",
        R"({"event":"subscribe","arg":{"channel":1,"instId":"A"}})", R"({"event":"unsubscribe","arg":[]})"})
    expect_refused(frame, "an answer without channel and instId");
}

TEST_F(OkxFrame, RefusalsNameTheirStreamWhereTheMessageDoes) {
  const Parsed named = parse_file("refusal-named");
  EXPECT_EQ(named.kind, FrameKind::refusal);
  EXPECT_EQ(named.request_id, 10);
  EXPECT_EQ(named.answered_symbol, "FOO-BAR");
  EXPECT_EQ(named.answered_interval, "1m");
  EXPECT_THAT(named.text,
              HasSubstr("code 60018: Wrong URL or channel:candle1m,instId:FOO-BAR doesn't exist."));
  const Parsed trades = parse_file("refusal-named-trades");
  EXPECT_EQ(trades.answered_symbol, "FOO-BAR-SWAP");
  EXPECT_EQ(trades.answered_interval, "");
  const Parsed all = parse_file("refusal-of-all");
  EXPECT_EQ(all.kind, FrameKind::refusal);
  EXPECT_EQ(all.request_id, 11);
  EXPECT_EQ(all.answered_symbol, "");
  const Parsed often = parse_file("refusal-too-often");
  EXPECT_EQ(often.text, "code 60014: Requests too frequent");
  EXPECT_EQ(often.answered_symbol, "");
  const Parsed other =
      parse(R"({"event":"error","code":"60018","msg":"channel:candle1D,instId:A doesn't exist"})");
  EXPECT_EQ(other.kind, FrameKind::refusal);
  EXPECT_EQ(other.answered_symbol, "") << "no channel of ours";
  const Parsed last = parse(R"({"event":"error","code":"60018","msg":"channel:trades,instId:A"})");
  EXPECT_EQ(last.answered_symbol, "A");
  for (const char* frame : {R"({"event":"error"})", R"({"event":"error","code":60018,"msg":"x"})",
                            R"({"event":"error","code":"60018"})", R"({"event":"notice","msg":"x"})"})
    expect_refused(frame, "an event without code and msg");
  const Parsed endless = parse(R"({"event":"error","code":"1","msg":")" + std::string(5000, 'x') + "\"}");
  EXPECT_LT(endless.text.size(), 300U);
}

TEST_F(OkxFrame, NoticesAndPongsAreTold) {
  EXPECT_EQ(parse_file("notice-upgrade").kind, FrameKind::closing);
  EXPECT_EQ(parse_file("notice-other").kind, FrameKind::ignored);
  EXPECT_EQ(parse_file("connection-count").kind, FrameKind::ignored);
  EXPECT_EQ(parse_file("pong").kind, FrameKind::pong);
  EXPECT_EQ(parse("pong ").kind, FrameKind::malformed);
  EXPECT_EQ(parse("\"pong\"").kind, FrameKind::ignored);
}

TEST_F(OkxFrame, EveryPrefixIsRefused) {
  for (const char* name : {"candle-closed", "candle-closed-and-next", "trades-two-in-one", "ack-candle",
                           "refusal-named", "notice-upgrade", "pong"}) {
    const std::string frame = frame_text(std::string("okx/2026-11-27-") + name + ".json");
    for (std::size_t length = 0; length < frame.size(); ++length) {
      const Parsed parsed = parse(std::string_view(frame).substr(0, length));
      EXPECT_EQ(parsed.kind, FrameKind::malformed) << frame.substr(0, length);
      EXPECT_FALSE(parsed.text.empty());
      EXPECT_TRUE(parsed.klines.empty() && parsed.trades.empty());
    }
    EXPECT_EQ(parse(frame + "}").kind, FrameKind::malformed);
    EXPECT_EQ(parse(frame + frame).kind, FrameKind::malformed);
  }
}

TEST_F(OkxFrame, EveryBitFlipGivesValidBarsAndTradesOrNone) {
  for (const std::string& sound : {closed_, trade_}) {
    for (std::size_t bit = 0; bit < sound.size() * 8; ++bit) {
      std::string frame = sound;
      frame[bit / 8] = static_cast<char>(static_cast<unsigned char>(frame[bit / 8]) ^ (1U << (bit % 8)));
      const Parsed parsed = parse(frame);
      EXPECT_EQ(parsed.klines.size(), parsed.kind == FrameKind::klines ? 1U : 0U);
      EXPECT_EQ(parsed.trades.size(), parsed.kind == FrameKind::trades ? 1U : 0U);
      for (const auto& row : parsed.klines) {
        EXPECT_TRUE(engine::is_valid(row.bar)) << frame;
        EXPECT_TRUE(engine::Interval::parse(row.interval)->is_boundary(row.bar.open_time_ms)) << frame;
      }
    }
  }
  EXPECT_EQ(parse(closed_).kind, FrameKind::klines) << "the parser is unharmed";
}

TEST_F(OkxFrame, DeepLongAndForeignBytesAreRefused) {
  for (const std::size_t depth : {100U, 2'000U, 1'000'000U}) {
    const Parsed arrays = parse(std::string(depth, '[') + std::string(depth, ']'));
    EXPECT_EQ(arrays.kind, depth < 1000 ? FrameKind::ignored : FrameKind::malformed) << depth;
    std::string objects;
    for (std::size_t i = 0; i < depth; ++i) objects += "{\"data\":";
    EXPECT_EQ(parse(objects).kind, FrameKind::malformed) << depth;
  }
  expect_refused("{\"a\":\"" + std::string(5U << 20, 'x') + "\"}", "longer than 4 MiB");
  expect_candle_refused("BTC-USDT", "BTC\xff\xfe", "");
  expect_refused(std::string("\0\0\0\0", 4), "");
  EXPECT_EQ(parse(closed_).kind, FrameKind::klines);
}

}  // namespace
}  // namespace atcd::feeds
