#include "state/history.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include "tests/state/history_folder.hpp"

namespace atcd::state {
namespace {

using engine::Bar;

TEST_F(HistoryTest, GivesBackWhatItWasGivenAfterEveryBar) {
  const auto bars = some_bars(2 * kBlockBars + 3, 1);
  History history(directory_, History::Access::write);
  for (std::size_t i = 0; i < bars.size(); ++i) {
    append(history, "a", std::span(bars).subspan(i, 1));
    const bool edge = i % kBlockBars < 2 || i % kBlockBars > kBlockBars - 3;
    if (edge) {
      EXPECT_EQ(reread("a"), std::vector<Bar>(bars.begin(), bars.begin() + static_cast<long>(i) + 1));
    }
  }
}

TEST_F(HistoryTest, KeepsSeriesApart) {
  const auto a = some_bars(700, 1), b = some_bars(900, 2);
  {
    History history(directory_, History::Access::write);
    for (std::size_t i = 0; i < 900; ++i) {
      if (i < 700) append(history, "a", std::span(a).subspan(i, 1));
      append(history, "b", std::span(b).subspan(i, 1));
    }
  }
  EXPECT_EQ(reread("a"), a);
  EXPECT_EQ(reread("b"), b);
  EXPECT_EQ(History(directory_, History::Access::read).names(), (std::vector<std::string>{"a", "b"}));
}

TEST_F(HistoryTest, TheTailLiesInTheFileAsTheEngineReadsIt) {
  const auto bars = some_bars(kBlockBars + 40, 1);
  History history(directory_, History::Access::write);
  append(history, "a", bars);
  const auto rows = history.tail(*history.find("a"));
  ASSERT_EQ(rows.size(), 40U);
  EXPECT_TRUE(std::equal(rows.begin(), rows.end(), bars.begin() + kBlockBars));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(rows.data()) % alignof(Bar), 0U);
}

TEST_F(HistoryTest, GivesNoBarsFromBehindAHole) {
  auto bars = some_bars(1000, 1);
  History history(directory_, History::Access::write);
  const auto series = *history.add("a");
  for (std::size_t i = 0; i < 1000; ++i) {
    if (i == 300) continue;  // lost: what follows says that it begins anew
    ASSERT_TRUE(history.append(series, bars[i], bars[i].open_time_ms));
  }
  StoredBars stored = history.newest(series, 0);
  EXPECT_EQ(stored.bars.size(), 699U);
  EXPECT_EQ(stored.covered_from_ms, bars[301].open_time_ms);
  // Filled in, they are one again.
  ASSERT_TRUE(history.insert(series, {&bars[300], 1}, bars[300].open_time_ms, bars[300].close_time_ms));
  EXPECT_EQ(history.newest(series, 0).bars, bars);
  EXPECT_EQ(reread("a"), bars);
}

TEST_F(HistoryTest, SlotsWithoutABarAreNoHole) {
  const auto bars = some_bars(10, 1);
  History history(directory_, History::Access::write);
  const auto series = *history.add("a");
  ASSERT_TRUE(history.append(series, bars[0], bars[0].open_time_ms));
  ASSERT_TRUE(history.append(series, bars[5], bars[0].close_time_ms));
  EXPECT_EQ(history.newest(series, 0).bars, (std::vector<Bar>{bars[0], bars[5]}));
}

TEST_F(HistoryTest, TakesABarOnce) {
  const auto bars = some_bars(10, 1);
  History history(directory_, History::Access::write);
  append(history, "a", bars);
  append(history, "a", std::span(bars).subspan(4));
  EXPECT_EQ(history.newest(*history.find("a"), 0).bars, bars);
}

TEST_F(HistoryTest, OlderBarsComeBeforeAndReadingStopsWhereEnoughIsThere) {
  const auto bars = some_bars(3000, 1);
  History history(directory_, History::Access::write);
  append(history, "a", std::span(bars).subspan(2000));
  const auto series = *history.find("a");
  ASSERT_TRUE(
      history.insert(series, std::span(bars).first(2000), bars[0].open_time_ms, bars[2000].open_time_ms));
  EXPECT_EQ(history.newest(series, 0).bars, bars);
  const StoredBars some = history.newest(series, bars[1900].open_time_ms + 1);
  EXPECT_GE(some.bars.size(), 1100U);
  EXPECT_LT(some.bars.size(), 1100U + kBlockBars);
  EXPECT_EQ(some.bars.back(), bars.back());
  std::vector<Bar> all;
  std::size_t most = 0;
  history.read_all(series, 0, [&](const StoredBars& block) {
    all.insert(all.end(), block.bars.begin(), block.bars.end());
    most = std::max(most, block.bars.size());
  });
  EXPECT_EQ(all, bars);
  EXPECT_LE(most, kBlockBars);
}

TEST_F(HistoryTest, TheNewestFewAndWhatLiesBeforeThemAreAllThatThereIs) {
  for (const std::size_t count : {1U, 63U, 64U, 65U, 512U, 513U, 600U, 1200U}) {
    const std::string name = "of" + std::to_string(count);
    auto bars = some_bars(count, 1);
    if (count > 64) bars.erase(bars.end() - 65);  // a slot without a bar, just before the newest
    History history(directory_, History::Access::write);
    const auto series = *history.add(name);
    std::int64_t covered_from_ms = bars.front().open_time_ms;
    for (const Bar& bar : bars) {
      ASSERT_TRUE(history.append(series, bar, covered_from_ms));
      covered_from_ms = bar.close_time_ms;
    }
    StoredBars few = history.latest(series, 64);
    EXPECT_LE(few.bars.size(), std::max<std::size_t>(64, (count - 1) % kBlockBars + 1)) << count;
    EXPECT_EQ(few.covered_to_ms, bars.back().close_time_ms) << count;
    const StoredBars before = history.newest_before(series, few.covered_from_ms, 0);
    few.bars.insert(few.bars.begin(), before.bars.begin(), before.bars.end());
    EXPECT_EQ(few.bars, bars) << count;
    EXPECT_EQ(before.covered_from_ms, bars.front().open_time_ms) << count;
  }
}

TEST_F(HistoryTest, ACorrectedBarKeepsTheOneItSupersedes) {
  auto bars = some_bars(1200, 1);
  History history(directory_, History::Access::write);
  append(history, "a", bars);
  const auto series = *history.find("a");
  std::vector<std::pair<Bar, std::int64_t>> before;
  for (const std::size_t at : {1199U, 100U, 100U, 511U}) {
    before.emplace_back(bars[at], static_cast<std::int64_t>(at) + static_cast<std::int64_t>(before.size()));
    bars[at].close += 0.01;
    ASSERT_TRUE(history.correct(series, bars[at], before.back().second)) << history.error();
    ASSERT_TRUE(history.correct(series, bars[at], 9)) << "said again, it is no other";
  }
  const auto superseded = [series](History& from) {
    std::vector<std::pair<Bar, std::int64_t>> found;
    from.read_superseded(series, [&](const Bar& bar, std::int64_t at_ms) { found.emplace_back(bar, at_ms); });
    return found;
  };
  EXPECT_EQ(history.newest(series, 0).bars, bars);
  EXPECT_EQ(reread("a"), bars);
  EXPECT_EQ(superseded(history), before);
  History again(directory_, History::Access::read);
  EXPECT_EQ(superseded(again), before);
}

TEST_F(HistoryTest, ASeriesWithoutBarsIsNotDamaged) {
  {
    History history(directory_, History::Access::write);
    ASSERT_TRUE(history.add("a"));
  }
  History again(directory_, History::Access::write);
  EXPECT_TRUE(again.problems().empty()) << again.problems()[0];
  EXPECT_TRUE(again.newest(*again.find("a"), 0).bars.empty());
  const auto bars = some_bars(5, 1);
  append(again, "a", bars);
  EXPECT_EQ(reread("a"), bars);
}

TEST_F(HistoryTest, ALateBarLiesBesideTheOneThatWasUsed) {
  const auto bars = some_bars(1200, 1);
  History history(directory_, History::Access::write);
  append(history, "a", bars);
  append(history, "b", bars);
  const auto series = *history.find("a");
  std::vector<LateBar> told;
  for (const std::size_t at : {100U, 1150U, 100U}) {
    LateBar late{bars[at], bars[1000 + told.size()].open_time_ms};
    late.bar.close += 0.01 * static_cast<double>(told.size() + 1);
    ASSERT_TRUE(history.keep_late(series, late)) << history.error();
    told.push_back(late);
  }
  EXPECT_EQ(history.newest(series, 0).bars, bars);
  EXPECT_EQ(reread("a"), bars);
  EXPECT_EQ(history.corrections(series), 0U);
  EXPECT_EQ(history.late(series), told);
  History again(directory_, History::Access::read);
  EXPECT_EQ(again.late(series), told);
  EXPECT_TRUE(again.late(*again.find("b")).empty());
}

TEST_F(HistoryTest, OneProcessWritesAtATime) {
  const History first(directory_, History::Access::write);
  try {
    const History second(directory_, History::Access::write);
    FAIL() << "both write";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("another process writes here"), std::string::npos);
  }
}

