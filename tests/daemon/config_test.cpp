#include "daemon/config.hpp"
#include "daemon/config_checks.hpp"
#include "tests/locations.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace atcd::daemon {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kFeed = R"(
[[feed]]
exchange = "binance"
market = "spot"
symbols = ["BTCUSDT"]
intervals = ["1m"]
)";

std::string all(const ConfigResult& result) {
  std::string text;
  for (const ConfigError& error : result.errors) {
    text += std::to_string(error.line) + ": " + error.key + " " + error.message + "\n";
  }
  return text;
}

/// The errors of a file with the feed above and these lines in front of it.
std::string errors_with(std::string_view lines) {
  return all(parse_config(std::string(lines) + std::string(kFeed)));
}

TEST(Config, WhatItLeavesOutHasADefaultThatWorks) {
  const ConfigResult result = parse_config(kFeed);
  EXPECT_EQ(all(result), "");
  ASSERT_EQ(result.config.profiles.size(), 1U);
  EXPECT_EQ(result.config.profiles[0].name, "default");
  EXPECT_EQ(result.config.profiles[0].anchor.history_bars, 1500);
  EXPECT_EQ(result.config.redis.url, "redis://127.0.0.1:6379");
  EXPECT_EQ(result.config.feeds[0].rest_share, 0.5);
}

TEST(Config, TheSampleThatIsShippedHasNoErrorAndTheDefaults) {
  const ConfigResult result = load_config(ATCD_SOURCE_DIR "/deploy/atcd.toml");
  EXPECT_EQ(all(result), "");
  const ProfileConfig defaults;
  EXPECT_EQ(config_json(result.config.profiles[0]), config_json(defaults));
  EXPECT_EQ(result.config.redis.keep, RedisConfig{}.keep);
}

TEST(Config, EveryErrorIsToldAtOnceWithItsLine) {
  const std::string errors = errors_with(R"(instance = "a b"
[[profile]]
name = "p"
dialect = "lst"
decay = 200
[redis]
url = "http://x"
keep = 0
)");
  EXPECT_THAT(errors, HasSubstr("1: instance is \"a b\""));
  EXPECT_THAT(errors,
              HasSubstr("4: profile[0].dialect is 'lst': it must be one of lts, pine; did you mean lts?"));
  EXPECT_THAT(errors, HasSubstr("5: profile[0].decay is 200, but must be from 0 to 100"));
  EXPECT_THAT(errors, HasSubstr("7: redis.url"));
  EXPECT_THAT(errors, HasSubstr("8: redis.keep is 0: it must be a whole number from 1 to 1000000"));
  EXPECT_THAT(errors, HasSubstr("names \"default\", but there is no such profile"));
}

TEST(Config, TheHttpServerListensOnAnAddressOrIsOff) {
  EXPECT_EQ(errors_with("[http]\nlisten = \"off\"\n"), "");
  EXPECT_EQ(errors_with("[http]\nlisten = \"0.0.0.0:9464\"\n"), "");
  EXPECT_THAT(errors_with("[http]\nlisten = \"localhost\"\n"),
              HasSubstr("2: http.listen is \"localhost\": it must be \"off\", or an IP address and a port"));
}

TEST(Config, AnUnknownKeyIsAnErrorWithTheKeyThatWasMeant) {
  EXPECT_THAT(errors_with("instanse = \"x\"\n"),
              HasSubstr("1: instanse is no key that atcd knows; did you mean instance?"));
  EXPECT_THAT(all(parse_config(std::string(kFeed) + "rest_shar = 0.5\n")),
              HasSubstr("did you mean rest_share?"));
  EXPECT_THAT(errors_with("[rediss]\n"), HasSubstr("did you mean redis?"));
}

