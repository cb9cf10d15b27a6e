#include "feeds/url.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atcd::feeds {
namespace {

Url parsed(std::string_view text) {
  std::string error;
  const auto url = Url::parse(text, error);
  EXPECT_TRUE(url) << error;
  return url.value_or(Url{});
}

TEST(Url, HasSchemeHostPortAndPath) {
  const Url url = parsed("wss://stream.binance.com:9443");
  EXPECT_EQ(url.scheme, "wss");
  EXPECT_EQ(url.host, "stream.binance.com");
  EXPECT_EQ(url.port, 9443);
  EXPECT_EQ(url.path, "");
  EXPECT_TRUE(url.secure());
  EXPECT_EQ(url.authority(), "stream.binance.com:9443");
}

TEST(Url, DefaultsToThePortOfItsScheme) {
  EXPECT_EQ(parsed("wss://h").port, 443);
  EXPECT_EQ(parsed("https://h").port, 443);
  EXPECT_EQ(parsed("ws://h").port, 80);
  EXPECT_EQ(parsed("http://h").port, 80);
  EXPECT_EQ(parsed("https://h:443").authority(), "h");
  EXPECT_FALSE(parsed("ws://h").secure());
}

TEST(Url, KeepsThePathOfAProxyWithoutItsLastSlash) {
  EXPECT_EQ(parsed("http://h/").path, "");
  EXPECT_EQ(parsed("http://h:1/a/b/").path, "/a/b");
}

TEST(Url, KnowsAddresses) {
  EXPECT_EQ(parsed("ws://127.0.0.1:80").host, "127.0.0.1");
  EXPECT_EQ(parsed("ws://[::1]:81").host, "::1");
  EXPECT_EQ(parsed("ws://[::1]:81").authority(), "[::1]:81");
}

TEST(Url, OtherTextIsRefusedWithAReason) {
  for (const char* text : {"",           "h",          "h:80",         "ftp://h",        "ws://",
                           "ws://:80",   "ws://h:0",   "ws://h:65536", "ws://h:x",       "ws://h:",
                           "ws://h:80x", "ws://u@h",   "ws://h h",     "ws://[::1",      "ws://[::1]x",
                           "ws://h/a b", "ws://h/a?b", "ws://h/#",     "ws://h\r\nX: y", "ws://h/\r\n",
                           "WS://h"}) {
    std::string error;
    EXPECT_FALSE(Url::parse(text, error)) << text;
    EXPECT_THAT(error, ::testing::HasSubstr("expected scheme://host:port")) << text;
  }
}

}  // namespace
}  // namespace atcd::feeds
