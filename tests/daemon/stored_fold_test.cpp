#include "daemon/stored_fold.hpp"

#include <gtest/gtest.h>

#include "feeds/fold.hpp"
#include "tests/state/history_folder.hpp"

namespace atcd::daemon {
namespace {

using engine::Bar;
using engine::Interval;
using state::kMinuteMs;
using state::some_bars;
using state::StoredBars;

const Interval kMinute = *Interval::parse("1m");
const Interval kQuarter = *Interval::parse("15m");
constexpr std::int64_t kFirst = 28'000'005;  // a minute at which a quarter of an hour begins
static_assert(kFirst % 15 == 0);

StoredBars stored(std::vector<Bar> bars) {
  return {bars, bars.front().open_time_ms, bars.back().close_time_ms};
}

TEST(FoldWhole, GivesTheQuartersThatAreThereFromBeginningToEnd) {
  const auto minutes = some_bars(100, 1, kFirst - 7);
  const StoredBars folded = fold_whole(stored(minutes), {}, kMinute, kQuarter);
  const auto expected = feeds::fold_rows(std::span(minutes).subspan(7, 90), kQuarter);
  ASSERT_EQ(folded.bars.size(), 6U);
  EXPECT_EQ(folded.bars, expected);
  EXPECT_EQ(folded.covered_from_ms, kFirst * kMinuteMs);
  EXPECT_EQ(folded.covered_to_ms, (kFirst + 90) * kMinuteMs);
}

TEST(FoldWhole, GivesNoSlotOfWhichAPartIsMissingNorAnythingBeforeIt) {
  for (const std::size_t missing : {std::size_t{30}, std::size_t{37}, std::size_t{44}}) {
    auto minutes = some_bars(75, 1, kFirst);
    minutes.erase(minutes.begin() + static_cast<std::ptrdiff_t>(missing));
    const StoredBars folded = fold_whole(stored(minutes), {}, kMinute, kQuarter);
    EXPECT_EQ(folded.covered_from_ms, (kFirst + 45) * kMinuteMs) << missing;
    EXPECT_EQ(folded.bars.size(), 2U) << missing;
  }
  auto minutes = some_bars(75, 1, kFirst);
  minutes.erase(minutes.begin() + 15, minutes.begin() + 30);  // all of one: the exchange may have it
  EXPECT_EQ(fold_whole(stored(minutes), {}, kMinute, kQuarter).covered_from_ms, (kFirst + 30) * kMinuteMs);
}

TEST(FoldWhole, GivesNothingWhereTheNewestSlotIsNotWhole) {
  auto minutes = some_bars(75, 1, kFirst);
  minutes.erase(minutes.begin() + 70);
  EXPECT_TRUE(fold_whole(stored(minutes), {}, kMinute, kQuarter).bars.empty());
  StoredBars silent = stored(some_bars(60, 1, kFirst));
  silent.covered_to_ms += 15 * kMinuteMs;
  EXPECT_TRUE(fold_whole(silent, {}, kMinute, kQuarter).bars.empty());
  EXPECT_TRUE(fold_whole(stored(some_bars(14, 1, kFirst)), {}, kMinute, kQuarter).bars.empty());
  EXPECT_TRUE(fold_whole({}, {}, kMinute, kQuarter).bars.empty());
}

TEST(FoldWhole, GivesNoSlotOfWhichAPartWasToldOtherwiseLater) {
  const auto minutes = some_bars(75, 1, kFirst);
  const state::LateBar late{minutes[20], (kFirst + 75) * kMinuteMs};
  const StoredBars folded = fold_whole(stored(minutes), std::span(&late, 1), kMinute, kQuarter);
  EXPECT_EQ(folded.covered_from_ms, (kFirst + 30) * kMinuteMs);
  EXPECT_EQ(folded.bars.size(), 3U);
}

TEST(FoldWhole, MonthsAreAsLongAsTheyAre) {
  const Interval day = *Interval::parse("1d"), month = *Interval::parse("1M");
  std::vector<Bar> days;
  const std::int64_t january = 19'358;  // 2023-01-01
  for (std::int64_t i = january; i < january + 31 + 28; ++i) {
    Bar bar = some_bars(1, 3, i)[0];
    bar.open_time_ms = day.open_time_ms(i);
    bar.close_time_ms = day.open_time_ms(i + 1);
    days.push_back(bar);
  }
  EXPECT_EQ(fold_whole(stored(days), {}, day, month).bars.size(), 2U);
}

FoldQuestion question(std::int64_t wanted, std::int64_t rows_per_request) {
  return {{}, kQuarter, 1000, 1000 + wanted, rows_per_request};
}

TEST(SavesRequests, OnlyWhereAPageIsSavedBesideTheOneThatCompares) {
  const FoldQuestion four_pages = question(3002, 1000);
  EXPECT_TRUE(saves_requests(four_pages, 1000, 4002)) << "two instead of four";
  EXPECT_TRUE(saves_requests(four_pages, 1000, 3100));
  EXPECT_TRUE(saves_requests(four_pages, 1900, 4002));
  EXPECT_FALSE(saves_requests(four_pages, 2100, 4002)) << "two pages before it, and as many requests";
  EXPECT_FALSE(saves_requests(four_pages, 4000, 4002));
  EXPECT_FALSE(saves_requests(four_pages, 1000, 1000));
  EXPECT_FALSE(saves_requests(question(900, 1000), 1000, 1900)) << "a page is asked for in any case";
  EXPECT_FALSE(saves_requests(question(1500, 1000), 1000, 2500));
}

/// A history of minutes that another process has written.
class ReadFold : public state::HistoryTest {
 protected:
  void SetUp() override {
    HistoryTest::SetUp();
    state::History history(directory_, state::History::Access::write);
    append(history, "minutes", minutes_);
  }
  FoldQuestion asked(std::int64_t first_minute, std::int64_t running_minute) const {
    return {{{"none", kMinute, {}}, {"minutes", kMinute, {}}},
            kQuarter,
            (kFirst + first_minute) / 15,
            (kFirst + running_minute) / 15,
            20};
  }
  StoredBars fold(const FoldQuestion& question) const {
    state::History history(directory_, state::History::Access::read);
    return read_fold(history, question);
  }
  std::vector<Bar> minutes_ = some_bars(3 * state::kBlockBars + 100, 1, kFirst);
};

TEST_F(ReadFold, TakesWhatBlocksHold) {
  const StoredBars folded = fold(asked(0, 1640));
  const std::size_t slots = 3 * state::kBlockBars / 15;
  ASSERT_EQ(folded.bars.size(), slots);
  EXPECT_EQ(folded.bars, feeds::fold_rows(std::span(minutes_).first(slots * 15), kQuarter));
}

TEST_F(ReadFold, IsNothingWhereItSavesNothing) {
  EXPECT_TRUE(fold(asked(1500, 1640)).bars.empty());
  FoldQuestion unknown = asked(0, 1640);
  unknown.sources.pop_back();
  EXPECT_TRUE(fold(unknown).bars.empty());
}

TEST_F(ReadFold, WhatWasToldOtherwiseIsNotTakenWhoeverKnowsOfIt) {
  FoldQuestion question = asked(0, 1640);
  question.sources[1].late = {{minutes_[100], 0}};
  EXPECT_EQ(fold(question).covered_from_ms, (kFirst + 105) * kMinuteMs);
  state::History history(directory_, state::History::Access::write);
  ASSERT_TRUE(history.keep_late(*history.find("minutes"), {minutes_[200], 0}));
  EXPECT_EQ(fold(question).covered_from_ms, (kFirst + 210) * kMinuteMs);
}

TEST_F(ReadFold, IsTheSameWhateverIsWrittenSince) {
  state::History before(directory_, state::History::Access::write);
  state::History seen(before);
  append(before, "minutes", some_bars(2000, 9, kFirst + static_cast<std::int64_t>(minutes_.size())));
  const StoredBars folded = read_fold(seen, asked(0, 1640));
  const std::size_t slots = 3 * state::kBlockBars / 15;
  EXPECT_EQ(folded.bars, feeds::fold_rows(std::span(minutes_).first(slots * 15), kQuarter));
}

}  // namespace
}  // namespace atcd::daemon
