// Silence: a bar whose closing frame never comes, a feed that is dead, a market that is halted or gone.
#include <gtest/gtest.h>

#include <vector>

#include "tests/feeds/series_rig.hpp"

namespace atcd::feeds {
namespace {

using namespace testing::scripted_series;

/// As LiveSeries; for 10 s after its end a bar waits for its closing frame, and no frame comes.
struct QuietSeries : LiveSeries {
  explicit QuietSeries(std::int64_t stale_after_ms = 600'000) {
    SeriesRules quiet = rules();
    quiet.ask_after_ms = 10'000;
    quiet.stale_after_ms = stale_after_ms;
    series.set_rules(quiet);
  }
  /// Seconds of slot 6 and later, from `second` to before `end`, at which it asks; `answer` is what becomes
  /// of each request.
  template <class Answer>
  std::vector<std::int64_t> run(std::int64_t second, std::int64_t end, Answer answer) {
    std::vector<std::int64_t> asked;
    for (; second < end; ++second) {
      series.on_timer(at(6, second * 1000));
      if (recorder.fetches.empty()) continue;
      asked.push_back(second);
      recorder.fetches.clear();
      series.on_history(answer(second), 1, at(6, second * 1000));
    }
    return asked;
  }
};

TEST(Series, ABarWhoseClosingFrameNeverCameIsAskedForThoughNothingFollowsIt) {
  QuietSeries live;
  const auto asked = live.run(0, 40, [](std::int64_t second) { return rows(5, 14, 6, second * 1000); });
  EXPECT_EQ(asked, (std::vector<std::int64_t>{10}));
  ASSERT_EQ(live.recorder.bars.size(), 6U);
  EXPECT_EQ(live.series.state(), SeriesState::live);
}

TEST(Series, AClosingFrameInTimeAsksNothing) {
  QuietSeries live;
  live.run(0, 9, [](std::int64_t) { return HistoryResult{}; });
  live.series.on_kline(kline_of(bar_at(5), true), 1, at(6, 9000));
  EXPECT_TRUE(live.run(9, 69, [](std::int64_t) { return HistoryResult{}; }).empty());
  live.series.on_kline(kline_of(bar_at(6), true), 1, at(7, 9000));
  EXPECT_TRUE(live.run(69, 120, [](std::int64_t) { return HistoryResult{}; }).empty());
}

TEST(Series, AnExchangesClockThatIsFarBehindPutsNothingOffForLong) {
  QuietSeries live;
  const auto asked = live.run(0, 1000, [](std::int64_t) {
    HistoryResult result;
    result.server_time_ms = kStartMs - 86'400'000;
    return result;
  });
  EXPECT_EQ(asked, (std::vector<std::int64_t>{10, 650}));
}

TEST(Series, AQuietBarIsAskedForAgainAfterARequestThatFailed) {
  QuietSeries live;
  int failures = 3;
  const auto asked = live.run(0, 40, [&](std::int64_t second) {
    HistoryResult result = rows(5, 14, 6, second * 1000);
    if (failures-- > 0) {
      result.error = RestError::timeout;
      result.rows.clear();
    }
    return result;
  });
  EXPECT_EQ(asked, (std::vector<std::int64_t>{10, 11, 13, 17}));
  EXPECT_EQ(live.recorder.bars.size(), 6U);
}

TEST(Series, AQuietBarThatRestLacksIsAskedForAgainSeldomerAndSeldomer) {
  QuietSeries live;
  const auto asked = live.run(0, 4000, [](std::int64_t second) {
    HistoryResult result = rows(5, 4, 6);  // a market without bars, or REST lags
    result.server_time_ms = at(6, second * 1000).utc_ms;
    return result;
  });
  ASSERT_GE(asked.size(), 4U);
  EXPECT_EQ(asked[0], 10);
  EXPECT_EQ(asked[1], 20);
  EXPECT_EQ(asked[2], 40);
  EXPECT_LE(asked.size(), 30U) << "in an hour, in which each of seven pages is looked at twice";
  EXPECT_EQ(live.series.state(), SeriesState::live);
  live.run(4000, 5000, [](std::int64_t second) { return rows(5, 5, 6, second * 1000); });
  EXPECT_EQ(live.recorder.bars.size(), 6U);
}

TEST(Series, APageThatMayStillGetItsRowsIsNoHalt) {
  QuietSeries live;
  live.run(0, 60, [](std::int64_t second) {
    HistoryResult lagging;
    lagging.server_time_ms = at(6, second * 1000).utc_ms;
    return lagging;
  });
  live.series.on_kline(kline_of(bar_at(7), true), 1, at(8));
  ASSERT_EQ(live.recorder.fetches.size(), 1U);
  EXPECT_LE(live.recorder.fetches[0].first, bar_at(5).open_time_ms);
}

TEST(Series, ABarThatIsNotOverByTheExchangesClockIsAskedForAgainWhenItIs) {
  QuietSeries live;
  const std::int64_t ahead_ms = 30'000;  // our clock
  const auto asked = live.run(0, 69, [&](std::int64_t second) {
    const std::int64_t theirs_ms = second * 1000 - ahead_ms;
    return rows(5, 14, theirs_ms < 0 ? 5 : 6, theirs_ms < 0 ? theirs_ms + kMinuteMs : theirs_ms);
  });
  EXPECT_EQ(asked, (std::vector<std::int64_t>{10, 40})) << "10 s after its end by their clock";
  EXPECT_EQ(live.recorder.bars.size(), 6U);
}

TEST(Series, ABarThatHasEndedButNotSettledIsAskedForAgain) {
  QuietSeries live;
  const std::int64_t ahead_ms = 9'000;  // our clock: the answer's is within the settling time
  const auto asked =
      live.run(0, 60, [&](std::int64_t second) { return rows(5, 5, 6, second * 1000 - ahead_ms); });
  EXPECT_EQ(asked, (std::vector<std::int64_t>{10, 20}));
  EXPECT_EQ(live.recorder.bars.size(), 6U);
}

TEST(Series, AMarketWithoutTradesIsNoDeadFeedWhereOnlyTradesBringFrames) {
  for (const double volume : {0.0, 5.0}) {
    QuietSeries live(150'000);
    live.run(0, 600, [&](std::int64_t second) {
      HistoryResult result =
          rows(live.series.next() - kMinute.ordinal(kStartMs), 30, 6 + second / 60, second % 60 * 1000);
      for (Bar& row : result.rows) row.volume = volume;
      return result;
    });
    EXPECT_EQ(live.recorder.bars.size(), 15U);
    EXPECT_EQ(live.series.counters().stale == 0, volume == 0);
    EXPECT_EQ(live.recorder.resubscribes == 0, volume == 0);
    EXPECT_GE(live.recorder.asked_listing, 3) << "it may be a halt";
  }
}

TEST(Series, AFeedThatDiesAfterABarWithTradesIsStaleAtOnceThoughOneBeforeHadNone) {
  QuietSeries live(150'000);
  live.run(0, 20, [&](std::int64_t second) {
    HistoryResult result = rows(5, 14, 6, second * 1000);
    result.rows[0].volume = 0;
    return result;
  });
  ASSERT_EQ(live.recorder.bars.size(), 6U);
  live.series.on_kline(kline_of(bar_at(6), true), 1, at(7));
  live.run(60, 60 + 151, [](std::int64_t) {
    HistoryResult away;
    away.error = RestError::timeout;
    return away;
  });
  EXPECT_EQ(live.series.state(), SeriesState::stale);
  EXPECT_EQ(live.recorder.resubscribes, 1);
}

TEST(Series, WhileTheStreamIsDownItsSilenceIsNoneAndCountsFromWhenItIsUp) {
  LiveSeries live;
  live.series.on_stream_down(at(5), "cut");
  live.series.on_timer(at(20));
  live.series.on_stream_up(at(20));
  live.series.on_timer(at(20));
  EXPECT_EQ(live.recorder.resubscribes, 0);
  EXPECT_EQ(live.series.counters().stale, 0U);
}

TEST(Series, SaysStaleAndAsksForANewSubscriptionWhenFramesStop) {
  LiveSeries live;
  live.series.on_kline(kline_of(bar_at(5), false), 1, at(5, 1));
  live.series.on_timer(at(15));
  EXPECT_EQ(live.series.state(), SeriesState::live);
  Now now = at(5, 1);
  now.monotonic_ms += 600'000;
  live.series.on_timer(now);
  EXPECT_EQ(live.series.state(), SeriesState::stale);
  EXPECT_EQ(live.recorder.resubscribes, 1);
  live.series.on_kline(kline_of(bar_at(15), false), 1, now);
  EXPECT_EQ(live.series.state(), SeriesState::catching_up);
}

TEST(Series, AMarketThatTheExchangeHaltedIsNoDeadFeed) {
  LiveSeries live;
  live.series.set_listing(Listing::halted, at(6));
  EXPECT_EQ(live.series.state(), SeriesState::halted);
  live.series.on_timer(at(40));
  EXPECT_EQ(live.recorder.resubscribes, 0) << "silence is what a halt sounds like";
  EXPECT_EQ(live.recorder.asked_listing, 1) << "but it may end any time";
  live.series.on_timer(at(60));
  EXPECT_EQ(live.recorder.asked_listing, 2);

  // The feed is away: what the market does is not known. Then it is back.
  live.series.on_stream_down(at(6), "cut");
  EXPECT_EQ(live.series.state(), SeriesState::stale);
  live.series.on_stream_up(at(6));
  live.series.on_history(rows(4, 5, 5), 1, at(6));
  EXPECT_EQ(live.series.state(), SeriesState::halted);

  // A frame is better evidence than the list.
  live.series.on_kline(kline_of(bar_at(10), false), 1, at(10));
  EXPECT_EQ(live.series.state(), SeriesState::catching_up);
  HistoryResult page = rows(4, 4, 5);
  page.rows.push_back(bar_at(5));
  page.rows.push_back(bar_at(10));
  page.server_time_ms = kStartMs + 10 * kMinuteMs + 10'000;
  while (live.series.state() == SeriesState::catching_up && live.recorder.fetches.size() < 20)
    live.series.on_history(page, 1, at(10));
  EXPECT_EQ(live.series.state(), SeriesState::live);
  EXPECT_EQ(live.recorder.bars.size(), 6U) << "slot 5, and none of the slots of the halt";
}

TEST(Series, AHaltThatEndsIsFollowedByAnotherSubscription) {
  LiveSeries live;
  live.series.set_listing(Listing::halted, at(6));
  live.series.set_listing(Listing::trading, at(20));
  EXPECT_EQ(live.series.state(), SeriesState::catching_up);
  live.series.on_timer(at(20));
  EXPECT_EQ(live.recorder.resubscribes, 1) << "the exchange may have forgotten the one from before";
}

TEST(Series, WhatFellSilentBeforeTheListSaidWhyIsHaltedToo) {
  LiveSeries live;
  live.series.on_timer(at(15));
  ASSERT_EQ(live.series.state(), SeriesState::stale);
  live.series.set_listing(Listing::halted, at(15));
  EXPECT_EQ(live.series.state(), SeriesState::halted);
}

TEST(Series, WhatLeftTheListHasEndedAndMayComeBack) {
  LiveSeries live;
  live.series.set_listing(Listing::ended, at(6));
  EXPECT_EQ(live.series.state(), SeriesState::ended);
  live.series.on_stream_down(at(7), "refused");
  EXPECT_EQ(live.series.state(), SeriesState::ended);
  live.series.set_listing(Listing::trading, at(8));
  EXPECT_EQ(live.series.state(), SeriesState::stale);
  live.series.on_stream_up(at(8));
  EXPECT_EQ(live.series.state(), SeriesState::catching_up);
}

/// Some exchanges' REST refuses whoever asks for what they do not list any more.
TEST(Series, WhatHasEndedAndRestRefusesHasEndedAlsoAfterAReconnect) {
  LiveSeries live;
  live.series.set_listing(Listing::ended, at(6));
  live.series.on_stream_down(at(7), "cut");
  live.series.on_stream_up(at(7));
  ASSERT_EQ(live.series.state(), SeriesState::catching_up);
  HistoryResult refused;
  refused.error = RestError::http_status;
  for (int second = 0; second < 600 && live.series.state() == SeriesState::catching_up; ++second) {
    live.series.on_timer(at(7, second * 1000));
    if (live.recorder.fetches.empty()) continue;
    live.recorder.fetches.clear();
    live.series.on_history(refused, 1, at(7, second * 1000));
  }
  EXPECT_EQ(live.series.state(), SeriesState::ended);
}

}  // namespace
}  // namespace atcd::feeds
