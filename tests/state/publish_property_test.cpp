// Random calls of the publish function, and random damage to its keys between them, against a model that is
// written from the design alone: the same answers, and stream, latest, group stream and pushes stay alike.
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <random>

#include "tests/state/publish_call.hpp"

namespace atcd::state {
namespace {

using Id = std::pair<int, int>;  // close_ms, rev

std::string text_of(Id id) { return std::to_string(id.first) + "-" + std::to_string(id.second); }

/// What Redis holds of one series.
struct Model {
  std::vector<std::pair<Id, Fields>> stream;
  Id last_id{0, 0};
  Fields latest;
  std::vector<Fields> group;
  std::vector<std::string> pushes;

  Answer publish(const Call& call) {
    const int close_ms = std::stoi(call.close_ms);
    if (last_id == Id{0, 0}) return add(call, {close_ms, 0});
    // What was trimmed or deleted behind the newest entry is the head too: nothing goes before it any more.
    const Id newest = stream.empty() ? last_id : stream.back().first;
    const std::string last_text = std::to_string(last_id.first);
    if (close_ms > last_id.first) {
      const bool follows = call.prev == std::to_string(newest.first) || call.prev == text_of(newest) ||
                           call.prev == last_text || call.prev == text_of(last_id);
      return follows ? add(call, {close_ms, 0}) : Answer{"behind", last_text};
    }
    bool corrects_deleted = false;
    if (const auto entry = entry_of(close_ms)) {
      const auto& [id, fields] = *entry;
      if (same(call, id, fields)) {
        if (latest_id() < newest)
          write_latest(newest.first == close_ms ? fields_of(call, newest.second) : stream.back().second);
        return {"same", std::to_string(id.second)};
      }
      if (replaces(call, id) && id == last_id) return add(call, {close_ms, id.second + 1});
      corrects_deleted = replaces(call, id) && id == newest && close_ms == last_id.first;
      if (!corrects_deleted) return {"different", std::to_string(id.second)};
    } else if (close_ms < newest.first) {
      return {"unknown", std::to_string(newest.first)};
    }
    if (close_ms != last_id.first || latest_id() != last_id) return {"unknown", last_text};
    if (same(call, last_id, latest)) return {"same", std::to_string(last_id.second)};
    if (corrects_deleted || replaces(call, last_id)) return add(call, {close_ms, last_id.second + 1});
    return {"different", std::to_string(last_id.second)};
  }

  /// The newest telling of the bar that is in the stream.
  std::optional<std::pair<Id, Fields>> entry_of(int close_ms) const {
    for (auto entry = stream.rbegin(); entry != stream.rend(); ++entry) {
      if (entry->first.first == close_ms) return *entry;
    }
    return std::nullopt;
  }

  static bool replaces(const Call& call, Id id) {
    return call.replaces == "*" || call.replaces == std::to_string(id.second);
  }

  static bool same(const Call& call, Id id, const Fields& fields) {
    const Fields ours = fields_of(call, id.second);
    bool same = true;
    for (const char* name : {"close", "average", "trend", "previous_trend"}) {
      same = same && fields.contains(name) && fields.at(name) == ours.at(name);
    }
    return same;
  }

  Id latest_id() const {
    const auto number = [this](const char* name) {
      const auto found = latest.find(name);
      return found == latest.end() ? -1 : std::stoi(found->second);
    };
    if (latest.contains("close_ms") && latest.at("close_ms") == "nonsense") return {-1, -1};
    return {number("close_ms"), number("rev")};
  }

  static Fields fields_of(const Call& call, int rev) {
    Fields fields = {{"close", "100.5"},      {"average", call.average},
                     {"trend", "1"},          {"previous_trend", "-1"},
                     {"symbol", "S"},         {"close_ms", call.close_ms},
                     {"source", call.source}, {"rev", std::to_string(rev)}};
    if (!call.gap_from_ms.empty()) fields["gap_from_ms"] = call.gap_from_ms;
    return fields;
  }

  void write_latest(const Fields& fields) {
    latest.erase("gap_from_ms");
    for (const auto& [name, value] : fields) latest[name] = value;
  }

  Answer add(const Call& call, Id id) {
    last_id = id;
    Fields fields = fields_of(call, id.second);
    stream.emplace_back(id, fields);
    write_latest(fields);
    fields.erase("gap_from_ms");
    group.push_back(fields);
    if (call.push) {
      pushes.push_back(R"({"close_ms":)" + call.close_ms + R"(,"rev":)" + std::to_string(id.second) +
                       R"(,"text":"\"rev\":0"})");
    }
    return {"added", std::to_string(id.second)};
  }
};

class PublishPropertyTest : public ::testing::TestWithParam<unsigned> {
 protected:
  PublishPropertyTest() {
    redis_.command({"FUNCTION", "LOAD", std::string(publish_function_source())});
    subscriber_.command({"SUBSCRIBE", kChannel});
  }

