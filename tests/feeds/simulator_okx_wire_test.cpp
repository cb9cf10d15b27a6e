#include <gtest/gtest.h>

#include <memory>

#include "feeds/okx.hpp"
#include "feeds/simulator/market.hpp"
#include "feeds/simulator/okx_wire.hpp"
#include "tests/feeds/frame_reader.hpp"

namespace atcd::feeds::simulator {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kMondayMs = 1'795'392'000'000;  // 2026-11-23
constexpr std::int64_t kNowMs = kMondayMs + 10 * kMinuteMs + 25'000;

std::vector<MarketSymbol> pairs(const Wire& wire, std::size_t count) {
  std::vector<MarketSymbol> symbols = first_symbols(count);
  for (MarketSymbol& symbol : symbols) symbol.symbol = wire.native_name(symbol);
  return symbols;
}

class SimulatorOkxWire : public ::testing::Test {
 protected:
  RestAnswer get(const std::string& target, std::int64_t real_ms = 0) {
    return wire->get({target, market, kNowMs, real_ms});
  }
  std::string body(const std::string& query) { return get("/api/v5/market/candles?" + query).body; }

  std::unique_ptr<Wire> wire = new_okx_wire(0);
  Market market{pairs(*wire, 20), {1, 0}};
};

TEST_F(SimulatorOkxWire, writes_a_frame_as_okx_does) {
  MarketSymbol symbol = *make_symbol("BTCUSDT");
  symbol.symbol = wire->native_name(symbol);
  EXPECT_EQ(symbol.symbol, "BTC-USDT");
  const Kline kline{{kMondayMs, kMondayMs + kMinuteMs, 64000.5, 64010.25, 63999, 64001, 12.50390625},
                    800'000.125,
                    6.25,
                    400'000,
                    90,
                    1000};
  EXPECT_EQ(wire->frame({"candle1m:BTC-USDT-SWAP", symbol, "1m", kline, true, kNowMs}, 0),
            R"({"arg":{"channel":"candle1m","instId":"BTC-USDT-SWAP"},"data":[["1795392000000","64000.50",)"
            R"("64010.25","63999.00","64001.00","12.50390625","800000.12500000","800000.12500000","1"]]})");
}

TEST_F(SimulatorOkxWire, writes_frames_that_the_real_parser_reads_back_bit_for_bit) {
  const auto parser = new_okx_frame_parser();
  for (std::size_t i = 0; i < market.symbols().size(); ++i) {
    for (const OkxInterval& each : kOkxIntervals) {
      const auto rows = market.klines({i, each.interval, {}, kNowMs, 2, kNowMs});
      ASSERT_EQ(rows.size(), 2U);
      for (const Kline& row : rows) {
        const std::string instrument = market.symbols()[i].symbol + (i % 2 == 0 ? "" : "-SWAP");
        const std::string stream = "candle" + std::string(each.theirs) + ":" + instrument;
        const bool closed = row.bar.close_time_ms <= kNowMs;
        const auto parsed = testing::parse_frame(
            *parser, wire->frame({stream, market.symbols()[i], each.theirs, row, closed, kNowMs}, 0));
        ASSERT_EQ(parsed.klines.size(), 1U) << parsed.text;
        EXPECT_EQ(parsed.klines[0].bar, row.bar);
        EXPECT_EQ(parsed.klines[0].symbol, instrument);
        EXPECT_EQ(parsed.klines[0].interval, each.ours);
        EXPECT_EQ(parsed.klines[0].closed, closed);
        const auto understood = wire->parse_stream(stream);
        ASSERT_TRUE(understood.has_value()) << stream;
        EXPECT_EQ(understood->symbol, market.symbols()[i].symbol);
        EXPECT_EQ(understood->interval, each.interval);
      }
    }
  }
}

TEST_F(SimulatorOkxWire, answers_history_that_the_real_exchanges_read_back_bit_for_bit) {
  for (const Exchange* exchange : {&okx_spot(), &okx_swap()}) {
    for (const std::int64_t asked_ms : {std::int64_t{0}, kNowMs}) {  // of both addresses
      const std::string symbol = exchange->market() == "swap" ? "BTC-USDT-SWAP" : "BTC-USDT";
      const HistoryRequest request{symbol,   "1m",  kMondayMs - 600'000, kNowMs / kMinuteMs * kMinuteMs,
                                   asked_ms, kNowMs};
      const RestAnswer answer = get(exchange->history_target(request));
      ASSERT_EQ(answer.status, 200) << answer.body;
      std::vector<engine::Bar> bars;
      std::string error;
      ASSERT_TRUE(exchange->parse_history(answer.body, request, bars, error)) << error;
      const engine::Interval minute(1, engine::Interval::Unit::minute);
      const auto rows = market.klines({0, minute, request.from_ms, request.to_ms, 1000, kNowMs});
      ASSERT_EQ(bars.size(), 21U);
      for (std::size_t i = 0; i < bars.size(); ++i) EXPECT_EQ(bars[i], rows[i].bar);
    }
  }
}

TEST_F(SimulatorOkxWire, pages_newest_first_between_exclusive_bounds) {
  const auto opens = [&](const std::string& query) {
    std::vector<std::int64_t> times;
    const std::string text = body(query);
    for (auto at = text.find("[\""); at != std::string::npos; at = text.find("[\"", at + 1))
      times.push_back((std::stoll(text.substr(at + 2)) - kMondayMs) / kMinuteMs);
    return times;
  };
  const auto at = [](std::int64_t minute) { return std::to_string(kMondayMs + minute * kMinuteMs); };
  using Times = std::vector<std::int64_t>;
  EXPECT_EQ(opens("instId=BTC-USDT&limit=3"), (Times{10, 9, 8}));
  EXPECT_EQ(opens("instId=BTC-USDT").size(), 100U);
  EXPECT_EQ(opens("instId=BTC-USDT&limit=301").size(), 300U);
  EXPECT_EQ(opens("instId=BTC-USDT&after=" + at(5) + "&limit=2"), (Times{4, 3}));
  EXPECT_EQ(opens("instId=BTC-USDT&before=" + at(7)), (Times{10, 9, 8}));
  EXPECT_EQ(opens("instId=BTC-USDT&before=" + at(2) + "&after=" + at(5)), (Times{4, 3}));
  EXPECT_EQ(opens("instId=BTC-USDT&after=" + at(10 - 1437)).size(), 2U) << "the newest 1440 only";
  const std::string older = get("/api/v5/market/history-candles?instId=BTC-USDT&after=" + at(10 - 1437)).body;
  EXPECT_NE(older.find("\"1\"],["), std::string::npos);
  EXPECT_NE(body("instId=BTC-USDT&limit=1").find("\"0\"]]"), std::string::npos) << "the running one";
}

TEST_F(SimulatorOkxWire, refuses_in_okxs_words) {
  EXPECT_EQ(body("bar=1m"), R"({"code":"50014","msg":"Parameter instId can not be empty.","data":[]})");
  EXPECT_EQ(
      body("instId=NO-SUCH"),
      R"({"code":"51001","msg":"Instrument ID, Instrument ID code, or Spread ID doesn't exist.","data":[]})");
  for (const char* query : {"bar=1D", "bar=7m", "limit=0", "limit=x", "before=-1", "after=1.5"}) {
    const RestAnswer answer = get(std::string("/api/v5/market/candles?instId=BTC-USDT&") + query);
    EXPECT_EQ(answer.status, 400) << query;
    EXPECT_NE(answer.body.find("\"51000\""), std::string::npos) << query;
  }
  EXPECT_EQ(get("/api/v5/public/instruments?instType=OPTION").status, 400);
  EXPECT_EQ(get("/api/v5/else").status, 404);
  EXPECT_EQ(get("/api/v5/public/time").body,
            R"({"code":"0","msg":"","data":[{"ts":")" + std::to_string(kNowMs) + "\"}]}");
}

TEST_F(SimulatorOkxWire, lists_symbols_and_volumes_that_the_real_exchanges_read_back) {
  std::vector<MarketSymbol> symbols = pairs(*wire, 4);
  symbols[1].halted = true;
  symbols[2].listed_ms = kMondayMs;
  symbols[3].listed_ms = kNowMs + 86'400'000;
  const Market young(symbols, {1, 0});
  for (const Exchange* exchange : {&okx_spot(), &okx_swap()}) {
    const auto text = [&](const std::string& target) { return wire->get({target, young, kNowMs, 0}).body; };
    std::vector<SymbolInfo> infos;
    std::string error, next_page;
    const std::string list = text(exchange->symbols_target(""));
    EXPECT_NE(list.find(R"("state":"preopen")"), std::string::npos) << "one is announced";
    ASSERT_TRUE(exchange->parse_symbols(list, infos, next_page, error)) << error;
    ASSERT_EQ(infos.size(), 3U) << "one is not listed yet";
    EXPECT_EQ(infos[0].symbol, exchange->market() == "swap" ? "BTC-USDT-SWAP" : "BTC-USDT");
    EXPECT_EQ(infos[0].base, "BTC");
    EXPECT_EQ(infos[0].quote, "USDT");
    EXPECT_TRUE(infos[0].trading);
    EXPECT_FALSE(infos[1].trading);
    EXPECT_EQ(infos[2].listed_ms, kMondayMs);
    ASSERT_TRUE(exchange->parse_volumes(text(exchange->volumes_target()), infos, error)) << error;
    EXPECT_GT(infos[0].quote_volume_24h, 1e6);
    EXPECT_EQ(infos[1].quote_volume_24h, 0);
  }
}

TEST_F(SimulatorOkxWire, refuses_what_goes_beyond_each_calls_limit_until_the_next_two_seconds) {
  const auto statuses = [&](const std::string& target, int count, std::int64_t real_ms) {
    int refused = 0;
    for (int i = 0; i < count; ++i) refused += get(target, real_ms).status == 429 ? 1 : 0;
    return refused;
  };
  EXPECT_EQ(statuses("/api/v5/market/candles?instId=BTC-USDT&limit=1", 41, 1999), 1);
  EXPECT_EQ(statuses("/api/v5/market/history-candles?instId=BTC-USDT&limit=1", 21, 1999), 1);
  EXPECT_EQ(statuses("/api/v5/market/candles?instId=BTC-USDT&limit=1", 40, 2000), 0);
  EXPECT_EQ(get("/api/v5/market/candles?instId=BTC-USDT&limit=1", 3999).body,
            R"({"code":"50011","msg":"Too Many Requests","data":[]})");
}

TEST_F(SimulatorOkxWire, understands_addresses_and_requests) {
  EXPECT_TRUE(wire->open("/ws/v5/business").has_value());
  EXPECT_TRUE(wire->open("/ws/v5/public?brokerId=1").has_value());
  EXPECT_FALSE(wire->open("/ws/v5/private").has_value());
  EXPECT_FALSE(wire->open("/stream").has_value());

  EXPECT_EQ(wire->read("ping").kind, WireRequest::Kind::ping);
  EXPECT_EQ(wire->pong({}), "pong");
  const std::vector<StreamName> names = {{"BTC-USDT", "1m"}, {"BTC-USDT-SWAP", "1d"}};
  const WireRequest request = wire->read(okx_spot().subscribe_text(names, 5));
  EXPECT_EQ(request.kind, WireRequest::Kind::subscribe);
  EXPECT_EQ(request.streams, (std::vector<std::string>{"candle1m:BTC-USDT", "candle1Dutc:BTC-USDT-SWAP"}));
  EXPECT_EQ(wire->read(okx_spot().unsubscribe_text(names, 6)).kind, WireRequest::Kind::unsubscribe);

  const auto parser = new_okx_frame_parser();
  const auto answers = wire->accepted(request);
  ASSERT_EQ(answers.size(), 2U);
  const auto second = testing::parse_frame(*parser, answers[1]);
  EXPECT_EQ(second.kind, FrameKind::ack);
  EXPECT_EQ(second.request_id, 5);
  EXPECT_EQ(second.answered_symbol, "BTC-USDT-SWAP");
  EXPECT_EQ(second.answered_interval, "1d");
  const auto refusal = testing::parse_frame(
      *parser, wire->refused(request, Refusal::unknown_stream, "candle1Dutc:BTC-USDT-SWAP"));
  EXPECT_EQ(refusal.kind, FrameKind::refusal);
  EXPECT_EQ(refusal.answered_symbol, "BTC-USDT-SWAP");
  EXPECT_EQ(refusal.answered_interval, "1d");
  EXPECT_EQ(testing::parse_frame(*parser, wire->shutdown_text(0)).kind, FrameKind::closing);

  for (const char* text :
       {"", "pong", "{}", R"({"op":"subscribe"})", R"({"op":"subscribe","args":[]})",
        R"({"op":"subscribe","args":[{"channel":"trades"}]})", R"({"op":"login","args":[{}]})",
        R"({"op":"login","args":[{"channel":"a","instId":"b"}]})"}) {
    const WireRequest bad = wire->read(text);
    EXPECT_EQ(bad.kind, WireRequest::Kind::malformed) << text;
    EXPECT_EQ(testing::parse_frame(*parser, bad.refusal).kind, FrameKind::refusal) << bad.refusal;
  }
  const auto trades = wire->parse_stream("trades:BTC-USDT-SWAP");
  ASSERT_TRUE(trades.has_value());
  EXPECT_TRUE(trades->trades);
  EXPECT_EQ(trades->symbol, "BTC-USDT");
  for (const char* name : {"", "candle1m", "candle1D:BTC-USDT", "trades", "trades:", "trades-all:BTC-USDT"})
    EXPECT_FALSE(wire->parse_stream(name) && wire->parse_stream(name)->symbol == "BTC-USDT") << name;
}

TEST_F(SimulatorOkxWire, reads_recorded_frames) {
  const std::string line = testing::frame_text("okx/2026-11-27-candle-swap-closed.json");
  const auto candle = wire->read_recorded(line);
  ASSERT_TRUE(candle.has_value());
  EXPECT_EQ(candle->stream, "candle1H:BTC-USDT-SWAP");
  EXPECT_EQ(candle->symbol, "BTC-USDT-SWAP");
  EXPECT_TRUE(candle->closed);
  EXPECT_EQ(candle->interval->text(), "1h");
  EXPECT_EQ(candle->kline.bar.close, 91241);
  EXPECT_EQ(wire->rewrapped(candle->stream, candle->payload, 0), line);
  const std::string trade = testing::frame_text("okx/2026-11-27-trade.json");
  EXPECT_EQ(wire->read_recorded(trade)->stream, "trades:BTC-USDT");
  EXPECT_FALSE(wire->read_recorded(testing::frame_text("okx/2026-11-27-ack-candle.json")).has_value());
  EXPECT_FALSE(wire->read_recorded("pong").has_value());
}

}  // namespace
}  // namespace atcd::feeds::simulator