TEST(Config, AnUnknownNameIsToldWithTheOneThatWasMeant) {
  const auto feed = [](std::string_view exchange, std::string_view market, std::string_view more = "") {
    return all(parse_config("[[feed]]\nsymbols = [\"A\"]\nexchange = \"" + std::string(exchange) +
                            "\"\nmarket = \"" + std::string(market) + "\"\n" + std::string(more)));
  };
  EXPECT_THAT(feed("binanse", "spot"),
              HasSubstr("3: feed[0].exchange is \"binanse\": it must be one of binance, bybit, okx; did"));
  EXPECT_THAT(feed("binanse", "spot"), HasSubstr("did you mean binance?"));
  EXPECT_THAT(feed("ByBit", "linear"), HasSubstr("did you mean bybit?"));
  EXPECT_THAT(feed("bybit", "liner"),
              HasSubstr("4: feed[0].market is \"liner\": it must be one of spot, linear, inverse"));
  EXPECT_THAT(feed("bybit", "liner"), HasSubstr("did you mean linear?"));
  EXPECT_THAT(feed("mtgox", "spot"), Not(HasSubstr("did you mean binance"))) << "too far away";
  EXPECT_THAT(feed("okx", "spot", "intervals = [\"15min\"]\n"),
              HasSubstr("is no interval such as 1m, 4h or 1d; did you mean 15m?"));
  EXPECT_THAT(
      feed("okx", "spot", "intervals = [\"1m\"]\nprofiles = [\"defualt\"]\n"),
      HasSubstr(
          "6: feed[0].profiles names \"defualt\", but there is no such profile; did you mean default?"));
  EXPECT_THAT(errors_with("[[profile]]\nname = \"default\"\nfamilies = [\"ema\", \"hmma\"]\n"),
              HasSubstr("did you mean hma?"));
}

TEST(Config, WrongTypesAreNamedWithTheValue) {
  EXPECT_THAT(errors_with("instance = 5\n"), HasSubstr("is 5: it must be a text in quotes"));
  EXPECT_THAT(errors_with("threads = 0\n"), HasSubstr("threads"));
  EXPECT_THAT(errors_with("threads = 65\n"), HasSubstr("threads"));
  EXPECT_THAT(errors_with("profile = 1\n"), HasSubstr("it must be written as [[profile]]"));
  EXPECT_THAT(all(parse_config("feed = [1]\n")), HasSubstr("must be a table: [[feed]]"));
  EXPECT_THAT(errors_with("[log]\nlevel = \"loud\"\n"), HasSubstr("one of debug, info, warning, error"));
}

TEST(Config, ListsAndTablesAreShownAsTheyAreUpToALength) {
  EXPECT_THAT(all(parse_config("instance = [0.03, 'a', [1], { b = true, c = 2 }]\n")),
              HasSubstr("[0.03, 'a', [1], { b = true, c = 2 }]"));
  std::string many = "instance = [0";
  for (int i = 1; i < 1000; ++i) many += ", " + std::to_string(i);
  EXPECT_THAT(all(parse_config(many + "]\n")), HasSubstr("[0, 1, 2, 3,"));
  EXPECT_THAT(all(parse_config(many + "]\n")), Not(HasSubstr("40")));
}

