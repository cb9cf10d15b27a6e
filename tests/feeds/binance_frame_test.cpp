#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>

#include "feeds/binance.hpp"
#include "tests/feeds/frame_reader.hpp"

namespace atcd::feeds {
namespace {

using testing::frame_text;
using ::testing::HasSubstr;
using testing::Parsed;

class BinanceFrame : public ::testing::Test {
 protected:
  Parsed parse(std::string_view frame) { return testing::parse_frame(*parser_, frame); }

  /// The closed frame with one piece replaced.
  Parsed parse_with(const std::string& piece, const std::string& other) {
    std::string frame = closed_;
    const auto at = frame.find(piece);
    EXPECT_NE(at, std::string::npos) << piece;
    frame.replace(at, piece.size(), other);
    return parse(frame);
  }

  void expect_refused(const std::string& piece, const std::string& other, const std::string& reason) {
    const Parsed parsed = parse_with(piece, other);
    EXPECT_EQ(parsed.kind, FrameKind::malformed) << other;
    EXPECT_THAT(parsed.text, HasSubstr(reason)) << other;
    EXPECT_TRUE(parsed.klines.empty());
  }

  std::unique_ptr<FrameParser> parser_ = binance_spot().new_parser();
  const std::string closed_ = frame_text("binance/2026-11-23-spot-kline-closed.json");
};

TEST_F(BinanceFrame, ClosedKlineBecomesABar) {
  const Parsed parsed = parse(closed_);
  ASSERT_EQ(parsed.kind, FrameKind::klines) << parsed.text;
  ASSERT_EQ(parsed.klines.size(), 1U);
  const auto& row = parsed.klines[0];
  EXPECT_EQ(row.symbol, "BTCUSDT");
  EXPECT_EQ(row.interval, "1m");
  EXPECT_EQ(row.event_time_ms, 1795477260071);
  EXPECT_TRUE(row.closed);
  const engine::Bar expected{1795477200000, 1795477260000, 91238.41, 91252.70, 91230.15, 91240.0, 12.83455};
  EXPECT_EQ(row.bar, expected);
}

TEST_F(BinanceFrame, FormingKlineIsNotClosed) {
  const Parsed parsed = parse(frame_text("binance/2026-11-23-spot-kline-forming.json"));
  ASSERT_EQ(parsed.klines.size(), 1U) << parsed.text;
  EXPECT_FALSE(parsed.klines[0].closed);
}

TEST_F(BinanceFrame, RawFrameAndQuietBarAreTaken) {
  const Parsed parsed = parse(frame_text("binance/2026-11-23-usdm-kline-closed-raw.json"));
  ASSERT_EQ(parsed.klines.size(), 1U) << parsed.text;
  EXPECT_EQ(parsed.klines[0].interval, "15m");
  EXPECT_EQ(parsed.klines[0].bar.close_time_ms - parsed.klines[0].bar.open_time_ms, 900'000);
  EXPECT_EQ(parsed.klines[0].bar.volume, 0);
}

TEST_F(BinanceFrame, AnyOrderOfFieldsGivesTheSameBar) {
  const Parsed documented = parse(closed_);
  const Parsed shuffled = parse(
      R"({"data":{"k":{"B":"0","x":true,"v":"12.83455000","i":"1m","l":"91230.15000000","h":"91252.70000000",)"
      R"("c":"91240.00000000","o":"91238.41000000","s":"BTCUSDT","T":1795477259999,"t":1795477200000},)"
      R"("s":"BTCUSDT","E":1795477260071,"e":"kline"},"stream":"btcusdt@kline_1m"})");
  ASSERT_EQ(shuffled.klines.size(), 1U) << shuffled.text;
  EXPECT_EQ(shuffled.klines[0].bar, documented.klines[0].bar);
  EXPECT_EQ(shuffled.klines[0].event_time_ms, documented.klines[0].event_time_ms);
}

TEST_F(BinanceFrame, WhitespaceIsAllowed) {
  std::string spaced;
  for (const char c : closed_) {
    spaced += c;
    if (c == ',' || c == ':' || c == '{') spaced += " \n\t";
  }
  EXPECT_EQ(parse(spaced).klines.size(), 1U);
}

TEST_F(BinanceFrame, EscapedAndUnicodeSymbolsAreRead) {
  std::string frame = closed_;
  for (auto at = frame.find("\"BTCUSDT\""); at != std::string::npos; at = frame.find("\"BTCUSDT\""))
    frame.replace(at, 9, "\"\\u5e01\u5b89USDT\"");
  const Parsed parsed = parse(frame);
  ASSERT_EQ(parsed.klines.size(), 1U) << parsed.text;
  EXPECT_EQ(parsed.klines[0].symbol, "\u5e01\u5b89USDT");
}

TEST_F(BinanceFrame, EveryOfferedIntervalHasItsBoundaries) {
  // Interval, open time, last millisecond: 2026-11-23 is a Monday.
  struct Case {
    const char *interval, *open, *last;
  };
  constexpr std::array<Case, 9> kCases = {{{"1s", "1795477201000", "1795477201999"},
                                           {"5m", "1795477200000", "1795477499999"},
                                           {"1h", "1795474800000", "1795478399999"},
                                           {"12h", "1795435200000", "1795478399999"},
                                           {"1d", "1795392000000", "1795478399999"},
                                           {"3d", "1795219200000", "1795478399999"},
                                           {"1w", "1795392000000", "1795996799999"},
                                           {"1M", "1793491200000", "1796083199999"},
                                           {"8h", "1795449600000", "1795478399999"}}};
  for (const Case& each : kCases) {
    std::string frame = closed_;
    frame.replace(frame.find("\"i\":\"1m\""), 8, std::string("\"i\":\"") + each.interval + '"');
    frame.replace(frame.find("1795477200000"), 13, each.open);
    frame.replace(frame.find("1795477259999"), 13, each.last);
    frame.replace(frame.find("1795477260071"), 13, each.last);  // told at its end
    const Parsed parsed = parse(frame);
    ASSERT_EQ(parsed.klines.size(), 1U) << each.interval << ": " << parsed.text;
    const auto interval = engine::Interval::parse(each.interval);
    EXPECT_TRUE(interval->is_boundary(parsed.klines[0].bar.open_time_ms)) << each.interval;
    EXPECT_EQ(interval->close_time_ms(parsed.klines[0].bar.open_time_ms), parsed.klines[0].bar.close_time_ms);
  }
}

TEST_F(BinanceFrame, TimesOffTheGridAreRefused) {
  expect_refused("1795477200000", "1795477200001", "k.t is not a boundary");
  expect_refused("1795477259999", "1795477259998", "k.T is not the last millisecond");
  expect_refused("1795477259999", "1795477319999", "k.T is not the last millisecond");
  expect_refused("1795477200000", "-60000", "k.t is not a time");
  expect_refused("1795477200000", "9223372036854775807", "k.t is not a time");
  expect_refused("1795477259999", "9223372036854775807", "k.T is not a time");
  expect_refused("\"i\":\"1m\"", "\"i\":\"1M\"", "k.t is not a boundary");
}

TEST_F(BinanceFrame, WhatTheEventsOwnTimeContradictsIsRefused) {
  expect_refused("\"E\":1795477260071", "\"E\":1795477199998", "x is true more than a minute before k.T");
  EXPECT_EQ(parse_with("\"E\":1795477260071", "\"E\":1795477199999").kind, FrameKind::klines);
  std::string forming = closed_;
  forming.replace(forming.find("\"E\":1795477260071"), 17, "\"E\":1795477199998");
  forming.replace(forming.find("\"x\":true"), 8, "\"x\":false");
  EXPECT_EQ(parse(forming).kind, FrameKind::klines) << "it ends when it ends";
  for (const char* none : {"-1", "253402300800000", "9223372036854775807", "-9223372036854775808"})
    expect_refused("\"E\":1795477260071", std::string("\"E\":") + none, "E is not a time");
}

TEST_F(BinanceFrame, UnknownIntervalsAreRefused) {
  expect_refused("\"i\":\"1m\"", "\"i\":\"2m\"", "not an interval");
  expect_refused("\"i\":\"1m\"", "\"i\":\"\"", "not an interval");
}

TEST_F(BinanceFrame, PricesThatAreNotPricesAreRefused) {
  for (const char* price :
       {"\"\"", "\"nan\"", "\"inf\"", "\"-1\"", "\"+1\"", "\" 1\"", "\"1 \"", "\"1.2.3\"", "\"1x\"",
        "\"0x10\"", "\".5\"", "\"1e\"", "\"1e999\"", "\"1e-999\"", "91238.41", "null", "true", "[]", "{}"}) {
    expect_refused("\"91238.41000000\"", price, "k.o is not a price");
  }
}

TEST_F(BinanceFrame, BarsThatContradictThemselvesAreRefused) {
  expect_refused("\"91238.41000000\"", "\"0.00000000\"", "low <= open");
  expect_refused("\"91230.15000000\"", "\"0.00000000\"", "0 < low");
  expect_refused("\"91252.70000000\"", "\"91239.00000000\"", "close <= high");
  EXPECT_EQ(parse_with("\"12.83455000\"", "\"0\"").kind, FrameKind::klines);
}

TEST_F(BinanceFrame, WrongTypesAreRefused) {
  expect_refused("\"t\":1795477200000", "\"t\":\"1795477200000\"", "k.t is not a whole number");
  expect_refused("\"t\":1795477200000", "\"t\":1795477200000.5", "k.t is not a whole number");
  expect_refused("\"t\":1795477200000", "\"t\":1.7954772e12", "k.t is not a whole number");
  expect_refused("\"t\":1795477200000", "\"t\":null", "k.t is not a whole number");
  expect_refused("\"E\":1795477260071", "\"E\":\"now\"", "E is not a whole number");
  expect_refused("\"x\":true", "\"x\":1", "k.x is neither true nor false");
  expect_refused("\"x\":true", "\"x\":\"true\"", "k.x is neither true nor false");
  expect_refused("\"i\":\"1m\"", "\"i\":1", "k.i is not a string");
  expect_refused("\"s\":\"BTCUSDT\",\"i\"", "\"s\":[\"BTCUSDT\"],\"i\"", "k.s is not a string");
  expect_refused("\"s\":\"BTCUSDT\",\"i\"", "\"s\":\"\",\"i\"", "k.s is empty");
  expect_refused("\"s\":\"BTCUSDT\",\"i\"", "\"s\":\"ETHUSDT\",\"i\"", "s and k.s differ");
  const Parsed parsed = parse(R"({"e":"kline","E":1,"s":"BTCUSDT","k":[1,2,3]})");
  EXPECT_EQ(parsed.kind, FrameKind::malformed);
  EXPECT_EQ(parsed.text, "k is not an object");
}

TEST_F(BinanceFrame, NumbersBeyondTheRangeAreRefused) {
  for (const char* number : {"99999999999999999999", "-99999999999999999999", "1e400",
                             "999999999999999999999999999999999999999999999999999999999999999999999999"}) {
    const Parsed parsed = parse_with("\"t\":1795477200000", std::string("\"t\":") + number);
    EXPECT_EQ(parsed.kind, FrameKind::malformed) << number;
  }
  EXPECT_EQ(parse_with("\"91252.70000000\"", "\"" + std::string(400, '9') + "\"").kind, FrameKind::malformed);
}

TEST_F(BinanceFrame, LongDecimalsAreRoundedOnceToTheNearest) {
  const Parsed parsed =
      parse_with("\"91238.41000000\"", "\"91238.4100000000000000000000000000000000000001\"");
  ASSERT_EQ(parsed.klines.size(), 1U) << parsed.text;
  EXPECT_EQ(parsed.klines[0].bar.open, 91238.41);
}

TEST_F(BinanceFrame, MissingAndRepeatedFieldsAreRefused) {
  for (const auto& [piece, name] : {std::pair<std::string, std::string>{"\"t\":1795477200000,", "k.t"},
                                    {"\"T\":1795477259999,", "k.T"},
                                    {"\"i\":\"1m\",", "k.i"},
                                    {"\"x\":true,", "k.x"},
                                    {"\"v\":\"12.83455000\",", "k.v"},
                                    {"\"o\":\"91238.41000000\",", "k.o"},
                                    {"\"E\":1795477260071,", "E"}}) {
    expect_refused(piece, "", name + " is missing");
    expect_refused(piece, piece + piece, name + " is there twice");
  }
  expect_refused("\"e\":\"kline\",", "\"e\":\"kline\",\"e\":\"kline\",", "e is there twice");
  expect_refused("\"t\":", "\"\\u0074\":", "k.t is missing");  // an escaped name is another name
  EXPECT_EQ(parse_with("\"e\":\"kline\",", "").kind, FrameKind::ignored);
}

TEST_F(BinanceFrame, OtherEventsAreIgnored) {
  EXPECT_EQ(parse(R"({"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","p":"1"}})").kind,
            FrameKind::ignored);
  EXPECT_EQ(parse(R"({"stream":"!miniTicker@arr","data":[{"e":"24hrMiniTicker"}]})").kind,
            FrameKind::ignored);
  EXPECT_EQ(parse(R"([{"e":"24hrMiniTicker"}])").kind, FrameKind::ignored);
  EXPECT_EQ(parse(R"({"e":"continuous_kline","ps":"BTCUSDT","k":{"t":"odd"}})").kind, FrameKind::ignored);
  EXPECT_EQ(parse("{}").kind, FrameKind::ignored);
  EXPECT_EQ(parse("17").kind, FrameKind::ignored);
  EXPECT_EQ(parse("null").kind, FrameKind::ignored);
}

TEST_F(BinanceFrame, AnswersAreTold) {
  const Parsed ack = parse(frame_text("binance/2026-11-23-ack.json"));
  EXPECT_EQ(ack.kind, FrameKind::ack);
  EXPECT_EQ(ack.request_id, 7);
  const Parsed refusal = parse(frame_text("binance/2026-11-23-refusal.json"));
  EXPECT_EQ(refusal.kind, FrameKind::refusal);
  EXPECT_EQ(refusal.request_id, 8);
  EXPECT_EQ(refusal.text, "code 2: Invalid request: invalid stream");
  EXPECT_EQ(parse(R"({"code":2,"msg":"no","id":9})").request_id, 9);
  const Parsed anonymous = parse(frame_text("binance/2026-11-23-refusal-without-id.json"));
  EXPECT_EQ(anonymous.kind, FrameKind::refusal);
  EXPECT_EQ(anonymous.request_id, 0);
  EXPECT_EQ(parse(R"({"error":{"code":1,"msg":"x"},"id":null})").kind, FrameKind::refusal);
  EXPECT_EQ(parse(R"({"result":["btcusdt@kline_1m"],"id":3})").kind, FrameKind::ack);
  EXPECT_EQ(parse(R"({"result":null,"id":"seven"})").kind, FrameKind::malformed);
  EXPECT_EQ(parse(R"({"result":null,"id":1e300})").kind, FrameKind::malformed);
  EXPECT_EQ(parse(R"({"result":null})").kind, FrameKind::malformed);
  EXPECT_EQ(parse(R"({"error":{},"id":1})").kind, FrameKind::malformed);
}

TEST_F(BinanceFrame, AnnouncedShutdownIsTold) {
  EXPECT_EQ(parse(frame_text("binance/2026-11-23-server-shutdown.json")).kind, FrameKind::closing);
  EXPECT_EQ(parse(R"({"stream":"x","data":{"e":"serverShutdown","E":1}})").kind, FrameKind::closing);
}

TEST_F(BinanceFrame, EveryPrefixIsRefused) {
  for (const char* name : {"binance/2026-11-23-spot-kline-closed.json",
                           "binance/2026-11-23-usdm-kline-closed-raw.json", "binance/2026-11-23-ack.json"}) {
    const std::string frame = frame_text(name);
    for (std::size_t length = 0; length < frame.size(); ++length) {
      const Parsed parsed = parse(std::string_view(frame).substr(0, length));
      EXPECT_EQ(parsed.kind, FrameKind::malformed) << frame.substr(0, length);
      EXPECT_FALSE(parsed.text.empty());
      EXPECT_TRUE(parsed.klines.empty());
    }
    EXPECT_EQ(parse(frame + "}").kind, FrameKind::malformed);
    EXPECT_EQ(parse(frame + frame).kind, FrameKind::malformed);
  }
}

TEST_F(BinanceFrame, EveryBitFlipGivesAValidBarOrNone) {
  for (std::size_t bit = 0; bit < closed_.size() * 8; ++bit) {
    std::string frame = closed_;
    frame[bit / 8] = static_cast<char>(static_cast<unsigned char>(frame[bit / 8]) ^ (1U << (bit % 8)));
    const Parsed parsed = parse(frame);
    EXPECT_EQ(parsed.klines.size(), parsed.kind == FrameKind::klines ? 1U : 0U);
    for (const auto& row : parsed.klines) {
      EXPECT_TRUE(engine::is_valid(row.bar)) << frame;
      EXPECT_TRUE(engine::Interval::parse(row.interval)->is_boundary(row.bar.open_time_ms)) << frame;
    }
  }
  EXPECT_EQ(parse(closed_).kind, FrameKind::klines) << "the parser is unharmed";
}

TEST_F(BinanceFrame, DeepNestingIsRefused) {
  for (const std::size_t depth : {100U, 2'000U, 1'000'000U}) {
    const Parsed arrays = parse(std::string(depth, '[') + std::string(depth, ']'));
    EXPECT_EQ(arrays.kind, depth < 1000 ? FrameKind::ignored : FrameKind::malformed) << depth;
    std::string objects;
    for (std::size_t i = 0; i < depth; ++i) objects += "{\"data\":";
    EXPECT_EQ(parse(objects).kind, FrameKind::malformed) << depth;
  }
}

TEST_F(BinanceFrame, FramesBeyondTheSizeLimitAreRefused) {
  const Parsed parsed = parse("{\"a\":\"" + std::string(5U << 20, 'x') + "\"}");
  EXPECT_EQ(parsed.kind, FrameKind::malformed);
  EXPECT_EQ(parsed.text, "longer than 4 MiB");
  EXPECT_EQ(parse(closed_).kind, FrameKind::klines);
}

TEST_F(BinanceFrame, BytesThatAreNotUtf8AreRefused) {
  expect_refused("BTCUSDT\",\"i\"", "BTC\xff\xfeUSDT\",\"i\"", "");
  EXPECT_EQ(parse(std::string("\0\0\0\0", 4)).kind, FrameKind::malformed);
}

}  // namespace
}  // namespace atcd::feeds
