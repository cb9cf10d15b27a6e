#include "state/live_history.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <memory>
#include <thread>

#include "tests/state/history_folder.hpp"

namespace atcd::state {
namespace {

using engine::Bar;
namespace fs = std::filesystem;

using LiveHistoryTest = HistoryTest;

std::vector<Bar> all_of(History& history, const std::string& name, bool& settled) {
  std::vector<Bar> bars;
  settled = history.read_all(*history.find(name), 0, [&](const StoredBars& stored) {
    bars.insert(bars.end(), stored.bars.begin(), stored.bars.end());
  });
  return bars;
}

/// How many this process has of the file.
std::size_t descriptors_of(const std::string& file) {
  std::size_t count = 0;
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    if (fs::read_symlink(entry.path(), gone) == file) ++count;
  }
  return count;
}

TEST_F(LiveHistoryTest, OfATailThatBecameABlockNothingIsReadUntilItIsOpenedAnew) {
  const auto bars = some_bars(kBlockBars + 1, 1);
  History written(directory_, History::Access::write);
  append(written, "a", std::span(bars).first(kBlockBars));
  LiveHistory live(directory_);
  append(written, "a", std::span(bars).subspan(kBlockBars));
  bool settled = true;
  EXPECT_TRUE(all_of(live.now(), "a", settled).empty());
  EXPECT_FALSE(settled);
  std::vector<Bar> read;
  int tries = 0;
  EXPECT_TRUE(live.read([&](History& history) {
    ++tries;
    read = all_of(history, "a", settled);
    return settled;
  }));
  EXPECT_EQ(read, bars);
  EXPECT_EQ(tries, 2);
  EXPECT_TRUE(all_of(written, "a", settled) == bars && settled);
}

TEST_F(LiveHistoryTest, ABarThatIsCorrectedIsNoticed) {
  auto bars = some_bars(kBlockBars + 10, 1);
  History written(directory_, History::Access::write);
  append(written, "a", bars);
  append(written, "b", std::span(bars).first(10));
  for (const std::size_t at : {kBlockBars + 9, std::size_t{100}}) {
    History reader(directory_, History::Access::read);
    const auto a = *reader.find("a"), b = *reader.find("b");
    bars[at].close += 0.01;
    ASSERT_TRUE(written.correct(*written.find("a"), bars[at], 1));
    History copy(reader);
    for (History* history : {&reader, &copy}) {
      EXPECT_FALSE(history->tail_unchanged(a)) << at;
      EXPECT_TRUE(history->tail_unchanged(b)) << at;
      EXPECT_FALSE(history->tail_unchanged(a)) << "it stays so";
    }
  }
}

TEST_F(LiveHistoryTest, WhatIsWrittenTooFastIsSaid) {
  { History written(directory_, History::Access::write); }
  LiveHistory live(directory_);
  int tries = 0;
  EXPECT_FALSE(live.read([&](History&) { return ++tries, false; }));
  EXPECT_EQ(tries, 5);
  EXPECT_EQ(live.faster(), directory_ + " is written to faster than it can be read");
}

TEST_F(LiveHistoryTest, ProblemsOfAllThatWereOpenedAreToldOnce) {
  const auto bars = some_bars(3 * kBlockBars, 1);
  {
    History written(directory_, History::Access::write);
    append(written, "a", bars);
  }
  std::string bytes = read("blocks");
  bytes[bytes.size() / 2] ^= 1;
  write("blocks", bytes);
  LiveHistory live(directory_);
  bool settled = false;
  for (int i = 0; i < 3; ++i) {
    all_of(live.now(), "a", settled);
    EXPECT_EQ(live.problems().size(), 1U);
    live.reopen();
  }
  EXPECT_EQ(live.problems().size(), 1U);
}

/// Blocks, index and tails are three files that a reader sees one after the other. Here it waits between
/// them, as the last file that it opens is a pipe.
TEST_F(LiveHistoryTest, ATailThatIsSealedWhileItIsOpenedIsNoticed) {
  const auto bars = some_bars(kBlockBars + 1, 1);
  History written(directory_, History::Access::write);
  append(written, "a", std::span(bars).first(kBlockBars));
  fs::remove(path("instruments"));
  ASSERT_EQ(::mkfifo(path("instruments").c_str(), 0600), 0);
  std::unique_ptr<History> reader;
  std::thread opening([&] { reader = std::make_unique<History>(directory_, History::Access::read); });
  while (descriptors_of(path("blocks")) < 2) std::this_thread::yield();
  append(written, "a", std::span(bars).subspan(kBlockBars));
  const int pipe = ::open(path("instruments").c_str(), O_WRONLY | O_CLOEXEC);
  opening.join();
  ::close(pipe);
  bool settled = false;
  const auto read = all_of(*reader, "a", settled);
  EXPECT_EQ(read, settled ? bars : std::vector<Bar>{});
  EXPECT_EQ(reader->problems(), std::vector<std::string>{});
}

TEST_F(LiveHistoryTest, NoBlockIsLostBetweenTheFilesWhileTailsAreSealed) {
  constexpr std::size_t kSeries = 12, kBars = 6 * kBlockBars;
  const auto bars = some_bars(kBars, 1);
  const auto name_of = [](std::size_t series) { return std::string(1, static_cast<char>('a' + series)); };
  std::array<std::atomic<std::size_t>, kSeries> appended{};
  History written(directory_, History::Access::write);
  for (std::size_t series = 0; series < kSeries; ++series) written.add(name_of(series));
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (std::size_t i = 0; i < kBars; ++i) {
      for (std::size_t series = 0; series < kSeries; ++series) {
        // Not all at the same bar: one or the other is sealed all the time.
        const std::size_t number = i < series * 40 ? kBars : i - series * 40;
        if (number == kBars) continue;
        if (!written.append(static_cast<History::Series>(series), bars[number], bars[number].open_time_ms))
          return;
        appended[series] = number + 1;
      }
    }
    done = true;
  });
  std::size_t opened = 0, settled_reads = 0;
  while (!done) {
    std::array<std::size_t, kSeries> before{};
    for (std::size_t series = 0; series < kSeries; ++series) before[series] = appended[series];
    History reader(directory_, History::Access::read);
    ++opened;
    for (std::size_t series = 0; series < kSeries; ++series) {
      bool settled = false;
      const auto read = all_of(reader, name_of(series), settled);
      if (!settled) continue;
      ++settled_reads;
      EXPECT_GE(read.size(), before[series]);
      EXPECT_TRUE(read.size() <= kBars && std::equal(read.begin(), read.end(), bars.begin()))
          << "of series " << series << ": " << read.size() << " bars with a hole or others between them";
    }
    EXPECT_EQ(reader.problems(), std::vector<std::string>{});
    if (testing::Test::HasFailure()) break;
  }
  writer.join();
  EXPECT_TRUE(done);
  EXPECT_GT(settled_reads, 0U) << opened;
}

}  // namespace
}  // namespace atcd::state
