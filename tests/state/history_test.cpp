#include "state/history.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "tests/state/bars.hpp"

namespace atcd::state {
namespace {

using engine::Bar;
namespace fs = std::filesystem;

class HistoryTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string form = (fs::temp_directory_path() / "atcd-history-XXXXXX").string();
    directory_ = mkdtemp(form.data());
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string path(const char* file) const { return directory_ + "/" + file; }

  static void append(History& history, const std::string& name, std::span<const Bar> bars) {
    const auto series = history.add(name);
    ASSERT_TRUE(series) << history.error();
    for (const Bar& bar : bars) {
      ASSERT_TRUE(history.append(*series, bar, bar.open_time_ms)) << history.error();
    }
  }

  std::vector<Bar> reread(const std::string& name) const {
    History history(directory_, History::Access::read);
    const auto series = history.find(name);
    return series ? history.newest(*series, 0).bars : std::vector<Bar>{};
  }

  std::string read(const char* file) const {
    std::ifstream in(path(file), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const char* file, const std::string& bytes) const {
    std::ofstream(path(file), std::ios::binary | std::ios::trunc) << bytes;
  }

  /// What a damaged history still gives must be true: a run of the bars that were written, not one other.
  /// `says_so`: of damage in the last row of a tail nothing can be known, as rows behind it are none.
  void expect_part_of(const std::vector<Bar>& written, const std::string& what, bool says_so = true) const {
    History history(directory_, History::Access::write);
    const auto series = history.find("a");
    if (!series) return;
    const StoredBars stored = history.newest(*series, 0);
    const auto first = std::find_if(written.begin(), written.end(), [&](const Bar& bar) {
      return !stored.bars.empty() && bar == stored.bars[0];
    });
    ASSERT_TRUE(stored.bars.empty() || first != written.end()) << what;
    ASSERT_LE(stored.bars.size(), static_cast<std::size_t>(written.end() - first)) << what;
    ASSERT_TRUE(std::equal(stored.bars.begin(), stored.bars.end(), first)) << what;
    if (says_so && stored.bars.size() < written.size()) {
      ASSERT_FALSE(history.problems().empty()) << what;
    }
    if (!stored.bars.empty()) {
      ASSERT_LE(stored.covered_to_ms, written.back().close_time_ms) << what;
    }
  }

  std::string directory_;
};

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
  history.read_all(series, [&](const StoredBars& block) {
    all.insert(all.end(), block.bars.begin(), block.bars.end());
    most = std::max(most, block.bars.size());
  });
  EXPECT_EQ(all, bars);
  EXPECT_LE(most, kBlockBars);
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

// ---- damage
// ---------------------------------------------------------------------------------------------------------

class DamagedHistory : public HistoryTest {
 protected:
  void SetUp() override {
    HistoryTest::SetUp();
    History history(directory_, History::Access::write);
    append(history, "a", bars_);
  }
  void restore(const std::vector<std::pair<const char*, std::string>>& files) const {
    for (const auto& [file, bytes] : files) write(file, bytes);
    for (const auto& entry : fs::directory_iterator(directory_)) {
      if (entry.is_directory()) fs::remove_all(entry.path());
    }
  }
  std::vector<std::pair<const char*, std::string>> all_files() const {
    return {{"names", read("names")},
            {"tails", read("tails")},
            {"blocks", read("blocks")},
            {"index", read("index")}};
  }

  static bool in_rows(std::string_view file, std::size_t at) {
    return file == "tails" && at >= sizeof(TailHeader);
  }

  std::vector<Bar> bars_ = some_bars(2 * kBlockBars + 100, 4);
};

TEST_F(DamagedHistory, CutAnywhereItGivesOnlyWhatIsTrue) {
  const auto files = all_files();
  std::mt19937 random(8);
  for (const auto& [file, bytes] : files) {
    for (int trial = 0; trial < 60; ++trial) {
      const std::size_t size = trial == 0 ? 0 : random() % bytes.size();
      restore(files);
      write(file, bytes.substr(0, size));
      expect_part_of(bars_, std::string(file) + " cut at " + std::to_string(size));
    }
  }
}

TEST_F(DamagedHistory, WithBitsFlippedItGivesOnlyWhatIsTrue) {
  const auto files = all_files();
  std::mt19937 random(9);
  for (const auto& [file, bytes] : files) {
    for (std::size_t trial = 0; trial < 150; ++trial) {
      // The heads of the records first, then anywhere.
      const std::size_t at = trial < 90 ? trial % bytes.size() : random() % bytes.size();
      std::string flipped = bytes;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << random() % 8));
      restore(files);
      write(file, flipped);
      if (std::string_view(file) == "tails" && at >= kRows + 100 * sizeof(Bar))
        continue;  // holds nothing there
      expect_part_of(bars_, std::string(file) + " bit flipped at " + std::to_string(at), !in_rows(file, at));
    }
  }
}

