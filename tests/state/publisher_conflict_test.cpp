// The publisher where Redis has another signal of a bar than ours.
#include <gmock/gmock.h>

#include "tests/state/publisher_rig.hpp"

namespace atcd::state {
namespace {

using ::testing::HasSubstr;

class PublisherConflictTest : public PublisherTest {
 protected:
  static std::string id_of(std::int64_t bar, int rev) {
    return std::to_string(record_of(1, bar).bar.close_time_ms) + "-" + std::to_string(rev);
  }
  std::string newest_id() { return redis_.stream(stream_key(1)).back().id; }

  /// Its signals differ from the rig's, its bars do not: an older bar was another one.
  static void differ(SignalRecord& record) { record.signal.average += 0.5; }

  /// Ends this instance's connection.
  void cut(const std::string& instance) {
    const std::string all = redis_.text({"CLIENT", "LIST"});
    const auto line = all.rfind("id=", all.find(" name=atcd-" + instance + " "));
    redis_.command({"CLIENT", "KILL", "ID", all.substr(line + 3, all.find(' ', line) - line - 3)});
  }

  /// Three bars are published by a; b has other signals of them.
  void publish_and_differ(Daemon& a, Daemon& b) {
    a.add(1, 0, 3);
    run_until_drained_after_first(a);
    for (std::int64_t bar = 0; bar < 3; ++bar)
      differ(b.history.series[1].records.emplace_back(record_of(1, bar)));
  }

  /// Three bars are published, then a's fourth with another close than b has, which the exchange proves.
  void tell_a_bar_that_b_will_correct(Daemon& a, Daemon& b) {
    a.add(1, 0, 3);
    run_until_drained_after_first(a);
    b.history.when_different = [&b](SeriesIndex series, std::int64_t close_ms) {
      b.publisher->answered(series);
      b.publisher->correct(series, close_ms);
    };
    b.add(1, 0, 3);
    run_until_drained_after_first(b);
    a.history.series[1].records.push_back(record_of(1, 3));
    a.history.series[1].records.back().bar.close = 77;
    a.publisher->publish(1, a.history.series[1].records.back());
    run_until_drained(a);
  }

  RedisServer server_;
  RedisClient redis_ = server_.client();
};

TEST_F(PublisherConflictTest, WhatTwinsWithOtherOlderBarsPublishedStandsAndIsToldOnce) {
  Daemon a(io_, options_for(server_)), b(io_, options_for(server_));
  publish_and_differ(a, b);
  auto& of_b = b.history.series[1].records;
  b.history.when_different = [&](SeriesIndex series, std::int64_t close_ms) {
    b.publisher->correct(series, close_ms);
  };
  b.announce(1);
  run_until_idle(b);
  for (std::int64_t bar = 3; bar < 7; ++bar) {
    a.close_bar(1);
    run_until_drained(a);
    differ(of_b.emplace_back(record_of(1, bar)));
    b.publisher->publish(1, of_b.back());
    run_until_drained(b);
    ASSERT_EQ(newest_id(), id_of(bar, 0));
  }
  expect_complete(redis_, a, 1);
  EXPECT_TRUE(b.history.differences.empty()) << "the bars are the same: the exchange has nothing to tell";
  EXPECT_EQ(b.publisher->counters().conflicts, 1U);
  EXPECT_EQ(b.publisher->counters().different, 5U);
  EXPECT_EQ(b.handler.count(PublishEvent::conflict), 1U);
  const auto events = redis_.stream("atc:1:events");
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].fields.at("event"), "conflict");
  EXPECT_THAT(events[0].fields.at("detail"), HasSubstr("What was published stands"));

  // With the next anchor they may agree, or not: then it is told again.
  a.close_bar(1);
  run_until_drained(a);
  differ(of_b.emplace_back(record_of(1, 7)));
  of_b.back().anchor_ms += kBarMs;
  b.publisher->publish(1, of_b.back());
  run_until_drained(b);
  EXPECT_EQ(b.publisher->counters().conflicts, 2U);
  EXPECT_EQ(newest_id(), id_of(7, 0));
}