TEST(Config, FeedsAreCheckedAgainstTheExchangeTable) {
  const auto feed = [](std::string_view lines) {
    return all(parse_config("[[feed]]\nsymbols = [\"A\"]\n" + std::string(lines)));
  };
  EXPECT_THAT(feed("exchange = \"binanse\"\nmarket = \"spot\"\nintervals = [\"1m\"]\n"),
              HasSubstr("one of binance, bybit, okx; did you mean binance?"));
  EXPECT_THAT(feed("exchange = \"binance\"\nmarket = \"spot\"\nintervals = [\"1500ms\"]\n"),
              HasSubstr("no interval"));
  EXPECT_EQ(feed("exchange = \"binance\"\nmarket = \"spot\"\nintervals = [\"7m\", \"2w\", \"5M\"]\n"), "")
      << "folded";
  EXPECT_THAT(
      feed("exchange = \"binance\"\nmarket = \"usdm\"\nintervals = [\"90s\"]\n"),
      HasSubstr("holds \"90s\", which binance usdm does not offer and which can't be folded from what "
                "it offers: 1m, 3m, 5m, 15m"));
  EXPECT_THAT(feed("exchange = \"binance\"\nmarket = \"spot\"\nintervals = [\"soon\"]\n"),
              HasSubstr("no interval"));
  EXPECT_THAT(feed("exchange = \"binance\"\nmarket = \"spot\"\nintervals = []\n"),
              HasSubstr("intervals is empty"));
  for (const std::string row :
       {"binance\"\nmarket = \"spot", "bybit\"\nmarket = \"spot", "bybit\"\nmarket = \"linear",
        "bybit\"\nmarket = \"inverse", "okx\"\nmarket = \"spot", "okx\"\nmarket = \"swap"})
    EXPECT_EQ(feed("exchange = \"" + row + "\"\nintervals = [\"1m\", \"7m\"]\nsource = \"trades\"\n"), "")
        << row;
  EXPECT_THAT(feed("exchange = \"binance\"\nmarket = \"spot\"\nintervals = [\"1m\"]\nsource = \"trade\"\n"),
              HasSubstr("one of klines, trades; did you mean trades?"));
  EXPECT_THAT(feed("exchange = \"binance\"\nmarket = \"spot\"\nintervals = [\"1m\"]\nrest_share = 0\n"),
              HasSubstr("a number above 0 and at most 1"));
  EXPECT_THAT(feed("exchange = \"binance\"\nmarket = \"spot\"\nintervals = [\"1m\"]\nrefresh = \"soon\"\n"),
              HasSubstr("a time such as"));
  EXPECT_THAT(all(parse_config("")), HasSubstr("at least one [[feed]] is needed"));
}

TEST(Config, ASeriesMayBeNamedOnce) {
  EXPECT_THAT(all(parse_config(std::string(kFeed) + std::string(kFeed))),
              HasSubstr("binance:spot:BTCUSDT:1m:default a second time"));
}

TEST(Config, TheBarsOfASeriesComeFromOneAddress) {
  const auto feed = [](const std::string& symbols, const std::string& keys) {
    return "[[feed]]\nexchange = \"binance\"\nmarket = \"spot\"\nsymbols = [" + symbols + "]\n" + keys;
  };
  const std::string minute = "intervals = [\"1m\"]\n", proxy = "rest_url = \"https://proxy:443\"\n";
  const std::string first = feed("\"BTC*\", \"ETH/*\"", minute);
  for (const char* symbol : {"\"BTCUSDT\"", "\"ETH/USDT\"", "\"XRPUSDT\", \"BTCUSDT\""}) {
    const std::string found = all(parse_config(first + feed(symbol, minute + proxy)));
    EXPECT_THAT(found, HasSubstr("6: feed[1] has ")) << symbol;
    EXPECT_THAT(found, HasSubstr(" 1m, as feed[0] has, which is of another websocket_url")) << symbol;
    EXPECT_EQ(all(parse_config(first + feed(symbol, minute))), "") << "of one address they share it";
  }
  // Also where the one that takes all comes last, and for another profile.
  EXPECT_THAT(all(parse_config("[[profile]]\nname = \"default\"\n[[profile]]\nname = \"other\"\n" +
                               feed("\"BTCUSDT\"", minute + proxy + "profiles = [\"other\"]\n") + first)),
              HasSubstr("feed[1] has BTCUSDT 1m, as feed[0]"));
  for (const char* excluded : {"BTCEUR", "BTC/EUR"}) {
    EXPECT_EQ(
        all(parse_config(first + "exclude = [\"" + excluded + "\"]\n" + feed("\"BTCEUR\"", minute + proxy))),
        "");
  }
  EXPECT_EQ(all(parse_config(first + feed("\"BTCUSDT\"", "intervals = [\"5m\"]\n" + proxy))), "");
  EXPECT_EQ(all(parse_config(first + feed("\"XRPUSDT\"", minute + proxy))), "");
}

TEST(Config, OnlyARestartChangesSomeKeys) {
  const Config running = parse_config(kFeed).config;
  EXPECT_EQ(what_stays(running, running), "");
  EXPECT_EQ(what_stays(running, parse_config("threads = 3\n" + std::string(kFeed) +
                                             "[redis]\nkeep = 7\n[http]\nlisten = \"off\"\n")
                                    .config),
            "what only a restart changes stays as it was: threads, redis, http");
}

