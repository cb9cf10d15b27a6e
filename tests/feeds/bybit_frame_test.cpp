#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>

#include "feeds/bybit.hpp"
#include "tests/feeds/frame_reader.hpp"

namespace atcd::feeds {
namespace {

using ::testing::HasSubstr;
using testing::Parsed;

constexpr std::int64_t kMinuteMs = 60'000, kDayMs = 86'400'000;
constexpr std::int64_t kFridayMs = 1'795'737'600'000;  // 2026-11-27
constexpr std::int64_t kMondayMs = 1'795'392'000'000;  // 2026-11-23

std::string frame_text(const std::string& name) {
  return testing::frame_text("bybit/2026-11-27-" + name + ".json");
}

std::string replaced(std::string text, const std::string& piece, const std::string& other) {
  const auto at = text.find(piece);
  EXPECT_NE(at, std::string::npos) << piece;
  return at == std::string::npos ? text : text.replace(at, piece.size(), other);
}

class BybitFrame : public ::testing::Test {
 protected:
  Parsed parse(std::string_view frame) { return testing::parse_frame(*parser_, frame); }
  Parsed parse_file(const std::string& name) { return parse(frame_text(name)); }

  void expect_refused(const std::string& frame, const std::string& piece, const std::string& other,
                      const std::string& reason) {
    const Parsed parsed = parse(replaced(frame, piece, other));
    EXPECT_EQ(parsed.kind, FrameKind::malformed) << other;
    EXPECT_THAT(parsed.text, HasSubstr(reason)) << other;
    EXPECT_TRUE(parsed.klines.empty() && parsed.trades.empty()) << other;
  }
  void expect_kline_refused(const std::string& piece, const std::string& other, const std::string& reason) {
    expect_refused(forming_, piece, other, reason);
  }
  void expect_trade_refused(const std::string& piece, const std::string& other, const std::string& reason) {
    expect_refused(trade_, piece, other, reason);
  }

