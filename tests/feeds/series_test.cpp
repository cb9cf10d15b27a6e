#include "feeds/series.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <set>
#include <utility>

namespace atcd::feeds {
namespace {

using engine::Bar;
using engine::Interval;

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kStartMs = 1'700'000'040'000;  // a minute boundary
const Interval kMinute(1, Interval::Unit::minute);

Bar bar_at(std::int64_t slot_from_start, double close = 100) {
  const std::int64_t open_ms = kStartMs + slot_from_start * kMinuteMs;
  return {open_ms, open_ms + kMinuteMs, close, close + 1, close - 1, close, 5};
}

Kline kline_of(const Bar& bar, bool closed) { return {"BTCUSDT", "1m", bar, bar.close_time_ms, closed}; }

/// Records what a series says and lets the test play the exchange.
struct Recorder final : SeriesHandler {
  std::vector<Bar> bars, earlier;
  std::int64_t earlier_from_ms = 0;
  std::vector<std::pair<Bar, Bar>> corrections, conflicts;
  std::vector<Bar> confirmed;
  std::vector<SeriesState> states;
  std::deque<std::pair<std::int64_t, std::int64_t>> fetches;
  std::vector<int> priorities;  // of all of them
  int covered = 0, resubscribes = 0, asked_listing = 0;