TEST(Config, TheBarsOfAllProfilesComeFromOneSource) {
  const std::string other = "[[profile]]\nname = \"default\"\n[[profile]]\nname = \"other\"\n";
  const std::string second = std::string(kFeed) + "profiles = [\"other\"]\n";
  EXPECT_EQ(all(parse_config(other + std::string(kFeed) + second)), "");
  EXPECT_THAT(all(parse_config(other + std::string(kFeed) + second + "source = \"trades\"\n")),
              HasSubstr("feed[1].source is another than in the feed before it that has BTCUSDT 1m too"));
}

TEST(Config, HistoryMustCoverTheLongestAverage) {
  EXPECT_THAT(errors_with("[[profile]]\nname = \"default\"\nhistory_bars = 20\n"),
              HasSubstr("need at least 34"));
}

TEST(Config, SecretsDoNotBelongIntoTheUrl) {
  const std::string errors = errors_with("[redis]\nurl = \"redis://me:secret@host\"\n");
  EXPECT_THAT(errors, HasSubstr("belong in username and password_file"));
  EXPECT_THAT(errors, testing::Not(HasSubstr("secret")));
}

TEST(Config, AnAddressThatNoFeedCanUseIsRefused) {
  const auto with = [](std::string_view key, std::string_view url) {
    return all(parse_config(std::string(kFeed) + std::string(key) + " = \"" + std::string(url) + "\"\n"));
  };
  for (const std::string_view url : {"wss://", "wss://host:99999", "wss://host:0", "wss://[::1",
                                     "wss://a/?query", "WS://a", "wss://a b", "https://host", "host"}) {
    EXPECT_THAT(with("websocket_url", url), HasSubstr("7: feed[0].websocket_url is \"" + std::string(url) +
                                                      "\": it must be wss://HOST[:PORT] or ws:"));
  }
  EXPECT_THAT(with("rest_url", "https://host:x"),
              HasSubstr("it must be https://HOST[:PORT] or http://HOST[:PORT]"));
  for (const std::string_view url : {"wss://host", "ws://127.0.0.1:9500", "wss://[::1]:9443"})
    EXPECT_EQ(with("websocket_url", url), "") << url;
  const std::string secret = with("rest_url", "https://me:secret@host");
  EXPECT_THAT(secret, HasSubstr("7: feed[0].rest_url has an @: it must be https://"));
  EXPECT_THAT(secret, Not(HasSubstr("secret")));
}

TEST(Config, CertificatesThatAFeedCannotReadAreToldBeforeItIsMade) {
  const std::string path = testing::TempDir() + "atcd_ca.toml";
  const auto with = [&path](std::string_view lines) {
    std::ofstream(path) << kFeed << lines;
    return all(load_config_to_run(path));
  };
  EXPECT_EQ(with(""), "");
  EXPECT_THAT(with("ca_file = \"/no/ca.pem\"\n"),
              HasSubstr("7: feed[0].ca_file \"/no/ca.pem\" cannot be read as certificates in PEM form"));
  EXPECT_THAT(with("ca_file = \"" + path + "\"\n"), HasSubstr("cannot be read as certificates")) << "no PEM";
  EXPECT_EQ(with("ca_file = \"/no/ca.pem\"\nwebsocket_url = \"ws://h\"\nrest_url = \"http://h\"\n"), "")
      << "nothing is verified";
}

TEST(Config, TheStateDirectoryIsNotTheRootOfAllFiles) {
  EXPECT_THAT(errors_with("[state]\ndirectory = \"\"\n"),
              HasSubstr("2: state.directory is \"\": it must be a directory's path"));
}

