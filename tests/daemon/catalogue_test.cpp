#include "daemon/catalogue.hpp"

#include <gtest/gtest.h>

namespace atcd::daemon {
namespace {

// Binance has listed it since 2025, and more of its kind.
TEST(Catalogue, NamesBeyondAsciiAreThoseOfTheExchange) {
  const std::string base = "\u5e01\u5b89\u4eba\u751f";
  EXPECT_EQ(
      catalogue_json({"binance", "usdm", base + "USDT", "1m", "default"},
                     {base + "USDT", base, "USDT", true, 0, 0}, {1, engine::Interval::Unit::minute}, "c"),
      "{\"exchange\":\"binance\",\"market\":\"usdm\",\"symbol\":\"" + base + "USDT\",\"common_symbol\":\"" +
          base + "/USDT\",\"base\":\"" + base +
          "\",\"quote\":\"USDT\",\"interval\":\"1m\",\"interval_ms\":60000,"
          "\"profile\":\"default\",\"config\":\"c\"}");
}

TEST(Catalogue, WhatIsNoTextComesOutEscaped) {
  EXPECT_EQ(json_string("a\"\\\n\x7f"), R"("a\"\\\u000a\u007f")");
  EXPECT_EQ(json_string("\u00fc\u20ac\U0001f4a9"), "\"\u00fc\u20ac\U0001f4a9\"");
  EXPECT_EQ(json_string("\xc2\x9b\xc2\xa0"), "\"\\u009b\xc2\xa0\"")
      << "a terminal takes the first for a command";
  EXPECT_EQ(json_string("\xff\xc3(\xe5\xb8"), R"("\ufffd\ufffd(\ufffd\ufffd")") << "no UTF-8";
  EXPECT_EQ(json_string("\xed\xa0\x80\xc0\x80"), R"("\ufffd\ufffd\ufffd\ufffd\ufffd")") << "nor this";
}

}  // namespace
}  // namespace atcd::daemon
