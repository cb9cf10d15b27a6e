#include "state/redis_url.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atcd::state {
namespace {

RedisUrl parsed_url(std::string_view text) {
  std::string error;
  const auto url = parse_redis_url(text, error);
  EXPECT_TRUE(url.has_value()) << text << ": " << error;
  return url.value_or(RedisUrl{RedisKind::single, {RedisAddress{}}, ""});
}

RedisAddress parsed(std::string_view text) {
  const RedisUrl url = parsed_url(text);
  EXPECT_EQ(url.kind, RedisKind::single);
  EXPECT_EQ(url.addresses.size(), 1U);
  return url.addresses.at(0);
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

TEST(RedisUrlTest, RedissAsksForTls) {
  EXPECT_FALSE(parsed("redis://h").tls);
  EXPECT_TRUE(parsed("rediss://h:7000/2").tls);
  EXPECT_EQ(parsed("rediss://h:7000/2").text(), "h:7000");
}

TEST(RedisUrlTest, AClusterAndSentinelsHaveSeveralAddresses) {
  const RedisUrl cluster = parsed_url("redis-cluster://bot:pw@a:7000,[::1]:7001,c/");
  EXPECT_EQ(cluster.kind, RedisKind::cluster);
  ASSERT_EQ(cluster.addresses.size(), 3U);
  EXPECT_EQ(cluster.addresses[1].text(), "[::1]:7001");
  EXPECT_EQ(cluster.addresses[2].text(), "c:6379");
  EXPECT_EQ(cluster.addresses[2].password, "pw");
  EXPECT_FALSE(cluster.addresses[2].tls);
  EXPECT_TRUE(parsed_url("rediss-cluster://a").addresses[0].tls);

  const RedisUrl sentinel = parsed_url("rediss-sentinel://a,b:1/my-master/4");
  EXPECT_EQ(sentinel.kind, RedisKind::sentinel);
  EXPECT_EQ(sentinel.master, "my-master");
  ASSERT_EQ(sentinel.addresses.size(), 2U);
  EXPECT_EQ(sentinel.addresses[0].text(), "a:26379");
  EXPECT_EQ(sentinel.addresses[1].text(), "b:1");
  EXPECT_EQ(sentinel.addresses[1].database, 4);
  EXPECT_TRUE(sentinel.addresses[1].tls);
}

TEST(RedisUrlTest, RefusesWithASentenceThatNamesWhatIsWrongButNoSecret) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "names no scheme"},
      {"127.0.0.1:6379", "names no scheme"},
      {"http://h", "http"},
      {"redisss://u:secret@h", "redisss:// is unknown"},
      {"unix-cluster:///a", "unknown"},
      {"redis-cluster://h/1", "one database only"},
      {"redis-cluster://h,", "no host"},
      {"redis-cluster://", "no host"},
      {"redis-sentinel://h", "no master"},
      {"redis-sentinel://h/", "no master"},
      {"redis-sentinel://h/m/x", "\"x\""},
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
      {"unix:///a?db=0&password=secret", "is not a number"},
      {"redis://h/0?password=secret", "no parameters"},
      {"redis://h:1?password=secret", "no parameters"},
      {"redis://h:1#secret", "no parameters"},
      {"redis://h?password=secret", "no parameters"},
      {"redis://?password=secret", "no parameters"},
      {"redis-sentinel://h:1/m?password=secret", "no parameters"},
      {"redis-cluster://h:1,h2?password=secret", "no parameters"},
      {"redis-sentinel://h/m/0?password=secret", "no parameters"},
      {"redis-cluster://h:1,h:2?password=secret", "no parameters"},
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