TEST(Config, AnchorsAreUtcTimes) {
  const auto with = [](std::string_view anchor) {
    return parse_config("[[profile]]\nname = \"default\"\nanchor = " + std::string(anchor) + "\n" +
                        std::string(kFeed));
  };
  EXPECT_EQ(with("\"2024-01-01T00:00:00Z\"").config.profiles[0].anchor.fixed_anchor_ms, 1704067200000);
  EXPECT_EQ(with("2024-01-01T00:00:00Z").config.profiles[0].anchor.fixed_anchor_ms, 1704067200000);
  EXPECT_THAT(all(with("\"2024-13-01T00:00:00Z\"")), HasSubstr("must be a UTC time"));
  for (const char* text :
       {"\"-024-01-01T00:00:00Z\"", "\"2024-01-01T00:00: 1Z\"", "\"2024-01-01T00:00:00z\""})
    EXPECT_THAT(all(with(text)), HasSubstr("must be a UTC time"));
  EXPECT_THAT(all(with("\"yesterday\"")), HasSubstr("anchor is 'yesterday': it must be a UTC time"));
}

TEST(Config, TheHashChangesWithEverythingThatSignalsDependOnAndNothingElse) {
  const auto hash = [](std::string_view lines) {
    return config_hash(
        parse_config("[[profile]]\n" + std::string(lines) + "\n" + std::string(kFeed)).config.profiles[0]);
  };
  const std::string base = hash("name = \"default\"");
  EXPECT_EQ(base.size(), 16U);
  EXPECT_EQ(hash("name = \"other\""), base) << "the name is part of the series, not of the parameters";
  for (const std::string_view line :
       {"dialect = \"pine\"", "lengths = { kama = 29 }", "weights = { ema = 2 }", "robustness = \"wide\"",
        "lambda = 0.03", "decay = 0.04", "cutout = 1", "long_threshold = 0.2", "short_threshold = -0.2",
        "strategy_mode = true", "ma_source = \"hl2\"", "history_bars = 1501", "anchor_period = 1501",
        "anchor = \"2024-01-01T00:00:00Z\""}) {
    EXPECT_NE(hash(line), base) << line;
  }
}

TEST(Config, ASubsetOfFamiliesNeedsNothingOfTheOthers) {
  const auto with = [](std::string_view lines) {
    return parse_config("[[profile]]\nname = \"default\"\n" + std::string(lines) + std::string(kFeed));
  };
  const ConfigResult some = with(
      "families = [\"kama\", \"ema\"]\nlengths = { hma = 2, ema = 30, kama = 9 }\nweights = { wma = -1 }\n");
  EXPECT_EQ(all(some), "");
  const engine::Parameters& parameters = some.config.profiles[0].parameters;
  EXPECT_EQ(parameters.families, (std::array{true, false, false, false, false, true}));
  EXPECT_EQ(parameters.lengths[0], 30);
  const auto hash = [&](std::string_view lines) { return config_hash(with(lines).config.profiles[0]); };
  EXPECT_EQ(hash("families = [\"ema\"]\nlengths = { hma = 2 }\n"), hash("families = [\"ema\"]\n"));
  EXPECT_NE(hash("families = [\"ema\"]\n"), hash(""));
  EXPECT_EQ(hash("families = [\"lsma\", \"kama\", \"ema\", \"hma\", \"wma\", \"dema\"]\n"), hash(""));

  EXPECT_THAT(all(with("families = []\n")),
              HasSubstr("3: profile[0].families is empty, but must name at least one of ema, hma"));
  EXPECT_THAT(all(with("families = [\"ema\", \"sma\"]\n")),
              HasSubstr("families has \"sma\", but may only have ema, hma, wma, dema, lsma, kama"));
  EXPECT_THAT(all(with("families = [\"ema\", \"ema\"]\n")), HasSubstr("families has \"ema\" twice"));
  EXPECT_THAT(all(with("families = \"ema\"\n")), HasSubstr("a list of texts"));
  EXPECT_THAT(all(with("families = [\"ema\"]\nlengths = { emma = 9 }\n")), HasSubstr("did you mean ema?"));
  EXPECT_THAT(all(with("families = [\"ema\"]\nlengths = { ema = 6 }\n")),
              HasSubstr("4: profile[0].lengths.ema is 6"));
  // Only KAMA needs no length of history.
  EXPECT_THAT(all(with("history_bars = 5\n")), HasSubstr("need at least 34"));
  EXPECT_EQ(all(with("history_bars = 5\nfamilies = [\"kama\"]\n")), "");
}

