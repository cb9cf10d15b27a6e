// The Redis function against a real Redis: every answer, and that nothing is half done.
#include "state/publish_function.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/locations.hpp"
#include "tests/state/publish_call.hpp"

namespace atcd::state {
namespace {

class PublishFunctionTest : public ::testing::Test {
 protected:
  PublishFunctionTest() { load(); }

  void load() { redis_.command({"FUNCTION", "LOAD", "REPLACE", std::string(publish_function_source())}); }
  Answer publish(const Call& call) { return redis_.texts(call.command()); }
  std::string error(const std::vector<std::string>& command) {
    const auto reply = redis_.raw(command);
    return reply->type == REDIS_REPLY_ERROR ? reply->str : "";
  }
  std::vector<std::string> ids() {
    std::vector<std::string> found;
    for (const Entry& entry : redis_.stream(kStream)) found.push_back(entry.id);
    return found;
  }
  /// The error that a user with these rights gets; empty where it was done.
  std::string error_with(const std::vector<std::string>& rights, const Call& call) {
    std::vector<std::string> rule = {"ACL", "SETUSER", "narrow",   "reset",
                                     "on",  ">pw",     "~atc:1:*", "&atc:1:*"};
    rule.insert(rule.end(), rights.begin(), rights.end());
    redis_.command(rule);
    RedisClient narrow = server_.client();
    narrow.command({"AUTH", "narrow", "pw"});
    const auto reply = narrow.raw(call.command());
    return reply->type == REDIS_REPLY_ERROR ? std::string(reply->str) : std::string();
  }
  /// Everything that the function may write.
  std::string dump() {
    std::ostringstream text;
    for (const char* key : {kStream, kAll}) {
      if (redis_.text({"TYPE", key}) != "stream") continue;
      for (const Entry& entry : redis_.stream(key)) {
        text << key << ' ' << entry.id;
        for (const auto& [name, value] : entry.fields) text << ' ' << name << '=' << value;
        text << '\n';
      }
    }
    if (redis_.text({"TYPE", kLast}) == "hash") {
      for (const auto& [name, value] : redis_.hash(kLast)) text << name << '=' << value << '\n';
    }
    return text.str();
  }

  RedisServer server_;
  RedisClient redis_ = server_.client();
};

TEST_F(PublishFunctionTest, TheProgramCarriesTheFileOfTheRepository) {
  std::ifstream file(ATCD_SOURCE_DIR "/state/publish_function.lua");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), publish_function_source());
}

TEST_F(PublishFunctionTest, AddsToAnEmptyStreamWhateverWentBefore) {
  EXPECT_EQ(publish({"2000", "1000"}), (Answer{"added", "0"}));
  EXPECT_EQ(ids(), (std::vector<std::string>{"2000-0"}));
}

TEST_F(PublishFunctionTest, AddsTheFirstBarEver) {
  EXPECT_EQ(publish({"2000", "0"}), (Answer{"added", "0"}));
}

TEST_F(PublishFunctionTest, AddsAfterTheHead) {
  publish({"2000", "1000"});
  EXPECT_EQ(publish({"3000", "2000"}), (Answer{"added", "0"}));
  EXPECT_EQ(ids(), (std::vector<std::string>{"2000-0", "3000-0"}));
}

TEST_F(PublishFunctionTest, WritesStreamHashAndGroupStreamAlike) {
  publish({"2000", "1000"});
  const Fields expected = {{"close", "100.5"},       {"average", "0.5"}, {"trend", "1"},
                           {"previous_trend", "-1"}, {"symbol", "S"},    {"close_ms", "2000"},
                           {"source", "live"},       {"rev", "0"}};
  EXPECT_EQ(redis_.stream(kStream).at(0).fields, expected);
  EXPECT_EQ(redis_.hash(kLast), expected);
  EXPECT_EQ(redis_.stream(kAll).at(0).fields, expected) << "these are just the group stream's fields";
}

TEST_F(PublishFunctionTest, SaysSameForTheHeadAgain) {
  publish({"2000", "1000"});
  const std::string before = dump();
  EXPECT_EQ(publish({"2000", "1000", "0.5", "-", true}), (Answer{"same", "0"}));
  EXPECT_EQ(dump(), before) << "nothing is written twice";
}

