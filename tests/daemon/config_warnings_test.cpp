#include "daemon/config_warnings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "daemon/market_load.hpp"
#include "tests/locations.hpp"

namespace atcd::daemon {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t kNow = 1'764'000'000'000;  // 2025-11-24 16:00 UTC

constexpr std::string_view kFeed = R"(
[[feed]]
exchange = "binance"
market = "spot"
symbols = ["BTCUSDT"]
intervals = ["1m"]
)";

std::string text_of(const std::vector<ConfigError>& warnings) {
  std::string text;
  for (const ConfigError& each : warnings)
    text += std::to_string(each.line) + ": " + each.key + " " + each.message + "\n";
  return text;
}

ConfigResult read(std::string_view text) {
  ConfigResult result = parse_config(text);
  EXPECT_EQ(text_of(result.errors), "");
  return result;
}

/// The warnings about these lines, with the feed above behind them.
std::string warnings_of(std::string_view lines) {
  return text_of(config_warnings(read(std::string(lines) + std::string(kFeed)), kNow));
}

/// The feed of so many symbols, with more lines.
std::string load_of(std::size_t symbols, std::string_view feed_lines, std::string_view lines = "") {
  const ConfigResult result =
      read(std::string(lines) + "\n[[feed]]\nexchange = \"binance\"\nmarket = \"spot\"\nsymbols = [\"*\"]\n" +
           std::string(feed_lines));
  std::vector<std::string> list;
  for (std::size_t i = 0; i < symbols; ++i) list.push_back("S" + std::to_string(i));
  return text_of(load_warnings(result, {list}, kNow));
}

TEST(ConfigWarnings, OrdinaryConfigurationsHaveNone) {
  EXPECT_EQ(warnings_of(""), "");
  const ConfigResult sample = load_config(ATCD_SOURCE_DIR "/deploy/atcd.toml");
  EXPECT_EQ(text_of(config_warnings(sample, kNow)), "");
  EXPECT_EQ(text_of(load_warnings(sample, named_symbols(sample.config), kNow)), "");
  EXPECT_EQ(load_of(400, "intervals = [\"1m\", \"15m\"]\n"), "");
}

TEST(ConfigWarnings, ReturnsThatGrowByMoreThanATenthUntilTheNextBarZero) {
  const auto with = [](std::string_view lines) {
    return warnings_of("[[profile]]\nname = \"default\"\n" + std::string(lines));
  };
  // exp(0.02 / 1000 * k) passes 1.1 between k = 4765 and 4766, the bars 4766 and 4767.
  EXPECT_EQ(with("history_bars = 2766\nanchor_period = 2000\n"), "");
  EXPECT_THAT(
      with("history_bars = 2767\nanchor_period = 2000\n"),
      HasSubstr("4: profile[0].anchor_period with history_bars + anchor_period = 4767 and lambda = 0.02 "
                "returns grow by a factor of 1.1 until the next bar 0; up to 4766 bars"));
  EXPECT_THAT(with("lambda = 0.5\n"), HasSubstr("up to 191 bars"));
  EXPECT_EQ(with("lambda = -0.5\n"), "") << "they shrink";
  EXPECT_EQ(with("lambda = 0.05\ncutout = 1200\n"), "") << "none grows before the cutout";
}

TEST(ConfigWarnings, AFixedBarZeroThatLiesFarBack) {
  const auto with = [](std::string_view anchor) {
    return warnings_of("[[profile]]\nname = \"default\"\nanchor = \"" + std::string(anchor) + "\"\n");
  };
  EXPECT_THAT(
      with("2025-11-01T00:00:00Z"),
      HasSubstr("3: profile[0].anchor lies 34081 bars of 1m back: returns have grown by a factor of 1.977"));
  EXPECT_EQ(with("2025-11-23T00:00:00Z"), "");
  EXPECT_THAT(with("2026-11-23T00:00:00Z"),
              HasSubstr("anchor lies in the future: no signal is published before"));
}

TEST(ConfigWarnings, AProfileThatNoFeedNames) {
  EXPECT_THAT(warnings_of("[[profile]]\nname = \"default\"\n[[profile]]\nname = \"fast\"\n"),
              HasSubstr("4: profile[1].name \"fast\" stands in the profiles of no feed"));
}

TEST(ConfigWarnings, MoreThreadsThanProcessors) {
  EXPECT_THAT(warnings_of("threads = 64\n"), HasSubstr("1: threads is 64, but this machine has"));
}

TEST(ConfigWarnings, ARedisBeyondThisMachineWithoutTlsOrPassword) {
  unsetenv("CREDENTIALS_DIRECTORY");
  const auto with = [](std::string_view url, std::string_view more = "") {
    return warnings_of("[redis]\nurl = \"" + std::string(url) + "\"\n" + std::string(more));
  };
  EXPECT_THAT(with("redis://10.0.0.5:6379"),
              AllOf(HasSubstr("2: redis.url goes to 10.0.0.5:6379 without TLS"),
                    HasSubstr("2: redis.url goes to 10.0.0.5:6379 without a password")));
  EXPECT_THAT(with("rediss://redis.example:6379"),
              AllOf(Not(HasSubstr("without TLS")), HasSubstr("without a password")));
  EXPECT_THAT(with("redis-cluster://127.0.0.1:7000,redis.example:7001"),
              HasSubstr("goes to redis.example:7001"));
  for (const std::string_view near : {"redis://127.0.0.1:6379", "redis://localhost", "redis://[::1]:6379",
                                      "unix:///run/redis.sock", "redis://127.8.0.1"})
    EXPECT_EQ(with(near), "") << near;
  EXPECT_THAT(with("redis://127.0.0.1", "ca_file = \"/dev/null\"\n"),
              HasSubstr("ca_file, cert_file and key_file"));
}

