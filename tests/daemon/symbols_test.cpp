#include "daemon/symbols.hpp"

#include <gtest/gtest.h>

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
  EXPECT_EQ(resolved.unknown, std::vector<std::string>{"NOSUCH"});
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
