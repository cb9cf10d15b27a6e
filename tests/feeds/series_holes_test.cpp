// Bars that wait behind a hole, and what is asked of REST to fill it.
#include <gtest/gtest.h>

#include <vector>

#include "tests/feeds/series_rig.hpp"

namespace atcd::feeds {
namespace {

using namespace testing::scripted_series;

TEST(Series, ABarBehindAHoleWaitsUntilRestHasFilledIt) {
  LiveSeries live;
  live.series.on_kline(kline_of(bar_at(7), true), 1, at(8));
  EXPECT_EQ(live.recorder.bars.size(), 5U);
  EXPECT_EQ(live.series.state(), SeriesState::catching_up);
  ASSERT_EQ(live.recorder.fetches.size(), 1U);
  EXPECT_EQ(live.recorder.fetches[0].first, kStartMs + 4 * kMinuteMs) << "the newest bar, then the hole";
  live.series.on_history(rows(4, 9, 8), 1, at(8));
  ASSERT_EQ(live.recorder.bars.size(), 8U);
  for (std::int64_t slot = 0; slot < 8; ++slot)
    EXPECT_EQ(live.recorder.bars[static_cast<std::size_t>(slot)], bar_at(slot));
  EXPECT_EQ(live.series.state(), SeriesState::live);
  EXPECT_EQ(live.series.counters().holes, 1U);
  EXPECT_EQ(live.series.counters().gap_bars, 2U);
}

TEST(Series, ABarThatWaitedIsToldAsSoonAsAFrameFillsTheHole) {
  LiveSeries live;
  live.series.on_kline(kline_of(bar_at(6), true), 1, at(7));
  live.series.on_kline(kline_of(bar_at(5), true), 1, at(7));
  EXPECT_EQ(live.recorder.bars.size(), 7U);
}

TEST(Series, AFrameThatClosedABarOutranksARowThatMayHaveBeenReadJustBefore) {
  LiveSeries live;
  live.series.on_kline(kline_of(bar_at(6, 101), true), 1, at(7));
  live.series.on_history(rows(4, 9, 8), 1, at(8));
  ASSERT_EQ(live.recorder.bars.size(), 8U);
  EXPECT_EQ(live.recorder.bars[6], bar_at(6, 101));
}

TEST(Series, WhatIsKnownToBeMissingIsAskedForFirstAndThePastLast) {
  LiveSeries live;
  live.series.on_kline(kline_of(bar_at(6), true), 1, at(7));  // behind a hole
  live.series.on_history(rows(4, 8, 7), 1, at(7));
  live.series.on_kline(kline_of(bar_at(8), false), 1, at(8));  // without the closing frame of 7
  live.series.on_timer(at(8, 3000));
  live.series.on_history(rows(7, 9, 8), 1, at(8, 3000));
  live.series.on_stream_down(at(9), "cut");
  live.series.on_stream_up(at(9));
  live.series.on_history(rows(7, 10, 9), 1, at(9));
  live.series.on_timer(at(19));  // silence, and its end
  live.series.on_kline(kline_of(bar_at(19), false), 1, at(19));
  live.series.on_history(rows(8, 17, 19), 1, at(19));
  live.series.on_history(rows(16, 20, 19), 1, at(19));
  live.series.require_from(kMinute.ordinal(kStartMs) - 5, at(19));
  EXPECT_EQ(live.recorder.priorities, (std::vector<int>{2, 1, 0, 0, 1, 1, 1, 3}));
}

TEST(Series, WhatWasMissedDoesNotWaitForAllOfThePast) {
  LiveSeries live;
  live.series.require_from(kMinute.ordinal(kStartMs) - 50, at(5));
  live.series.on_stream_down(at(5), "cut");
  live.series.on_stream_up(at(7));
  EXPECT_EQ(live.recorder.fetches.back().first, bar_at(4).open_time_ms);
}

TEST(Series, OfABarThatWaitsBehindAHoleTheNewestTellingCounts) {
  LiveSeries live;
  live.series.on_kline(kline_of(bar_at(6), true), 1, at(7));
  live.series.on_kline(kline_of(bar_at(6, 101), true), 1, at(7));
  HistoryResult answer = rows(4, 9, 8);
  answer.rows.erase(answer.rows.begin() + 2);  // slot 6
  live.series.on_history(answer, 1, at(8));
  ASSERT_EQ(live.recorder.bars.size(), 8U);
  EXPECT_EQ(live.recorder.bars[6], bar_at(6, 101));
}

TEST(Series, WhatWaitsBehindAHoleIsBoundedAndCounted) {
  LiveSeries live;
  for (std::int64_t slot = 6; slot < 6 + 1442; ++slot)
    live.series.on_kline(kline_of(bar_at(slot), true), 1, at(slot + 1));
  EXPECT_EQ(live.series.counters().pending_dropped, 2U);
  EXPECT_EQ(live.recorder.bars.size(), 5U);
}

TEST(Series, WhatWaitsBehindAHoleIsAskedForAgainWhenOtherFramesBringTheBars) {
  LiveSeries live;
  live.series.on_kline(kline_of(bar_at(6, 101), true), 1, at(7));
  live.series.set_rules(rules());
  live.series.on_history(rows(4, 9, 8), 1, at(8));
  ASSERT_EQ(live.recorder.bars.size(), 8U);
  EXPECT_EQ(live.recorder.bars[6], bar_at(6));
  EXPECT_TRUE(live.recorder.conflicts.empty());
}

TEST(Series, AnAnswerWithoutAClockOrWithOneALittleBehindDropsNothingThatAFrameTold) {
  for (const std::int64_t clock_ms : {std::int64_t{0}, at(6, 50'000).utc_ms}) {
    LiveSeries live;
    live.series.on_kline(kline_of(bar_at(6), true), 1, at(7));
    HistoryResult answer = rows(4, 6, 7);
    answer.server_time_ms = clock_ms;
    live.series.on_history(answer, 1, at(7));
    EXPECT_EQ(live.recorder.bars.size(), 7U);
    EXPECT_EQ(live.series.counters().pending_dropped, 0U);
  }
}

TEST(Series, AFrameFillsASlotThatRestShowedEmptyWhileNothingLaterWasLetThrough) {
  LiveSeries live;
  live.series.on_stream_down(at(5), "cut");
  live.series.on_stream_up(at(7));
  HistoryResult answer = rows(4, 7, 7);
  answer.rows.erase(answer.rows.begin() + 1, answer.rows.begin() + 3);  // slots 5 and 6
  live.series.on_history(answer, 1, at(7));
  ASSERT_EQ(live.series.state(), SeriesState::live);
  live.recorder.fetches.clear();
  live.series.on_kline(kline_of(bar_at(5), true), 1, at(7));
  live.series.on_kline(kline_of(bar_at(7), true), 1, at(8));
  EXPECT_EQ(live.recorder.bars.size(), 7U);
  EXPECT_EQ(live.series.state(), SeriesState::live) << "slot 6 is no hole";
  EXPECT_TRUE(live.recorder.fetches.empty());
}

TEST(Series, ASlotWithoutARowBeforeALaterRowIsKnownToBeAbsent) {
  LiveSeries live;
  live.series.on_kline(kline_of(bar_at(7), true), 1, at(8));
  HistoryResult answer = rows(4, 9, 8);
  answer.rows.erase(answer.rows.begin() + 2);  // no slot 6
  live.series.on_history(answer, 1, at(8));
  ASSERT_EQ(live.recorder.bars.size(), 7U);
  EXPECT_EQ(live.recorder.bars[6], bar_at(7));
  EXPECT_EQ(live.series.counters().absent_slots, 1U);
  EXPECT_EQ(live.series.state(), SeriesState::live);
}

TEST(Series, WhatAFrameToldIsNotLostWhereRestLacksItsRow) {
  LiveSeries live;
  live.series.on_kline(kline_of(bar_at(6), true), 1, at(7));  // behind a hole
  HistoryResult answer = rows(4, 13, 7);
  answer.rows.erase(answer.rows.begin() + 2);  // slot 6
  live.series.on_history(answer, 1, at(7));
  ASSERT_EQ(live.recorder.bars.size(), 7U);
  EXPECT_EQ(live.recorder.bars[6], bar_at(6));
  EXPECT_EQ(live.series.counters().absent_slots, 0U);
}

TEST(Series, AHoleDoesNotWaitForAPastThatIsRefusedAgainAndAgain) {
  LiveSeries live;
  live.series.require_from(kMinute.ordinal(kStartMs) - 10, at(5));
  HistoryResult refused;
  refused.error = RestError::bad_body;
  int answers = 0;
  for (int second = 0; second < 100; ++second) {
    live.series.on_timer(at(5, second * 1000));
    if (live.recorder.fetches.empty()) continue;
    live.recorder.fetches.clear();
    live.series.on_history(refused, 1, at(5, second * 1000));
    ++answers;
  }
  EXPECT_LE(answers, 8);
  live.series.on_kline(kline_of(bar_at(6), true), 1, at(7));
  ASSERT_EQ(live.recorder.fetches.size(), 1U);
  EXPECT_EQ(live.recorder.fetches[0].first, bar_at(4).open_time_ms);
  live.recorder.fetches.clear();
  live.series.on_history(refused, 1, at(7));  // its own first failure
  EXPECT_EQ(live.series.state(), SeriesState::catching_up);
  live.series.on_timer(at(7, 1000));
  ASSERT_EQ(live.recorder.fetches.size(), 1U);
  EXPECT_EQ(live.recorder.fetches[0].first, bar_at(4).open_time_ms);
}

TEST(Series, AHoleDoesNotWaitForAPageOfThePast) {
  LiveSeries live;
  live.series.require_from(kMinute.ordinal(kStartMs) - 5, at(5));
  ASSERT_EQ(live.recorder.fetches.size(), 1U);
  const auto past = live.recorder.fetches[0];
  live.series.on_kline(kline_of(bar_at(6), true), 1, at(7));
  ASSERT_EQ(live.recorder.fetches.size(), 2U);
  EXPECT_EQ(live.recorder.priorities.back(), 0);
  HistoryResult page = rows(-5, -1, 7), missing = rows(4, 13, 7);
  page.from_ms = past.first;
  missing.from_ms = live.recorder.fetches[1].first;
  live.series.on_history(missing, 1, at(7));
  EXPECT_EQ(live.recorder.bars.size(), 7U);
  EXPECT_EQ(live.series.state(), SeriesState::live);
  live.series.on_timer(at(7));
  EXPECT_EQ(live.recorder.fetches.size(), 2U) << "the page of the past is still on its way";
  live.series.on_history(page, 1, at(7));
  EXPECT_EQ(live.recorder.earlier.size(), 5U);
  live.series.on_history(page, 1, at(7));  // nobody asked for that
  EXPECT_EQ(live.series.bars().size(), 12U);
}

// A closing frame was lost, or nobody trades: no other frame tells that the bar is over.
TEST(Series, ABarThatNoFrameClosesDoesNotWaitForPagesOfThePast) {
  SeriesRules quiet = rules();
  quiet.ask_after_ms = 13'000;
  LiveSeries live;
  live.series.set_rules(quiet);
  live.series.require_from(kMinute.ordinal(kStartMs) - 5, at(5));
  ASSERT_EQ(live.recorder.fetches.size(), 1U);
  HistoryResult past = rows(-5, -1, 6);
  past.from_ms = live.recorder.fetches[0].first;
  live.series.on_timer(at(6));
  live.series.on_timer(at(6, 13'000));
  ASSERT_EQ(live.recorder.fetches.size(), 2U);
  EXPECT_EQ(live.recorder.fetches[1].first, bar_at(5).open_time_ms);
  HistoryResult answer = rows(5, 14, 6, 13'000);
  answer.from_ms = bar_at(5).open_time_ms;
  live.series.on_history(answer, 1, at(6, 13'000));
  EXPECT_EQ(live.recorder.bars.size(), 6U);
  live.series.on_history(past, 1, at(6, 14'000));
  EXPECT_EQ(live.series.bars().size(), 11U);
  EXPECT_EQ(live.recorder.covered, 1);
}

TEST(Series, ABarThatRestDoesNotShowYetIsAskedForAgainAndThenAGap) {
  LiveSeries live;
  live.series.on_kline(kline_of(bar_at(6), true), 1, at(7));
  Now now = at(7);
  for (int attempt = 0; attempt < 3; ++attempt) {
    ASSERT_FALSE(live.recorder.fetches.empty());
    live.recorder.fetches.clear();
    HistoryResult lagging;
    lagging.server_time_ms = now.utc_ms;
    live.series.on_history(lagging, 1, now);
    now.monotonic_ms += 10'000;
    live.series.on_timer(now);
  }
  EXPECT_EQ(live.series.state(), SeriesState::gap);
  EXPECT_EQ(live.recorder.bars.size(), 5U);
  for (int answers = 0; !live.recorder.fetches.empty() && answers < 5; ++answers) {  // in smaller pages
    live.recorder.fetches.clear();
    live.series.on_history(rows(live.series.next() - kMinute.ordinal(kStartMs) - 1, 9, 7), 1, now);
  }
  EXPECT_EQ(live.recorder.bars.size(), 7U);
  EXPECT_EQ(live.series.state(), SeriesState::live);
}

TEST(Series, ASuccessorWithoutTheClosingMarkSendsUsToRestAfterThreeSeconds) {
  LiveSeries live;
  live.series.on_kline(kline_of(bar_at(6), false), 1, at(6, 2000));
  live.series.on_kline(kline_of(bar_at(6), false), 1, at(6, 4000));  // the first began it
  live.series.on_timer(at(6, 4900));
  EXPECT_TRUE(live.recorder.fetches.empty());
  live.series.on_timer(at(6, 5000));
  ASSERT_EQ(live.recorder.fetches.size(), 1U);
  live.series.on_history(rows(5, 7, 6, 5000), 1, at(6, 5000));
  EXPECT_EQ(live.recorder.bars.size(), 6U);
  EXPECT_EQ(live.series.state(), SeriesState::live) << "a lost closing frame does not end being live";
}

/// Where REST was away meanwhile its answer has several: only the last of them is the newest.
TEST(Series, OfRowsThatComeAtOnceTheEarlierAreKnownToHaveLaterOnes) {
  struct Looking final : SeriesHandler {
    const Series* series = nullptr;
    std::vector<bool> later;
    void on_bar(const Bar&, std::int64_t) override { later.push_back(series->later_closed()); }
    void on_correction(const Bar&, const Bar&, std::int64_t) override {}
    void on_conflict(const Bar&, const Bar&) override {}
    void on_state(SeriesState, std::string_view) override {}
    void on_earlier(std::span<const Bar>, std::int64_t) override {}
    void on_covered() override {}
    void fetch(std::int64_t, std::int64_t, int) override {}
    void resubscribe() override {}
    void ask_listing() override {}
  } handler;
  Series series(rules(), kStartMs, handler);
  handler.series = &series;
  series.on_stream_up(at(2));
  series.on_history(rows(0, 9, 2), 1, at(2));
  ASSERT_EQ(series.state(), SeriesState::live);
  handler.later.clear();
  series.on_kline(kline_of(bar_at(3), false), 1, at(3));  // its successor, and no frame has closed it
  series.on_timer(at(3, 4000));
  series.on_history(rows(1, 10, 4), 1, at(4));
  EXPECT_EQ(handler.later, (std::vector<bool>{true, false}));
  EXPECT_EQ(series.state(), SeriesState::live);
}

TEST(Series, AfterAMachineHasSleptItIsLiveOnlyOnceItHasAllThatClosed) {
  LiveSeries live;
  live.series.on_stream_down(at(5), "cut");
  // No time has passed for us, nor is the first answer's clock believed: the exchange is in slot 60.
  live.series.on_stream_up(at(5, 1000));
  ASSERT_EQ(live.recorder.fetches.size(), 1U);
  const std::int64_t to = (live.recorder.fetches.front().second - kStartMs) / kMinuteMs;
  live.recorder.fetches.clear();
  HistoryResult first = rows(4, to, 60);
  first.server_time_ms = at(5, 3000).utc_ms;
  live.series.on_history(first, 1, at(5, 1000));
  EXPECT_NE(live.series.state(), SeriesState::live);
  ASSERT_EQ(live.recorder.fetches.size(), 1U) << "not when the next bar is due by a clock that is late";
  while (!live.recorder.fetches.empty()) {
    const auto [from_ms, to_ms] = live.recorder.fetches.front();
    live.recorder.fetches.pop_front();
    live.series.on_history(rows((from_ms - kStartMs) / kMinuteMs, (to_ms - kStartMs) / kMinuteMs, 60), 1,
                           at(5, 2000));
  }
  EXPECT_EQ(live.series.bars().size(), 60U);
  EXPECT_EQ(live.series.state(), SeriesState::live);
}

}  // namespace
}  // namespace atcd::feeds