TEST_F(PublishFunctionTest, ComparesOnlyTheContent) {
  publish({"2000", "1000"});
  Call again{"2000", "500"};
  again.source = "backfill";
  EXPECT_EQ(publish(again), (Answer{"same", "0"}));
  EXPECT_EQ(redis_.hash(kLast).at("source"), "live") << "the hash is as new as the head: left alone";
}

TEST_F(PublishFunctionTest, RestoresAMissingHashFromTheHeadsOwnBar) {
  publish({"2000", "1000"});
  redis_.command({"DEL", kLast});
  Call warm{"2000", "1000"};
  warm.source = "warm";
  EXPECT_EQ(publish(warm), (Answer{"same", "0"}));
  EXPECT_EQ(redis_.hash(kLast).at("source"), "warm");
  EXPECT_EQ(redis_.hash(kLast).at("rev"), "0");
}

TEST_F(PublishFunctionTest, RestoresAnOlderHashToTheHeadAlsoWhenAskedForAnOlderBar) {
  publish({"2000", "1000"});
  publish({"3000", "2000", "0.7"});
  redis_.command({"HSET", kLast, "close_ms", "2000", "average", "0.5", "gap_from_ms", "7"});
  EXPECT_EQ(publish({"2000", "1000"}), (Answer{"same", "0"}));
  EXPECT_EQ(redis_.hash(kLast), redis_.stream(kStream).at(1).fields) << "never back from the newest";
}

TEST_F(PublishFunctionTest, RestoresAHashOfAnOlderRevision) {
  publish({"2000", "1000"});
  publish({"2000", "1000", "0.6", "*"});
  redis_.command({"HSET", kLast, "rev", "0", "average", "0.5"});
  EXPECT_EQ(publish({"2000", "1000", "0.6"}), (Answer{"same", "1"}));
  EXPECT_EQ(redis_.hash(kLast).at("rev"), "1");
  EXPECT_EQ(redis_.hash(kLast).at("average"), "0.6");
}

TEST_F(PublishFunctionTest, LeavesANewerHashAlone) {
  publish({"2000", "1000"});
  redis_.command({"HSET", kLast, "close_ms", "9000"});
  EXPECT_EQ(publish({"2000", "1000"}), (Answer{"same", "0"}));
  EXPECT_EQ(redis_.hash(kLast).at("close_ms"), "9000");
}

TEST_F(PublishFunctionTest, SaysDifferentForOtherContentOfTheHead) {
  publish({"2000", "1000"});
  const std::string before = dump();
  EXPECT_EQ(publish({"2000", "1000", "0.6"}), (Answer{"different", "0"}));
  EXPECT_EQ(dump(), before);
}

TEST_F(PublishFunctionTest, ComparesEveryFieldOfTheContent) {
  publish({"2000", "1000"});
  for (const std::size_t value : {15U, 17U, 19U, 21U}) {
    auto command = Call{"2000", "1000"}.command();
    command.at(value) = "0.25";
    EXPECT_EQ(redis_.texts(command), (Answer{"different", "0"})) << command.at(value - 1);
  }
}

TEST_F(PublishFunctionTest, AStreamThatASubscriberMadeIsEmpty) {
  redis_.command({"XGROUP", "CREATE", kStream, "bots", "0", "MKSTREAM"});
  EXPECT_EQ(publish({"2000", "1000"}), (Answer{"added", "0"}));
}

TEST_F(PublishFunctionTest, ComparesTextsSoThatEveryBitCounts) {
  publish({"2000", "1000", "0"});
  EXPECT_EQ(publish({"2000", "1000", "-0"}), (Answer{"different", "0"}));
  EXPECT_EQ(publish({"2000", "1000", ""}), (Answer{"different", "0"})) << "undefined is not zero";
}

