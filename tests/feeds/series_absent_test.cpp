// What REST's answers lack: slots in which there is no bar, and answers that are empty or short by mistake.
#include <gtest/gtest.h>

#include <vector>

#include "tests/feeds/series_rig.hpp"

namespace atcd::feeds {
namespace {

using namespace testing::scripted_series;

TEST(Series, AListingYoungerThanManyPagesOfHistoryGoesLiveFromItsFirstBar) {
  Recorder recorder;
  Series series(rules(), kStartMs, recorder);
  series.start(at(95));
  series.on_stream_up(at(95));
  const auto listed = [](std::int64_t slot) { return slot >= 73; };
  EXPECT_LE(answer_all(series, recorder, 95, listed), 20);
  ASSERT_EQ(series.bars().size(), 22U);
  EXPECT_EQ(series.bars().front(), bar_at(73));
  EXPECT_EQ(series.state(), SeriesState::live);
  EXPECT_EQ(series.counters().absent_slots, 73U);
}

TEST(Series, APageThatIsEmptyByMistakeIsNoHalt) {
  for (int mistaken = 1; mistaken <= 3; ++mistaken) {
    Recorder recorder;
    Series series(rules(), kStartMs, recorder);
    series.start(at(35));
    series.on_stream_up(at(35));
    answer_all(
        series, recorder, 35, [](std::int64_t) { return true; },
        [&](int answer, std::int64_t) { return answer == mistaken; });
    ASSERT_EQ(series.bars().size(), 35U) << mistaken;
    EXPECT_EQ(series.counters().absent_slots, 0U) << mistaken;
    EXPECT_EQ(series.state(), SeriesState::live) << mistaken;
  }
}

TEST(Series, AnExchangeThatIsInTroubleForSecondsHasNoHalt) {
  Recorder recorder;
  Series series(rules(), kStartMs, recorder);
  series.start(at(35));
  series.on_stream_up(at(35));
  EXPECT_LE(answer_all(
                series, recorder, 35, [](std::int64_t) { return true; },
                [](int, std::int64_t second) { return second < 9; }),
            10);
  ASSERT_EQ(series.bars().size(), 35U);
  EXPECT_EQ(series.counters().absent_slots, 0U);
  EXPECT_EQ(series.state(), SeriesState::live);
}

TEST(Series, EachPageOfAHaltIsLookedAtTwice) {
  Recorder recorder;
  Series series(rules(), kStartMs, recorder);
  series.start(at(95));
  series.on_stream_up(at(95));
  int looks = 0;
  answer_all(series, recorder, 95, [&](std::int64_t slot) {
    if (slot == 25) ++looks;  // the first answer of its page is empty by mistake
    return slot >= 25 && looks > 1;
  });
  ASSERT_EQ(series.bars().size(), 70U);
  EXPECT_EQ(series.bars().front(), bar_at(25));
}

TEST(Series, WhatWasEmptyBeforeTheStreamCameUpAgainIsAskedForAgain) {
  LiveSeries live;
  live.series.on_stream_down(at(5), "cut");
  live.series.on_stream_up(at(60));
  answer_all(live.series, live.recorder, 60, [](std::int64_t slot) { return slot < 5; });
  ASSERT_EQ(live.recorder.bars.size(), 5U);
  live.series.on_stream_down(at(61), "cut");
  live.series.on_stream_up(at(61));
  answer_all(live.series, live.recorder, 61, [](std::int64_t) { return true; });
  EXPECT_EQ(live.recorder.bars.size(), 61U);
  EXPECT_EQ(live.series.counters().absent_slots, 0U);
}

TEST(Series, EmptyAnswersLongApartAreNoHaltTogether) {
  for (const bool cut : {true, false}) {
    LiveSeries live;
    live.series.on_stream_down(at(5), "cut");
    live.series.on_stream_up(at(60));
    answer_all(
        live.series, live.recorder, 60, [](std::int64_t) { return true; },
        [](int answer, std::int64_t) { return answer == 1; });
    ASSERT_EQ(live.recorder.bars.size(), 60U);
    if (cut) {
      live.series.on_stream_down(at(130), "cut");
      live.series.on_stream_up(at(130));
    }
    live.series.on_kline(kline_of(bar_at(129), true), 1, at(130));
    answer_all(
        live.series, live.recorder, 130, [](std::int64_t) { return true; },
        [](int, std::int64_t second) { return second < 9; });
    EXPECT_EQ(live.recorder.bars.size(), 130U) << cut;
    EXPECT_EQ(live.series.counters().absent_slots, 0U) << cut;
  }
}

TEST(Series, AnEmptyAnswerFromBeforeTheStreamCameUpProvesNothing) {
  LiveSeries live;
  live.series.on_stream_down(at(5), "cut");
  live.series.on_stream_up(at(60));
  HistoryResult empty;
  empty.server_time_ms = at(60).utc_ms;
  live.series.on_history(empty, 1, at(60));
  live.recorder.fetches.clear();
  live.series.on_stream_up(at(61));
  answer_all(
      live.series, live.recorder, 61, [](std::int64_t) { return true; },
      [](int, std::int64_t second) { return second < 9; });
  EXPECT_EQ(live.recorder.bars.size(), 61U);
  EXPECT_EQ(live.series.counters().absent_slots, 0U);
}

TEST(Series, AFirstPageThatIsShortByMistakeIsNoListing) {
  for (const bool mistake : {true, false}) {
    Recorder recorder;
    Series series(rules(), kStartMs, recorder);
    series.start(at(20));
    series.on_stream_up(at(20));
    for (int second = 0, answers = 0; second < 60; ++second) {
      series.on_timer(at(20, second * 1000));
      if (recorder.fetches.empty()) continue;
      const auto [from_ms, to_ms] = recorder.fetches.front();
      recorder.fetches.pop_front();
      HistoryResult page = rows((from_ms - kStartMs) / kMinuteMs, (to_ms - kStartMs) / kMinuteMs, 20);
      const bool listed_later = !mistake || ++answers == 1;
      std::erase_if(page.rows, [&](const Bar& bar) {
        return listed_later && bar.open_time_ms < bar_at(6).open_time_ms;
      });
      series.on_history(page, 1, at(20, second * 1000));
    }
    EXPECT_EQ(series.state(), SeriesState::live);
    ASSERT_EQ(recorder.bars.size(), mistake ? 20U : 14U);
    EXPECT_EQ(recorder.bars.front(), bar_at(mistake ? 0 : 6));
  }
}

/// What REST has of slots 0 to 12, in the last one and after it, once `from_second` of it is there; before
/// that without what lies before `lacks_to`.
struct LackingExchange {
  std::int64_t lacks_to, from_second;
  HistoryResult operator()(std::int64_t from, std::int64_t to, std::int64_t second) const {
    HistoryResult page = rows(from, to, 12, second * 1000);
    if (second < from_second)
      std::erase_if(page.rows,
                    [&](const Bar& row) { return row.open_time_ms < bar_at(lacks_to).open_time_ms; });
    return page;
  }
};

/// Seconds of slot 12, from `second` to before `end`, at which the series was answered.
template <class Exchange>
std::vector<std::int64_t> answers_of(Series& series, Recorder& recorder, const Exchange& exchange,
                                     std::int64_t second, std::int64_t end) {
  std::vector<std::int64_t> answered;
  for (; second < end; ++second) {
    series.on_timer(at(12, second * 1000));
    if (recorder.fetches.empty()) continue;
    const auto [from_ms, to_ms] = recorder.fetches.front();
    recorder.fetches.pop_front();
    const auto slot = [](std::int64_t open_ms) { return (open_ms - kStartMs) / kMinuteMs; };
    series.on_history(exchange(slot(from_ms), slot(to_ms), second), 1, at(12, second * 1000));
    answered.push_back(second);
  }
  return answered;
}

TEST(Series, AnAnswerWithoutABarThatWeHaveProvesNothing) {
  for (const bool after_absence : {true, false}) {
    for (const std::int64_t lacks_to : {8, 13}) {  // some rows are left, or none
      LiveSeries live;
      if (after_absence) {
        live.series.on_stream_down(at(5), "cut");
        live.series.on_stream_up(at(12));
      } else {
        live.series.on_kline(kline_of(bar_at(11), true), 1, at(12));
      }
      ASSERT_EQ(live.recorder.fetches.size(), 1U);
      ASSERT_EQ(live.recorder.fetches[0].first, bar_at(4).open_time_ms);
      const auto answered = answers_of(live.series, live.recorder, LackingExchange{lacks_to, 50}, 1, 50);
      EXPECT_EQ(answered, (std::vector<std::int64_t>{1, 2, 4, 8, 16, 32}))
          << "soon, and seldomer and seldomer";
      EXPECT_EQ(live.recorder.bars.size(), 5U);
      EXPECT_EQ(live.series.state(), after_absence ? SeriesState::catching_up : SeriesState::gap);
      answers_of(live.series, live.recorder, LackingExchange{lacks_to, 50}, 50, 90);
      ASSERT_EQ(live.recorder.bars.size(), 13U) << after_absence << ' ' << lacks_to;
      EXPECT_EQ(live.series.counters().absent_slots, 0U);
      EXPECT_EQ(live.series.state(), SeriesState::live);
    }
  }
}

TEST(Series, ABarThatTheExchangeHasTakenBackStopsNothing) {
  LiveSeries live;
  live.series.on_stream_down(at(5), "cut");
  live.series.on_stream_up(at(12));
  answers_of(live.series, live.recorder, LackingExchange{8, 1000}, 1, 120);
  EXPECT_EQ(live.series.state(), SeriesState::live);
  ASSERT_EQ(live.recorder.bars.size(), 10U);
  EXPECT_EQ(live.recorder.bars[4], bar_at(4));
  EXPECT_EQ(live.recorder.bars[5], bar_at(8));
  EXPECT_EQ(live.series.counters().absent_slots, 3U);
}

TEST(Series, TheSameMistakeBeforeAndAfterTheStreamCameUpIsNoListing) {
  for (const std::int64_t lacks_to :
       {3, 6}) {  // within the smaller page that is asked for then, and beyond it
    Recorder recorder;
    Series series(rules(), kStartMs, recorder);
    series.start(at(12));
    ASSERT_EQ(recorder.fetches.size(), 1U);
    const LackingExchange lacking{lacks_to, 9};
    recorder.fetches.clear();
    series.on_history(lacking(0, 9, 0), 1, at(12));
    series.on_stream_up(at(12, 500));
    answers_of(series, recorder, lacking, 1, 60);
    EXPECT_EQ(series.state(), SeriesState::live);
    ASSERT_EQ(recorder.bars.size(), 12U) << lacks_to;
  }
}

TEST(Series, RowsThatAreMissingAtTheEndOfAQuietTimeAreLookedForTwice) {
  for (const bool mistake : {true, false}) {
    LiveSeries live;
    live.series.on_kline(kline_of(bar_at(12), false), 1,
                         at(12));  // nothing closed 5, nothing came of 6 to 11
    answers_of(live.series, live.recorder, LackingExchange{9, mistake ? 9 : 1000}, 1, 60);
    EXPECT_EQ(live.recorder.bars.size(), mistake ? 12U : 8U);
    EXPECT_EQ(live.series.state(), SeriesState::live);
  }
}

TEST(Series, AnExchangeThatCutsItsPagesShortHasNoHoles) {
  Recorder recorder;
  Series series(rules(), kStartMs, recorder);
  series.start(at(12));
  series.on_stream_up(at(12));
  const auto newest_three = [](std::int64_t from, std::int64_t to, std::int64_t second) {
    HistoryResult page = rows(from, to, 12, second * 1000);
    if (page.rows.size() > 3) page.rows.erase(page.rows.begin(), page.rows.end() - 3);
    return page;
  };
  answers_of(series, recorder, newest_three, 1, 200);
  EXPECT_EQ(series.state(), SeriesState::live);
  ASSERT_EQ(recorder.bars.size(), 12U);
}

TEST(Series, WhatWasEmptyInAHaltIsLookedForAgainWhenItEnds) {
  LiveSeries live;
  live.series.on_stream_down(at(5), "cut");
  live.series.on_stream_up(at(60));
  const auto halted = [](std::int64_t slot) { return slot < 5; };
  answer_all(live.series, live.recorder, 60, halted);
  live.series.set_listing(Listing::halted, at(61));
  ASSERT_EQ(live.series.state(), SeriesState::halted);
  ASSERT_EQ(live.recorder.bars.size(), 5U);
  live.series.on_kline(kline_of(bar_at(62), false), 1, at(62));
  answer_all(live.series, live.recorder, 62, [](std::int64_t) { return true; });  // it has made them since
  EXPECT_EQ(live.recorder.bars.size(), 62U);
  EXPECT_EQ(live.series.state(), SeriesState::live);
}

TEST(Series, AHaltOfManyPagesIsPassedAndWhatAFrameTellsOfItIsTaken) {
  LiveSeries live;
  live.series.on_stream_down(at(5), "cut");
  live.series.on_stream_up(at(60));
  const auto halted = [](std::int64_t slot) { return slot < 5; };
  EXPECT_LE(answer_all(live.series, live.recorder, 60, halted), 15);
  EXPECT_EQ(live.series.state(), SeriesState::live);
  ASSERT_EQ(live.recorder.bars.size(), 5U);
  live.series.on_kline(kline_of(bar_at(30), true), 1, at(60));  // late, and REST has it by then
  const auto late = [&](std::int64_t slot) { return halted(slot) || slot == 30; };
  EXPECT_LE(answer_all(live.series, live.recorder, 60, late), 15);
  EXPECT_EQ(live.recorder.bars.size(), 6U) << "at once, not with the next bar";
  live.series.on_kline(kline_of(bar_at(60), true), 1, at(61));
  const auto resumed = [&](std::int64_t slot) { return late(slot) || slot >= 60; };
  EXPECT_LE(answer_all(live.series, live.recorder, 61, resumed), 15);
  ASSERT_EQ(live.recorder.bars.size(), 7U);
  EXPECT_EQ(live.recorder.bars[5], bar_at(30));
  EXPECT_EQ(live.recorder.bars[6], bar_at(60));
  EXPECT_EQ(live.series.counters().absent_slots, 54U);
  EXPECT_EQ(live.series.state(), SeriesState::live);
}

}  // namespace
}  // namespace atcd::feeds
