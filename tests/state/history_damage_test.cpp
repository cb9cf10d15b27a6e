// Torn, cut, flipped and zeroed files: what a history still gives is true, and it says what it lost.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <random>
#include <stdexcept>

#include "tests/state/history_folder.hpp"

namespace atcd::state {
namespace {

using engine::Bar;
namespace fs = std::filesystem;

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

  /// Where one thing ends in a file and the next begins: records, blocks, the parts of a tail's slot.
  static std::vector<std::size_t> boundaries(std::string_view file, const std::string& bytes) {
    std::vector<std::size_t> found;
    const auto every = [&](std::size_t from, std::size_t step) {
      for (std::size_t at = from; at <= bytes.size(); at += step) found.push_back(at);
    };
    if (file == "names") every(0, sizeof(NameRecord));
    if (file == "index") every(0, sizeof(IndexRecord));
    if (file == "tails") {
      found = {0, sizeof(TailHeader), static_cast<std::size_t>(kRows)};
      every(static_cast<std::size_t>(kRows), 17 * sizeof(Bar));
    }
    for (std::size_t at = 0; file == "blocks" && at < bytes.size();) {
      BlockHeader header;
      std::memcpy(&header, bytes.data() + at, sizeof header);
      EXPECT_EQ(header.magic, kBlockMagic) << at;
      found.insert(found.end(), {at, at + sizeof header});
      at += sizeof header + static_cast<std::size_t>(padded(header.bytes));
      found.push_back(at);
    }
    return found;
  }
  /// Every boundary, the places beside it, and as many anywhere.
  static std::vector<std::size_t> places(std::string_view file, const std::string& bytes,
                                         std::mt19937& random) {
    std::vector<std::size_t> found;
    for (const std::size_t at : boundaries(file, bytes)) {
      for (const std::size_t near : {at - 1, at, at + 1}) {
        if (near < bytes.size()) found.push_back(near);
        found.push_back(random() % bytes.size());
      }
    }
    return found;
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
    for (const std::size_t size : places(file, bytes, random)) {
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
    auto where = places(file, bytes, random);
    for (std::size_t at = 0; at < 90; ++at) where.push_back(at);  // the whole first record
    for (const std::size_t at : where) {
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
    for (const std::size_t at : places(file, bytes, random)) {
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

TEST_F(DamagedHistory, WhereTheEndOfTheIndexIsLostOnlyWhatLiesBehindIsLookedFor) {
  std::string index = read("index"), blocks = read("blocks");
  ASSERT_EQ(index.size(), 2 * sizeof(IndexRecord));
  std::fill(index.begin() + sizeof(IndexRecord), index.end(), '\0');  // as power that went leaves it
  blocks[sizeof(BlockHeader)] ^= 1;  // of a block before: who reads all of them finds it
  write("index", index);
  write("blocks", blocks);
  {
    History history(directory_, History::Access::write);
    ASSERT_EQ(history.problems().size(), 1U) << history.problems().back();
    EXPECT_NE(history.problems()[0].find("/index: the record at 80 is damaged"), std::string::npos);
    EXPECT_EQ(history.newest(*history.find("a"), 0).bars,
              std::vector<Bar>(bars_.begin() + kBlockBars, bars_.end()));
  }
  EXPECT_EQ(read("index").size(), 2 * sizeof(IndexRecord));
  EXPECT_TRUE(History(directory_, History::Access::read).problems().empty());
}

TEST_F(DamagedHistory, WithoutItsTailItGivesWhatWasSealed) {
  std::string tails = read("tails");
  std::fill(tails.begin(), tails.begin() + sizeof(TailHeader), '\0');
  write("tails", tails);
  History history(directory_, History::Access::write);
  EXPECT_EQ(history.newest(*history.find("a"), 0).bars,
            std::vector<Bar>(bars_.begin(), bars_.begin() + 2 * kBlockBars));
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

TEST_F(DamagedHistory, BlocksThatCanBeReadNoMoreAreLeftOut) {
  History history(directory_, History::Access::write);
  const auto series = *history.find("a");
  ASSERT_EQ(history.newest(series, 0).bars, bars_);
  fs::resize_file(path("blocks"), 0);  // as with a bad sector, looking at what was there raises SIGBUS
  const StoredBars stored = history.newest(series, 0);
  ASSERT_FALSE(stored.bars.empty());
  EXPECT_EQ(stored.covered_from_ms, stored.bars.front().open_time_ms);
  EXPECT_TRUE(std::equal(stored.bars.rbegin(), stored.bars.rend(), bars_.rbegin()));
  EXPECT_FALSE(history.problems().empty());
}

TEST_F(DamagedHistory, ACorrectionThatCanBeReadNoMoreLeavesNothingBeforeIt) {
  Bar corrected = bars_[100];
  corrected.close = corrected.high;
  History history(directory_, History::Access::write);
  const auto series = *history.find("a");
  ASSERT_TRUE(history.correct(series, corrected, 1));
  ASSERT_EQ(history.newest(series, 0).bars[100], corrected);
  std::string blocks = read("blocks");
  blocks[blocks.size() - 8] ^= 1;  // the correction's, which is the last
  std::fstream(path("blocks"), std::ios::binary | std::ios::in | std::ios::out) << blocks;
  const StoredBars stored = history.newest(series, 0);
  EXPECT_EQ(stored.covered_from_ms, corrected.close_time_ms);
  EXPECT_EQ(stored.bars, std::vector<Bar>(bars_.begin() + 101, bars_.end()));
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
  header.version = 9;
  header.checksum = record_checksum(header);
  std::memcpy(names.data(), &header, sizeof header);
  write("names", names);
  EXPECT_THROW(History(directory_, History::Access::read), std::runtime_error);
  History history(directory_, History::Access::write);
  ASSERT_EQ(history.problems().size(), 1U);
  EXPECT_NE(history.problems()[0].find("version 9 is not 2"), std::string::npos);
  EXPECT_TRUE(fs::exists(path("set-aside-1/blocks")));
  EXPECT_TRUE(history.names().empty());
  // What begins in its place sees nothing of it.
  const auto bars = some_bars(kBlockBars + 5, 3);
  append(history, "other", bars);
  EXPECT_EQ(history.newest(*history.find("other"), 0).bars, bars);
}

}  // namespace
}  // namespace atcd::state
