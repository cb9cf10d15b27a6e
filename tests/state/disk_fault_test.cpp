// A disk that does not sync: what is written is said not to be safe, tried again, and nothing old is lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <thread>

#include "state/history_writer.hpp"
#include "state/snapshot.hpp"
#include "tests/deadline.hpp"
#include "tests/state/bars.hpp"

namespace {
std::atomic<bool> disk_is_bad{false};
std::atomic<int> synced_in_a_row{0};
std::atomic<long> writes_left{std::numeric_limits<long>::max()};
}  // namespace

// These stand before the C library's.
extern "C" ssize_t pwrite(int descriptor, const void* bytes, std::size_t count, off_t offset) {
  if (writes_left-- <= 0) {
    errno = EIO;
    return -1;
  }
  return ::syscall(SYS_pwrite64, descriptor, bytes, count, offset);
}

extern "C" int fdatasync(int descriptor) {
  if (disk_is_bad) {
    synced_in_a_row = 0;
    errno = EIO;
    return -1;
  }
  ++synced_in_a_row;
  return static_cast<int>(::syscall(SYS_fdatasync, descriptor));
}

namespace atcd::state {
namespace {

namespace fs = std::filesystem;

constexpr int kFilesOfAHistory = 5;

class DiskFaultTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string form = (fs::temp_directory_path() / "atcd-disk-XXXXXX").string();
    directory_ = mkdtemp(form.data());
  }
  void TearDown() override {
    disk_is_bad = false;
    writes_left = std::numeric_limits<long>::max();
    fs::remove_all(directory_);
  }
  static void wait_for(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + tests::deadline();
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end);
      std::this_thread::yield();
    }
  }

  std::string directory_;
};

TEST_F(DiskFaultTest, ASyncThatFailsIsSaidAndTriedAgainUntilItSucceeds) {
  const auto bars = some_bars(300, 1);
  HistoryWriter writing(std::make_unique<History>(directory_, History::Access::write));
  const auto series = writing.port(0).open("a");
  disk_is_bad = true;
  for (const engine::Bar& bar : bars) writing.port(0).append(series, bar, bar.open_time_ms);
  writing.port(0).commit();
  std::vector<std::string> problems;
  wait_for([&] {
    if (problems.empty()) problems = writing.take_problems();
    return !problems.empty();
  });
  EXPECT_THAT(problems[0], testing::HasSubstr("bringing it to the disk"));
  EXPECT_THAT(problems[0], testing::HasSubstr("Input/output error"));
  // Nothing new comes, and yet it is tried again.
  wait_for([&] { return writing.counters().failures >= 2; });
  disk_is_bad = false;
  wait_for([&] { return writing.counters().syncs > writing.counters().failures; });
  EXPECT_EQ(writing.counters().dropped, 0U);
  EXPECT_EQ(writing.counters().written, 301U);
  History history(directory_, History::Access::read);
  EXPECT_EQ(history.newest(*history.find("a"), 0).bars, bars);
}

TEST_F(DiskFaultTest, ADiskThatIsBadAgainIsSaidAgain) {
  const auto bars = some_bars(2, 1);
  HistoryWriter writing(std::make_unique<History>(directory_, History::Access::write));
  const auto series = writing.port(0).open("a");
  for (const engine::Bar& bar : bars) {
    const std::uint64_t failures = writing.counters().failures;
    disk_is_bad = true;
    writing.port(0).append(series, bar, bar.open_time_ms);
    writing.port(0).commit();
    wait_for([&] { return writing.counters().failures >= failures + 2; });
    EXPECT_EQ(writing.take_problems().size(), 1U) << bar.open_time_ms;
    disk_is_bad = false;
    wait_for([] { return synced_in_a_row >= kFilesOfAHistory; });
  }
}

TEST_F(DiskFaultTest, ACorrectionThatIsCutOffAnywhereCostsNoOtherBar) {
  const auto bars = some_bars(300, 1);
  auto corrected = bars;
  corrected[100].close += 0.01;
  bool done = false;
  for (long writes = 0; !done; ++writes) {
    fs::remove_all(directory_);
    {
      History history(directory_, History::Access::write);
      const auto series = *history.add("a");
      for (const engine::Bar& bar : bars) ASSERT_TRUE(history.append(series, bar, bar.open_time_ms));
      writes_left = writes;
      done = history.correct(series, corrected[100], 1);
      writes_left = std::numeric_limits<long>::max();
    }
    for (const auto access : {History::Access::read, History::Access::write}) {
      History history(directory_, access);
      const auto held = history.newest(*history.find("a"), 0).bars;
      EXPECT_TRUE(held == corrected || (held == bars && !done)) << writes << ": " << held.size();
      EXPECT_EQ(history.problems(), std::vector<std::string>{}) << writes;
    }
    ASSERT_LT(writes, 20);
  }
}

TEST_F(DiskFaultTest, AStartOnAFullDiskHasAlsoTheBlockThatTheIndexLacks) {
  const auto bars = some_bars(3 * kBlockBars + 5, 1);
  const auto append = [&](History& history, std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      ASSERT_TRUE(history.append(*history.add("a"), bars[i], bars[i].open_time_ms)) << history.error();
    }
  };
  {
    History history(directory_, History::Access::write);
    append(history, 0, 2 * kBlockBars + 5);
  }
  const std::string index = directory_ + "/index";
  fs::resize_file(index, sizeof(IndexRecord));  // as where it is the index that finds no room
  {
    writes_left = 0;
    History history(directory_, History::Access::write);
    EXPECT_EQ(history.newest(*history.find("a"), 0).bars.size(), 2 * kBlockBars + 5);
    writes_left = std::numeric_limits<long>::max();
    append(history, 2 * kBlockBars + 5, bars.size());
  }
  EXPECT_EQ(fs::file_size(index), 3 * sizeof(IndexRecord));
  History history(directory_, History::Access::read);
  EXPECT_EQ(history.newest(*history.find("a"), 0).bars, bars);
  EXPECT_EQ(history.problems(), std::vector<std::string>{});
}

TEST_F(DiskFaultTest, ASnapshotThatCannotBeSyncedLeavesTheOneBefore) {
  ASSERT_EQ(write_snapshot(directory_, std::vector<std::string>{snapshot_header(1)}), "");
  disk_is_bad = true;
  EXPECT_THAT(write_snapshot(directory_, std::vector<std::string>{snapshot_header(2)}),
              testing::HasSubstr("Input/output error"));
  disk_is_bad = false;
  EXPECT_EQ(Snapshot(directory_).taken_ms(), 1);
}

}  // namespace
}  // namespace atcd::state
