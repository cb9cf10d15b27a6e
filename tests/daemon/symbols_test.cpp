#include "daemon/symbols.hpp"

#include <gtest/gtest.h>

#include "daemon/catalogue.hpp"

namespace atcd::daemon {
namespace {

using feeds::SymbolInfo;

const std::vector<SymbolInfo> kListed = {{"BTCUSDT", "BTC", "USDT", true, 0, 900},
                                         {"ETHUSDT", "ETH", "USDT", true, 0, 500},
                                         {"BTCUPUSDT", "BTCUP", "USDT", true, 0, 50},
                                         {"LUNAUSDT", "LUNA", "USDT", false, 0, 0},
                                         {"ETHBTC", "ETH", "BTC", true, 0, 700}};

std::vector<std::string> names(const ResolvedSymbols& resolved) {
  std::vector<std::string> result;
  for (const SymbolInfo& info : resolved.symbols) result.push_back(info.symbol);
  return result;
}

std::vector<std::string> reasons(const ResolvedSymbols& resolved) {
  std::vector<std::string> result;
  for (const Unresolved& each : resolved.unresolved) result.push_back(each.reason);
  return result;
}

/// Of a market of futures.
std::vector<SymbolInfo> futures() {
  std::vector<SymbolInfo> listed = {{"BTCUSDT", "BTC", "USDT", true, 0, 900},
                                    {"BTCUSDT_261225", "BTC", "USDT", true, 0, 50},
                                    {"BTCUSDC", "BTC", "USDC", true, 0, 100},
                                    {"ETHUSDT", "ETH", "USDT", true, 0, 500},
                                    {"BTCUSD_PERP", "BTC", "USD", true, 0, 300}};
  for (SymbolInfo& each : listed) each.settle = each.quote;
  listed[1].delivery_ms = 1'798'185'600'000;
  listed[4].settle = "BTC";
  return listed;
}

ResolvedSymbols resolve(std::vector<std::string> symbols, std::span<const SymbolInfo> listed,
                        std::vector<std::string> exclude = {}) {
  FeedConfig feed;
  feed.symbols = std::move(symbols);
  feed.exclude = std::move(exclude);
  return resolve_symbols(feed, listed);
}

using Names = std::vector<std::string>;

TEST(Symbols, ACommonSymbolIsResolvedToTheNativeOne) {
  const ResolvedSymbols resolved = resolve({"BTC/USDT", "ETH/BTC", "LUNA/USDT", "BTCUSDT"}, kListed);
  EXPECT_EQ(names(resolved), (Names{"BTCUSDT", "LUNAUSDT", "ETHBTC"})) << "named outright, and each once";
  EXPECT_TRUE(resolved.unresolved.empty());
  FeedConfig feed;
  feed.symbols = {"BTC/USDT"};
  EXPECT_FALSE(has_patterns(feed));
  EXPECT_TRUE(may_have(feed, kListed[0]));
  EXPECT_FALSE(may_have(feed, kListed[1]));
}

TEST(Symbols, PatternsAndExclusionsMayBeCommonSymbols) {
  EXPECT_EQ(names(resolve({"*/USDT"}, kListed, {"*UP/USDT"})), (Names{"BTCUSDT", "ETHUSDT"}));
  EXPECT_EQ(names(resolve({"*/USDT"}, kListed, {"BTC*"})), Names{"ETHUSDT"}) << "without a slash: native";
  EXPECT_EQ(names(resolve({"ETH*"}, kListed, {"ETH/BTC"})), Names{"ETHUSDT"});
  EXPECT_EQ(names(resolve({"*/USDT"}, futures())), (Names{"BTCUSDT", "BTCUSDT_261225", "ETHUSDT"}));
  EXPECT_EQ(names(resolve({"*/USDT:USDT"}, futures())), (Names{"BTCUSDT", "ETHUSDT"})) << "perpetuals";
  EXPECT_EQ(names(resolve({"*/USDT"}, futures(), {"*/*:*-*"})), (Names{"BTCUSDT", "ETHUSDT"}));
}

TEST(Symbols, TheCurrencyOfSettlementAndTheDateTellFuturesApart) {
  EXPECT_EQ(names(resolve({"BTC/USDT:USDT", "BTC/USD:BTC"}, futures())), (Names{"BTCUSDT", "BTCUSD_PERP"}));
  EXPECT_EQ(names(resolve({"BTC/USDT:USDT-261225"}, futures())), Names{"BTCUSDT_261225"});
  EXPECT_EQ(names(resolve({"ETH/USDT", "BTC/USD"}, futures())), (Names{"ETHUSDT", "BTCUSD_PERP"}))
      << "where there is but one";
  EXPECT_EQ(common_symbol(futures()[1]), "BTC/USDT:USDT-261225");
  EXPECT_EQ(common_symbol({"X", "", "", true, 0, 0}), "");
  const engine::SeriesId id{"binance", "usdm", futures()[1].symbol, "1m", "default"};
  const std::string json = catalogue_json(id, futures()[1], *engine::Interval::parse("1m"), "0");
  EXPECT_NE(json.find(R"("common_symbol":"BTC/USDT:USDT-261225","base":"BTC","quote":"USDT")"),
            std::string::npos)
      << json;
}

TEST(Symbols, OfSeveralInstrumentsWithOneCommonSymbolNoneIsTaken) {
  const ResolvedSymbols resolved = resolve({"BTC/USDT", "ETHUSDT"}, futures());
  EXPECT_EQ(names(resolved), Names{"ETHUSDT"});
  EXPECT_EQ(reasons(resolved), Names{"lists 2 instruments as BTC/USDT, name one: BTCUSDT (BTC/USDT:USDT), "
                                     "BTCUSDT_261225 (BTC/USDT:USDT-261225)"});
  ASSERT_EQ(resolved.unresolved[0].instruments.size(), 2U);
  EXPECT_EQ(names(resolve({"BTC/USDT", "BTCUSDT"}, futures())), Names{"BTCUSDT"}) << "named by another text";
}

TEST(Symbols, AnUnknownSymbolIsToldWithANearMiss) {
  const auto reason = [](const char* text, std::span<const SymbolInfo> listed) {
    return reasons(resolve({text}, listed)).at(0);
  };
  EXPECT_EQ(reason("BTCUSTD", kListed), "does not list BTCUSTD (near is BTCUSDT)");
  EXPECT_EQ(reason("BTC-USDT", kListed), "does not list BTC-USDT (near is BTCUSDT)");
  EXPECT_EQ(reason("ethusdt", kListed), "does not list ethusdt (near is ETHUSDT)");
  EXPECT_EQ(reason("BTC/USTD", kListed), "does not list BTC/USTD (near is BTC/USDT)");
  EXPECT_EQ(reason("BTC/USDT:USDT", kListed), "does not list BTC/USDT:USDT (near is BTC/USDT)");
  EXPECT_EQ(reason("BTC/USD:USDT", futures()), "does not list BTC/USD:USDT (near is BTC/USDT:USDT)");
  EXPECT_EQ(reason("DOGE/EUR", kListed), "does not list DOGE/EUR");
  EXPECT_EQ(reason("/", kListed), "does not list /");
  EXPECT_EQ(reason("", kListed), "does not list ");
}

TEST(Symbols, AStarStandsForAnyCharacters) {
  EXPECT_TRUE(matches("*USDT", "BTCUSDT"));
  EXPECT_TRUE(matches("*USDT", "USDT"));
  EXPECT_TRUE(matches("B*C*T", "BTCUSDT"));
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("BTCUSDT", "BTCUSDT"));
  EXPECT_FALSE(matches("*USDT", "USDTBTC"));
  EXPECT_FALSE(matches("BTC", "BTCUSDT"));
  EXPECT_FALSE(matches("", "B"));
  EXPECT_TRUE(matches("*a*a*a*a*a*b", std::string(2000, 'a') + "b")) << "in less than exponential time";
}

TEST(Symbols, PatternsTakeWhatTradesAndExcludeWins) {
  FeedConfig feed;
  feed.symbols = {"*USDT"};
  feed.exclude = {"*UPUSDT"};
  EXPECT_EQ(names(resolve_symbols(feed, kListed)), (std::vector<std::string>{"BTCUSDT", "ETHUSDT"}));
}

TEST(Symbols, ANamedSymbolIsTakenAlsoWhenItDoesNotTradeAndReportedWhenItIsNotListed) {
  FeedConfig feed;
  feed.symbols = {"LUNAUSDT", "NOSUCH"};
  const ResolvedSymbols resolved = resolve_symbols(feed, kListed);
  EXPECT_EQ(names(resolved), std::vector<std::string>{"LUNAUSDT"});
  EXPECT_EQ(reasons(resolved), std::vector<std::string>{"does not list NOSUCH"});
}

TEST(Symbols, TopTakesTheLargestByQuoteVolume) {
  FeedConfig feed;
  feed.symbols = {"*"};
  feed.top = 2;
  EXPECT_EQ(names(resolve_symbols(feed, kListed)), (std::vector<std::string>{"BTCUSDT", "ETHBTC"}));
  EXPECT_TRUE(has_patterns(feed));
}

}  // namespace
}  // namespace atcd::daemon