TEST_F(PublishFunctionTest, ACorrectionOfTheHeadRaisesRev) {
  publish({"2000", "1000"});
  EXPECT_EQ(publish({"2000", "1000", "0.6", "*"}), (Answer{"added", "1"}));
  EXPECT_EQ(publish({"2000", "1000", "0.7", "*"}), (Answer{"added", "2"}));
  EXPECT_EQ(ids(), (std::vector<std::string>{"2000-0", "2000-1", "2000-2"}));
  EXPECT_EQ(redis_.hash(kLast).at("rev"), "2");
  EXPECT_EQ(redis_.stream(kAll).at(2).fields.at("rev"), "2");
}

TEST_F(PublishFunctionTest, ACorrectionComesOverNoOtherThanTheRevThatItWasMadeFor) {
  publish({"2000", "1000"});
  EXPECT_EQ(publish({"2000", "1000", "0.6", "0"}), (Answer{"added", "1"}));
  EXPECT_EQ(publish({"2000", "1000", "0.7", "0"}), (Answer{"different", "1"})) << "a twin was faster";
  EXPECT_EQ(publish({"2000", "1000", "0.6", "0"}), (Answer{"same", "1"}));
  EXPECT_EQ(publish({"2000", "1000", "0.7", "1"}), (Answer{"added", "2"}));
  EXPECT_EQ(publish({"2000", "1000", "0.8", "02"}), (Answer{"different", "2"}));
}

TEST_F(PublishFunctionTest, ADaemonOfBeforeCallsItByItsOldName) {
  const auto answer = [this](Call call) {
    auto command = call.command();
    command[1] = "atc_publish_1";
    return redis_.texts(command);
  };
  EXPECT_EQ(answer({"2000", "1000", "0.5", "0"}), (Answer{"added", "0"}));
  EXPECT_EQ(answer({"2000", "1000", "0.6", "0"}), (Answer{"different", "0"}));
  EXPECT_EQ(answer({"2000", "1000", "0.6", "1"}), (Answer{"added", "1"}));
  EXPECT_EQ(answer({"2000", "1000", "0.7", "1"}), (Answer{"added", "2"}));
  EXPECT_EQ(error({"FCALL", "atc_publish_1", "0"}).substr(0, 5), "ATCD ");
}

TEST_F(PublishFunctionTest, ACorrectionThatSaysTheSameAddsNothing) {
  publish({"2000", "1000"});
  EXPECT_EQ(publish({"2000", "1000", "0.5", "*"}), (Answer{"same", "0"}));
  EXPECT_EQ(ids().size(), 1U);
}

TEST_F(PublishFunctionTest, TheNewestRevisionCounts) {
  publish({"2000", "1000"});
  publish({"2000", "1000", "0.6", "*"});
  EXPECT_EQ(publish({"2000", "1000", "0.6"}), (Answer{"same", "1"}));
  EXPECT_EQ(publish({"2000", "1000", "0.5"}), (Answer{"different", "1"}));
  publish({"3000", "2000"});
  EXPECT_EQ(publish({"2000", "1000", "0.6"}), (Answer{"same", "1"})) << "also further back";
  EXPECT_EQ(publish({"2000", "1000", "0.5"}), (Answer{"different", "1"}));
}

TEST_F(PublishFunctionTest, ACorrectionOfAnOlderBarIsDifferentNotReplaced) {
  publish({"2000", "1000"});
  publish({"3000", "2000"});
  EXPECT_EQ(publish({"2000", "1000", "0.6", "*"}), (Answer{"different", "0"}));
  EXPECT_EQ(ids(), (std::vector<std::string>{"2000-0", "3000-0"}));
}

TEST_F(PublishFunctionTest, ACorrectionWithoutAnEntryIsSimplyAdded) {
  publish({"2000", "1000"});
  EXPECT_EQ(publish({"3000", "2000", "0.6", "*"}), (Answer{"added", "0"}));
}

TEST_F(PublishFunctionTest, SaysBehindWithTheHeadWhenBarsAreMissingBetween) {
  publish({"2000", "1000"});
  const std::string before = dump();
  EXPECT_EQ(publish({"4000", "3000"}), (Answer{"behind", "2000"}));
  EXPECT_EQ(publish({"4000", "1000"}), (Answer{"behind", "2000"})) << "we do not know the head's bar";
  EXPECT_EQ(dump(), before);
}

