#include "daemon/symbol_changes.hpp"

#include <gtest/gtest.h>

namespace atcd::daemon {
namespace {

Config config() {
  const ConfigResult result = parse_config(R"(
[[feed]]
exchange = "binance"
market = "spot"
symbols = ["BTCUSDT", "ETHUSDT"]
intervals = ["1m"]
[[feed]]
exchange = "binance"
market = "usdm"
symbols = ["*USDT", "BTCUSDC"]
exclude = ["DOGEUSDT"]
intervals = ["1m"]
[[feed]]
exchange = "binance"
market = "usdm"
symbols = ["BTCUSDT"]
intervals = ["15m"]
)");
  EXPECT_TRUE(result.errors.empty());
  return result.config;
}

using Texts = std::vector<std::string>;

TEST(SymbolChanges, ASymbolIsAddedAndRemoved) {
  Config changed = config();
  EXPECT_EQ(add_symbols(changed, "binance:spot", {"BNBUSDT", "ADA/USDT"}), "");
  EXPECT_EQ(changed.feeds[0].symbols, (Texts{"BTCUSDT", "ETHUSDT", "BNBUSDT", "ADA/USDT"}));
  EXPECT_EQ(remove_symbols(changed, "binance:spot", {"BTCUSDT", "BNBUSDT"}), "");
  EXPECT_EQ(changed.feeds[0].symbols, (Texts{"ETHUSDT", "ADA/USDT"}));
  EXPECT_TRUE(changed.feeds[0].exclude.empty());
}

TEST(SymbolChanges, WhatAPatternTakesIsExcludedAndComesBack) {
  Config changed = config();
  EXPECT_EQ(remove_symbols(changed, "binance:usdm:1m", {"XRPUSDT", "BTCUSDC"}), "");
  EXPECT_EQ(changed.feeds[1].symbols, Texts{"*USDT"});
  EXPECT_EQ(changed.feeds[1].exclude, (Texts{"DOGEUSDT", "XRPUSDT", "BTCUSDC"}));
  EXPECT_EQ(add_symbols(changed, "binance:usdm:1m", {"XRPUSDT", "DOGEUSDT", "BTCUSDC"}), "");
  EXPECT_EQ(changed.feeds[1].symbols, (Texts{"*USDT", "BTCUSDC"}));
  EXPECT_TRUE(changed.feeds[1].exclude.empty());
}

/// Only the exchange's list tells that both are one instrument.
TEST(SymbolChanges, WhatWasRemovedByItsOtherNameIsAddedByThat) {
  for (const char* feed : {"binance:spot", "binance:usdm:1m"}) {  // one with patterns
    Config changed = config();
    EXPECT_EQ(remove_symbols(changed, feed, {"XRP/USDT"}), "");
    const std::string error = add_symbols(changed, feed, {"XRPUSDT"});
    EXPECT_NE(
        error.find("XRPUSDT is excluded from " + std::string(feed) + " as XRP/USDT: add it by that name"),
        std::string::npos)
        << error;
    EXPECT_EQ(add_symbols(changed, feed, {"XRP/USDT"}), "");
  }
}

TEST(SymbolChanges, WhatIsWrongIsNamedAndChangesNothing) {
  const auto error = [](auto change, const std::string& feed, const Texts& symbols) {
    Config changed = config();
    const std::string text = change(changed, feed, symbols);
    EXPECT_EQ(changed.feeds[0].symbols, config().feeds[0].symbols);
    EXPECT_EQ(changed.feeds[0].exclude, config().feeds[0].exclude);
    return text;
  };
  const auto has = [](const std::string& text, std::string_view part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  has(error(add_symbols, "kraken:spot", {"A"}), "names no feed");
  has(error(add_symbols, "binance", {"A"}), "binance:spot:1m:default, binance:usdm:1m:default");
  has(error(add_symbols, "binance:usdm", {"A"}), "names 2 feeds, but must name one");
  has(error(add_symbols, "binance:spot:2m", {"A"}), "names no feed");
  has(error(add_symbols, "binance:spot", {}), "no symbol was named");
  has(error(add_symbols, "binance:spot", {"BNBUSDT", "BTCUSDT"}), "BTCUSDT is among the symbols");
  has(error(add_symbols, "binance:spot", {""}), "is no symbol");
  has(error(add_symbols, "binance:spot", {"A B"}), "is no symbol");
  has(error(add_symbols, "binance:spot", {std::string(65, 'A')}), "1 to 64 characters");
  has(error(remove_symbols, "binance:spot", {"BTCUSDT", "ETHUSDT"}), "no symbol would be left");
  has(error(remove_symbols, "binance:usdm:1m", {"DOGEUSDT"}), "is excluded from");
}

TEST(SymbolChanges, ASeriesThatAnotherFeedHasIsRefusedAsTheConfigurationRefusesIt) {
  Config changed = config();
  changed.feeds[2].intervals = {"1m", "15m"};
  const std::string error = add_symbols(changed, "binance:usdm:15m", {"BTCUSDC"});
  EXPECT_NE(error.find("binance:usdm:BTCUSDC:1m:default a second time"), std::string::npos) << error;
}

}  // namespace
}  // namespace atcd::daemon
