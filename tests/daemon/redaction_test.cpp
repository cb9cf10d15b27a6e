#include "daemon/redaction.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include "daemon/tar_gz.hpp"

namespace atcd::daemon {
namespace {

TEST(Redaction, NoFormOfAPasswordIsLeft) {
  const char* kTexts[] = {
      "url = \"redis://user:S3CRET@host:6379/0\"",
      "url = \"redis://:S3CRET/with/slashes@host\"",
      "level=error detail=\"can't reach rediss://bot:S3CRET@10.0.0.1:6380\"",
      "password = \"S3CRET\"",
      "password='S3CRET two'",
      "redis.password = S3CRET",
      "password = \"\"\"\nS3CRET\n\"\"\"",
      "passwords = [\"a\", \"S3CRET\"]",
      "Redis_Password: S3CRET",
      "{\"api_key\":\"S3CRET\",\"x\":1}",
      "{\"api_secret\" : \"a\\\"S3CRET\"}",
      "detail=\"{\\\"token\\\":\\\"S3CRET\\\"}\"",
      "GET https://host/path?symbol=BTC&token=S3CRET&x=1",
      "password = \"unfinished S3CRET",
      "x=1 token=S3CRET",
  };
  for (const char* text : kTexts) {
    const std::string clean = without_secrets(text, {});
    EXPECT_EQ(clean.find("S3CRET"), std::string::npos) << clean;
    EXPECT_NE(clean.find("***"), std::string::npos) << clean;
  }
}

TEST(Redaction, ThePasswordItselfIsFoundAnywhere) {
  const std::string clean =
      without_secrets("AUTH pass\"word and pass%22word and pass\\\"word", {"pass\"word", "x"});
  EXPECT_EQ(clean, "AUTH *** and *** and ***");
}

TEST(Redaction, WhatIsNoSecretStays) {
  const std::string text =
      "[redis]\nurl = \"redis://127.0.0.1:6379\"\npassword_file = \"/etc/atcd/redis.password\"\n"
      "websocket_url = \"wss://stream.binance.com:9443\"  # mail us: a@b.example\n"
      "ts=2026-11-24T02:57:00Z level=info event=added series=binance:spot:BTCUSDT:1m:default\n";
  EXPECT_EQ(without_secrets(text, {}), text);
}

TEST(TarGz, IsASoundArchive) {
  const std::string packed =
      tar_gz({{"a/one.txt", "first"}, {"a/two.txt", std::string(1000, 'x')}, {"a/empty", ""}}, 1'700'000'000);
  std::string tar(100'000, '\0');
  z_stream stream{};
  ASSERT_EQ(inflateInit2(&stream, 31), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(tar.data());
  stream.avail_out = static_cast<uInt>(tar.size());
  ASSERT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  tar.resize(stream.total_out);
  inflateEnd(&stream);
  // Header and content of the first, header and two blocks of the second, header of the third, the end.
  ASSERT_EQ(tar.size(), 512U * (2 + 3 + 1 + 2));
  EXPECT_STREQ(tar.c_str(), "a/one.txt");
  EXPECT_EQ(tar.substr(512, 5), "first");
  EXPECT_EQ(tar.substr(257, 5), "ustar");
  EXPECT_STREQ(tar.c_str() + 1024, "a/two.txt");
  EXPECT_EQ(tar.substr(1024 + 124, 11), "00000001750");
  EXPECT_THROW(tar_gz({{std::string(100, 'n'), ""}}, 0), std::runtime_error);
}

}  // namespace
}  // namespace atcd::daemon