TEST_F(PublishFunctionTest, GoesBehindNoOtherRevisionThanTheOneItWasComputedAfter) {
  publish({"1000", "0"});
  EXPECT_EQ(publish({"2000", "1000-1"}), (Answer{"behind", "1000"}));
  EXPECT_EQ(publish({"2000", "1000-0"}), (Answer{"added", "0"}));
  Call correction{"2000", "1000"};
  correction.average = "0.7";
  correction.replaces = "0";
  publish(correction);
  const std::string before = dump();
  EXPECT_EQ(publish({"3000", "2000-0"}), (Answer{"behind", "2000"}));
  EXPECT_EQ(dump(), before);
  EXPECT_EQ(publish({"3000", "2000-1"}), (Answer{"added", "0"}));
  EXPECT_EQ(publish({"3000", "2000-0"}), (Answer{"same", "0"}))
      << "what it is compared with is its own entry";
  redis_.command({"XTRIM", kStream, "MAXLEN", "0"});
  EXPECT_EQ(publish({"4000", "3000-1"}), (Answer{"behind", "3000"})) << "of a head that was trimmed too";
  EXPECT_EQ(publish({"4000", "3000-0"}), (Answer{"added", "0"}));
}

TEST_F(PublishFunctionTest, AGapIsSaidByAFieldAndLeavesTheHashWithTheNextBar) {
  publish({"2000", "1000"});
  Call after_gap{"9000", "2000"};
  after_gap.gap_from_ms = "2000";
  EXPECT_EQ(publish(after_gap), (Answer{"added", "0"}));
  EXPECT_EQ(redis_.stream(kStream).at(1).fields.at("gap_from_ms"), "2000");
  EXPECT_EQ(redis_.hash(kLast).at("gap_from_ms"), "2000");
  publish({"10000", "9000"});
  EXPECT_FALSE(redis_.hash(kLast).contains("gap_from_ms"));
}

TEST_F(PublishFunctionTest, SaysUnknownForWhatWasTrimmedAway) {
  publish({"2000", "1000"});
  publish({"3000", "2000"});
  redis_.command({"XTRIM", kStream, "MAXLEN", "1"});
  EXPECT_EQ(publish({"2000", "1000"}), (Answer{"unknown", "3000"}));
}

TEST_F(PublishFunctionTest, SaysUnknownForABarThatWasNeverThereBetweenTwo) {
  publish({"2000", "1000"});
  publish({"4000", "2000"});
  EXPECT_EQ(publish({"3000", "2000"}), (Answer{"unknown", "4000"})) << "it can't be inserted any more";
  EXPECT_EQ(publish({"1000", "0"}), (Answer{"unknown", "4000"}));
}

TEST_F(PublishFunctionTest, AStreamTrimmedToNothingGoesOnAfterItsLastBar) {
  publish({"2000", "1000"});
  redis_.command({"XTRIM", kStream, "MAXLEN", "0"});
  EXPECT_EQ(publish({"4000", "3000"}), (Answer{"behind", "2000"}));
  EXPECT_EQ(publish({"1000", "0"}), (Answer{"unknown", "2000"}));
  EXPECT_EQ(publish({"3000", "2000"}), (Answer{"added", "0"}));
}

TEST_F(PublishFunctionTest, AStreamTrimmedToNothingIsComparedByTheHash) {
  publish({"2000", "1000"});
  redis_.command({"XTRIM", kStream, "MAXLEN", "0"});
  EXPECT_EQ(publish({"2000", "1000"}), (Answer{"same", "0"}));
  EXPECT_EQ(publish({"2000", "1000", "0.6"}), (Answer{"different", "0"}));
  EXPECT_EQ(publish({"2000", "1000", "0.6", "*"}), (Answer{"added", "1"}));
  EXPECT_EQ(ids(), (std::vector<std::string>{"2000-1"}));
}

TEST_F(PublishFunctionTest, AStreamTrimmedToNothingWithoutAHashDoesNotKnow) {
  publish({"2000", "1000"});
  redis_.command({"XTRIM", kStream, "MAXLEN", "0"});
  redis_.command({"DEL", kLast});
  EXPECT_EQ(publish({"2000", "1000"}), (Answer{"unknown", "2000"}));
}