TEST_F(PublisherConflictTest, WhatStoodInARedisThatIsEmptiedIsWhereItGoesOn) {
  Daemon a(io_, options_for(server_)), b(io_, options_for(server_));
  publish_and_differ(a, b);
  a.stop();
  b.announce(1);
  run_until([&] { return b.publisher->counters().conflicts == 1; }, "they differ");
  run_until_idle(b);
  redis_.command({"FLUSHALL"});
  for (std::int64_t bar = 3; bar < 8; ++bar)
    differ(b.history.series[1].records.emplace_back(record_of(1, bar)));
  b.publisher->look_after();
  run_until([&] { return b.publisher->counters().added > 0; }, "noticed");
  run_until_drained(b);
  EXPECT_EQ(redis_.stream(stream_key(1)).front().id, id_of(2, 0));
  EXPECT_EQ(redis_.stream(stream_key(1)).size(), 6U);
}

TEST_F(PublisherConflictTest, WhoseTellingDoesNotStandPublishesWhatTheOtherLeavesOut) {
  Daemon a(io_, options_for(server_)), b(io_, options_for(server_));
  publish_and_differ(a, b);
  b.announce(1);
  run_until([&] { return b.publisher->counters().conflicts == 1; }, "they differ");
  run_until_idle(b);
  const auto closes = [&](Daemon& daemon, std::int64_t bar, bool differs) {
    auto& record = daemon.history.series[1].records.emplace_back(record_of(1, bar));
    if (differs) differ(record);
    daemon.publisher->publish(1, record);
  };
  const auto average = [&] { return std::stod(redis_.stream(stream_key(1)).back().fields.at("average")); };

  closes(b, 3, true);  // although it is first
  io_.restart();
  io_.poll();
  closes(a, 3, false);
  run_until_drained(a);
  run_until_drained(b);
  EXPECT_EQ(newest_id(), id_of(3, 0));
  EXPECT_EQ(average(), record_of(1, 3).signal.average);

  closes(b, 4, true);  // the other one is gone
  run_until_drained(b);
  EXPECT_EQ(newest_id(), id_of(4, 0));
  EXPECT_EQ(average(), record_of(1, 4).signal.average + 0.5);
  closes(b, 5, true);
  EXPECT_EQ(b.publisher->unpublished(), 1U);
  const auto same = b.publisher->counters().same;
  run_until_drained(b);
  EXPECT_EQ(newest_id(), id_of(5, 0));
  EXPECT_EQ(b.publisher->counters().same, same) << "sent at once, without a look at the head";

  // It is back. Of a bar before the head it asks the exchange, once; then it is the one that waits.
  a.history.when_different = [&](SeriesIndex series, std::int64_t) { a.publisher->answered(series); };
  closes(a, 4, false);
  closes(a, 5, false);
  run_until_drained(a);
  closes(a, 6, false);
  io_.restart();
  io_.poll();
  closes(b, 6, true);
  run_until_drained(b);
  run_until_drained(a);
  EXPECT_EQ(average(), record_of(1, 6).signal.average + 0.5);
  EXPECT_EQ(a.history.differences.size(), 1U);
  EXPECT_EQ(a.publisher->counters().conflicts, 2U) << "asked about, and told";
}

TEST_F(PublisherConflictTest, ACorrectionByTheExchangeOfABarThatATwinHasCorrectedStandsToo) {
  Daemon a(io_, options_for(server_)), b(io_, options_for(server_));
  publish_and_differ(a, b);
  b.announce(1);
  run_until([&] { return b.publisher->counters().conflicts == 1; }, "they differ");
  run_until_idle(b);
  a.correct_bar(1, 123.25);
  run_until_drained(a);
  b.correct_bar(1, 123.25);
  run_until_drained(b);
  EXPECT_EQ(newest_id(), id_of(2, 1)) << "the second twin adds no other telling of the same bar";
}

