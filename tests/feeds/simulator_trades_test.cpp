// What the simulator sends as trades adds up to what its REST has as bars, for every exchange and market,
// through the real parsers and the code that builds bars.
#include <gtest/gtest.h>
#include <simdjson.h>

#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "feeds/simulator/market.hpp"
#include "feeds/simulator/wire.hpp"
#include "feeds/trade_bars.hpp"

namespace atcd::feeds::simulator {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kMondayMs = 1'795'392'000'000;  // 2026-11-23
constexpr std::int64_t kMinutes = 200;

struct Row {
  const char *exchange, *market;
  Form form;
  const char *before, *behind;  // the symbol in the name of its stream of trades
};
constexpr std::array<Row, 7> kRows = {{{"binance", "spot", 1, "", "@aggTrade"},
                                       {"binance", "usdm", 3, "", "@aggTrade"},
                                       {"bybit", "spot", 0, "publicTrade.", ""},
                                       {"bybit", "linear", 1, "publicTrade.", ""},
                                       {"bybit", "inverse", 2, "publicTrade.", ""},
                                       {"okx", "spot", 0, "trades:", ""},
                                       {"okx", "swap", 0, "trades:", "-SWAP"}}};

struct Builder final : TradeBarsHandler, FrameSink {
  Builder(const Exchange& exchange, const engine::Interval& interval)
      : bars({"any", interval.text()}, interval,
             {exchange.settling_time().count(), exchange.opens_at_last_close()}, *this) {}
  TradeBars bars;
  std::vector<engine::Bar> closed;
  std::set<std::string> symbols;
  std::int64_t now = 0;
  void on_kline(const feeds::Kline&) override { FAIL() << "not a trade"; }
  void on_trade(const Trade& trade) override {
    symbols.emplace(trade.symbol);
    EXPECT_GE(trade.time_ms, kMondayMs);
    bars.on_trade(trade, 1, now);
  }
  void on_built(const feeds::Kline& kline, bool, std::int64_t) override {
    if (kline.closed) closed.push_back(kline.bar);
  }
};

class SimulatorTrades : public ::testing::TestWithParam<Row> {
 protected:
  /// As MarketStreams sends them, each told twice.
  void tell_trades(const Market& market, std::size_t index, Builder& builder) const {
    const MarketSymbol& symbol = market.symbols()[index];
    const std::string stream = GetParam().before + symbol.symbol + GetParam().behind;
    const auto parser = exchange.new_parser();
    std::int64_t number = 1000;
    const std::int64_t end_ms = kMondayMs + kMinutes * kMinuteMs;
    for (std::int64_t at = kMondayMs; at < end_ms; at = Market::next_trade_ms(at)) {
      builder.now = at;
      auto trade = market.trade(index, at);
      if (!trade) continue;
      trade->bar.open_time_ms = at;
      const simdjson::padded_string frame(
          wire->trade_frame({stream, symbol, {}, *trade, true, at + 100}, ++number, GetParam().form));
      for (int told = 0; told < 2; ++told) {
        const FrameResult result = parser->parse({frame.data(), frame.size()}, builder);
        ASSERT_EQ(result.kind, FrameKind::trades) << result.text << " " << std::string_view(frame);
      }
    }
    builder.bars.on_timer(1, builder.now + exchange.settling_time().count());
  }

  const Exchange& exchange = *find_exchange(GetParam().exchange, GetParam().market);
  std::unique_ptr<Wire> wire = new_wire(GetParam().exchange, 0);
};

TEST_P(SimulatorTrades, add_up_to_the_bars_of_rest) {
  ASSERT_EQ(wire->opens_at_last_close(), exchange.opens_at_last_close());
  for (const double quiet_share : {0.0, 0.3}) {
    std::vector<MarketSymbol> symbols = first_symbols(20);
    for (MarketSymbol& symbol : symbols) symbol.symbol = wire->native_name(symbol);
    const Market market(symbols, {7, quiet_share, wire->opens_at_last_close()});
    for (const std::size_t index : {0U, 4U, 19U}) {
      // A longer bar of the market opens at the price that a quiet minute holds, not at its first trade.
      for (const int minutes :
           quiet_share > 0 && !wire->opens_at_last_close() ? std::vector{1} : std::vector{1, 5}) {
        const engine::Interval interval(minutes, engine::Interval::Unit::minute);
        Builder builder(exchange, interval);
        tell_trades(market, index, builder);
        const std::string native =
            market.symbols()[index].symbol + (GetParam().behind[0] == '-' ? GetParam().behind : "");
        EXPECT_EQ(builder.symbols, std::set<std::string>{native});
        const HistoryRequest request{native, interval.text(), kMondayMs,
                                     kMondayMs + (kMinutes - minutes) * kMinuteMs};
        std::vector<engine::Bar> rows;
        std::string error;
        const auto answer =
            wire->get({exchange.history_target(request), market, kMondayMs + kMinutes * kMinuteMs, 0});
        ASSERT_TRUE(exchange.parse_history(answer.body, request, rows, error)) << error;
        ASSERT_EQ(rows.size(), static_cast<std::size_t>(kMinutes / minutes));
        ASSERT_GE(builder.closed.size(), rows.size() - 12)
            << "the first, and the quiet ones at the end, are not";
        std::map<std::int64_t, engine::Bar> truth;
        for (const engine::Bar& row : rows) truth[row.open_time_ms] = row;
        for (engine::Bar built : builder.closed) {
          const engine::Bar& expected = truth.at(built.open_time_ms);
          if (std::string_view(GetParam().market) == "inverse") {  // a sum of products that were rounded
            EXPECT_NEAR(built.volume, expected.volume, 1e-9 * expected.volume);
            built.volume = expected.volume;
          }
          EXPECT_EQ(built, expected) << native << " " << interval.text();
        }
        EXPECT_EQ(builder.bars.counters().duplicates * 2, builder.bars.counters().trades);
        EXPECT_EQ(builder.bars.counters().lost, 0U);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Markets, SimulatorTrades, ::testing::ValuesIn(kRows), [](const auto& row) {
  return std::string(row.param.exchange) + "_" + row.param.market;
});

}  // namespace
}  // namespace atcd::feeds::simulator