TEST_F(HistoryTest, RefusesAnOverlongName) {
  History history(directory_, History::Access::write);
  EXPECT_FALSE(history.add(std::string(kLongestName + 1, 'x')));
  EXPECT_NE(history.error().find("allowed are 1 to 240"), std::string::npos);
}

TEST_F(HistoryTest, AReaderNoticesThatATailBeganAnew) {
  const auto bars = some_bars(kBlockBars + 2, 1);
  History written(directory_, History::Access::write);
  append(written, "a", std::span(bars).first(10));
  append(written, "b", std::span(bars).first(10));
  History reader(directory_, History::Access::read);
  const auto a = *reader.find("a"), b = *reader.find("b");
  append(written, "a", std::span(bars).subspan(10, kBlockBars - 10));
  EXPECT_TRUE(reader.tail_unchanged(a));  // rows behind those that are read
  append(written, "a", std::span(bars).subspan(kBlockBars));
  EXPECT_FALSE(reader.tail_unchanged(a));
  EXPECT_TRUE(reader.tail_unchanged(b));
  History anew(directory_, History::Access::read);
  EXPECT_TRUE(anew.tail_unchanged(a));
}

TEST_F(HistoryTest, AFullDiskIsAnErrorAndNothingIsLostOnceThereIsRoomAgain) {
  const auto bars = some_bars(3 * kBlockBars, 1);
  History history(directory_, History::Access::write);
  append(history, "a", std::span(bars).first(kBlockBars));
  const auto series = *history.find("a");
  // The kernel refuses to make files larger, as a full disk does.
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit none{100, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &none);
  EXPECT_FALSE(history.append(series, bars[kBlockBars], bars[kBlockBars].open_time_ms));
  const std::string error = history.error();
  EXPECT_FALSE(history.add("b"));
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, ignored);
  EXPECT_NE(error.find("blocks: writing to it: File too large"), std::string::npos) << error;
  append(history, "a", std::span(bars).subspan(kBlockBars));
  append(history, "b", bars);
  EXPECT_EQ(reread("a"), bars);
  EXPECT_EQ(reread("b"), bars);
}

}  // namespace
}  // namespace atcd::state