TEST_F(PublisherConflictTest, WhoseTellingStandsCorrectsItsBarFirst) {
  Daemon a(io_, options_for(server_)), b(io_, options_for(server_));
  publish_and_differ(a, b);
  b.announce(1);
  run_until([&] { return b.publisher->counters().conflicts == 1; }, "they differ");
  run_until_idle(b);
  b.correct_bar(1, 123.25);  // although it is first
  io_.restart();
  io_.run_for(std::chrono::milliseconds(50));
  a.correct_bar(1, 123.25);
  run_until_drained(a);
  run_until_drained(b);
  EXPECT_EQ(newest_id(), id_of(2, 1)) << "told once more, and by who had told it";
  EXPECT_EQ(std::stod(redis_.stream(stream_key(1)).back().fields.at("average")),
            record_of(1, 2).signal.average);
  b.correct_bar(1, 124.0);  // once more
  io_.restart();
  io_.run_for(std::chrono::milliseconds(50));
  a.correct_bar(1, 124.0);
  run_until_drained(a);
  run_until_drained(b);
  EXPECT_EQ(newest_id(), id_of(2, 2)) << "each correction once";
  b.correct_bar(1, 124.5);  // the other one is gone
  run_until_drained(b);
  EXPECT_EQ(newest_id(), id_of(2, 3));
  EXPECT_EQ(redis_.stream(stream_key(1)).back().fields.at("close"), "124.5");
  const auto same = b.publisher->counters().same;
  differ(b.history.series[1].records.emplace_back(record_of(1, 3)));
  b.publisher->publish(1, b.history.series[1].records.back());
  run_until_drained(b);
  EXPECT_EQ(newest_id(), id_of(3, 0));
  EXPECT_EQ(b.publisher->counters().same, same)
      << "its telling stands: it goes first, without a look at the head";
}

TEST_F(PublisherConflictTest, WhoseTellingStandsCorrectsItsBarFirstAlsoWhereTheOtherHadNoConnection) {
  RedisOptions options = options_for(server_);
  Daemon a(io_, options);
  options.instance = "twin";
  Daemon b(io_, options);
  publish_and_differ(a, b);
  b.announce(1);
  run_until([&] { return b.publisher->counters().conflicts == 1; }, "they differ");
  run_until_idle(b);
  cut("twin");
  run_until([&] { return !b.publisher->connected(); }, "cut");
  b.correct_bar(1, 123.25);  // although it is first
  bool compares = false;
  b.history.when_asked = [&] { compares = true; };
  run_until([&] { return compares; }, "connected again");
  a.correct_bar(1, 123.25);
  run_until_drained(a);
  run_until_drained(b);
  EXPECT_EQ(newest_id(), id_of(2, 1)) << "told once more, and by who had told it";
  EXPECT_EQ(std::stod(redis_.stream(stream_key(1)).back().fields.at("average")),
            record_of(1, 2).signal.average);
}

TEST_F(PublisherConflictTest, ABarThatBothTellOtherwiseIsAskedAboutAndTheProvenOneSentOnce) {
  Daemon a(io_, options_for(server_)), b(io_, options_for(server_));
  tell_a_bar_that_b_will_correct(a, b);
  b.close_bar(1);
  run_until([&] { return newest_id() == id_of(3, 1); }, "corrected");
  run_until_drained(b);
  ASSERT_EQ(b.history.differences.size(), 1U);
  EXPECT_EQ(b.history.differences[0].close_ms, record_of(1, 3).bar.close_time_ms);
  EXPECT_EQ(b.publisher->counters().different, 1U);
  EXPECT_EQ(b.publisher->counters().conflicts, 1U);
  EXPECT_EQ(b.publisher->counters().repaired, 1U);
  EXPECT_EQ(newest_id(), id_of(3, 1));
}

TEST_F(PublisherConflictTest, AProvenCorrectionThatRedisHasLostIsAskedAboutAndSentAgain) {
  RedisServer server({"--dbfilename", "dump.rdb"});
  const auto has_newest = [&](const std::string& id) {
    return server.client().stream(stream_key(1)).back().id == id;
  };
  Daemon a(io_, options_for(server)), b(io_, options_for(server));
  tell_a_bar_that_b_will_correct(a, b);
  a.stop();
  server.client().command({"SAVE"});
  b.close_bar(1);
  run_until([&] { return has_newest(id_of(3, 1)); }, "corrected");
  run_until_drained(b);
  server.kill();
  run_until([&] { return !b.publisher->connected(); }, "lost");
  server.start();
  run_until([&] { return b.publisher->connected() && has_newest(id_of(3, 1)); }, "corrected again");
  EXPECT_EQ(b.history.differences.size(), 2U);
}