TEST_F(PublishFunctionTest, StartsAfreshAfterDel) {
  publish({"2000", "1000"});
  redis_.command({"DEL", kStream});
  EXPECT_EQ(publish({"2000", "1000", "0.6"}), (Answer{"added", "0"}));
  EXPECT_EQ(redis_.hash(kLast).at("average"), "0.6");
}

TEST_F(PublishFunctionTest, ForeignEntryInTheFutureIsTheHead) {
  redis_.command({"XADD", kStream, "9000-5", "x", "y"});
  EXPECT_EQ(publish({"3000", "2000"}), (Answer{"unknown", "9000"}));
  EXPECT_EQ(publish({"9000", "8000"}), (Answer{"different", "5"}));
  EXPECT_EQ(publish({"10000", "9000"}), (Answer{"added", "0"}));
}

TEST_F(PublishFunctionTest, KeepsAboutAsMuchAsAsked) {
  for (int i = 1; i <= 1000; ++i) {
    Call call{std::to_string(i * 1000), std::to_string((i - 1) * 1000)};
    call.keep = "200";
    call.group_keep = "300";
    publish(call);
  }
  EXPECT_GE(ids().size(), 200U);
  EXPECT_LT(ids().size(), 320U);
  EXPECT_GE(redis_.stream(kAll).size(), 300U);
  EXPECT_LT(redis_.stream(kAll).size(), 420U);
}

TEST_F(PublishFunctionTest, PushesWhatWasAddedWithItsRealRev) {
  RedisClient subscriber = server_.client();
  subscriber.command({"SUBSCRIBE", kChannel});
  publish({"2000", "1000", "0.5", "-", false});
  publish({"3000", "2000", "0.5", "-", true});
  publish({"3000", "2000", "0.5", "-", true});
  publish({"3000", "2000", "0.6", "-", true});
  publish({"3000", "2000", "0.6", "*", true});
  publish({"9000", "8000", "0.6", "-", true});
  publish({"4000", "3000", "0.6", "-", true});
  const auto next = [&] { return std::string(subscriber.next_message()->element[2]->str); };
  EXPECT_EQ(next(), R"({"close_ms":3000,"rev":0,"text":"\"rev\":0"})");
  EXPECT_EQ(next(), R"({"close_ms":3000,"rev":1,"text":"\"rev\":0"})");
  EXPECT_EQ(next(), R"({"close_ms":4000,"rev":0,"text":"\"rev\":0"})")
      << "same, different, behind push nothing";
}

TEST_F(PublishFunctionTest, WrongArgumentsWriteNothing) {
  const std::vector<std::string> good = Call{"2000", "1000"}.command();
  const auto with = [&](std::size_t index, const std::string& value) {
    auto command = good;
    command[index] = value;
    return error(command);
  };
  EXPECT_NE(with(6, "0"), "");
  EXPECT_NE(with(6, "02000"), "");
  EXPECT_NE(with(6, "2e3"), "");
  EXPECT_NE(with(6, "-1"), "");
  EXPECT_NE(with(6, "99999999999999999999"), "");
  EXPECT_NE(with(6, "2001"), "") << "not the field close_ms";
  EXPECT_NE(with(7, "2000"), "") << "the bar before is not before";
  EXPECT_NE(with(7, ""), "");
  for (const char* id : {"1000-", "1000-x", "-0", "1000-0-0", "1000--1", "2000-0"})
    EXPECT_NE(with(7, id), "");
  EXPECT_NE(with(11, "0"), "");
  EXPECT_NE(with(12, "x"), "");
  EXPECT_NE(with(13, "5"), "") << "a field more than there is";
  EXPECT_NE(with(13, "0"), "");
  EXPECT_NE(with(13, "1000000"), "");
  EXPECT_NE(with(14, "rev"), "") << "rev is the function's own";
  EXPECT_NE(with(14, "average"), "") << "twice";
  EXPECT_NE(with(14, "other"), "") << "the group stream needs close";
  auto command = good;
  command.pop_back();
  EXPECT_NE(error(command), "");
  command[2] = "2";
  EXPECT_NE(error(command), "");
  EXPECT_EQ(error({"FCALL", std::string(kPublishFunction), "0"}).substr(0, 5), "ATCD ");
  EXPECT_EQ(redis_.text({"DBSIZE"}), "0");
}

