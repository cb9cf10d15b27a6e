// The function that reads a stream's head against a real Redis: what it answers, and what becomes of the
// latest.
#include <gtest/gtest.h>

#include "state/publish_function.hpp"
#include "tests/state/redis_server.hpp"

namespace atcd::state {
namespace {

constexpr const char* kStream = "atc:1:{g}:stream:S";
constexpr const char* kLast = "atc:1:{g}:last:S";

class HeadFunctionTest : public ::testing::Test {
 protected:
  HeadFunctionTest() {
    redis_.command({"FUNCTION", "LOAD", "REPLACE", std::string(publish_function_source())});
  }

  static std::vector<std::string> head() {
    return {"FCALL", std::string(kHeadFunction), "2", kStream, kLast, "me", "77"};
  }
  void add(const std::string& id, const Fields& more = {}) {
    const auto dash = id.find('-');
    std::vector<std::string> command = {"XADD", kStream, id};
    Fields fields = {{"close_ms", id.substr(0, dash)},
                     {"rev", id.substr(dash + 1)},
                     {"close", "1.5"},
                     {"source", "live"},
                     {"instance", "other"},
                     {"published_us", "5"}};
    fields.insert(more.begin(), more.end());
    for (const auto& [name, value] : fields) command.insert(command.end(), {name, value});
    redis_.command(command);
  }
  /// The entry as a latest that was refreshed by "me".
  static Fields refreshed(Fields fields) {
    fields["source"] = "warm";
    fields["instance"] = "me";
    fields["published_us"] = "77";
    return fields;
  }
  Fields newest() { return redis_.stream(kStream).back().fields; }
  std::string error(const std::vector<std::string>& command, RedisClient& redis) {
    const auto reply = redis.raw(command);
    return reply->type == REDIS_REPLY_ERROR ? reply->str : "";
  }

  RedisServer server_;
  RedisClient redis_ = server_.client();
};

TEST_F(HeadFunctionTest, OfNoStreamIsNothingAndWritesNothing) {
  EXPECT_EQ(redis_.command(head())->elements, 0U);
  EXPECT_EQ(redis_.text({"DBSIZE"}), "0");
}

TEST_F(HeadFunctionTest, IsTheNewestEntryAsRedisHasIt) {
  add("1000-0");
  add("2000-0");
  add("2000-1");
  const auto reply = redis_.command(head());
  ASSERT_EQ(reply->elements, 2U);
  EXPECT_STREQ(reply->element[0]->str, "2000-1");
  EXPECT_EQ(RedisClient::fields_of(*reply->element[1]), newest());
}

TEST_F(HeadFunctionTest, AMissingLatestBecomesTheEntryAgainAsWarm) {
  add("1000-0", {{"gap_from_ms", "400"}});
  redis_.command(head());
  EXPECT_EQ(redis_.hash(kLast), refreshed(newest()));
}

TEST_F(HeadFunctionTest, AnOlderLatestBecomesTheEntryAgain) {
  add("1000-0");
  add("2000-0");
  redis_.command({"HSET", kLast, "close_ms", "1000", "rev", "3", "gap_from_ms", "400"});
  redis_.command(head());
  EXPECT_EQ(redis_.hash(kLast), refreshed(newest())) << "the gap before another bar is gone";

  add("2000-1", {{"gap_from_ms", "500"}});
  redis_.command({"HSET", kLast, "gap_from_ms", "400"});
  redis_.command(head());
  EXPECT_EQ(redis_.hash(kLast), refreshed(newest())) << "with its own gap";

  redis_.command({"HSET", kLast, "close_ms", "nonsense"});
  redis_.command(head());
  EXPECT_EQ(redis_.hash(kLast), refreshed(newest()));
}

TEST_F(HeadFunctionTest, ALatestThatIsCurrentOrNewerStaysAsItIs) {
  add("2000-1");
  for (const char* close_ms : {"2000", "3000"}) {
    const Fields before = {{"close_ms", close_ms}, {"rev", "1"}, {"source", "live"}};
    redis_.command({"DEL", kLast});
    redis_.command({"HSET", kLast, "close_ms", close_ms, "rev", "1", "source", "live"});
    redis_.command(head());
    EXPECT_EQ(redis_.hash(kLast), before);
  }
}

TEST_F(HeadFunctionTest, AMissingRightIsSaidBeforeAnythingIsWritten) {
  add("1000-0");
  const std::vector<std::string> all_rights = {"+fcall", "+xrevrange", "+hmget", "+hset", "+hdel"};
  const auto answer = [&](const std::vector<std::string>& rights) {
    std::vector<std::string> rule = {"ACL", "SETUSER", "narrow", "reset", "on", ">pw", "~atc:1:*"};
    rule.insert(rule.end(), rights.begin(), rights.end());
    redis_.command(rule);
    RedisClient narrow = server_.client();
    narrow.command({"AUTH", "narrow", "pw"});
    return error(head(), narrow);
  };
  for (const std::string& left_out : all_rights) {
    auto rights = all_rights;
    std::erase(rights, left_out);
    EXPECT_TRUE(answer(rights).starts_with("NOPERM")) << left_out << ": " << answer(rights);
    EXPECT_EQ(redis_.text({"EXISTS", kLast}), "0") << left_out;
  }
  EXPECT_EQ(answer(all_rights), "");
  EXPECT_EQ(redis_.text({"EXISTS", kLast}), "1");
}

TEST_F(HeadFunctionTest, WrongArgumentsAndKeysOfOtherTypesAreRefused) {
  const std::string name(kHeadFunction);
  EXPECT_TRUE(error({"FCALL", name, "0"}, redis_).starts_with("ATCD "));
  EXPECT_TRUE(error({"FCALL", name, "2", kStream, kLast, "me"}, redis_).starts_with("ATCD "));
  add("1000-0");
  redis_.command({"SET", kLast, "text"});
  EXPECT_TRUE(error(head(), redis_).starts_with("WRONGTYPE"));
  redis_.command({"DEL", kStream});
  redis_.command({"SET", kStream, "text"});
  EXPECT_TRUE(error(head(), redis_).starts_with("WRONGTYPE"));
}

}  // namespace
}  // namespace atcd::state
