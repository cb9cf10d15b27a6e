// A block of one bar that is damaged: what it corrected, or added, is not known any more, and the bar as it
// was before is not believed either.
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <utility>

#include "state/history_writer.hpp"
#include "tests/state/history_folder.hpp"

namespace atcd::state {
namespace {

using engine::Bar;

constexpr std::size_t kPatched = kBlockBars + 5, kMissing = 2 * kBlockBars - 9;

class UntoldBars : public HistoryTest {
 protected:
  /// In the second of two blocks: one bar was corrected twice, one was missing and came.
  void SetUp() override {
    HistoryTest::SetUp();
    History history(directory_, History::Access::write);
    const auto series = *history.add("a");
    Bar before = bars_[kPatched];
    before.close = before.open;
    before.volume += 1;
    for (std::size_t i = 0; i < bars_.size(); ++i) {
      if (i == kMissing) continue;
      const std::int64_t covered_from_ms = bars_[i == kMissing + 1 ? kMissing : i].open_time_ms;
      ASSERT_TRUE(history.append(series, i == kPatched ? before : bars_[i], covered_from_ms));
    }
    Bar between = before;
    between.volume += 1;
    ASSERT_TRUE(history.correct(series, between, 0));
    ASSERT_TRUE(history.correct(series, bars_[kPatched], 1));
    ASSERT_TRUE(history.add_missing(series, bars_[kMissing], 2));
    ASSERT_EQ(history.newest(series, 0).bars, bars_);
  }

  std::vector<std::pair<std::size_t, BlockKind>> blocks() const {
    const std::string bytes = read("blocks");
    std::vector<std::pair<std::size_t, BlockKind>> found;
    for (std::size_t at = 0; at < bytes.size();) {
      BlockHeader header;
      std::memcpy(&header, bytes.data() + at, sizeof header);
      found.emplace_back(at, header.kind);
      at += sizeof header + static_cast<std::size_t>(padded(header.bytes));
    }
    return found;
  }
  /// The last of its kind.
  void damage(BlockKind kind) const {
    std::string bytes = read("blocks");
    std::size_t last = 0;
    for (const auto& [at, found] : blocks()) {
      if (found == kind) last = at;
    }
    bytes[last + sizeof(BlockHeader)] ^= 1;
    write("blocks", bytes);
  }
  static std::vector<StoredBars> parts_of(History& history) {
    std::vector<StoredBars> parts;
    history.read_all(*history.find("a"), 0, [&](const StoredBars& part) { parts.push_back(part); });
    return parts;
  }
  static std::vector<Bar> bars_of(const std::vector<StoredBars>& parts) {
    std::vector<Bar> bars;
    for (const StoredBars& part : parts) bars.insert(bars.end(), part.bars.begin(), part.bars.end());
    return bars;
  }

  std::vector<Bar> bars_ = some_bars(3 * kBlockBars, 6);
};

TEST_F(UntoldBars, AreAHoleUntilTheyAreHadAgain) {
  for (const auto& [kind, lost] :
       {std::pair{BlockKind::patch, kPatched}, std::pair{BlockKind::missing, kMissing}}) {
    TearDown();
    SetUp();
    damage(kind);
    const std::vector<Bar> after(bars_.begin() + static_cast<long>(lost) + 1, bars_.end());
    std::vector<Bar> all = bars_;
    all.erase(all.begin() + static_cast<long>(lost));
    {
      History history(directory_, History::Access::write);
      ASSERT_EQ(history.problems().size(), 1U);
      EXPECT_NE(history.problems()[0].find("is damaged: its 1 bars are left out"), std::string::npos);
      const auto series = *history.find("a");
      History copy(history);  // as each worker, and who folds, has it
      for (History* each : {&history, &copy}) {
        const StoredBars newest = each->newest(series, 0);
        EXPECT_EQ(newest.bars, after);
        EXPECT_EQ(newest.covered_from_ms, bars_[lost].close_time_ms);
        const std::int64_t end_ms = bars_.back().close_time_ms;
        EXPECT_EQ(each->newest_before(series, end_ms, 0).covered_from_ms, bars_[lost].close_time_ms);
        EXPECT_EQ(each->newest_in_blocks(series).from_ms, bars_[lost].close_time_ms);
        EXPECT_EQ(bars_of(parts_of(*each)), all);
      }
      std::int64_t to_ms = bars_[0].open_time_ms;
      std::vector<std::int64_t> holes;
      for (const StoredBars& part : parts_of(history)) {
        if (part.covered_from_ms != std::exchange(to_ms, part.covered_to_ms)) holes.push_back(to_ms);
      }
      EXPECT_EQ(holes.size(), 1U);
      // What REST tells of it, and of all before it.
      ASSERT_TRUE(history.insert(series, std::span(bars_).first(lost + 1), bars_[0].open_time_ms,
                                 bars_[lost].close_time_ms));
      EXPECT_EQ(history.newest(series, 0).bars, bars_);
    }
    EXPECT_EQ(reread("a"), bars_);
    History again(directory_, History::Access::write);
    EXPECT_EQ(bars_of(parts_of(again)), bars_);
    EXPECT_EQ(again.newest_in_blocks(*again.find("a")).from_ms, bars_[0].open_time_ms);
  }
}

TEST_F(UntoldBars, AnywhereDamagedGivesOnlyWhatIsTrue) {
  const std::string bytes = read("blocks"), index = read("index"), tails = read("tails");
  std::mt19937 random(11);
  const auto look = [&](const std::string& changed, const std::string& what) {
    write("blocks", changed);
    write("index", index);
    write("tails", tails);
    expect_part_of(bars_, what);
  };
  for (const auto& [at, kind] : blocks()) {
    for (const std::size_t place : {at, at + 20, at + sizeof(BlockHeader) + random() % 8}) {
      std::string flipped = bytes;
      flipped[place] = static_cast<char>(flipped[place] ^ (1 << random() % 8));
      look(flipped, "bit flipped at " + std::to_string(place));
      look(bytes.substr(0, place), "cut at " + std::to_string(place));
      std::string zeroed = bytes;
      std::fill(zeroed.begin() + static_cast<long>(place), zeroed.end(), '\0');
      look(zeroed, "zeros from " + std::to_string(place));
    }
  }
}

TEST_F(UntoldBars, ATailThatIsLostCostsOnlyItself) {
  const auto more = some_bars(5, 6, bars_.back().close_time_ms / kMinuteMs);
  {
    History history(directory_, History::Access::write);
    append(history, "a", more);  // the first of them fills the block before
    ASSERT_EQ(history.tail(0).size(), 4U);
    Bar corrected = history.tail(0).back();
    corrected.volume += 1;
    ASSERT_TRUE(history.correct(0, corrected, 3));  // what it was before is in a block
  }
  std::string tails = read("tails");
  tails[8] ^= 1;
  write("tails", tails);
  History history(directory_, History::Access::write);
  EXPECT_EQ(history.problems().size(), 1U);
  bars_.push_back(more[0]);
  EXPECT_EQ(history.newest(0, 0).bars, bars_);
  EXPECT_EQ(history.newest(0, 0).covered_to_ms, more[0].close_time_ms);
}

}  // namespace
}  // namespace atcd::state
