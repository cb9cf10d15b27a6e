// Bars from before the series began: what a start brings along, and pages of the past.
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "tests/feeds/series_rig.hpp"

namespace atcd::feeds {
namespace {

using namespace testing::scripted_series;

TEST(Series, APageOfThePastThatIsEmptyOrShortByMistakeIsNoListing) {
  for (const std::int64_t first_of_mistake : {-10, -5}) {    // empty; without what is next to the held bars
    for (const std::int64_t end_of_mistake : {-1, -3, 0}) {  // or without the oldest
      LiveSeries live;
      live.series.require_from(kMinute.ordinal(kStartMs) - 20, at(5));
      bool mistaken = false;
      for (int second = 0; second < 60; ++second) {
        live.series.on_timer(at(5, second * 1000));
        if (live.recorder.fetches.empty()) continue;
        const auto [from_ms, to_ms] = live.recorder.fetches.front();
        live.recorder.fetches.pop_front();
        HistoryResult page = rows((from_ms - kStartMs) / kMinuteMs, (to_ms - kStartMs) / kMinuteMs, 5);
        if (!std::exchange(mistaken, true)) {
          std::erase_if(page.rows, [&](const Bar& bar) {
            const std::int64_t slot = (bar.open_time_ms - kStartMs) / kMinuteMs;
            return end_of_mistake == 0 ? slot < first_of_mistake + 2 : slot >= first_of_mistake;
          });
        }
        live.series.on_history(page, 1, at(5, second * 1000));
      }
      EXPECT_EQ(live.series.bars().size(), 25U) << first_of_mistake << ' ' << end_of_mistake;
      EXPECT_EQ(live.recorder.covered, 1);
    }
  }
}

TEST(Series, APastThatIsEmptyForSecondsIsNoListing) {
  LiveSeries live;
  live.series.require_from(kMinute.ordinal(kStartMs) - 40, at(5));
  answer_all(
      live.series, live.recorder, 5, [](std::int64_t) { return true; },
      [](int, std::int64_t second) { return second < 9; });
  EXPECT_EQ(live.series.bars().size(), 45U);
  EXPECT_EQ(live.recorder.covered, 1);
}

TEST(Series, APastThatBeginsWithTheListingIsCoveredSoon) {
  LiveSeries live;
  live.series.require_from(kMinute.ordinal(kStartMs) - 85, at(5));
  EXPECT_LE(answer_all(live.series, live.recorder, 5, [](std::int64_t slot) { return slot >= -14; }), 18);
  EXPECT_EQ(live.series.bars().size(), 19U);
  EXPECT_EQ(live.recorder.covered, 1);
}

TEST(Series, PagesOfThePastThatDifferEachTimeAreAskedForSeldomerAndSeldomer) {
  LiveSeries live;
  live.series.require_from(kMinute.ordinal(kStartMs) - 10, at(5));
  int answers = 0;
  for (int second = 0; second < 600; ++second) {
    live.series.on_timer(at(5, second * 1000));
    if (live.recorder.fetches.empty()) continue;
    live.recorder.fetches.clear();
    live.series.on_history(rows(-10, ++answers % 2 == 0 ? -3 : -4, 5), 1, at(5, second * 1000));
  }
  EXPECT_LE(answers, 16);
  EXPECT_EQ(live.recorder.covered, 0);
  live.series.on_timer(at(5, 700'000));
  live.series.on_history(rows(-10, -1, 5), 1, at(5, 700'000));
  EXPECT_EQ(live.recorder.covered, 1);
}

TEST(Series, EarlierBarsThatNoLongerAdjoinAfterATrimAreDropped) {
  LiveSeries live;
  live.series.require_from(kMinute.ordinal(kStartMs) - 5, at(5));
  live.series.trim(3);
  live.series.on_history(rows(-5, -1, 5), 1, at(5));
  EXPECT_EQ(live.series.bars().front(), bar_at(2));
  EXPECT_EQ(live.series.covered_from(), kMinute.ordinal(kStartMs) + 2);
}

TEST(Series, BringsEarlierBarsInPagesWhenTheyAreNeeded) {
  LiveSeries live;
  const std::int64_t first = kMinute.ordinal(kStartMs);
  live.series.require_from(first - 15, at(5));
  ASSERT_EQ(live.recorder.fetches.size(), 1U);
  EXPECT_EQ(live.recorder.fetches[0], std::pair(kStartMs - 10 * kMinuteMs, kStartMs - kMinuteMs));
  live.recorder.fetches.clear();
  live.series.on_history(rows(-14, 2, 5), 1, at(5));  // more than was asked for
  EXPECT_EQ(live.recorder.covered, 0);
  ASSERT_EQ(live.recorder.fetches.size(), 1U);
  HistoryResult listing_began = rows(-13, -11, 5);
  live.series.on_history(listing_began, 1, at(5));
  EXPECT_EQ(live.recorder.covered, 0) << "it may be short by mistake";
  live.series.on_timer(at(5, 10'000));
  ASSERT_EQ(live.recorder.fetches.size(), 2U);
  EXPECT_EQ(live.recorder.fetches[0], live.recorder.fetches[1]);
  live.series.on_history(listing_began, 1, at(5, 10'000));
  EXPECT_EQ(live.recorder.covered, 1);
  EXPECT_EQ(live.series.covered_from(), first - 15);
  EXPECT_EQ(live.series.bars().front(), bar_at(-13));
  EXPECT_EQ(live.series.bars().size(), 18U);
  EXPECT_EQ(live.recorder.bars.size(), 5U) << "earlier bars are not announced as new ones";
}

TEST(Series, OfTwoDemandsOnThePastTheFurtherOneIsMet) {
  LiveSeries live;
  const std::int64_t first = kMinute.ordinal(kStartMs);
  live.series.require_from(first - 20, at(5));
  live.series.require_from(first - 5, at(5));
  live.series.on_history(rows(-10, -1, 5), 1, at(5));
  EXPECT_EQ(live.recorder.covered, 0);
  live.series.on_history(rows(-20, -11, 5), 1, at(5));
  EXPECT_EQ(live.recorder.covered, 1);
  EXPECT_EQ(live.series.covered_from(), first - 20);
}

TEST(Series, OfWhatWasRestoredOnlyTheNewestBarIsAskedForAgain) {
  Recorder recorder;
  Series series(rules(), kStartMs + 3 * kMinuteMs, recorder);
  const std::vector<Bar> known = {bar_at(1), bar_at(2), bar_at(4)};  // slot 3 has none
  ASSERT_TRUE(series.restore(known, bar_at(1).open_time_ms, bar_at(4).close_time_ms));
  series.on_stream_up(at(7));
  series.start(at(7));
  ASSERT_EQ(recorder.fetches.size(), 1U);
  EXPECT_EQ(recorder.fetches[0].first, bar_at(4).open_time_ms);
  series.on_history(rows(4, 14, 7), 1, at(7));
  EXPECT_EQ(recorder.bars, (std::vector<Bar>{bar_at(5), bar_at(6)}));
  EXPECT_EQ(series.bars().size(), 5U);
  EXPECT_EQ(series.state(), SeriesState::live);
  EXPECT_TRUE(recorder.conflicts.empty());
}

TEST(Series, AfterAnAbsenceTheCheapestRequestIsMade) {
  SeriesRules of_many_rows = rules();
  of_many_rows.rows_per_request = 1000;
  Recorder recorder;
  Series series(of_many_rows, kStartMs, recorder);
  ASSERT_TRUE(series.restore({bar_at(0), bar_at(1)}, kStartMs, kStartMs + 2 * kMinuteMs));
  series.on_stream_up(at(5));
  ASSERT_EQ(recorder.fetches.size(), 1U);
  EXPECT_EQ(recorder.fetches[0].first, bar_at(1).open_time_ms);
  EXPECT_EQ(recorder.fetches[0].second, bar_at(99).open_time_ms) << "of a hundred rows futures weigh twice";
}

TEST(Series, ABarThatWasCorrectedWhileWeWereAwayIsTold) {
  Recorder recorder;
  Series series(rules(), kStartMs + 3 * kMinuteMs, recorder);
  ASSERT_TRUE(series.restore({bar_at(3), bar_at(4)}, bar_at(3).open_time_ms, bar_at(4).close_time_ms));
  series.on_stream_up(at(7));
  HistoryResult page = rows(4, 14, 7);
  page.rows[0] = bar_at(4, 101);
  series.on_history(page, 1, at(7));
  ASSERT_EQ(recorder.conflicts.size(), 1U);
  EXPECT_EQ(recorder.conflicts[0], std::pair(bar_at(4), bar_at(4, 101)));
  EXPECT_EQ(series.bars()[1], bar_at(4)) << "what was used stays";
}

TEST(Series, WhatWasRestoredTooYoungIsCompletedFromBehind) {
  Recorder recorder;
  Series series(rules(), kStartMs, recorder);
  ASSERT_TRUE(series.restore({bar_at(4)}, bar_at(4).open_time_ms, bar_at(4).close_time_ms));
  series.on_stream_up(at(6));
  series.start(at(6));
  series.on_history(rows(4, 14, 6), 1, at(6));
  ASSERT_EQ(recorder.fetches.size(), 1U);
  series.restore_earlier(std::vector<Bar>{bar_at(3)}, bar_at(3).open_time_ms);
  series.require_from(series.interval().ordinal(kStartMs), at(6));
  ASSERT_EQ(recorder.fetches.size(), 2U);
  EXPECT_EQ(recorder.fetches[1], std::pair(bar_at(0).open_time_ms, bar_at(2).open_time_ms));
  series.on_history(rows(0, 3, 6), 1, at(6));
  EXPECT_EQ(recorder.covered, 1);
  EXPECT_EQ(recorder.earlier, (std::vector<Bar>{bar_at(0), bar_at(1), bar_at(2)}));
  EXPECT_EQ(recorder.earlier_from_ms, bar_at(0).open_time_ms);
  EXPECT_EQ(series.bars().size(), 6U);
}

TEST(Series, WhatEndsBeforeTheWantedSlotsIsNotRestored) {
  Recorder recorder;
  Series series(rules(), kStartMs + 10 * kMinuteMs, recorder);
  EXPECT_FALSE(series.restore({bar_at(4)}, bar_at(4).open_time_ms, bar_at(4).close_time_ms));
  EXPECT_FALSE(series.restore({}, 0, 0));
  series.start(at(20));
  ASSERT_EQ(recorder.fetches.size(), 1U);
  EXPECT_EQ(recorder.fetches[0].first, bar_at(10).open_time_ms);
  EXPECT_TRUE(series.bars().empty());
}

/// An exchange that refuses times before 1970, and its bars of an interval from `listed` to before `running`.
/// How many of what the series asks for it refused.
int answer_long(Series& series, Recorder& recorder, std::int64_t listed, std::int64_t running) {
  const Interval& interval = series.interval();
  const std::int64_t now_ms = interval.open_time_ms(running) + 10'000;
  int refused = 0;
  for (int answers = 0; !recorder.fetches.empty() && answers < 100; ++answers) {
    const auto [from_ms, to_ms] = recorder.fetches.front();
    recorder.fetches.pop_front();
    HistoryResult result;
    if (from_ms < 0) {
      ++refused;
      result.error = RestError::http_status;
    }
    result.server_time_ms = now_ms;
    for (std::int64_t slot = std::max(listed, interval.ordinal(from_ms));
         slot <= std::min(running, interval.ordinal(to_ms)) && from_ms >= 0; ++slot) {
      Bar bar = bar_at(0);
      bar.open_time_ms = interval.open_time_ms(slot);
      bar.close_time_ms = interval.open_time_ms(slot + 1);
      result.rows.push_back(bar);
    }
    series.on_history(result, 1, {1'000'000 + 100'000 * answers, now_ms});
    series.on_timer({1'090'000 + 100'000 * answers, now_ms});
  }
  return refused;
}

TEST(Series, SlotsBefore1970AreNotAskedForAndKnownToBeEmpty) {
  for (const auto unit : {Interval::Unit::week, Interval::Unit::month}) {
    for (const int count : {1, 2, 3}) {
      const Interval interval(count, unit);
      SCOPED_TRACE(interval.text());
      const SeriesRules long_rules{interval, 2000, 1000, 3000, 6'000'000};
      const std::int64_t running = interval.ordinal(kStartMs), first = running - 3002;
      const Now now{1'000'000, kStartMs};
      Recorder recorder;
      Series series(long_rules, interval.open_time_ms(first), recorder);
      series.start(now);
      series.on_stream_up(now);
      EXPECT_EQ(answer_long(series, recorder, running - 20, running), 0);
      EXPECT_EQ(series.state(), SeriesState::live);
      EXPECT_EQ(series.covered_from(), first);
      EXPECT_EQ(series.bars().size(), 20U);

      // The same from behind.
      const std::vector<Bar> known(series.bars().end() - 3, series.bars().end());
      Recorder behind;
      Series restored(long_rules, known.front().open_time_ms, behind);
      ASSERT_TRUE(restored.restore(known, known.front().open_time_ms, known.back().close_time_ms));
      restored.on_stream_up(now);
      restored.require_from(first, now);
      EXPECT_EQ(answer_long(restored, behind, running - 20, running), 0);
      EXPECT_EQ(behind.covered, 1);
      EXPECT_EQ(restored.covered_from(), first);
      EXPECT_EQ(behind.earlier_from_ms, interval.open_time_ms(first)) << "the history is told";
      EXPECT_EQ(restored.bars().size(), 20U);
      restored.require_from(first - 1000, {20'000'000, kStartMs});
      EXPECT_TRUE(behind.fetches.empty());
      EXPECT_EQ(behind.covered, 2);
      EXPECT_EQ(restored.covered_from(), first - 1000);
    }
  }
}

}  // namespace
}  // namespace atcd::feeds
