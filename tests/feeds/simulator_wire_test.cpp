#include <gtest/gtest.h>

#include <memory>

#include "feeds/simulator/binance_wire.hpp"
#include "feeds/simulator/market.hpp"
#include "feeds/simulator/target.hpp"
#include "tests/feeds/frame_reader.hpp"

namespace atcd::feeds::simulator {
namespace {

constexpr std::int64_t kMondayMs = 1'795'392'000'000;  // 2026-11-23
constexpr std::int64_t kNowMs = kMondayMs + 10 * 60'000 + 25'000;
constexpr Form kSpotRaw = 0, kSpotWrapped = 1, kFuturesRaw = 2, kFuturesWrapped = 3;

class SimulatorWire : public ::testing::Test {
 protected:
  RestAnswer get(const std::string& target, std::int64_t real_ms = 0) {
    return wire->get({target, market, kNowMs, real_ms});
  }
  static std::string header(const RestAnswer& answer, std::string_view name) {
    for (const auto& [key, value] : answer.headers) {
      if (key == name) return value;
    }
    return "";
  }

  std::unique_ptr<Wire> wire = new_binance_wire(0);
  Market market{first_symbols(20), {1, 0}};
  engine::Interval minute{1, engine::Interval::Unit::minute};
};

TEST_F(SimulatorWire, writes_a_frame_key_by_key_as_binance_does) {
  const MarketSymbol symbol = *make_symbol("BTCUSDT");
  const Kline kline{{kMondayMs, kMondayMs + 60'000, 64000.5, 64010.25, 63999, 64001, 12.50390625},
                    800'000.125,
                    6.25,
                    400'000,
                    90,
                    1000};
  EXPECT_EQ(wire->frame({"btcusdt@kline_1m", symbol, "1m", kline, true, kMondayMs + 60'100}, kSpotWrapped),
            R"({"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1795392060100,"s":"BTCUSDT","k":{)"
            R"("t":1795392000000,"T":1795392059999,"s":"BTCUSDT","i":"1m","f":1000,"L":1089,)"
            R"("o":"64000.50000000","c":"64001.00000000","h":"64010.25000000","l":"63999.00000000",)"
            R"("v":"12.50390625","n":90,"x":true,"q":"800000.12500000","V":"6.25000000",)"
            R"("Q":"400000.00000000","B":"0"}}})");
  const std::string futures =
      wire->frame({"btcusdt@kline_1m", symbol, "1m", kline, false, kMondayMs}, kFuturesRaw);
  EXPECT_TRUE(futures.starts_with(R"({"e":"kline","E":)")) << futures;
  EXPECT_NE(futures.find(R"("o":"64000.50","c":"64001.00")"), std::string::npos) << futures;
}

TEST_F(SimulatorWire, writes_frames_that_the_real_parser_reads_back_bit_for_bit) {
  const auto parser = find_exchange("binance", "spot")->new_parser();
  for (std::size_t i = 0; i < market.symbols().size(); ++i) {
    const auto rows = market.klines({i, minute, kMondayMs, kNowMs, 1000, kNowMs});
    ASSERT_EQ(rows.size(), 11U);
    for (const Kline& row : rows) {
      for (Form form = 0; form < kForms; ++form) {
        const bool closed = row.bar.close_time_ms <= kNowMs;
        const auto parsed = testing::parse_frame(
            *parser, wire->frame({"", market.symbols()[i], "1m", row, closed, kNowMs}, form));
        ASSERT_EQ(parsed.kind, FrameKind::klines) << parsed.text;
        EXPECT_EQ(parsed.klines[0].bar, row.bar);
        EXPECT_EQ(parsed.klines[0].symbol, market.symbols()[i].symbol);
        EXPECT_EQ(parsed.klines[0].interval, "1m");
        EXPECT_EQ(parsed.klines[0].event_time_ms, kNowMs);
        EXPECT_EQ(parsed.klines[0].closed, closed);
      }
    }
  }
}

TEST_F(SimulatorWire, answers_history_that_the_real_exchanges_read_back_bit_for_bit) {
  for (const std::string_view name : {"spot", "usdm"}) {
    const Exchange& exchange = *find_exchange("binance", name);
    const HistoryRequest request{"BTCUSDT", "1m", kMondayMs - 600'000, kNowMs};
    const RestAnswer answer = get(exchange.history_target(request));
    ASSERT_EQ(answer.status, 200) << answer.body;
    std::vector<engine::Bar> bars;
    std::string error;
    const simdjson::padded_string body(answer.body);
    ASSERT_TRUE(exchange.parse_history({body.data(), body.size()}, request, bars, error)) << error;
    const auto rows = market.klines({0, minute, request.from_ms, request.to_ms, 1000, kNowMs});
    ASSERT_EQ(bars.size(), 21U);
    for (std::size_t i = 0; i < bars.size(); ++i) EXPECT_EQ(bars[i], rows[i].bar);
  }
}

TEST_F(SimulatorWire, lists_symbols_and_volumes_that_the_real_exchanges_read_back) {
  std::vector<MarketSymbol> symbols = first_symbols(4);
  symbols[1].halted = true;
  symbols[2].listed_ms = kMondayMs;
  symbols[3].listed_ms = kNowMs + 86'400'000;
  const Market young(symbols, {1, 0});
  for (const std::string_view name : {"spot", "usdm"}) {
    const Exchange& exchange = *find_exchange("binance", name);
    const auto text = [&](const std::string& target) {
      return simdjson::padded_string(wire->get({target, young, kNowMs, 0}).body);
    };
    std::vector<SymbolInfo> infos;
    std::string error, next_page;
    const auto list = text(exchange.symbols_target(""));
    ASSERT_TRUE(exchange.parse_symbols({list.data(), list.size()}, infos, next_page, error)) << error;
    ASSERT_EQ(infos.size(), 3U) << "one is not listed yet";
    EXPECT_EQ(infos[0].symbol, "BTCUSDT");
    EXPECT_EQ(infos[0].base, "BTC");
    EXPECT_EQ(infos[0].quote, "USDT");
    EXPECT_TRUE(infos[0].trading);
    EXPECT_FALSE(infos[1].trading);
    EXPECT_EQ(infos[2].listed_ms, name == "usdm" ? kMondayMs : 0) << "spot does not say";
    const auto volumes = text(exchange.volumes_target());
    ASSERT_TRUE(exchange.parse_volumes({volumes.data(), volumes.size()}, infos, error)) << error;
    EXPECT_GT(infos[0].quote_volume_24h, 1e8);
    EXPECT_EQ(infos[1].quote_volume_24h, 0);
    EXPECT_GT(infos[2].quote_volume_24h, 0);
  }
}

TEST_F(SimulatorWire, refuses_in_binances_words) {
  const auto fault = [&](const std::string& target) {
    const RestAnswer answer = get(target);
    return std::to_string(answer.status) + " " + answer.body;
  };
  EXPECT_EQ(fault("/api/v3/klines?symbol=NOPEUSDT&interval=1m"),
            R"(400 {"code":-1121,"msg":"Invalid symbol."})");
  EXPECT_EQ(fault("/api/v3/klines?symbol=BTCUSDT&interval=7m"),
            R"(400 {"code":-1120,"msg":"Invalid interval."})");
  EXPECT_EQ(fault("/fapi/v1/klines?symbol=BTCUSDT&interval=1s"),
            R"(400 {"code":-1120,"msg":"Invalid interval."})");
  EXPECT_EQ(
      fault("/api/v3/klines?interval=1m"),
      R"(400 {"code":-1102,"msg":"Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."})");
  for (const char* parameter :
       {"limit=0", "limit=-5", "limit=9x", "startTime=-1", "endTime=99999999999999999999"})
    EXPECT_EQ(get(std::string("/api/v3/klines?symbol=BTCUSDT&interval=1m&") + parameter).status, 400)
        << parameter;
  EXPECT_EQ(get("/api/v3/exchangeInfo?symbol=NOPE").status, 400);
  for (const char* path :
       {"/", "/api/v3/", "/api/v3/orders", "/api/v4/klines", "/sapi/v1/klines", "/fapi/v1"})
    EXPECT_EQ(get(path).status, 404) << path;
}

TEST_F(SimulatorWire, pages_as_binance_does) {
  const auto count = [&](const std::string& query) {
    const simdjson::padded_string body(get("/api/v3/klines?symbol=BTCUSDT&interval=1m" + query).body);
    simdjson::dom::parser parser;
    return simdjson::dom::array(parser.parse(body)).size();
  };
  EXPECT_EQ(count(""), 500U);
  EXPECT_EQ(count("&limit=3"), 3U);
  EXPECT_EQ(count("&limit=5000"), 1000U);
  EXPECT_EQ(count("&startTime=" + std::to_string(kMondayMs) + "&limit=1000"), 11U) << "to the running bar";
  EXPECT_EQ(count("&startTime=" + std::to_string(kMondayMs + 1) + "&limit=1000"), 10U);
  EXPECT_EQ(count("&startTime=" + std::to_string(kMondayMs) + "&endTime=" + std::to_string(kMondayMs)), 1U);
  EXPECT_EQ(count("&startTime=" + std::to_string(kNowMs + 60'000)), 0U);
  EXPECT_EQ(count("&startTime=9&endTime=3"), 0U);
  EXPECT_EQ(count("&startTime=0&limit=2"), 2U) << "the first there ever were";
}

TEST_F(SimulatorWire, counts_weight_and_refuses_what_goes_beyond_until_the_next_minute) {
  wire = new_binance_wire(45);
  EXPECT_EQ(header(get("/api/v3/ping", 30'000), "X-MBX-USED-WEIGHT-1M"), "1");
  EXPECT_EQ(header(get("/api/v3/klines?symbol=BTCUSDT&interval=1m", 30'000), "X-MBX-USED-WEIGHT-1M"), "3");
  EXPECT_EQ(header(get("/api/v3/exchangeInfo", 30'000), "X-MBX-USED-WEIGHT-1M"), "23");
  EXPECT_EQ(get("/api/v3/exchangeInfo", 30'000).status, 200);
  const RestAnswer refused = get("/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=1", 47'500);
  EXPECT_EQ(refused.status, 200) << "45 of 45";
  const RestAnswer beyond = get("/api/v3/ping", 47'500);
  EXPECT_EQ(beyond.status, 429);
  EXPECT_NE(beyond.body.find("\"code\":-1003"), std::string::npos);
  EXPECT_EQ(header(beyond, "Retry-After"), "13");
  EXPECT_EQ(header(beyond, "X-MBX-USED-WEIGHT-1M"), "46");
  EXPECT_EQ(
      header(get("/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=1000", 47'500), "X-MBX-USED-WEIGHT-1M"),
      "5")
      << "the markets count apart";
  EXPECT_EQ(get("/api/v3/ping", 60'000).status, 200);
}

TEST_F(SimulatorWire, understands_addresses) {
  EXPECT_EQ(wire->open("/ws")->form, kSpotRaw);
  EXPECT_EQ(wire->open("/stream")->form, kSpotWrapped);
  EXPECT_EQ(wire->open("/market/ws")->form, kFuturesRaw);
  EXPECT_EQ(wire->open("/market/stream?streams=a@kline_1m")->form, kFuturesWrapped);
  EXPECT_EQ(wire->open("/stream?streams=a@kline_1m/b@kline_1M")->streams,
            (std::vector<std::string>{"a@kline_1m", "b@kline_1M"}));
  EXPECT_EQ(wire->open("/ws/a@kline_1m//b@kline_5m/")->streams,
            (std::vector<std::string>{"a@kline_1m", "b@kline_5m"}));
  EXPECT_EQ(wire->open("/stream?streams=btcusdt%40kline_1m")->streams[0], "btcusdt@kline_1m");
  for (const char* path : {"/", "", "/wss", "/api/v3/ping", "/streams", "/market", "/marketws/stream"})
    EXPECT_FALSE(wire->open(path).has_value()) << path;
}

TEST_F(SimulatorWire, understands_stream_names) {
  const auto trades = wire->parse_stream("btcusdt@aggTrade");
  ASSERT_TRUE(trades.has_value());
  EXPECT_TRUE(trades->trades);
  EXPECT_EQ(trades->symbol, "BTCUSDT");
  const auto stream = wire->parse_stream("btcusdt@kline_1M");
  ASSERT_TRUE(stream.has_value());
  EXPECT_EQ(stream->symbol, "BTCUSDT");
  EXPECT_EQ(stream->interval_text, "1M");
  for (const char* name :
       {"btcusdt", "btcusdt@kline_", "btcusdt@kline_7m", "BTCUSDT@kline_1m", "btcusdt@trade"})
    EXPECT_FALSE(wire->parse_stream(name).has_value()) << name;
}

TEST_F(SimulatorWire, answers_requests_in_binances_form) {
  const auto parser = find_exchange("binance", "spot")->new_parser();
  const StreamName name{"BTCUSDT", "1m"};
  const WireRequest request = wire->read(find_exchange("binance", "spot")->subscribe_text({&name, 1}, 12));
  ASSERT_EQ(request.kind, WireRequest::Kind::subscribe);
  EXPECT_EQ(request.streams, std::vector<std::string>{"btcusdt@kline_1m"});
  EXPECT_EQ(wire->accepted(request), std::vector<std::string>{R"({"result":null,"id":12})"});
  EXPECT_EQ(wire->listed(request, {"a@kline_1m", "b\"@kline_1m"}),
            R"({"result":["a@kline_1m","b\"@kline_1m"],"id":12})");
  const auto refusal = testing::parse_frame(*parser, wire->refused(request, Refusal::unknown_stream, "x\"y"));
  EXPECT_EQ(refusal.kind, FrameKind::refusal);
  EXPECT_EQ(refusal.request_id, 12);
  EXPECT_EQ(wire->read(R"({"method":"LIST_SUBSCRIPTIONS","id":"a1"})").id, "\"a1\"");
  EXPECT_EQ(wire->read(R"({"method":"LIST_SUBSCRIPTIONS","id":null})").id, "null");
  EXPECT_TRUE(wire->read(R"({"method":"SET_PROPERTY","params":["combined",true],"id":5})").wrapped);
  const auto closing = testing::parse_frame(*parser, wire->shutdown_text(5));
  EXPECT_EQ(closing.kind, FrameKind::closing);
}

TEST_F(SimulatorWire, refuses_messages_of_another_form) {
  const auto parser = find_exchange("binance", "spot")->new_parser();
  for (const char* text :
       {"", "ping", "[]", "{}", R"({"method":"SUBSCRIBE"})", R"({"method":"SUBSCRIBE","id":1})",
        R"({"method":"SUBSCRIBE","params":"x","id":1})", R"({"method":"SUBSCRIBE","params":[1],"id":1})",
        R"({"method":"ORDER","params":[],"id":1})", R"({"method":"SUBSCRIBE","params":[],"id":1.5})",
        R"({"method":"LIST_SUBSCRIPTIONS","id":"0123456789012345678901234567890123456"})",
        R"({"method":"SET_PROPERTY","params":["combined",1],"id":5})",
        R"({"method":"SET_PROPERTY","params":["other",true],"id":5})", "\xff\xfe{"}) {
    const WireRequest request = wire->read(text);
    EXPECT_EQ(request.kind, WireRequest::Kind::malformed) << text;
    EXPECT_EQ(testing::parse_frame(*parser, request.refusal).kind, FrameKind::refusal) << request.refusal;
  }
}

TEST_F(SimulatorWire, reads_recorded_frames_of_all_kinds) {
  const std::string wrapped = testing::frame_text("binance/2026-11-23-spot-kline-closed.json");
  const auto kline = wire->read_recorded(wrapped);
  ASSERT_TRUE(kline.has_value());
  EXPECT_EQ(kline->stream, "btcusdt@kline_1m");
  EXPECT_TRUE(kline->closed);
  EXPECT_EQ(kline->kline.bar.close, 91240);
  EXPECT_EQ(wire->rewrapped(kline->stream, kline->payload, kSpotWrapped), wrapped);
  EXPECT_TRUE(wire->rewrapped(kline->stream, kline->payload, kSpotRaw).starts_with(R"({"e":"kline")"));
  const auto raw = wire->read_recorded(testing::frame_text("binance/2026-11-23-usdm-kline-closed-raw.json"));
  ASSERT_TRUE(raw.has_value());
  EXPECT_EQ(raw->stream, "ethusdt@kline_15m");
  const auto trade = wire->read_recorded(testing::frame_text("binance/2026-11-23-agg-trade.json"));
  ASSERT_TRUE(trade.has_value());
  EXPECT_EQ(trade->stream, "btcusdt@aggTrade");
  EXPECT_FALSE(trade->interval.has_value());
  for (const char* line : {"", "x", "{}", "[1]", R"({"result":null,"id":1})", R"({"stream":"a","data":3})"})
    EXPECT_FALSE(wire->read_recorded(line).has_value()) << line;
}

TEST(SimulatorTarget, takes_an_address_apart) {
  const Target target = parse_target("/sim/halt?symbol=BTC%55SDT&x=&y&symbol=other&z=%zz%4");
  EXPECT_EQ(target.path, "/sim/halt");
  EXPECT_EQ(target.value("symbol"), "BTCUSDT");
  EXPECT_TRUE(target.has("x"));
  EXPECT_FALSE(target.has("y"));
  EXPECT_EQ(target.value("z"), "%zz%4");
  EXPECT_EQ(parse_target("/x?").query.size(), 0U);
}

}  // namespace
}  // namespace atcd::feeds::simulator