TEST(ConfigWarnings, FilesThatCannotBeReadAndSecretsThatOthersCanRead) {
  EXPECT_THAT(
      warnings_of("[redis]\npassword_file = \"/no/such/password\"\n"),
      HasSubstr(
          "2: redis.password_file is \"/no/such/password\", which can't be read by this user: No such"));
  const std::string path = testing::TempDir() + "atcd_secret";
  std::ofstream(path) << "secret\n";
  ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  const std::string open = warnings_of("[redis]\npassword_file = \"" + path + "\"\n");
  EXPECT_THAT(open, AllOf(HasSubstr("every user of this machine can read"), HasSubstr("as a credential"),
                          Not(HasSubstr("secret\n"))));
  ASSERT_EQ(chmod(path.c_str(), 0640), 0);
  EXPECT_EQ(warnings_of("[redis]\npassword_file = \"" + path + "\"\n"), "");
  unlink(path.c_str());
  EXPECT_THAT(text_of(config_warnings(read(std::string(kFeed) + "ca_file = \"/no/ca\"\n"), kNow)),
              HasSubstr("feed[0].ca_file is \"/no/ca\", which can't be read"));
}

TEST(ConfigWarnings, PagesAndPricesThatLeaveTheMachine) {
  EXPECT_THAT(warnings_of("[http]\nlisten = \"0.0.0.0:9464\"\n"),
              HasSubstr("2: http.listen is \"0.0.0.0:9464\", beyond this machine"));
  EXPECT_THAT(warnings_of("[http]\nlisten = \"[::]:9464\"\n"), HasSubstr("beyond this machine"));
  for (const std::string_view near : {"[::1]:9464", "127.0.0.1:0", "off"})
    EXPECT_EQ(warnings_of("[http]\nlisten = \"" + std::string(near) + "\"\n"), "") << near;
  const std::string feed =
      std::string(kFeed) + "websocket_url = \"ws://proxy.example\"\nrest_url = \"http://127.0.0.1\"\n";
  EXPECT_THAT(text_of(config_warnings(read(feed), kNow)),
              AllOf(HasSubstr("feed[0].websocket_url goes to proxy.example without TLS"),
                    Not(HasSubstr("rest_url"))));
}

TEST(ConfigWarnings, MoreConnectionsThanABarHasTurnsFor) {
  // 200 streams a connection, ten connects at once, then one in 2 s: 40 in a minute.
  EXPECT_THAT(load_of(8000, "intervals = [\"1m\"]\n"), Not(HasSubstr("connections")));
  EXPECT_THAT(
      load_of(8001, "intervals = [\"1m\"]\n"),
      HasSubstr("feed[0].symbols come to 8001 streams on 41 connections to binance spot, which takes 10 "
                "at once and then one every 2000 ms of an address: after an interruption the last is up "
                "after 2 min, longer than "
                "a bar of 1m"));
  EXPECT_THAT(load_of(8000, "intervals = [\"1m\"]\n", "threads = 3\n"), HasSubstr("connections"))
      << "each thread has its own";
  EXPECT_THAT(load_of(8001, "intervals = [\"1m\", \"7m\"]\nsource = \"trades\"\n"), HasSubstr("8001 streams"))
      << "intervals share a symbol's trades";
  EXPECT_THAT(load_of(8001, "intervals = [\"1h\"]\n"), Not(HasSubstr("streams")));
}

TEST(ConfigWarnings, MoreRestThanTheShareOfTheLimit) {
  // 3,000 bars are 3 requests of weight 2; half of 6,000 a minute is granted to us.
  EXPECT_EQ(load_of(500, "intervals = [\"1m\"]\n"), "");
  EXPECT_THAT(load_of(500, "intervals = [\"1m\"]\nrest_share = 0.001\n"),
              AllOf(HasSubstr("feed[0].rest_share makes an empty history of 500 series take"),
                    HasSubstr("within 0.1 % of the 6000 in 60 s that binance spot grants"),
                    HasSubstr("makes asking once for each of 500 series take")));
  EXPECT_THAT(load_of(1, "intervals = [\"1m\"]\nrest_share = 0.01\nrefresh = \"60s\"\ntop = 5\n"),
              HasSubstr("feed[0].refresh makes the list of symbols alone take"));
}

TEST(ConfigWarnings, FeedsOfOneMarketAreWeighedTogether) {
  const ConfigResult two = read(R"(
[[profile]]
name = "default"
[[profile]]
name = "other"
[[feed]]
exchange = "binance"
market = "spot"
symbols = ["*USDT"]
intervals = ["1m"]
[[feed]]
exchange = "binance"
market = "spot"
symbols = ["*USDC", "*USDT"]
intervals = ["1m"]
profiles = ["other"]
)");
  std::vector<std::string> first, second;
  for (int i = 0; i < 4001; ++i) first.push_back("A" + std::to_string(i));
  for (int i = 0; i < 4000; ++i) second.push_back("B" + std::to_string(i));
  EXPECT_THAT(text_of(load_warnings(two, {first, second}, kNow)),
              HasSubstr("8001 streams on 41 connections"));
  EXPECT_THAT(text_of(load_warnings(two, {first, first}, kNow)), Not(HasSubstr("streams")))
      << "the same ones";
  EXPECT_THAT(text_of(load_warnings(two, {std::nullopt, first}, kNow)), Not(HasSubstr("streams")));
}

}  // namespace
}  // namespace atcd::daemon