  void on_bar(const Bar& bar, std::int64_t) override { bars.push_back(bar); }
  void on_correction(const Bar& before, const Bar& now, std::int64_t) override {
    corrections.emplace_back(before, now);
  }
  void on_conflict(const Bar& used, const Bar& other) override { conflicts.emplace_back(used, other); }
  void on_confirmed(const Bar& used) override { confirmed.push_back(used); }
  void on_state(SeriesState state, std::string_view) override { states.push_back(state); }
  void on_earlier(std::span<const Bar> more, std::int64_t covered_from_ms) override {
    earlier.assign(more.begin(), more.end());
    earlier_from_ms = covered_from_ms;
  }
  void on_covered() override { ++covered; }
  void fetch(std::int64_t from_ms, std::int64_t to_ms, int priority) override {
    fetches.emplace_back(from_ms, to_ms);
    priorities.push_back(priority);
  }
  void resubscribe() override { ++resubscribes; }
  void ask_listing() override { ++asked_listing; }
};

SeriesRules rules() { return {kMinute, 2000, 10, 3000, 600'000}; }

Now at(std::int64_t slot, std::int64_t after_ms = 0) {
  const std::int64_t utc_ms = kStartMs + slot * kMinuteMs + after_ms;
  return {utc_ms - kStartMs + 1'000'000, utc_ms};
}

/// REST's answer for slots [from, to] as the exchange would give it `after_ms` into slot `now_slot`.
HistoryResult rows(std::int64_t from, std::int64_t to, std::int64_t now_slot,
                   std::int64_t after_ms = 10'000) {
  HistoryResult result;
  result.server_time_ms = kStartMs + now_slot * kMinuteMs + after_ms;
  for (std::int64_t slot = from; slot <= std::min(to, now_slot); ++slot) result.rows.push_back(bar_at(slot));
  return result;
}

/// A series that is live: slots 0..4 are closed, slot 5 runs.
struct LiveSeries {
  Recorder recorder;
  Series series{rules(), kStartMs, recorder};
  LiveSeries() {
    series.start(at(5));
    series.on_stream_up(at(5));
    series.on_history(rows(0, 6, 5), 1, at(5));
    if (!recorder.fetches.empty()) series.on_history(rows(4, 6, 5), 1, at(5));
    recorder.fetches.clear();
  }
};

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
  live.series.compare(answer, 1);
  EXPECT_EQ(live.recorder.conflicts.size(), 1U);
  EXPECT_EQ(live.recorder.confirmed, (std::vector{bar_at(2), bar_at(4)}));
  live.series.compare(rows(3, 5, 5), 1);
  EXPECT_EQ(live.recorder.confirmed, (std::vector{bar_at(2), bar_at(4), bar_at(3), bar_at(4)}));
  EXPECT_EQ(live.recorder.conflicts.size(), 1U);
}

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

/// Answers what a series asks for in 30 seconds of `now_slot`: the exchange has the slots for which `exists`.
/// The answers for which `mistaken`, given their number from 1 on and the second, are empty. How many there
/// were.
template <class Exists, class Mistaken>
int answer_all(Series& series, Recorder& recorder, std::int64_t now_slot, Exists exists, Mistaken mistaken) {
  int answers = 0;
  for (std::int64_t second = 0; second < 30 && answers < 100;) {
    if (recorder.fetches.empty()) {
      series.on_timer(at(now_slot, ++second * 1000));
      continue;
    }
    const auto [from_ms, to_ms] = recorder.fetches.front();
    recorder.fetches.pop_front();
    HistoryResult result = rows((from_ms - kStartMs) / kMinuteMs, (to_ms - kStartMs) / kMinuteMs, now_slot);
    std::erase_if(result.rows,
                  [&](const Bar& bar) { return !exists((bar.open_time_ms - kStartMs) / kMinuteMs); });
    if (mistaken(++answers, second)) result.rows.clear();
    series.on_history(result, 1, at(now_slot, second * 1000));
  }
  return answers;
}

template <class Exists>
int answer_all(Series& series, Recorder& recorder, std::int64_t now_slot, Exists exists) {
  return answer_all(series, recorder, now_slot, exists, [](int, std::int64_t) { return false; });
}

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

TEST(Series, EarlierBarsThatNoLongerAdjoinAfterATrimAreDropped) {
  LiveSeries live;
  live.series.require_from(kMinute.ordinal(kStartMs) - 5, at(5));
  live.series.trim(3);
  live.series.on_history(rows(-5, -1, 5), 1, at(5));
  EXPECT_EQ(live.series.bars().front(), bar_at(2));
  EXPECT_EQ(live.series.covered_from(), kMinute.ordinal(kStartMs) + 2);
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

TEST(Series, WhileTheStreamIsDownItsSilenceIsNoneAndCountsFromWhenItIsUp) {
  LiveSeries live;
  live.series.on_stream_down(at(5), "cut");
  live.series.on_timer(at(20));
  live.series.on_stream_up(at(20));
  live.series.on_timer(at(20));
  EXPECT_EQ(live.recorder.resubscribes, 0);
  EXPECT_EQ(live.series.counters().stale, 0U);
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

/// An exchange that loses, repeats and delays frames, cuts connections, answers late or not at all, and has
/// no bar in some slots. Whatever it does, the bars that come out are its bars: none missing, none twice, in
/// order.
class Storm {
 public:
  explicit Storm(std::uint32_t seed) : random_(seed) {
    for (std::int64_t slot = 0; slot < 400; ++slot) present_.push_back(chance(93));
    series_.start(now());
  }

  void run() {
    for (slot_ = 6; slot_ < 400; ++slot_) {
      for (after_ms_ = 0; after_ms_ < kMinuteMs; after_ms_ += 5000) step();
    }
    calm_ = true;
    for (std::int64_t end = slot_ + 12; slot_ < end; ++slot_) {
      present_.push_back(true);
      for (after_ms_ = 0; after_ms_ < kMinuteMs; after_ms_ += 5000) step();
    }
    --slot_;
  }

  void expect_every_bar_once() {
    std::vector<Bar> truth;
    for (std::int64_t slot = 0; slot < slot_; ++slot) {
      if (present_[static_cast<std::size_t>(slot)]) truth.push_back(bar_at(slot));
    }
    ASSERT_EQ(recorder_.bars.size(), truth.size());
    EXPECT_EQ(recorder_.bars, truth);
    EXPECT_EQ(series_.state(), SeriesState::live);
    EXPECT_TRUE(recorder_.conflicts.empty());
    EXPECT_TRUE(recorder_.corrections.empty());
  }

 private:
  bool chance(int percent) { return static_cast<int>(random_() % 100) < percent; }
  Now now() const { return at(slot_, after_ms_); }

  void step() {
    if (up_ && !calm_ && chance(4)) {
      up_ = false;
      series_.on_stream_down(now(), "cut");
    } else if (!up_ && (calm_ || chance(40))) {
      up_ = true;
      series_.on_stream_up(now());
    }
    if (up_) frames();
    answers();
    series_.on_timer(now());
  }

  void frames() {
    const auto previous = static_cast<std::size_t>(slot_ - 1);
    if (after_ms_ == 0 && present_[previous] && (calm_ || chance(80))) {
      const int times = chance(20) ? 2 : 1;
      for (int i = 0; i < times; ++i) series_.on_kline(kline_of(bar_at(slot_ - 1), true), 1, now());
    }
    if (present_[static_cast<std::size_t>(slot_)]) series_.on_kline(kline_of(bar_at(slot_), false), 1, now());
  }

  void answers() {
    if (recorder_.fetches.empty() || (!calm_ && chance(30))) return;  // still on its way
    const auto [from_ms, to_ms] = recorder_.fetches.front();
    recorder_.fetches.pop_front();
    HistoryResult result;
    if (!calm_ && chance(15)) {
      result.error = RestError::timeout;
      result.message = "no answer";
    } else {
      result.server_time_ms = now().utc_ms;
      for (std::int64_t open_ms = from_ms; open_ms <= to_ms; open_ms += kMinuteMs) {
        const std::int64_t slot = (open_ms - kStartMs) / kMinuteMs;
        if (slot > slot_ || !present_[static_cast<std::size_t>(slot)]) continue;
        // The running row shows prices that will still change.
        result.rows.push_back(slot == slot_ ? bar_at(slot, 77) : bar_at(slot));
      }
    }
    series_.on_history(result, 1, now());
  }

  std::mt19937 random_;
  std::vector<bool> present_;
  Recorder recorder_;
  std::int64_t slot_ = 5, after_ms_ = 0;
  Series series_{rules(), kStartMs, recorder_};
  bool up_ = false, calm_ = false;
};

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

TEST(Series, WhateverTheExchangeDoesEveryBarComesOutOnceAndInOrder) {
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    Storm storm(seed);
    storm.run();
    storm.expect_every_bar_once();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace atcd::feeds
