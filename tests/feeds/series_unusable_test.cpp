// A series whose exchange tells rows that are no bars.
#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "tests/feeds/series_rig.hpp"

namespace atcd::feeds {
namespace {

using namespace testing::scripted_series;

/// An answer for slots [from, to] in which the rows of some slots are no bars; where those are most of them
/// it is refused as a whole.
HistoryResult rows_without(const std::set<std::int64_t>& unusable, std::int64_t from, std::int64_t to,
                           std::int64_t now_slot) {
  HistoryResult result = rows(from, to, now_slot);
  std::erase_if(result.rows, [&](const Bar& bar) {
    const bool bad = unusable.contains((bar.open_time_ms - kStartMs) / kMinuteMs);
    if (bad) result.unusable_ms.push_back(bar.open_time_ms);
    return bad;
  });
  if (result.unusable_ms.empty()) return result;
  result.error = RestError::bad_rows;
  if (result.unusable_ms.size() > result.rows.size()) result = {RestError::bad_body, "", {}, 0};
  return result;
}

/// Answers what is asked for, once a second from one to the other, as an exchange whose rows of some slots
/// are no bars. Returns how many answers that were.
int answer_without(LiveSeries& live, const std::set<std::int64_t>& unusable, std::int64_t now_slot,
                   int from_s, int to_s) {
  int answers = 0;
  for (int second = from_s; second < to_s; ++second) {
    live.series.on_timer(at(now_slot, second * 1000));
    if (live.recorder.fetches.empty()) continue;
    const auto [from_ms, to_ms] = live.recorder.fetches.front();
    live.recorder.fetches.clear();
    const std::int64_t from = (from_ms - kStartMs) / kMinuteMs, to = (to_ms - kStartMs) / kMinuteMs;
    live.series.on_history(rows_without(unusable, from, to, now_slot), 1, at(now_slot, second * 1000));
    ++answers;
  }
  return answers;
}

TEST(Series, ARowThatIsNoBarSilencesTheSeriesForAMinuteAndNotForEver) {
  LiveSeries live;
  live.series.on_kline(kline_of(bar_at(6), true), 1, at(7));  // the frame of 5 was refused
  EXPECT_LE(answer_without(live, {5}, 7, 0, 60), 7);
  EXPECT_EQ(live.recorder.bars.size(), 5U);
  EXPECT_EQ(live.series.state(), SeriesState::gap);
  answer_without(live, {5}, 7, 60, 100);
  ASSERT_EQ(live.recorder.bars.size(), 6U);
  EXPECT_EQ(live.recorder.bars[5], bar_at(6));
  EXPECT_EQ(live.series.state(), SeriesState::live);
  EXPECT_GE(live.series.counters().left_out, 1U);
  EXPECT_EQ(live.series.counters().absent_slots, 1U);
}

TEST(Series, SeveralRowsThatAreNoBarsAreLeftOutWhereMoreOthersAreTold) {
  SeriesRules large = rules();
  large.rows_per_request = 100;
  LiveSeries live;
  live.series.set_rules(large);
  live.series.on_kline(kline_of(bar_at(19), true), 1, at(20));
  answer_without(live, {5, 6, 7, 8, 9, 10}, 20, 0, 100);
  EXPECT_EQ(live.series.state(), SeriesState::live);
  EXPECT_EQ(live.series.bars().size(), 14U);
}

TEST(Series, RowsThatAreNoBarsInAHoleAndInThePastAreLeftOutEachByItself) {
  LiveSeries live;
  live.series.require_from(kMinute.ordinal(kStartMs) - 5, at(5));
  live.series.on_kline(kline_of(bar_at(6), true), 1, at(7));
  for (int second = 0; second < 150; ++second) {
    live.series.on_timer(at(7, second * 1000));
    const auto asked = std::exchange(live.recorder.fetches, {});
    for (const auto& [from_ms, to_ms] : asked) {
      const std::int64_t from = (from_ms - kStartMs) / kMinuteMs, to = (to_ms - kStartMs) / kMinuteMs;
      HistoryResult page = rows_without({-3, 5}, from, to, 7);
      page.from_ms = from_ms;
      live.series.on_history(page, 1, at(7, second * 1000));
    }
  }
  EXPECT_EQ(live.series.state(), SeriesState::live);
  EXPECT_EQ(live.recorder.covered, 1);
  EXPECT_EQ(live.series.bars().size(), 10U);
}

TEST(Series, ARowThatWasNoBarAndIsMendedIsUsed) {
  LiveSeries live;
  live.series.on_kline(kline_of(bar_at(6), true), 1, at(7));
  answer_without(live, {5}, 7, 0, 60);
  answer_without(live, {}, 8, 10, 20);
  EXPECT_EQ(live.recorder.bars.size(), 8U);
  EXPECT_EQ(live.series.counters().left_out, 0U);
  // What was mended says nothing of the next one.
  live.series.on_kline(kline_of(bar_at(9), true), 1, at(10));
  answer_without(live, {8}, 10, 0, 50);
  EXPECT_EQ(live.recorder.bars.size(), 8U);
}

TEST(Series, ARunningRowThatIsNoBarKeepsNothingBack) {
  LiveSeries live;
  live.series.on_stream_down(at(5), "cut");
  live.series.on_stream_up(at(8));
  live.series.on_history(rows_without({8}, 4, 9, 8), 1, at(8));
  EXPECT_EQ(live.recorder.bars.size(), 8U);
  EXPECT_EQ(live.series.state(), SeriesState::live);
  EXPECT_EQ(live.series.counters().left_out, 0U);
  live.series.on_kline(kline_of(bar_at(8), true), 1, at(9));
  EXPECT_EQ(live.recorder.bars.size(), 9U);
}

TEST(Series, APageOfThePastWithARowThatIsNoBarIsTakenWithoutIt) {
  LiveSeries live;
  live.series.require_from(kMinute.ordinal(kStartMs) - 5, at(5));
  answer_without(live, {-3}, 5, 0, 60);
  EXPECT_EQ(live.recorder.covered, 0);
  answer_without(live, {-3}, 5, 60, 100);
  EXPECT_EQ(live.recorder.covered, 1);
  ASSERT_EQ(live.series.bars().size(), 9U);
  EXPECT_EQ(live.series.bars()[2], bar_at(-2));
}

}  // namespace
}  // namespace atcd::feeds