TEST_F(DamagedHistory, FilledWithZerosItGivesOnlyWhatIsTrue) {
  const auto files = all_files();
  std::mt19937 random(10);
  for (const auto& [file, bytes] : files) {
    for (int trial = 0; trial < 60; ++trial) {
      const std::size_t at = random() % bytes.size() / 64 * 64;
      std::string zeroed = bytes;
      std::fill(zeroed.begin() + static_cast<long>(at),
                zeroed.begin() + static_cast<long>(std::min(zeroed.size(), at + 4096)), '\0');
      if (zeroed == bytes) continue;
      restore(files);
      write(file, zeroed);
      expect_part_of(bars_, std::string(file) + " zeros at " + std::to_string(at), !in_rows(file, at));
    }
  }
}

TEST_F(DamagedHistory, WithoutItsIndexItGivesAll) {
  fs::remove(path("index"));
  History history(directory_, History::Access::write);
  EXPECT_EQ(history.newest(*history.find("a"), 0).bars, bars_);
}

TEST_F(DamagedHistory, ACrashBetweenBlockAndTailDoublesNothing) {
  // The tail as it was when it was full, beside the block that was made of it.
  std::string tails;
  {
    fs::remove_all(directory_);
    History history(directory_, History::Access::write);
    append(history, "a", std::span(bars_).first(kBlockBars));
    tails = read("tails");
    append(history, "a", std::span(bars_).subspan(kBlockBars, 1));
  }
  write("tails", tails);
  EXPECT_EQ(reread("a"), std::vector<Bar>(bars_.begin(), bars_.begin() + kBlockBars));
  History history(directory_, History::Access::write);
  append(history, "a", std::span(bars_).subspan(kBlockBars));
  EXPECT_EQ(history.newest(*history.find("a"), 0).bars, bars_);
}

TEST_F(DamagedHistory, GoesOnAfterEveryKindOfDamage) {
  const auto files = all_files();
  const auto more = some_bars(700, 4, bars_.back().close_time_ms / kMinuteMs);
  for (const auto& [file, bytes] : files) {
    std::string damaged = bytes;
    damaged[bytes.size() / 2 / 8 * 8] ^= 1;
    damaged[8] ^= 1;
    restore(files);
    write(file, damaged);
    {
      History history(directory_, History::Access::write);
      append(history, "a", more);
    }
    const auto stored = reread("a");
    ASSERT_GE(stored.size(), more.size()) << file;
    EXPECT_TRUE(std::equal(more.begin(), more.end(), stored.end() - static_cast<long>(more.size()))) << file;
  }
}

TEST_F(DamagedHistory, AnotherVersionIsSetAsideWithAReason) {
  std::string names = read("names");
  HistoryHeader header;
  std::memcpy(&header, names.data(), sizeof header);
  header.version = 2;
  header.checksum = record_checksum(header);
  std::memcpy(names.data(), &header, sizeof header);
  write("names", names);
  EXPECT_THROW(History(directory_, History::Access::read), std::runtime_error);
  History history(directory_, History::Access::write);
  ASSERT_EQ(history.problems().size(), 1U);
  EXPECT_NE(history.problems()[0].find("version 2 is not 1"), std::string::npos);
  EXPECT_TRUE(fs::exists(path("set-aside-1/blocks")));
  EXPECT_TRUE(history.names().empty());
  // What begins in its place sees nothing of it.
  const auto bars = some_bars(kBlockBars + 5, 3);
  append(history, "other", bars);
  EXPECT_EQ(history.newest(*history.find("other"), 0).bars, bars);
}

// ---- a disk that takes nothing
// -------------------------------------------------------------------------------------------

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