TEST(Config, WhatIsNoTomlHasItsColumnToo) {
  const auto where = [](std::string_view text) {
    const ConfigResult result = parse_config(text);
    return std::pair(result.errors.at(0).line, result.errors.at(0).column);
  };
  EXPECT_EQ(where("a = 1\nb == 2\n"), (std::pair{2, 4}));
  EXPECT_EQ(where("a = 1\n  \xc3\xa4 = 2\n"), (std::pair{2, 3}));
  EXPECT_EQ(where("\xc3\xa4 = 2\n"), (std::pair{1, 1}));
}

// Behind a # in a string there is no comment, and toml++ has undefined behaviour where the string has ended
// or an escape goes over a line's end.
TEST(Config, CharactersBeyondAsciiStandInCommentsOnly) {
  const std::vector<std::string_view> refused = {
      "a = \"#\"\xd0\xa3",       "a = '#'\xd0\xa3",          "'#'\xd0\xa3 = 1",
      "a = \"\\\"#\"\xd0\xa3",   "a = \"\\\\\"\xd0\xa3#\"",  "a = '\\'\xd0\xa3#'",
      "a = \"\"\"# \\ \xd0\xa3", "a = \"\"\"\n# \\\xd0\xa3", "a = \"\"\"\"#\"\"\"\"\"\xd0\xa3",
      "a = '''\n'#\xd0\xa3"};
  for (const std::string_view text : refused)
    EXPECT_THAT(all(parse_config(text)), HasSubstr("characters beyond ASCII")) << text;
  const std::vector<std::string_view> allowed = {
      "a = \"\" # \xd0\xa3", "a = '\\' # \xd0\xa3 \"", "a = \"\\\"\" # \\ \xd0\xa3 '",
      "a = \"\"\"\n\"\\\n\"\"\"\"\" # \xd0\xa3", "a = '''\n\\''' # \xd0\xa3"};
  for (const std::string_view text : allowed)
    EXPECT_THAT(all(parse_config(text)), testing::Not(HasSubstr("is no TOML"))) << text;
}

TEST(Config, ATableMayNotBeThereWithoutMeasure) {
  std::string many;
  for (int i = 0; i < 1001; ++i) many += "[[profile]]\n";
  EXPECT_THAT(errors_with(many), HasSubstr("profile is there 1001 times: it may be 1000 times at most"));
}

TEST(Config, WhyAFileCannotBeReadIsTold) {
  EXPECT_EQ(all(load_config("/no/atcd.toml")), "0:  the file can't be read: No such file or directory\n");
  EXPECT_EQ(all(load_config(testing::TempDir())), "0:  the file can't be read: Is a directory\n");
}

TEST(Config, WhatIsNoTomlIsOneErrorWithItsLine) {
  EXPECT_THAT(all(parse_config("a = 1\nb = \n")), HasSubstr("2:  is no TOML"));
  EXPECT_THAT(all(parse_config(std::string(2U << 20, 'x'))), HasSubstr("at most 1048576"));
  EXPECT_THAT(all(parse_config("a = " + std::string(5000, '['))), testing::Not(IsEmpty()));
  EXPECT_THAT(all(parse_config("# \xc3\xa4 '\n\xef\xb6\xbf = 1\n")), HasSubstr("2:  is no TOML"));
  EXPECT_THAT(all(parse_config("a = 1\nb = \"\xc3\xa4\"\n")),
              HasSubstr("2:  is no TOML: characters beyond ASCII"));
  EXPECT_THAT(all(parse_config("a = 28'@\xef\xbb\xbe"
                               "0'\n")),
              HasSubstr("1:  is no TOML"));
  EXPECT_THAT(all(parse_config("[log]\nlevel = \"\\u00e4\"  # '\xc3\xa4\n")), HasSubstr("level"));
  EXPECT_THAT(all(parse_config("a = 1\n[[$x]]\n")), HasSubstr("2:  is no TOML"));
  EXPECT_THAT(all(load_config("/no/such/file")), HasSubstr("can't be read"));
}

}  // namespace
}  // namespace atcd::daemon
