// The publisher where a correction has to get through, and where one is too old to.
#include "state/series_cursor.hpp"

#include <initializer_list>

#include "tests/state/publisher_rig.hpp"

namespace atcd::state {
namespace {

class PublisherCorrectionTest : public PublisherTest {
 protected:
  static std::string id_of(std::int64_t bar, int rev) {
    return std::to_string(record_of(1, bar).bar.close_time_ms) + "-" + std::to_string(rev);
  }
  void lose_connection_of(const Daemon& daemon) {
    redis_.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
    run_until([&] { return !daemon.publisher->connected(); }, "lost");
  }
  void begin(std::initializer_list<Daemon*> daemons) {
    for (Daemon* daemon : daemons) {
      daemon->add(1, 0, 3);
      run_until_drained_after_first(*daemon);
    }
  }
  std::string newest_id() { return redis_.stream(stream_key(1)).back().id; }

  RedisServer server_;
  RedisClient redis_ = server_.client();
};

TEST(SeriesCursorTest, OfTellingsWithoutEndTheNewestAreRemembered) {
  SeriesCursor cursor({}, 0, {});
  cursor.position_ms = 60'000;
  const auto telling = [](int number) {
    engine::Bar bar{};
    bar.close = number;
    return bar;
  };
  for (int i = 0; i < 100; ++i) cursor.correct(60'000, telling(i), telling(i + 1));
  EXPECT_EQ(cursor.superseded.size(), kTellings);
  cursor.head_bar = telling(99);
  EXPECT_TRUE(cursor.head_superseded());
  cursor.head_bar = telling(100);
  EXPECT_FALSE(cursor.head_superseded()) << "that is ours";
  cursor.correct(120'000, telling(5), telling(6));
  EXPECT_EQ(cursor.superseded.size(), 1U) << "of another bar";
}

TEST_F(PublisherCorrectionTest, ACorrectionThatComesWhileTheStreamIsBroughtLevelIsSent) {
  Daemon daemon(io_, options_for(server_));
  begin({&daemon});
  daemon.stop();
  daemon.handler.when = [&](const RecordingHandler::Event& event) {
    const bool head =
        event.event == PublishEvent::same && event.detail.find("source=head") != std::string::npos;
    if (!head) return;
    daemon.handler.when = nullptr;
    daemon.correct_bar(1, 123.25);
  };
  daemon.start();
  daemon.announce(1);
  run_until([&] { return daemon.handler.count(PublishEvent::same) > 0; }, "the head is compared");
  daemon.close_bar(1);
  run_until_drained(daemon);
  const auto entries = redis_.stream(stream_key(1));
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[1].id, id_of(2, 1));
  EXPECT_EQ(entries[1].fields.at("close"), "123.25");
  EXPECT_EQ(entries[2].id, id_of(3, 0));
}

TEST_F(PublisherCorrectionTest, ASecondCorrectionThatComesBeforeTheFirstIsAcknowledgedIsSentToo) {
  Daemon daemon(io_, options_for(server_));
  begin({&daemon});
  lose_connection_of(daemon);
  daemon.correct_bar(1, 123.25);
  bool compares = false;
  daemon.history.when_asked = [&] { compares = true; };
  run_until([&] { return compares; }, "the first is on its way");
  daemon.correct_bar(1, 124.5);
  run_until_drained(daemon);
  EXPECT_EQ(newest_id(), id_of(2, 2));
  EXPECT_EQ(redis_.stream(stream_key(1)).back().fields.at("close"), "124.5");
  EXPECT_TRUE(daemon.history.differences.empty()) << "both are ours";
}

TEST_F(PublisherCorrectionTest, ACorrectionThatATwinHasCorrectedOnceMoreIsNotPutOverThat) {
  Daemon a(io_, options_for(server_)), b(io_, options_for(server_));
  begin({&a, &b});
  a.correct_bar(1, 123.25);
  run_until_drained(a);
  a.correct_bar(1, 124.5);
  run_until_drained(a);
  ASSERT_EQ(newest_id(), id_of(2, 2));
  b.correct_bar(1, 123.25);  // it lags
  run_until([&] { return b.history.differences.size() == 1; }, "asked");
  run_until_idle(b);
  EXPECT_EQ(newest_id(), id_of(2, 2)) << "whose is newer only the exchange knows";
  b.correct_bar(1, 124.5);
  b.publisher->answered(1);
  b.close_bar(1);
  run_until_drained(b);
  EXPECT_EQ(newest_id(), id_of(3, 0));
  EXPECT_EQ(redis_.stream(stream_key(1)).size(), 4U) << "each telling once";
  EXPECT_EQ(b.history.differences.size(), 1U);
}

TEST_F(PublisherCorrectionTest, ACorrectionIsNotPutOverATwinsThatCameOnceTheHeadWasRead) {
  Daemon a(io_, options_for(server_));
  boost::asio::io_context elsewhere{1};
  Daemon b(elsewhere, options_for(server_));
  const auto published = [&](std::size_t count) {
    const auto deadline = std::chrono::steady_clock::now() + tests::deadline();
    while (redis_.stream(stream_key(1)).size() < count && std::chrono::steady_clock::now() < deadline)
      elsewhere.run_one_for(std::chrono::milliseconds(20));
    ASSERT_EQ(redis_.stream(stream_key(1)).size(), count);
  };
  a.add(1, 0, 3);
  run_until_drained_after_first(a);
  b.add(1, 0, 3);
  while (b.handler.published == 0) elsewhere.run_one_for(std::chrono::milliseconds(20));
  a.history.when_asked = [&] {  // it lags: it has read the head, and its correction is not sent yet
    a.history.when_asked = nullptr;
    b.correct_bar(1, 123.25);
    published(2);
    b.correct_bar(1, 124.5);
    published(3);
  };
  a.correct_bar(1, 123.25);
  run_until([&] { return a.history.differences.size() == 1; }, "asked");
  run_until_idle(a);
  EXPECT_EQ(newest_id(), id_of(2, 2)) << "whose is newer only the exchange knows";
  EXPECT_EQ(redis_.stream(stream_key(1)).back().fields.at("close"), "124.5");
  a.correct_bar(1, 124.5);
  a.publisher->answered(1);
  a.close_bar(1);
  run_until_drained(a);
  EXPECT_EQ(redis_.stream(stream_key(1)).size(), 4U) << "each telling once";
}

TEST_F(PublisherCorrectionTest, ABarIsNotPutBehindOneThatATwinHasCorrectedUnseen) {
  Daemon a(io_, options_for(server_)), b(io_, options_for(server_));
  begin({&a, &b});
  a.correct_bar(1, 123.25);
  run_until_drained(a);
  b.close_bar(1);  // its signal was computed after the bar as it was
  run_until([&] { return b.history.differences.size() == 1; }, "asked");
  ASSERT_FALSE(b.history.differences.empty());
  EXPECT_EQ(b.history.differences[0].close_ms, record_of(1, 2).bar.close_time_ms);
  run_until_idle(b);
  EXPECT_EQ(newest_id(), id_of(2, 1));
  b.history.series[1].records[2].bar.close = 123.25;
  b.publisher->answered(1);
  run_until_drained(b);
  EXPECT_EQ(newest_id(), id_of(3, 0));
  a.close_bar(1);
  run_until_drained(a);
  a.close_bar(1);
  run_until_drained(a);
  EXPECT_EQ(newest_id(), id_of(4, 0));
  EXPECT_EQ(redis_.stream(stream_key(1)).size(), 4U) << "each telling once";
  EXPECT_TRUE(a.history.differences.empty());
}

TEST_F(PublisherCorrectionTest, WhereTheHeadIsNeitherTellingACorrectionIsASecondReasonToAsk) {
  Daemon a(io_, options_for(server_)), b(io_, options_for(server_));
  begin({&a, &b});
  a.correct_bar(1, 77);  // of which nobody else hears
  run_until_drained(a);
  b.correct_bar(1, 123.25);
  run_until([&] { return b.history.differences.size() == 1; }, "asked");
  b.publisher->answered(1);  // it did not tell
  run_until_idle(b);
  EXPECT_EQ(newest_id(), id_of(2, 1));
  b.history.when_different = [&](SeriesIndex series, std::int64_t close_ms) {
    b.publisher->answered(series);
    b.publisher->correct(series, close_ms);
  };
  b.correct_bar(1, 124.5);
  run_until_drained(b);
  EXPECT_EQ(newest_id(), id_of(2, 2));
  EXPECT_EQ(redis_.stream(stream_key(1)).back().fields.at("close"), "124.5");
}

// Redis was away while one bar after the other was corrected: of the head's the exchange is asked.
TEST_F(PublisherCorrectionTest, WhatTheExchangeProvesOfTheHeadIsSentThoughALaterBarWasCorrectedToo) {
  Daemon daemon(io_, options_for(server_));
  begin({&daemon});
  lose_connection_of(daemon);
  daemon.correct_bar(1, 123.25);
  daemon.close_bar(1);
  daemon.correct_bar(1, 124.5);
  daemon.history.when_different = [&](SeriesIndex series, std::int64_t close_ms) {
    EXPECT_EQ(close_ms, record_of(1, 2).bar.close_time_ms);
    daemon.publisher->answered(series);
    daemon.publisher->correct(series, close_ms);
  };
  run_until_drained(daemon);
  const auto entries = redis_.stream(stream_key(1));
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[1].id, id_of(2, 1));
  EXPECT_EQ(entries[1].fields.at("close"), "123.25");
  EXPECT_EQ(entries[2].id, id_of(3, 0));
  EXPECT_EQ(entries[2].fields.at("close"), "124.5");
}

TEST_F(PublisherCorrectionTest, WhatRedisRefusedOfACorrectionIsSentAgain) {
  Daemon daemon(io_, options_for(server_));
  begin({&daemon});
  daemon.stop();
  daemon.history.series[1].records.back().bar.close = 77;
  daemon.start();
  daemon.history.when_different = [&](SeriesIndex series, std::int64_t close_ms) {
    daemon.publisher->answered(series);
    daemon.publisher->correct(series, close_ms);
    // When history is asked next the head was read already: the correction is what is refused.
    daemon.history.when_asked = [&] { redis_.command({"CONFIG", "SET", "maxmemory", "1"}); };
  };
  daemon.announce(1);
  run_until([&] { return daemon.publisher->counters().errors >= 1; }, "refused");
  daemon.history.when_asked = nullptr;
  redis_.command({"CONFIG", "SET", "maxmemory", "0"});
  run_until_drained(daemon);
  run_until([&] { return newest_id() == id_of(2, 1); }, "corrected");
  EXPECT_EQ(daemon.history.differences.size(), 1U);
}

}  // namespace
}  // namespace atcd::state
