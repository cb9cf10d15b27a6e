// Somebody has deleted a stream's newest entry: Redis takes nothing for it again, and its stream goes on
// after it.
#include <gtest/gtest.h>

#include "tests/state/publish_call.hpp"
#include "tests/state/publisher_rig.hpp"

namespace atcd::state {
namespace {

class DeletedEntryTest : public PublisherTest {
 protected:
  /// Two bars are in the stream, and then the second is not.
  void publish_and_delete() {
    redis_.command({"FUNCTION", "LOAD", "REPLACE", std::string(publish_function_source())});
    publish({"2000", "1000"});
    publish({"3000", "2000"});
    redis_.command({"XDEL", kStream, "3000-0"});
  }
  Answer publish(const Call& call) { return redis_.texts(call.command()); }
  std::vector<std::string> ids(const std::string& stream) {
    std::vector<std::string> found;
    for (const Entry& entry : redis_.stream(stream)) found.push_back(entry.id);
    return found;
  }
  static std::string id_of(std::int64_t bar) {
    return std::to_string(record_of(1, bar).bar.close_time_ms) + "-0";
  }

  RedisServer server_;
  RedisClient redis_ = server_.client();
};

TEST_F(DeletedEntryTest, TheBarAfterItIsAdded) {
  publish_and_delete();
  EXPECT_EQ(publish({"4000", "3000"}), (Answer{"added", "0"}));
  EXPECT_EQ(ids(kStream), (std::vector<std::string>{"2000-0", "4000-0"}));
  EXPECT_EQ(redis_.hash(kLast), redis_.stream(kStream).back().fields);
  EXPECT_EQ(redis_.stream(kAll).size(), 3U);
}

TEST_F(DeletedEntryTest, ItIsComparedByTheHash) {
  publish_and_delete();
  EXPECT_EQ(publish({"3000", "2000"}), (Answer{"same", "0"}));
  EXPECT_EQ(publish({"3000", "2000", "0.6"}), (Answer{"different", "0"}));
  EXPECT_EQ(ids(kStream), std::vector<std::string>{"2000-0"}) << "nothing is told again";
  EXPECT_EQ(publish({"3000", "2000", "0.6", "*"}), (Answer{"added", "1"}));
  EXPECT_EQ(ids(kStream), (std::vector<std::string>{"2000-0", "3000-1"}));
}

TEST_F(DeletedEntryTest, WithoutAHashItIsNotKnown) {
  publish_and_delete();
  redis_.command({"DEL", kLast});
  EXPECT_EQ(publish({"3000", "2000"}), (Answer{"unknown", "3000"}));
  EXPECT_EQ(publish({"5000", "4000"}), (Answer{"behind", "3000"}));
  EXPECT_EQ(publish({"4000", "3000"}), (Answer{"added", "0"}));
}

TEST_F(DeletedEntryTest, TheBarBeforeItIsCorrectedNoMore) {
  publish_and_delete();
  EXPECT_EQ(publish({"2000", "1000", "0.6", "*"}), (Answer{"different", "0"}));
  EXPECT_EQ(ids(kStream), std::vector<std::string>{"2000-0"});
}

TEST_F(DeletedEntryTest, ABarWhoseCorrectionIsDeletedIsCorrectedAnewOverWhatIsLeft) {
  redis_.command({"FUNCTION", "LOAD", std::string(publish_function_source())});
  publish({"2000", "1000"});
  publish({"2000", "1000", "0.6", "0"});
  redis_.command({"XDEL", kStream, "2000-1"});
  EXPECT_EQ(publish({"2000", "1000", "0.7", "0"}), (Answer{"added", "2"})) << "0 is what can be read";
}

TEST_F(DeletedEntryTest, ADaemonThatRunsAndOneThatStartsGoOnAfterIt) {
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 1);
  run_until_drained_after_first(daemon);
  daemon.close_bar(1);
  run_until_drained(daemon);
  redis_.command({"XDEL", stream_key(1), id_of(1)});
  daemon.close_bar(1);
  run_until_drained(daemon);
  EXPECT_EQ(ids(stream_key(1)), (std::vector<std::string>{id_of(0), id_of(2)}));
  EXPECT_EQ(daemon.publisher->counters().unknown + daemon.publisher->counters().behind, 0U);

  redis_.command({"XDEL", stream_key(1), id_of(2)});
  daemon.stop();
  daemon.start();
  daemon.announce(1);
  run_until_drained(daemon);
  daemon.close_bar(1);
  run_until_drained(daemon);
  EXPECT_EQ(ids(stream_key(1)), (std::vector<std::string>{id_of(0), id_of(3)}));
  EXPECT_EQ(daemon.publisher->counters().unknown, 1U) << "of the first that was deleted, once";
  EXPECT_EQ(daemon.publisher->counters().different + daemon.publisher->counters().errors, 0U);
  EXPECT_EQ(daemon.publisher->unpublished(), 0U);
}

TEST_F(DeletedEntryTest, OneOfTheFutureThatWasDeletedKeepsAllOutUntilTheStreamIsGone) {
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 1);
  run_until_drained_after_first(daemon);
  redis_.command({"XADD", stream_key(1), id_of(1000), "x", "y"});
  redis_.command({"XDEL", stream_key(1), id_of(1000)});
  for (std::uint64_t bar = 1; bar <= 3; ++bar) {
    daemon.close_bar(1);
    run_until([&] { return daemon.publisher->counters().unknown >= bar; }, "not taken");
  }
  EXPECT_EQ(daemon.publisher->unpublished(), 3U);
  redis_.command({"DEL", stream_key(1)});
  run_until([&] { return daemon.publisher->unpublished() == 0; }, "all");
  run_until_drained(daemon);
  expect_complete(redis_, daemon, 1);
  EXPECT_EQ(ids(stream_key(1)).size(), 4U);
}

TEST_F(DeletedEntryTest, AStreamOfOtherParametersThatIsGoneBeginsAnewWithTheNextBar) {
  Daemon before(io_, options_for(server_));
  before.add(1, 0, 3, 'b');
  run_until_drained_after_first(before);
  before.stop();
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 3);
  run_until([&] { return daemon.publisher->stopped(1); }, "stopped");
  for (int bar = 0; bar < 3; ++bar) {
    daemon.close_bar(1);
    run_until_idle(daemon);
    EXPECT_TRUE(daemon.publisher->stopped(1));
    EXPECT_EQ(daemon.publisher->unpublished(), 0U);
  }
  EXPECT_EQ(daemon.handler.count(PublishEvent::stopped), 1U);
  redis_.command({"DEL", stream_key(1)});
  daemon.close_bar(1);
  run_until([&] { return !daemon.publisher->stopped(1); }, "gone");
  run_until_drained(daemon);
  expect_complete(redis_, daemon, 1);
  EXPECT_EQ(ids(stream_key(1)), std::vector<std::string>{id_of(6)});
}

}  // namespace
}  // namespace atcd::state
