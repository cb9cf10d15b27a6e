#include <gtest/gtest.h>

#include <memory>

#include "feeds/bybit.hpp"
#include "feeds/simulator/bybit_wire.hpp"
#include "feeds/simulator/market.hpp"
#include "tests/feeds/frame_reader.hpp"

namespace atcd::feeds::simulator {
namespace {

constexpr std::int64_t kMondayMs = 1'795'392'000'000;  // 2026-11-23
constexpr std::int64_t kNowMs = kMondayMs + 10 * 60'000 + 25'000;
constexpr Form kSpot = 0, kLinear = 1, kInverse = 2;

std::string frame_text(const std::string& name) {
  return testing::frame_text("bybit/2026-11-27-" + name + ".json");
}

class BybitWire : public ::testing::Test {
 protected:
  RestAnswer get(const std::string& target, std::int64_t real_ms = 0) {
    return wire->get({target, market, kNowMs, real_ms});
  }
  /// The bar that a client of that market is told.
  static engine::Bar told(const Kline& row, Form form) {
    engine::Bar bar = row.bar;
    if (form == kInverse) bar.volume = row.quote_volume;
    return bar;
  }

  std::unique_ptr<Wire> wire = new_bybit_wire(0);
  Market market{first_symbols(20), {1, 0, true}};
  const std::vector<const Exchange*> exchanges{&bybit_spot(), &bybit_linear(), &bybit_inverse()};
};

TEST_F(BybitWire, writes_a_frame_key_by_key_as_bybit_does) {
  const MarketSymbol symbol = *make_symbol("BTCUSDT");
  const Kline kline{{kMondayMs, kMondayMs + 60'000, 64000.5, 64010.25, 63999, 64001, 12.5}, 800'000.125};
  const WireFrame content{"kline.1.BTCUSDT", symbol, "1", kline, true, kMondayMs + 60'100};
  EXPECT_EQ(wire->frame(content, kLinear),
            R"({"topic":"kline.1.BTCUSDT","data":[{"start":1795392000000,"end":1795392059999,)"
            R"("interval":"1","open":"64000.5","close":"64001","high":"64010.25","low":"63999",)"
            R"("volume":"12.5","turnover":"800000.125","confirm":true,"timestamp":1795392060100}],)"
            R"("ts":1795392060100,"type":"snapshot"})");
  EXPECT_NE(wire->frame(content, kInverse).find(R"("volume":"800000.125","turnover":"12.5")"),
            std::string::npos);
}

TEST_F(BybitWire, writes_frames_that_the_real_parser_reads_back_bit_for_bit) {
  const auto parser = bybit_spot().new_parser();
  for (const char* name : {"1", "60", "D", "W", "M"}) {
    const auto stream = wire->parse_stream("kline." + std::string(name) + ".BTCUSDT");
    ASSERT_TRUE(stream.has_value()) << name;
    const std::size_t symbols = stream->interval.length_ms() > 3'600'000 ? 2 : market.symbols().size();
    for (std::size_t i = 0; i < symbols; ++i) {
      const std::int64_t from_ms = kMondayMs - 2 * stream->interval.length_ms();
      const auto rows = market.klines({i, stream->interval, from_ms, kNowMs, 1000, kNowMs});
      ASSERT_GE(rows.size(), 2U) << name;
      for (const Kline& row : rows) {
        for (const Form form : {kSpot, kLinear, kInverse}) {
          const bool closed = row.bar.close_time_ms <= kNowMs;
          const auto parsed = testing::parse_frame(
              *parser, wire->frame({"", market.symbols()[i], name, row, closed, kNowMs}, form));
          ASSERT_EQ(parsed.kind, FrameKind::klines) << parsed.text;
          EXPECT_EQ(parsed.klines[0].bar, told(row, form));
          EXPECT_EQ(parsed.klines[0].symbol, market.symbols()[i].symbol);
          EXPECT_EQ(parsed.klines[0].interval, stream->interval.text());
          EXPECT_EQ(parsed.klines[0].event_time_ms, kNowMs);
          EXPECT_EQ(parsed.klines[0].closed, closed);
        }
      }
    }
  }
}

TEST_F(BybitWire, answers_history_that_the_real_exchanges_read_back_bit_for_bit) {
  for (Form form = 0; form < exchanges.size(); ++form) {
    for (const char* interval : {"1m", "1h", "1d"}) {
      const engine::Interval length = *engine::Interval::parse(interval);
      const std::int64_t from_ms = length.open_time_ms(length.ordinal(kNowMs) - 20);
      const HistoryRequest request{"BTCUSDT", interval, from_ms, kNowMs};
      const RestAnswer answer = get(exchanges[form]->history_target(request));
      ASSERT_EQ(answer.status, 200) << answer.body;
      std::vector<engine::Bar> bars;
      std::string error;
      ASSERT_TRUE(exchanges[form]->parse_history(answer.body, request, bars, error)) << error;
      const auto rows = market.klines({0, length, from_ms, kNowMs, 1000, kNowMs});
      ASSERT_EQ(bars.size(), 21U);
      for (std::size_t i = 0; i < bars.size(); ++i) EXPECT_EQ(bars[i], told(rows[i], form));
    }
  }
}

TEST_F(BybitWire, lists_symbols_and_volumes_that_the_real_exchanges_read_back) {
  std::vector<MarketSymbol> symbols = first_symbols(4);
  symbols[1].halted = true;
  symbols[2].listed_ms = kMondayMs;
  symbols[3].listed_ms = kNowMs + 86'400'000;
  const Market young(symbols, {1, 0});
  for (const Exchange* exchange : exchanges) {
    std::vector<SymbolInfo> infos;
    std::string error, next_page;
    const auto list = wire->get({exchange->symbols_target(""), young, kNowMs, 0}).body;
    ASSERT_TRUE(exchange->parse_symbols(list, infos, next_page, error)) << error;
    ASSERT_EQ(infos.size(), 2U) << "one is halted, one not listed yet: Bybit lists neither";
    EXPECT_EQ(next_page, "");
    EXPECT_EQ(infos[0].symbol, "BTCUSDT");
    EXPECT_EQ(infos[0].base, "BTC");
    EXPECT_EQ(infos[0].quote, "USDT");
    EXPECT_TRUE(infos[0].trading);
    EXPECT_EQ(infos[1].listed_ms, exchange->market() == "spot" ? 0 : kMondayMs);
    const auto volumes = wire->get({exchange->volumes_target(), young, kNowMs, 0}).body;
    ASSERT_TRUE(exchange->parse_volumes(volumes, infos, error)) << error;
    EXPECT_GT(infos[0].quote_volume_24h, 1e8) << exchange->market();
  }
}

TEST_F(BybitWire, lists_symbols_in_pages) {
  const Market large(first_symbols(25), {1, 0});
  std::vector<SymbolInfo> infos;
  std::string error, page;
  std::size_t pages = 0;
  do {
    const std::string target = "/v5/market/instruments-info?category=linear&limit=10&cursor=" + page;
    const auto body = wire->get({target + (page.empty() ? "0" : ""), large, kNowMs, 0}).body;
    ASSERT_TRUE(bybit_linear().parse_symbols(body, infos, page, error)) << error;
    ++pages;
  } while (!page.empty());
  EXPECT_EQ(pages, 3U);
  EXPECT_EQ(infos.size(), 25U);
  const auto spot = wire->get({"/v5/market/instruments-info?category=spot&limit=10", large, kNowMs, 0}).body;
  infos.clear();
  ASSERT_TRUE(bybit_spot().parse_symbols(spot, infos, page, error)) << error;
  EXPECT_EQ(infos.size(), 25U) << "spot knows no pages";
}

TEST_F(BybitWire, pages_history_as_bybit_does) {
  const auto starts = [&](const std::string& query) {
    const simdjson::padded_string body(
        get("/v5/market/kline?category=spot&symbol=BTCUSDT&interval=1" + query).body);
    simdjson::dom::parser parser;
    const simdjson::dom::array list = parser.parse(body)["result"]["list"];
    std::vector<std::int64_t> minutes;  // after Monday
    for (const auto row : list)
      minutes.push_back((std::stoll(std::string(std::string_view(row.at(0)))) - kMondayMs) / 60'000);
    return minutes;
  };
  using Minutes = std::vector<std::int64_t>;
  const std::string monday = std::to_string(kMondayMs);
  EXPECT_EQ(starts("").size(), 200U);
  EXPECT_EQ(starts("&limit=5000").size(), 1000U);
  EXPECT_EQ(starts("&limit=3"), (Minutes{10, 9, 8})) << "newest first, the running one among them";
  EXPECT_EQ(starts("&limit=3&start=" + monday), (Minutes{2, 1, 0})) << "from the start on";
  EXPECT_EQ(starts("&limit=3&start=" + monday + "&end=" + std::to_string(kMondayMs + 300'000)),
            (Minutes{5, 4, 3}))
      << "the newest of them";
  EXPECT_EQ(starts("&start=" + monday + "&end=" + monday), (Minutes{0}));
  EXPECT_EQ(starts("&start=" + std::to_string(kNowMs + 60'000)), Minutes{});
  EXPECT_EQ(starts("&start=9&end=3"), Minutes{});
}

TEST_F(BybitWire, refuses_in_bybits_words) {
  const auto fault = [&](const std::string& query) {
    const RestAnswer answer = get("/v5/market/" + query);
    std::vector<engine::Bar> rows;
    std::string error;
    EXPECT_EQ(answer.status, 200) << query;
    EXPECT_FALSE(bybit_spot().parse_history(answer.body, {"A", "1m", 0, 0}, rows, error)) << query;
    return error;
  };
  EXPECT_EQ(fault("kline?category=spot&symbol=NOPE&interval=1"),
            "kline: retCode 10001: Not supported symbols");
  EXPECT_EQ(fault("kline?category=spot&symbol=BTCUSDT&interval=1m"), "kline: retCode 10001: Invalid period!");
  EXPECT_EQ(fault("kline?symbol=BTCUSDT&interval=1"), "kline: retCode 10001: Illegal category");
  EXPECT_NE(fault("kline?category=spot&symbol=BTCUSDT&interval=1&start=x").find("params error"),
            std::string::npos);
  EXPECT_NE(fault("instruments-info?category=linear&cursor=x").find("params error"), std::string::npos);
  EXPECT_NE(fault("tickers?category=linear&symbol=NOPE").find("Not supported symbols"), std::string::npos);
  for (const char* path : {"/", "/v5/market/", "/v5/market/orders?category=spot", "/v3/market/kline"})
    EXPECT_EQ(get(path).status, 404) << path;
  EXPECT_NE(get("/v5/market/time").body.find(R"("timeSecond":"1795392625")"), std::string::npos);
}

TEST_F(BybitWire, shuts_out_who_asks_too_often_for_ten_minutes) {
  wire = new_bybit_wire(60);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(get("/v5/market/time", 12'000 + i).status, 200) << i;
  const RestAnswer beyond = get("/v5/market/time", 14'999);
  EXPECT_EQ(beyond.status, 403);
  EXPECT_EQ(bybit_spot().pause_asked(static_cast<unsigned>(beyond.status), beyond.body),
            std::chrono::minutes(10));
  EXPECT_EQ(get("/v5/market/time", 15'000).status, 403) << "in the next window too";
  EXPECT_EQ(get("/v5/market/time", 14'999 + 599'999).status, 403);
  EXPECT_EQ(get("/v5/market/time", 14'999 + 600'000).status, 200) << "what came meanwhile made it no longer";
  wire = new_bybit_wire(60, std::chrono::milliseconds(50));
  for (int i = 0; i < 6; ++i) get("/v5/market/time", 19'960);
  EXPECT_EQ(get("/v5/market/time", 20'009).status, 403);
  EXPECT_EQ(get("/v5/market/time", 20'010).status, 200) << "as long as it is told";
  wire = new_bybit_wire(60, std::chrono::milliseconds(10));
  for (int i = 0; i < 6; ++i) get("/v5/market/time", 12'000);
  EXPECT_EQ(get("/v5/market/time", 12'020).status, 403) << "the window is as full as it was";
  wire = new_bybit_wire(0);
  int taken = 0;
  while (taken < 10'000 && get("/v5/market/time").status == 200) ++taken;
  EXPECT_EQ(taken, 600);
}

TEST_F(BybitWire, understands_addresses_and_stream_names) {
  EXPECT_EQ(wire->open("/v5/public/spot")->form, kSpot);
  EXPECT_EQ(wire->open("/v5/public/linear")->form, kLinear);
  EXPECT_EQ(wire->open("/v5/public/inverse")->form, kInverse);
  for (const char* path : {"/", "", "/v5/public", "/v5/public/", "/v5/public/option", "/v5/private", "/ws"})
    EXPECT_FALSE(wire->open(path).has_value()) << path;
  EXPECT_EQ(wire->parse_stream("kline.240.ETHUSDT")->symbol, "ETHUSDT");
  EXPECT_EQ(wire->parse_stream("kline.240.ETHUSDT")->interval_text, "240");
  for (const BybitInterval& known : kBybitIntervals)
    EXPECT_EQ(wire->parse_stream("kline." + std::string(known.theirs) + ".A")->interval, known.interval);
  const auto trades = wire->parse_stream("publicTrade.BTCUSDT");
  ASSERT_TRUE(trades.has_value());
  EXPECT_TRUE(trades->trades);
  EXPECT_EQ(trades->symbol, "BTCUSDT");
  for (const char* name : {"kline.1", "kline.1.", "kline.1m.A", "kline.480.A", "publicTrade.", "", "kline."})
    EXPECT_FALSE(wire->parse_stream(name).has_value()) << name;
}

TEST_F(BybitWire, answers_requests_in_bybits_form) {
  const auto parser = bybit_linear().new_parser();
  const std::vector<StreamName> names{{"BTCUSDT", "1m"}, {"ETHUSDT", "1d"}};
  WireRequest request = wire->read(bybit_linear().subscribe_text(names, 12));
  ASSERT_EQ(request.kind, WireRequest::Kind::subscribe) << request.refusal;
  EXPECT_EQ(request.streams, (std::vector<std::string>{"kline.1.BTCUSDT", "kline.D.ETHUSDT"}));
  EXPECT_EQ(wire->accepted(request)[0],
            R"({"success":true,"ret_msg":"","conn_id":"simulator","req_id":"12","op":"subscribe"})");
  EXPECT_EQ(testing::parse_frame(*parser, wire->accepted(request)[0]).request_id, 12);
  const auto refusal =
      testing::parse_frame(*parser, wire->refused(request, Refusal::unknown_stream, "kline.D.ETHUSDT"));
  EXPECT_EQ(refusal.kind, FrameKind::refusal);
  EXPECT_EQ(refusal.request_id, 12);
  EXPECT_EQ(refusal.answered_symbol, "ETHUSDT");
  EXPECT_EQ(refusal.answered_interval, "1d");
  request = wire->read(bybit_linear().unsubscribe_text(names, 13));
  ASSERT_EQ(request.kind, WireRequest::Kind::unsubscribe);
  EXPECT_EQ(testing::parse_frame(*parser, wire->accepted(request)[0]).kind, FrameKind::ack);
  request = wire->read(bybit_linear().ping_text());
  ASSERT_EQ(request.kind, WireRequest::Kind::ping);
  EXPECT_EQ(testing::parse_frame(*parser, wire->pong(request)).kind, FrameKind::pong);
}

TEST_F(BybitWire, refuses_messages_of_another_form) {
  const auto parser = bybit_spot().new_parser();
  const std::string eleven = R"("a","b","c","d","e","f","g","h","i","j","k")";
  for (const std::string& text :
       {std::string(), std::string("ping"), std::string("[]"), std::string("{}"), std::string(R"({"op":1})"),
        std::string(R"({"op":"subscribe"})"), std::string(R"({"op":"subscribe","args":"x"})"),
        std::string(R"({"op":"subscribe","args":[]})"), std::string(R"({"op":"subscribe","args":[1]})"),
        std::string(R"({"op":"order","args":["x"],"req_id":"5"})"), std::string("\xff\xfe{"),
        R"({"op":"subscribe","args":[)" + eleven + R"(],"req_id":"5"})"}) {
    const WireRequest request = wire->read(text);
    EXPECT_EQ(request.kind, WireRequest::Kind::malformed) << text;
    EXPECT_EQ(testing::parse_frame(*parser, request.refusal).kind, FrameKind::refusal) << request.refusal;
  }
}

TEST_F(BybitWire, reads_recorded_frames_of_all_kinds) {
  const std::string two = frame_text("linear-kline-closed-and-new");
  const auto kline = wire->read_recorded(two);
  ASSERT_TRUE(kline.has_value());
  EXPECT_EQ(kline->stream, "kline.1.BTCUSDT");
  EXPECT_EQ(kline->symbol, "BTCUSDT");
  EXPECT_TRUE(kline->interval.has_value());
  EXPECT_TRUE(kline->closed);
  EXPECT_EQ(kline->kline.bar.close, 91218);
  EXPECT_EQ(kline->kline.quote_volume, 1138521.0372);
  EXPECT_EQ(wire->rewrapped(kline->stream, kline->payload, kLinear), two);
  const auto trade = wire->read_recorded(frame_text("spot-trade"));
  ASSERT_TRUE(trade.has_value());
  EXPECT_EQ(trade->stream, "publicTrade.BTCUSDT");
  EXPECT_FALSE(trade->interval.has_value());
  EXPECT_GT(trade->event_ms, 0);
  for (const std::string& line : {std::string(), std::string("x"), std::string("{}"), std::string("[1]"),
                                  frame_text("linear-ack"), frame_text("pong")})
    EXPECT_FALSE(wire->read_recorded(line).has_value()) << line;
}

}  // namespace
}  // namespace atcd::feeds::simulator