  std::unique_ptr<FrameParser> parser_ = bybit_linear().new_parser();
  const std::string forming_ = frame_text("linear-kline-forming");
  const std::string trade_ = frame_text("linear-trade");
};

TEST_F(BybitFrame, AClosedAndANewBarInOneFrameComeInTheirOrder) {
  const Parsed parsed = parse_file("linear-kline-closed-and-new");
  ASSERT_EQ(parsed.kind, FrameKind::klines) << parsed.text;
  ASSERT_EQ(parsed.klines.size(), 2U);
  const auto& closed = parsed.klines[0];
  EXPECT_EQ(closed.symbol, "BTCUSDT");
  EXPECT_EQ(closed.interval, "1m");
  EXPECT_EQ(closed.event_time_ms, kFridayMs + kMinuteMs + 412);
  EXPECT_TRUE(closed.closed);
  const engine::Bar expected{kFridayMs, kFridayMs + kMinuteMs, 91210.4, 91230.5, 91201, 91218, 12.482};
  EXPECT_EQ(closed.bar, expected);
  EXPECT_FALSE(parsed.klines[1].closed);
  EXPECT_EQ(parsed.klines[1].bar.open_time_ms, kFridayMs + kMinuteMs);
}

TEST_F(BybitFrame, KlinesOfAllMarketsAndIntervalsAreRead) {
  struct Case {
    const char *file, *symbol, *interval;
    bool closed;
    std::int64_t open_ms, close_ms;
  };
  constexpr std::array<Case, 9> kCases = {
      {{"linear-kline-forming", "BTCUSDT", "1m", false, kFridayMs, kFridayMs + kMinuteMs},
       {"linear-kline-closed-1h", "1000PEPEUSDT", "1h", true, kFridayMs - 60 * kMinuteMs, kFridayMs},
       {"linear-kline-usdc-futures-15m", "BTC-25DEC26", "15m", true, kFridayMs - 15 * kMinuteMs, kFridayMs},
       {"linear-kline-forming-12h", "SOLUSDT", "12h", false, kFridayMs, kFridayMs + kDayMs / 2},
       {"spot-kline-closed", "ETHUSDT", "1m", true, kFridayMs, kFridayMs + kMinuteMs},
       {"spot-kline-forming", "ETHUSDT", "1m", false, kFridayMs + kMinuteMs, kFridayMs + 2 * kMinuteMs},
       {"spot-kline-closed-week", "BTCUSDT", "1w", true, kMondayMs, kMondayMs + 7 * kDayMs},
       {"spot-kline-forming-month", "BTCUSDT", "1M", false, 1'793'491'200'000, 1'796'083'200'000},
       {"inverse-kline-closed-day", "ETHUSD", "1d", true, kFridayMs - kDayMs, kFridayMs}}};
  for (const Case& each : kCases) {
    const Parsed parsed = parse_file(each.file);
    ASSERT_EQ(parsed.klines.size(), 1U) << each.file << ": " << parsed.text;
    const auto& row = parsed.klines[0];
    EXPECT_EQ(row.symbol, each.symbol) << each.file;
    EXPECT_EQ(row.interval, each.interval) << each.file;
    EXPECT_EQ(row.closed, each.closed) << each.file;
    EXPECT_EQ(row.bar.open_time_ms, each.open_ms) << each.file;
    EXPECT_EQ(row.bar.close_time_ms, each.close_ms) << each.file;
  }
  const Parsed inverse = parse_file("inverse-kline-closed-and-new");
  ASSERT_EQ(inverse.klines.size(), 2U) << inverse.text;
  EXPECT_EQ(inverse.klines[0].bar.volume, 1'204'377) << "contracts";
}

TEST_F(BybitFrame, EveryIntervalHasItsBoundaries) {
  for (const BybitInterval& known : kBybitIntervals) {
    EXPECT_EQ(engine::Interval::parse(known.ours), known.interval) << known.ours;
    const std::int64_t open_ms = known.interval.open_time_ms(known.interval.ordinal(kFridayMs + 12'345'678));
    const auto frame = [&](std::int64_t from_ms, std::int64_t to_ms) {
      std::string text =
          replaced(forming_, "kline.1.BTCUSDT", "kline." + std::string(known.theirs) + ".BTCUSDT");
      text = replaced(text, R"("interval":"1")", R"("interval":")" + std::string(known.theirs) + '"');
      text = replaced(text, "1795737600000", std::to_string(from_ms));
      return replaced(text, "1795737659999", std::to_string(to_ms - 1));
    };
    const std::int64_t close_ms = known.interval.close_time_ms(open_ms);
    const Parsed parsed = parse(frame(open_ms, close_ms));
    ASSERT_EQ(parsed.klines.size(), 1U) << known.theirs << ": " << parsed.text;
    EXPECT_EQ(parsed.klines[0].interval, known.ours);
    EXPECT_EQ(parsed.klines[0].bar.close_time_ms, close_ms);
    EXPECT_EQ(parse(frame(open_ms + 30'000, close_ms + 30'000)).text,
              "start is not a boundary of the interval");
    EXPECT_EQ(parse(frame(open_ms, close_ms - 1)).text, "end is not the last millisecond of the interval");
  }
  // A week that begins on Thursday, as counting from 1970 would have it.
  std::string thursday = frame_text("spot-kline-closed-week");
  thursday = replaced(thursday, "1795392000000", "1795651200000");
  thursday = replaced(thursday, "1795996799999", "1796255999999");
  EXPECT_EQ(parse(thursday).text, "start is not a boundary of the interval");
}

TEST_F(BybitFrame, AnyOrderOfFieldsGivesTheSameBar) {
  const Parsed shuffled =
      parse(R"({"data":[{"confirm":false,"volume":"5.114","low":"91201","high":"91219.8","close":"91207.3",)"
            R"("open":"91210.4","interval":"1","end":1795737659999,"start":1795737600000}],)"
            R"("ts":1795737621207,"topic":"kline.1.BTCUSDT"})");
  ASSERT_EQ(shuffled.klines.size(), 1U) << shuffled.text;
  EXPECT_EQ(shuffled.klines[0].bar, parse(forming_).klines[0].bar);
}

TEST_F(BybitFrame, WhitespaceIsAllowedAndEscapesAreRead) {
  std::string spaced;
  for (const char c : forming_) {
    spaced += c;
    if (c == ',' || c == ':' || c == '{' || c == '[') spaced += " \n\t";
  }
  EXPECT_EQ(parse(spaced).klines.size(), 1U);
  const Parsed escaped = parse(replaced(forming_, "kline.1.BTCUSDT", "kline.1.\\u5e01\\u5b89USDT"));
  ASSERT_EQ(escaped.klines.size(), 1U) << escaped.text;
  EXPECT_EQ(escaped.klines[0].symbol, "\u5e01\u5b89USDT");
}

TEST_F(BybitFrame, TopicsWithoutIntervalOrSymbolAreRefused) {
  for (const char* topic : {"kline.2.BTCUSDT", "kline.1m.BTCUSDT", "kline..BTCUSDT", "kline.1.", "kline.1",
                            "kline.", "kline.BTCUSDT"})
    expect_kline_refused("kline.1.BTCUSDT", topic, "topic has no interval that Bybit offers, or no symbol");
  expect_trade_refused("publicTrade.BTCUSDT", "publicTrade.", "topic has no symbol");
}

TEST_F(BybitFrame, TimesOffTheGridAreRefused) {
  expect_kline_refused("1795737600000", "1795737600001", "start is not a boundary");
  expect_kline_refused("1795737659999", "1795737660000", "end is not the last millisecond");
  expect_kline_refused("1795737659999", "1795737719999", "end is not the last millisecond");
  for (const char* time : {"-60000", "253402300800000", "9223372036854775807", "\"1795737600000\"",
                           "1795737600000.0", "1.7957376e12", "null", "[]"}) {
    expect_kline_refused("1795737600000", time, "start is not a time");
    expect_kline_refused("1795737659999", time, "end is not a time");
    expect_kline_refused("\"ts\":1795737621207", std::string("\"ts\":") + time, "ts is not a time");
    expect_trade_refused("\"T\":1795737601206", std::string("\"T\":") + time, "T is not a time");
    expect_trade_refused("\"ts\":1795737601207", std::string("\"ts\":") + time, "ts is not a time");
  }
  EXPECT_EQ(parse(replaced(forming_, "1795737600000", "99999999999999999999")).kind, FrameKind::malformed);
}

TEST_F(BybitFrame, ABarThatIsClosedInTheFutureIsRefused) {
  const std::string closed = frame_text("linear-kline-closed-and-new");
  const std::string told = "\"ts\":1795737660412";
  expect_refused(closed, told, "\"ts\":1795737599998", "confirm is true more than a minute before end");
  EXPECT_EQ(parse(replaced(closed, told, "\"ts\":1795737599999")).kind, FrameKind::klines);
}

TEST_F(BybitFrame, AnIntervalThatIsNotTheTopicsIsRefused) {
  expect_kline_refused(R"("interval":"1")", R"("interval":"3")", "interval is not that of the topic");
  expect_kline_refused(R"("interval":"1")", R"("interval":"")", "interval is not that of the topic");
  expect_kline_refused(R"("interval":"1")", R"("interval":1)", "interval is not a string");
}

TEST_F(BybitFrame, PricesThatAreNotPricesAreRefused) {
  for (const char* price :
       {"\"\"", "\"nan\"", "\"inf\"", "\"-1\"", "\"+1\"", "\" 1\"", "\"1 \"", "\"1.2.3\"", "\"1x\"",
        "\"0x10\"", "\".5\"", "\"1e\"", "\"1e999\"", "91210.4", "null", "true", "[]", "{}"}) {
    expect_kline_refused("\"91210.4\"", price, "open is not a price");
    expect_kline_refused("\"91207.3\"", price, "close is not a price");
    expect_kline_refused("\"91219.8\"", price, "high is not a price");
    expect_kline_refused("\"91201\"", price, "low is not a price");
    expect_kline_refused("\"5.114\"", price, "volume is not a volume");
    expect_trade_refused("\"0.015\"", price, "v is not a quantity");
    expect_trade_refused("\"91212.50\"", price, "p is not a price");
  }
}

TEST_F(BybitFrame, BarsAndTradesThatContradictThemselvesAreRefused) {
  expect_kline_refused("\"91210.4\"", "\"0\"", "low <= open");
  expect_kline_refused("\"91201\"", "\"0\"", "0 < low");
  expect_kline_refused("\"91219.8\"", "\"91209\"", "close <= high");
  EXPECT_EQ(parse(replaced(forming_, "\"5.114\"", "\"0\"")).kind, FrameKind::klines);
  expect_trade_refused("\"0.015\"", "\"0\"", "p or v is not above 0");
  expect_trade_refused("\"91212.50\"", "\"0\"", "p or v is not above 0");
  expect_trade_refused("\"s\":\"BTCUSDT\"", "\"s\":\"ETHUSDT\"", "s is not the symbol of the topic");
}

TEST_F(BybitFrame, WrongTypesAreRefused) {
  expect_kline_refused("\"confirm\":false", "\"confirm\":0", "confirm is neither true nor false");
  expect_kline_refused("\"confirm\":false", "\"confirm\":\"false\"", "confirm is neither true nor false");
  expect_trade_refused("\"s\":\"BTCUSDT\"", "\"s\":7", "s is not a string");
  expect_trade_refused("\"i\":\"0b7f8f6e-43d3-5d4e-9a70-3f1f2a0c5c11\"", "\"i\":7", "i is not a text");
  expect_trade_refused("\"i\":\"0b7f8f6e-43d3-5d4e-9a70-3f1f2a0c5c11\"", "\"i\":\"\"", "i is not a text");
  expect_trade_refused("\"BT\":false", "\"BT\":\"no\"", "BT is neither true nor false");
  expect_trade_refused("\"T\":1795737601206", "\"T\":1795737661208", "T is more than a minute after ts");
  for (const char* data : {"{}", "null", "\"x\"", "7"}) {
    const std::string frame = R"({"topic":"kline.1.A","ts":1,"data":)" + std::string(data) + "}";
    EXPECT_EQ(parse(frame).text, "data is not an array");
  }
  for (const char* topic : {"kline.1.A", "publicTrade.A"}) {
    const std::string start = R"({"topic":")" + std::string(topic) + R"(","ts":1,"data":[)";
    EXPECT_EQ(parse(start + "]}").text, "data is empty");
    EXPECT_EQ(parse(start + "[]]}").text, "data holds something other than an object");
    EXPECT_EQ(parse(start + "1]}").text, "data holds something other than an object");
  }
}

TEST_F(BybitFrame, OneBadElementRefusesAllOfTheFrame) {
  const std::string two = frame_text("linear-kline-closed-and-new");
  expect_refused(two, R"("open":"91218")", R"("open":"x")", "open is not a price");
  expect_refused(two, R"("low":"91218")", R"("low":"91219")", "low <= open");
  expect_refused(frame_text("linear-trades-several"), "\"3021.38\"", "\"0\"", "not above 0");
}

TEST_F(BybitFrame, MissingAndRepeatedFieldsAreRefused) {
  const auto check = [&](const std::string& frame, const std::string& piece, const std::string& name) {
    expect_refused(frame, piece, "", name + " is missing");
    expect_refused(frame, piece, piece + piece, name + " is there twice");
  };
  for (const auto& [piece, name] : {std::pair<std::string, std::string>{"\"start\":1795737600000,", "start"},
                                    {"\"end\":1795737659999,", "end"},
                                    {"\"interval\":\"1\",", "interval"},
                                    {"\"open\":\"91210.4\",", "open"},
                                    {"\"close\":\"91207.3\",", "close"},
                                    {"\"high\":\"91219.8\",", "high"},
                                    {"\"low\":\"91201\",", "low"},
                                    {"\"volume\":\"5.114\",", "volume"},
                                    {"\"confirm\":false,", "confirm"},
                                    {"\"ts\":1795737621207,", "ts"}})
    check(forming_, piece, name);
  for (const auto& [piece, name] : {std::pair<std::string, std::string>{"\"T\":1795737601206,", "T"},
                                    {"\"s\":\"BTCUSDT\",", "s"},
                                    {"\"v\":\"0.015\",", "v"},
                                    {"\"i\":\"0b7f8f6e-43d3-5d4e-9a70-3f1f2a0c5c11\",", "i"},
                                    {"\"BT\":false,", "BT"},
                                    {"\"p\":\"91212.50\",", "p"},
                                    {"\"ts\":1795737601207,", "ts"}})
    check(trade_, piece, name);
  const std::string topic = "\"topic\":\"kline.1.BTCUSDT\",";
  expect_kline_refused(topic, topic + topic, "topic is there twice");
  EXPECT_EQ(parse(R"({"topic":"kline.1.A","ts":1})").text, "data is missing");
  EXPECT_EQ(parse(R"({"topic":"kline.1.A","ts":1,"data":[],"data":[]})").text, "data is there twice");
  EXPECT_EQ(parse(replaced(forming_, topic, "")).kind, FrameKind::ignored);
}

TEST_F(BybitFrame, OtherFramesAreIgnored) {
  for (const char* file : {"linear-tickers", "linear-orderbook"})
    EXPECT_EQ(parse_file(file).kind, FrameKind::ignored) << file;
  for (const char* frame :
       {R"({"topic":"klineV2.1.BTCUSD","data":[{"start":1,"end":"x"}],"timestamp_e6":1})",
        R"({"topic":"trade.BTCUSD","data":[]})",
        R"({"success":true,"ret_msg":"","conn_id":"a","request":{"op":"subscribe","args":["trade.BTCUSD"]}})",
        R"({"success":true,"ret_msg":"","op":"auth","conn_id":"a"})", R"({"topic":7})", "[]", "{}", "17",
        "null"})
    EXPECT_EQ(parse(frame).kind, FrameKind::ignored) << frame;
}

TEST_F(BybitFrame, AcksAreTold) {
  for (const auto& [file, id] : {std::pair{"linear-ack", 7},
                                 {"spot-ack", 7},
                                 {"unsubscribe-ack", 9},
                                 {"ack-without-number", 0},
                                 {"linear-ack-empty-number", 0}}) {
    const Parsed parsed = parse_file(file);
    EXPECT_EQ(parsed.kind, FrameKind::ack) << file << ": " << parsed.text;
    EXPECT_EQ(parsed.request_id, id) << file;
    EXPECT_EQ(parsed.answered_symbol, "") << file;
  }
}

TEST_F(BybitFrame, RefusalsAreToldWithTheStreamTheyName) {
  const Parsed linear = parse_file("linear-refusal");
  EXPECT_EQ(linear.kind, FrameKind::refusal);
  EXPECT_EQ(linear.request_id, 8);
  EXPECT_EQ(linear.text, "error:handler not found,topic:kline.1.NOPEUSDT");
  EXPECT_EQ(linear.answered_symbol, "NOPEUSDT");
  EXPECT_EQ(linear.answered_interval, "1m");
  EXPECT_FALSE(linear.carried);
  const Parsed spot = parse_file("spot-refusal");
  EXPECT_EQ(spot.kind, FrameKind::refusal);
  EXPECT_EQ(spot.answered_symbol, "NOPEUSDT");
  EXPECT_EQ(spot.answered_interval, "1h");
  const Parsed carried = parse_file("linear-refusal-carried");
  EXPECT_TRUE(carried.carried);
  EXPECT_EQ(carried.answered_symbol, "ETHUSDT");
  EXPECT_EQ(carried.answered_interval, "") << "its trades";
  const Parsed many = parse_file("spot-refusal-too-many");
  EXPECT_EQ(many.kind, FrameKind::refusal);
  EXPECT_EQ(many.text, "args size >10");
  EXPECT_EQ(many.answered_symbol, "");
  const std::string long_text(5000, 'x');
  EXPECT_EQ(parse(replaced(frame_text("spot-refusal-too-many"), "args size >10", long_text)).text.size(),
            200U);
  const Parsed anonymous = parse_file("refusal-without-number");
  EXPECT_EQ(anonymous.kind, FrameKind::refusal);
  EXPECT_EQ(anonymous.request_id, 0);
}

TEST_F(BybitFrame, ARefusalThatNamesNoOneStreamIsForAllOfTheRequest) {
  const std::string frame = frame_text("spot-refusal");
  for (const char* named : {"kline.60.A,kline.60.B", "kline.60.A kline.60.B", "kline.7.A", "kline.60.",
                            "kline.60", "tickers.A", ""}) {
    const Parsed parsed = parse(replaced(frame, "kline.60.NOPEUSDT", named));
    EXPECT_EQ(parsed.kind, FrameKind::refusal) << named;
    EXPECT_EQ(parsed.request_id, 8) << named;
    EXPECT_EQ(parsed.answered_symbol, "") << named;
  }
  EXPECT_EQ(parse(replaced(frame, "\"subscribe\"", "\"unsubscribe\"")).answered_symbol, "");
}

TEST_F(BybitFrame, AnswersOfAnotherFormAreRefused) {
  const std::string ack = frame_text("linear-ack");
  for (const char* id : {"\"seven\"", "\"7x\"", "\"-7\"", "7", "\"99999999999999999999\"", "null"})
    expect_refused(ack, "\"7\"", id, "req_id is not a whole number");
  expect_refused(ack, "\"success\":true,", "", "does not tell success");
  expect_refused(ack, "true", "\"true\"", "does not tell success");
  expect_refused(frame_text("spot-refusal-too-many"), R"("ret_msg":"args size >10",)", "", "without ret_msg");
  expect_refused(frame_text("pong"), "true", "false", "a ping was refused");
}

TEST_F(BybitFrame, PongsOfAllFormsAreTold) {
  for (const char* file : {"pong", "pong-with-number", "pong-args"})
    EXPECT_EQ(parse_file(file).kind, FrameKind::pong) << file;
  EXPECT_EQ(parse(R"({"success":true,"ret_msg":"pong","conn_id":"a","op":"pong"})").kind, FrameKind::pong);
}

TEST_F(BybitFrame, EveryPrefixIsRefused) {
  for (const char* name : {"linear-kline-closed-and-new", "spot-kline-closed", "spot-trade", "linear-ack"}) {
    const std::string frame = frame_text(name);
    for (std::size_t length = 0; length < frame.size(); ++length) {
      const Parsed parsed = parse(std::string_view(frame).substr(0, length));
      EXPECT_EQ(parsed.kind, FrameKind::malformed) << frame.substr(0, length);
      EXPECT_TRUE(parsed.klines.empty() && parsed.trades.empty());
    }
    EXPECT_EQ(parse(frame + "}").kind, FrameKind::malformed);
    EXPECT_EQ(parse(frame + frame).kind, FrameKind::malformed);
  }
}

TEST_F(BybitFrame, EveryBitFlipGivesValidBarsAndTradesOrNone) {
  for (const char* name : {"linear-kline-closed-and-new", "linear-trades-several"}) {
    const std::string intact = frame_text(name);
    for (std::size_t bit = 0; bit < intact.size() * 8; ++bit) {
      std::string frame = intact;
      frame[bit / 8] = static_cast<char>(static_cast<unsigned char>(frame[bit / 8]) ^ (1U << (bit % 8)));
      const Parsed parsed = parse(frame);
      EXPECT_EQ(parsed.klines.empty(), parsed.kind != FrameKind::klines);
      EXPECT_EQ(parsed.trades.empty(), parsed.kind != FrameKind::trades);
      for (const auto& row : parsed.klines) {
        EXPECT_TRUE(engine::is_valid(row.bar)) << frame;
        EXPECT_TRUE(engine::Interval::parse(row.interval)->is_boundary(row.bar.open_time_ms)) << frame;
      }
      for (const auto& row : parsed.trades) EXPECT_TRUE(row.price > 0 && row.quantity > 0) << frame;
    }
    EXPECT_NE(parse(intact).kind, FrameKind::malformed) << "the parser is unharmed";
  }
}

TEST_F(BybitFrame, DeepLongAndUndecodableFramesAreRefused) {
  for (const std::size_t depth : {100U, 2'000U, 1'000'000U}) {
    const Parsed arrays = parse(std::string(depth, '[') + std::string(depth, ']'));
    EXPECT_EQ(arrays.kind, depth < 1000 ? FrameKind::ignored : FrameKind::malformed) << depth;
  }
  EXPECT_EQ(parse("{\"a\":\"" + std::string(5U << 20, 'x') + "\"}").text, "longer than 4 MiB");
  expect_kline_refused("BTCUSDT", "BTC\xff\xfeUSDT", "");
  EXPECT_EQ(parse(std::string("\0\0\0\0", 4)).kind, FrameKind::malformed);
  EXPECT_EQ(parse(forming_).kind, FrameKind::klines);
}

}  // namespace
}  // namespace atcd::feeds