TEST_F(PublishFunctionTest, AKeyOfAnotherTypeWritesNothing) {
  for (const char* key : {kStream, kLast, kAll}) {
    redis_.command({"FLUSHALL"});
    redis_.command({"SET", key, "text"});
    EXPECT_NE(error(Call{"2000", "1000"}.command()).find("WRONGTYPE"), std::string::npos) << key;
    EXPECT_EQ(redis_.text({"DBSIZE"}), "1") << key;
  }
}

TEST_F(PublishFunctionTest, AMissingRightIsSeenBeforeAnythingIsWritten) {
  const std::vector<std::string> all_rights = {"+fcall", "+xrevrange", "+xinfo|stream", "+xlen", "+hgetall",
                                               "+hmget", "+xadd",      "+hset",         "+hdel", "+publish"};
  const auto answer = [&](const std::vector<std::string>& rights) {
    return error_with(rights, Call{"2000", "1000", "0.5", "-", true});
  };
  for (const std::string& left_out : all_rights) {
    auto rights = all_rights;
    std::erase(rights, left_out);
    EXPECT_TRUE(answer(rights).starts_with("NOPERM")) << left_out << ": " << answer(rights);
    EXPECT_EQ(redis_.text({"DBSIZE"}), "0") << left_out;
  }
  auto rights = all_rights;
  rights.insert(rights.begin(), "resetchannels");
  EXPECT_TRUE(answer(rights).starts_with("NOPERM")) << "the push is forbidden";
  EXPECT_EQ(redis_.text({"DBSIZE"}), "0");
  EXPECT_EQ(answer(all_rights), "");
  EXPECT_EQ(redis_.text({"DBSIZE"}), "3");
}

TEST_F(PublishFunctionTest, AMissingRightIsSeenBeforeAnythingIsWrittenAfterTheHeadToo) {
  const std::vector<std::string> all_rights = {"+fcall", "+xrevrange", "+xlen", "+hmget",
                                               "+xadd",  "+hset",      "+hdel", "+publish"};
  publish({"2000", "1000"});
  redis_.command({"HSET", kLast, "gap_from_ms", "7"});
  const std::string before = dump();
  const auto answer = [&](const std::vector<std::string>& rights) {
    return error_with(rights, Call{"3000", "2000", "0.5", "-", true});
  };
  for (const std::string& left_out : all_rights) {
    auto rights = all_rights;
    std::erase(rights, left_out);
    EXPECT_TRUE(answer(rights).starts_with("NOPERM")) << left_out << ": " << answer(rights);
    EXPECT_EQ(dump(), before) << left_out;
  }
  EXPECT_EQ(answer(all_rights), "");
  EXPECT_EQ(ids().size(), 2U);
}

TEST_F(PublishFunctionTest, OutOfMemoryIsRefusedBeforeAnyEffect) {
  publish({"2000", "1000"});
  const std::string before = dump();
  redis_.command({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_TRUE(error(Call{"3000", "2000"}.command()).starts_with("OOM"));
  redis_.command({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_EQ(dump(), before);
}

TEST_F(PublishFunctionTest, SurvivesARestartWithTheAppendOnlyFile) {
  RedisServer server({"--appendonly", "yes", "--appendfsync", "always"});
  {
    RedisClient redis = server.client();
    redis.command({"FUNCTION", "LOAD", std::string(publish_function_source())});
    redis.command(Call{"2000", "1000"}.command());
    redis.command(Call{"2000", "1000", "0.6", "*"}.command());
  }
  server.kill();
  server.start();
  RedisClient redis = server.client();
  EXPECT_EQ(redis.texts(Call{"2000", "1000", "0.6"}.command()), (Answer{"same", "1"}));
  EXPECT_EQ(redis.texts(Call{"3000", "2000"}.command()), (Answer{"added", "0"}));
}

}  // namespace
}  // namespace atcd::state