/// Its key remembers which was the newest: the function compares what comes with that.
TEST_F(PublisherConflictTest, AStreamThatLostItsEntriesMeanwhileGoesOnAfterTheNewestOfThem) {
  Daemon a(io_, options_for(server_)), b(io_, options_for(server_));
  a.add(1, 0, 3);
  run_until_drained_after_first(a);
  a.stop();
  for (std::int64_t bar = 0; bar < 3; ++bar) b.history.series[1].records.push_back(record_of(1, bar));
  b.history.series[1].records.back().bar.close = 77;
  b.announce(1);
  run_until([&] { return b.history.differences.size() == 1; }, "the exchange is asked");
  redis_.command({"XTRIM", stream_key(1), "MAXLEN", "0"});
  b.publisher->answered(1);
  b.close_bar(1);
  run_until([&] { return !redis_.stream(stream_key(1)).empty(); }, "it goes on");
  run_until_drained(b);
  EXPECT_EQ(redis_.stream(stream_key(1)).front().id, id_of(3, 0));
}

TEST_F(PublisherConflictTest, ABarBeforeTheHeadIsAskedAboutToo) {
  Daemon a(io_, options_for(server_)), b(io_, options_for(server_));
  a.add(1, 0, 3);
  run_until_drained_after_first(a);
  b.history.when_different = [&](SeriesIndex series, std::int64_t) { b.publisher->answered(series); };
  b.add(1, 0, 3);
  run_until_drained_after_first(b);
  a.history.series[1].records.push_back(record_of(1, 3));
  a.history.series[1].records.back().bar.close = 77;
  a.publisher->publish(1, a.history.series[1].records.back());
  a.close_bar(1);
  run_until_drained(a);
  b.close_bar(1);
  run_until([&] { return b.publisher->counters().repaired == 1; }, "asked");
  EXPECT_EQ(b.history.differences[0].close_ms, record_of(1, 3).bar.close_time_ms);
  for (int i = 0; i < 2; ++i) b.close_bar(1);
  run_until_drained(b);
  EXPECT_EQ(newest_id(), id_of(5, 0)) << "what was published stays, and the stream goes on";
  EXPECT_EQ(b.history.differences.size(), 1U);
}

TEST_F(PublisherConflictTest, GoingOnWithoutAnAnswerRepairsNothing) {
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 3);
  run_until_drained_after_first(daemon);
  daemon.stop();
  daemon.history.series[1].records.back().bar.close = 77;
  daemon.start();
  daemon.announce(1);
  run_until([&] { return daemon.history.differences.size() == 1; }, "asked");
  daemon.close_bar(1);
  daemon.publisher->resume(1);
  run_until([&] { return newest_id() == id_of(3, 0); }, "the next bar");
  EXPECT_EQ(daemon.publisher->counters().repaired, 0U);
  daemon.publisher->answered(1);  // later
  EXPECT_EQ(daemon.publisher->counters().repaired, 1U);
  run_until_drained(daemon);
  EXPECT_EQ(newest_id(), id_of(3, 0));
}

TEST_F(PublisherConflictTest, AnotherConnectionIsNoAnswer) {
  Daemon daemon(io_, options_for(server_));
  daemon.add(1, 0, 3);
  run_until_drained_after_first(daemon);
  daemon.stop();
  daemon.history.series[1].records.back().bar.close = 77;
  daemon.start();
  daemon.announce(1);
  run_until([&] { return daemon.history.differences.size() == 1; }, "asked");
  daemon.close_bar(1);
  redis_.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  run_until([&] { return daemon.publisher->counters().disconnects == 1; }, "lost");
  run_until_idle(daemon);
  EXPECT_EQ(newest_id(), id_of(2, 0)) << "the exchange is still being asked";
  daemon.publisher->answered(1);
  run_until_drained(daemon);
  EXPECT_EQ(newest_id(), id_of(3, 0));
}

}  // namespace
}  // namespace atcd::state