  int chance(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

  /// Mostly the bar after the head; else any.
  Call next_call() {
    const int head = model_.stream.empty() ? model_.last_id.first : model_.stream.back().first.first;
    int close_ms = 1000 * (1 + chance(1 + head / 1000 + 2));
    int prev_close_ms = 1000 * chance(close_ms / 1000);
    if (const int usual = chance(3); usual == 0) {
      close_ms = head + 1000 * (1 + chance(2));
      prev_close_ms = head;
    } else if (usual == 1 && head > 0) {
      close_ms = head;
      prev_close_ms = head - 1000;
    }
    Call call{std::to_string(close_ms), std::to_string(prev_close_ms)};
    call.average = chance(3) == 0 ? "0.7" : "0.5";
    const int correction = chance(6);
    if (correction < 2) call.replaces = correction == 0 ? "*" : std::to_string(chance(3));
    call.push = chance(2) == 0;
    call.source = call.push ? "live" : "backfill";
    if (chance(5) == 0) call.gap_from_ms = call.prev;
    if (chance(2) == 0) call.prev += "-" + std::to_string(chance(3));
    return call;
  }

  void damage() {
    switch (chance(8)) {
      case 0:
        redis_.command({"DEL", kLast});
        model_.latest.clear();
        return;
      case 1:
        redis_.command({"DEL", kStream});
        model_.stream.clear();
        model_.last_id = {0, 0};
        return;
      case 2: {
        const auto kept = static_cast<std::size_t>(chance(3));
        redis_.command({"XTRIM", kStream, "MAXLEN", std::to_string(kept)});
        while (model_.stream.size() > kept) model_.stream.erase(model_.stream.begin());
        return;
      }
      case 3:
        if (model_.stream.empty()) return;
        redis_.command({"XDEL", kStream, text_of(model_.stream.back().first)});
        model_.stream.pop_back();
        return;
      case 4:
        return spoil_latest("gap_from_ms", "7");
      case 5:
        return spoil_latest("rev", std::to_string(chance(3)));
      case 6:
        return spoil_latest("close_ms", "nonsense");
      default:
        return spoil_latest("close_ms", std::to_string(1000 * chance(9)));
    }
  }

  void spoil_latest(const std::string& name, const std::string& value) {
    redis_.command({"HSET", kLast, name, value});
    model_.latest[name] = value;
  }

  void compare() {
    std::vector<std::pair<Id, Fields>> stream;
    for (const Entry& entry : redis_.stream(kStream)) {
      const auto dash = entry.id.find('-');
      stream.push_back(
          {{std::stoi(entry.id.substr(0, dash)), std::stoi(entry.id.substr(dash + 1))}, entry.fields});
    }
    ASSERT_EQ(stream, model_.stream);
    ASSERT_EQ(redis_.hash(kLast), model_.latest);
    std::vector<Fields> group;
    for (const Entry& entry : redis_.stream(kAll)) group.push_back(entry.fields);
    ASSERT_EQ(group, model_.group);
  }

  std::mt19937 random_{GetParam()};
  RedisServer server_;
  RedisClient redis_ = server_.client();
  RedisClient subscriber_ = server_.client();
  Model model_;
};

TEST_P(PublishPropertyTest, RandomCallsAndDamageAreAnsweredAsTheModelDoes) {
  std::map<std::string, int> answers;
  for (int step = 0; step < 1500; ++step) {
    if (step % 50 == 0) {
      redis_.command({"DEL", kAll});  // short enough to be compared whole each time
      model_.group.clear();
    }
    if (chance(4) == 0) damage();
    const Call call = next_call();
    const Answer expected = model_.publish(call);
    const auto reply = redis_.raw(call.command());
    SCOPED_TRACE("step " + std::to_string(step) + ", bar " + call.close_ms + " after " + call.prev);
    ASSERT_EQ(reply->type, REDIS_REPLY_ARRAY) << reply->str;
    ASSERT_EQ((Answer{reply->element[0]->str, reply->element[1]->str}), expected);
    ++answers[expected[0]];
    ASSERT_NO_FATAL_FAILURE(compare());
  }
  for (const char* answer : {"added", "same", "different", "behind", "unknown"}) {
    EXPECT_GT(answers[answer], 9) << answer;
  }
  redis_.command({"PUBLISH", kChannel, "end"});
  for (const std::string& push : model_.pushes) ASSERT_EQ(subscriber_.next_message()->element[2]->str, push);
  EXPECT_STREQ(subscriber_.next_message()->element[2]->str, "end");
}

INSTANTIATE_TEST_SUITE_P(Seeds, PublishPropertyTest, ::testing::Values(1U, 2U, 3U, 4U));

}  // namespace
}  // namespace atcd::state
