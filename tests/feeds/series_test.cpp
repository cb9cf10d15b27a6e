#include <gtest/gtest.h>

#include <vector>

#include "tests/feeds/series_rig.hpp"

namespace atcd::feeds {
namespace {

using namespace testing::scripted_series;

TEST(Series, ABarThatWasThoughtNotToExistIsPutBetweenOthersOnly) {
  Recorder recorder;
  Series series(rules(), kStartMs, recorder);
  ASSERT_TRUE(series.restore({bar_at(0), bar_at(1), bar_at(3)}, kStartMs, kStartMs + 5 * kMinuteMs));
  EXPECT_TRUE(series.insert(bar_at(2)));
  EXPECT_FALSE(series.insert(bar_at(2, 101))) << "it is there";
  EXPECT_FALSE(series.insert(bar_at(4))) << "nothing lies after it";
  EXPECT_FALSE(series.insert(bar_at(-1))) << "before all that is known";
  const std::vector<Bar> all = {bar_at(0), bar_at(1), bar_at(2), bar_at(3)};
  EXPECT_TRUE(std::equal(series.bars().begin(), series.bars().end(), all.begin(), all.end()));
}

TEST(Series, GoesLiveOnlyWhenTheAnswerWasAskedForAfterTheStreamCameUp) {
  Recorder recorder;
  Series series(rules(), kStartMs, recorder);
  series.start(at(5));
  ASSERT_EQ(recorder.fetches.size(), 1U);
  EXPECT_EQ(recorder.fetches[0], std::pair(kStartMs, kStartMs + 9 * kMinuteMs));
  series.on_stream_up(at(5));
  series.on_history(rows(0, 6, 5), 1, at(5));
  EXPECT_EQ(recorder.bars.size(), 5U);
  EXPECT_EQ(series.state(), SeriesState::catching_up);
  ASSERT_EQ(recorder.fetches.size(), 2U);
  series.on_history(rows(4, 6, 5), 1, at(5));
  EXPECT_EQ(series.state(), SeriesState::live);
}

TEST(Series, TheRunningRowIsNoBarUntilTheExchangesClockHasPassedItsEndBySettlingTime) {
  LiveSeries live;
  live.series.on_stream_down(at(5), "cut");
  live.series.on_stream_up(at(6));
  live.series.on_history(rows(4, 5, 6, 1999), 1, at(6, 1999));  // row 5 ended 1,999 ms ago: not settled
  EXPECT_EQ(live.recorder.bars.size(), 5U);
  EXPECT_EQ(live.series.state(), SeriesState::catching_up);
  live.recorder.fetches.clear();
  live.series.on_timer(at(6, 5000));
  ASSERT_EQ(live.recorder.fetches.size(), 1U);
  live.series.on_history(rows(4, 7, 6, 5000), 1, at(6, 5000));
  EXPECT_EQ(live.recorder.bars.size(), 6U);
  EXPECT_EQ(live.series.state(), SeriesState::live);
}

TEST(Series, AnAnswerFromBeforeACutProvesNothingAfterIt) {
  LiveSeries live;
  live.series.on_stream_down(at(5), "cut");
  live.series.on_stream_up(at(5));
  live.series.on_stream_down(at(5), "cut again");
  live.series.on_stream_up(at(7));
  live.series.on_history(rows(4, 6, 5), 1, at(7));
  EXPECT_NE(live.series.state(), SeriesState::live);
}

TEST(Series, APageThatIsRefusedIsAskedForInSmallerOnes) {
  Recorder recorder;
  Series series(rules(), kStartMs, recorder);
  HistoryResult refused;
  refused.error = RestError::bad_body;
  series.start(at(50));
  for (int i = 0; i < 4; ++i) {
    series.on_history(refused, 1, at(50));
    series.on_timer(at(60 + 2 * i));
  }
  std::vector<std::int64_t> slots;
  for (const auto& [from_ms, to_ms] : recorder.fetches) slots.push_back((to_ms - from_ms) / kMinuteMs + 1);
  EXPECT_EQ(slots, (std::vector<std::int64_t>{10, 5, 2, 2, 2}));
  series.on_history(rows(0, 1, 60), 1, at(70));
  EXPECT_EQ(recorder.bars.size(), 2U);
  EXPECT_EQ(recorder.fetches.back(), std::pair(bar_at(1).open_time_ms, bar_at(10).open_time_ms)) << "whole";
}

TEST(Series, AJumpOfOurClockClosesAndLosesNothing) {
  for (const std::int64_t jump_ms : {-400 * 86'400'000LL, 400 * 86'400'000LL}) {
    LiveSeries live;
    const auto jumped = [&](std::int64_t slot) {
      Now now = at(slot);
      now.utc_ms += jump_ms;
      return now;
    };
    live.series.on_timer(jumped(5));
    EXPECT_EQ(live.series.state(), SeriesState::live);
    live.series.on_kline(kline_of(bar_at(7), true), 1, jumped(8));  // 5 and 6 are missing
    ASSERT_EQ(live.recorder.fetches.size(), 1U);
    EXPECT_LE(live.recorder.fetches[0].first, kStartMs + 5 * kMinuteMs);
    EXPECT_GE(live.recorder.fetches[0].second, kStartMs + 7 * kMinuteMs);
    live.series.on_history(rows(4, 8, 8), 1, jumped(8));
    EXPECT_EQ(live.recorder.bars.size(), 8U);
  }
}

TEST(Series, AClosingFrameAppliesOnceAndInOrder) {
  LiveSeries live;
  const std::uint64_t before = live.series.counters().duplicates;
  live.series.on_kline(kline_of(bar_at(5), false), 1, at(5));
  EXPECT_EQ(live.recorder.bars.size(), 5U);
  live.series.on_kline(kline_of(bar_at(5), true), 1, at(6));
  live.series.on_kline(kline_of(bar_at(5), true), 1, at(6));
  EXPECT_EQ(live.recorder.bars.size(), 6U);
  EXPECT_EQ(live.series.counters().duplicates, before + 1);
  EXPECT_EQ(live.series.state(), SeriesState::live);
}

TEST(Series, ARowThatTellsABarAsItWasUsedConfirmsIt) {
  LiveSeries live;
  live.recorder.confirmed.clear();
  live.series.on_kline(kline_of(bar_at(3), true), 1, at(6));
  EXPECT_TRUE(live.recorder.confirmed.empty()) << "a frame that comes twice says nothing new";
  HistoryResult answer = rows(2, 5, 5);
  answer.rows[1] = bar_at(3, 101);
  live.series.compare(answer, true, 1);
  EXPECT_EQ(live.recorder.conflicts.size(), 1U);
  EXPECT_EQ(live.recorder.confirmed, (std::vector{bar_at(2), bar_at(4)}));
  live.series.compare(rows(3, 5, 5), true, 1);
  EXPECT_EQ(live.recorder.confirmed, (std::vector{bar_at(2), bar_at(4), bar_at(3), bar_at(4)}));
  EXPECT_EQ(live.recorder.conflicts.size(), 1U);
}

/// REST's answer from bar 4 to this one, which is the last, so long after its end.
HistoryResult to_last(const Bar& fifth, std::int64_t after_ms) {
  HistoryResult result = rows(4, 4, 6, after_ms);
  result.rows.push_back(fifth);
  return result;
}

/// It may be from before the bar's last trades.
TEST(Series, ARowOfABarThatHasJustClosedSaysNothingAgainstTheFrame) {
  for (const std::int64_t after_ms : {kRestBehindMs - 1, kRestBehindMs}) {
    LiveSeries live;
    live.series.on_kline(kline_of(bar_at(5), true), 1, at(6));
    live.series.on_stream_down(at(6, 1000), "cut");
    live.series.on_stream_up(at(6, 2000));
    live.series.on_history(to_last(bar_at(5, 101), after_ms), 1, at(6, after_ms));
    const bool proven = after_ms == kRestBehindMs;
    EXPECT_EQ(live.recorder.conflicts.size(), proven ? 1U : 0U);
    EXPECT_EQ(live.recorder.unproven, proven ? 0 : 1) << "REST is asked once more";
    EXPECT_TRUE(live.recorder.corrections.empty());
  }
}

TEST(Series, ABarOfARowThatProvedNothingIsCorrectedByOneThatDoes) {
  for (const double close : {100 + 5.0, 300.0}) {
    LiveSeries live;
    live.series.on_stream_down(at(5, 1000), "cut");
    live.series.on_stream_up(at(6, 2000));
    live.series.on_history(to_last(bar_at(5, 200), kRestBehindMs - 1), 1, at(6, kRestBehindMs - 1));
    ASSERT_EQ(live.recorder.bars.size(), 6U);
    EXPECT_EQ(live.recorder.unproven, 1);
    live.series.compare(to_last(bar_at(5, close), kRestBehindMs - 1), false, 1);
    EXPECT_TRUE(live.recorder.corrections.empty()) << "it proves no more than the first one";
    live.series.compare(to_last(bar_at(5, close), kRestBehindMs), false, 1);
    ASSERT_EQ(live.recorder.corrections.size(), 1U);
    EXPECT_EQ(live.recorder.corrections[0].second, bar_at(5, close));
    EXPECT_TRUE(live.recorder.conflicts.empty());
    live.series.on_kline(kline_of(bar_at(5, 400), true), 1, at(6, kRestBehindMs));
    ASSERT_EQ(live.recorder.corrections.size(), 2U);
    live.series.compare(to_last(bar_at(5, close), kRestBehindMs), false, 1);
    EXPECT_EQ(live.recorder.corrections.size(), 2U) << "a frame outranks REST";
    EXPECT_EQ(live.recorder.conflicts.size(), 1U);
  }
}

TEST(Series, ABarThatIsClosedWithoutATradeAndThenWithOneIsTheLatter) {
  LiveSeries live;
  SeriesRules built = rules();
  built.built_here = true;
  live.series.set_rules(built);
  Bar untraded = bar_at(5, 101);
  untraded.volume = 0;
  live.series.on_kline(kline_of(untraded, true), 1, at(6));
  live.series.on_kline(kline_of(bar_at(5), true), 1, at(6));
  ASSERT_EQ(live.recorder.bars.size(), 6U);
  EXPECT_EQ(live.series.bars().back(), bar_at(5));
  EXPECT_TRUE(live.recorder.corrections.empty());
  EXPECT_FALSE(live.series.has_pending());
}

TEST(Series, AClosedBarOfTheFutureStopsNothing) {
  LiveSeries live;
  live.series.on_kline(kline_of(bar_at(1'000'000), true), 1, at(5));
  for (std::int64_t slot = 5; slot < 12; ++slot) {
    for (int answers = 0; !live.recorder.fetches.empty() && answers < 5; ++answers) {
      live.recorder.fetches.clear();
      live.series.on_history(rows(live.series.next() - kMinute.ordinal(kStartMs) - 1, slot + 5, slot), 1,
                             at(slot, 10'000));
    }
    live.series.on_timer(at(slot, 50'000));
    live.series.on_kline(kline_of(bar_at(slot), true), 1, at(slot + 1));
  }
  EXPECT_EQ(live.series.state(), SeriesState::live);
  EXPECT_FALSE(live.series.has_pending());
  EXPECT_EQ(live.recorder.bars.size(), 12U);
  EXPECT_EQ(live.series.counters().pending_dropped, 1U);
}

TEST(Series, AnAnswerFromBeforeAnotherSubscriptionProvesNothingAfterIt) {
  LiveSeries live;
  live.series.on_stream_up(at(6));
  live.series.on_stream_up(at(7));  // without a word that it was down: another subscription
  live.recorder.fetches.clear();
  live.series.on_history(rows(4, 5, 6), 1, at(7));
  EXPECT_NE(live.series.state(), SeriesState::live)
      << "what closed before the second has no frame and no row";
  ASSERT_EQ(live.recorder.fetches.size(), 1U);
  live.series.on_history(rows(4, 8, 7), 1, at(7));
  EXPECT_EQ(live.series.state(), SeriesState::live);
  EXPECT_EQ(live.recorder.bars.size(), 7U);
}

TEST(Series, AnAnswerFromBeforeASilenceProvesNothingAfterIt) {
  LiveSeries live;
  live.series.on_stream_down(at(5), "cut");
  live.series.on_stream_up(at(6));
  live.series.on_timer(at(16));
  ASSERT_EQ(live.series.state(), SeriesState::stale);
  live.series.on_kline(kline_of(bar_at(16), false), 1, at(16));
  live.series.on_history(rows(4, 13, 6), 1, at(16));
  EXPECT_EQ(live.series.state(), SeriesState::catching_up);
}

TEST(Series, AStreamThatComesUpAsksAtOnceWhateverWasWaitedFor) {
  LiveSeries live;
  live.series.on_stream_down(at(5), "cut");
  live.series.on_stream_up(at(6));
  HistoryResult failed;
  failed.error = RestError::timeout;
  live.series.on_history(failed, 1, at(6));
  live.recorder.fetches.clear();
  live.series.on_timer(at(6, 500));
  EXPECT_TRUE(live.recorder.fetches.empty());
  live.series.on_stream_down(at(6, 500), "cut");
  live.series.on_stream_up(at(6, 500));
  EXPECT_EQ(live.recorder.fetches.size(), 1U);
}

TEST(Series, AfterASuccessTheNextFailureIsTriedAgainSoon) {
  LiveSeries live;
  HistoryResult failed;
  failed.error = RestError::timeout;
  live.series.on_kline(kline_of(bar_at(6), true), 1, at(7));
  for (const std::int64_t second : {0, 1, 3}) {
    live.series.on_timer(at(7, second * 1000));
    live.series.on_history(failed, 1, at(7, second * 1000));
  }
  live.series.on_timer(at(7, 7000));
  live.series.on_history(rows(4, 9, 7), 1, at(7, 7000));
  ASSERT_EQ(live.recorder.bars.size(), 7U);
  live.series.on_kline(kline_of(bar_at(8), true), 1, at(9));
  live.series.on_history(failed, 1, at(9));
  live.recorder.fetches.clear();
  live.series.on_timer(at(9, 1000));
  EXPECT_EQ(live.recorder.fetches.size(), 1U);
}

TEST(Series, ANewerTellingOfTheNewestBarByFrameIsACorrectionAnOlderOneAConflict) {
  LiveSeries live;
  live.series.on_kline(kline_of(bar_at(5), true), 1, at(6));
  live.series.on_kline(kline_of(bar_at(5, 101), true), 1, at(6));
  ASSERT_EQ(live.recorder.corrections.size(), 1U);
  EXPECT_EQ(live.series.bars().back(), bar_at(5, 101));
  live.series.on_kline(kline_of(bar_at(4, 101), true), 1, at(6));
  ASSERT_EQ(live.recorder.conflicts.size(), 1U);
  EXPECT_EQ(live.series.bars()[4], bar_at(4));
}

TEST(Series, ARowThatMayHaveBeenReadBeforeTheCloseContradictsNothing) {
  LiveSeries live;
  live.series.on_kline(kline_of(bar_at(5), true), 1, at(6));
  live.series.on_stream_down(at(6), "cut");
  live.series.on_stream_up(at(6));
  HistoryResult page = rows(5, 5, 6, 500);  // the exchange's clock: within the settling time
  page.rows[0] = bar_at(5, 99);
  live.series.on_history(page, 1, at(6));
  EXPECT_TRUE(live.recorder.conflicts.empty());
}

TEST(Series, ThePreparedNextBarMovesNoOther) {
  LiveSeries live;
  for (std::int64_t slot = 5; slot < 200; ++slot) {
    live.series.prepare();
    const Bar* const bars = live.series.bars().data();
    live.series.on_kline(kline_of(bar_at(slot), true), 1, at(slot + 1));
    ASSERT_EQ(live.series.bars().data(), bars);
  }
  EXPECT_EQ(live.recorder.bars.size(), 200U);
}

TEST(Series, TrimKeepsTheNewestAndMovesTheCover) {
  LiveSeries live;
  live.series.trim(3);
  EXPECT_EQ(live.series.bars().size(), 3U);
  EXPECT_EQ(live.series.bars().front(), bar_at(2));
  EXPECT_EQ(live.series.covered_from(), kMinute.ordinal(kStartMs) + 2);
  live.series.on_timer(at(5));
  EXPECT_TRUE(live.recorder.fetches.empty()) << "what was forgotten is not wanted";
}

}  // namespace
}  // namespace atcd::feeds
