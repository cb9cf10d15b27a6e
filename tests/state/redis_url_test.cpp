#include "state/redis_url.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atcd::state {
namespace {

RedisAddress parsed(std::string_view url) {
  std::string error;
  const auto address = parse_redis_url(url, error);
  EXPECT_TRUE(address.has_value()) << url << ": " << error;
  return address.value_or(RedisAddress{});
}

TEST(RedisUrlTest, ReadsHostPortDatabaseAndCredentials) {
  EXPECT_EQ(parsed("redis://127.0.0.1").text(), "127.0.0.1:6379");
  EXPECT_EQ(parsed("redis://redis.example:7000/").text(), "redis.example:7000");
  EXPECT_EQ(parsed("redis://[::1]:7000/3").host, "::1");
  EXPECT_EQ(parsed("redis://[::1]:7000/3").text(), "[::1]:7000");
  EXPECT_EQ(parsed("redis://h/15").database, 15);
  const RedisAddress address = parsed("redis://bot:p%40ss%3A@h:1");
  EXPECT_EQ(address.username, "bot");
  EXPECT_EQ(address.password, "p@ss:");
  EXPECT_EQ(address.text(), "h:1");
  EXPECT_EQ(parsed("redis://:only@h").password, "only");
}

TEST(RedisUrlTest, ReadsUnixSockets) {
  EXPECT_EQ(parsed("unix:///run/redis.sock").path, "/run/redis.sock");
  EXPECT_EQ(parsed("unix:///run/redis.sock").text(), "/run/redis.sock");
  EXPECT_EQ(parsed("unix:///run/redis.sock?db=2").database, 2);
  EXPECT_EQ(parsed("unix://me:pw@/run/redis.sock").password, "pw");
}

TEST(RedisUrlTest, RefusesWithASentenceThatNamesWhatIsWrongButNoSecret) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "names no scheme"},
      {"127.0.0.1:6379", "names no scheme"},
      {"http://h", "http"},
      {"rediss://u:secret@h", "rediss:// is not supported by this version"},
      {"redis-cluster://h", "redis-cluster:// is not supported by this version"},
      {"redis-sentinel://h", "redis-sentinel:// is not supported by this version"},
      {"redis://", "no host"},
      {"redis://u:secret@", "no host"},
      {"redis://h:0", "from 1 to 65535"},
      {"redis://h:65536", "from 1 to 65535"},
      {"redis://h:", "from 1 to 65535"},
      {"redis://h/x", "\"x\""},
      {"redis://h/-1", "\"-1\""},
      {"redis://[::1", "]"},
      {"redis://[::1]x", "after ]"},
      {"redis://u:secret%4@h", "%"},
      {"unix://run/redis.sock", "must begin with /"},
      {"unix:///", "must begin with /"},
      {"unix:///a?password=secret", "db=N"},
      {"unix:///a?db=y", "\"y\""},
  };
  for (const auto& [url, expected] : cases) {
    std::string error;
    EXPECT_FALSE(parse_redis_url(url, error)) << url;
    EXPECT_THAT(error, ::testing::HasSubstr(expected)) << url;
    EXPECT_THAT(error, ::testing::Not(::testing::HasSubstr("secret"))) << url;
  }
  std::string error;
  EXPECT_FALSE(parse_redis_url("unix:///" + std::string(200, 'a'), error));
  EXPECT_THAT(error, ::testing::HasSubstr("107"));
}

}  // namespace
}  // namespace atcd::state
