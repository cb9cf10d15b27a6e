// Bars that were thought not to exist, and do.
#include "state/history.hpp"

#include <gtest/gtest.h>

#include "tests/state/history_folder.hpp"

namespace atcd::state {
namespace {

using engine::Bar;

class HistoryMissingTest : public HistoryTest {
 protected:
  /// All but one, without a hole: as if the exchange had no bar there.
  static void append_without(History& history, std::span<const Bar> bars, std::size_t missing) {
    const auto series = *history.add("a");
    for (std::size_t i = 0; i < bars.size(); ++i) {
      if (i == missing) continue;
      const std::int64_t covered_from_ms = i == 0 ? bars[0].open_time_ms : bars[i - 1].close_time_ms;
      ASSERT_TRUE(
          history.append(series, bars[i], i == missing + 1 ? bars[missing].open_time_ms : covered_from_ms));
    }
  }
  static std::vector<Bar> all_of(History& history) {
    std::vector<Bar> all;
    history.read_all(*history.find("a"), 0, [&](const StoredBars& part) {
      all.insert(all.end(), part.bars.begin(), part.bars.end());
    });
    return all;
  }
};

TEST_F(HistoryMissingTest, ABarBetweenOthersIsThereFromThenOn) {
  const auto bars = some_bars(2 * kBlockBars + 40, 1);
  for (const std::size_t missing : {std::size_t{7}, kBlockBars + 5, 2 * kBlockBars + 20, bars.size() - 3}) {
    std::filesystem::remove_all(directory_);
    const std::span all(bars);
    {
      History history(directory_, History::Access::write);
      append_without(history, all.first(bars.size() - 1), missing);
      ASSERT_EQ(reread("a").size(), bars.size() - 2) << missing;
      const auto series = *history.find("a");
      ASSERT_TRUE(history.add_missing(series, bars[missing], 1234)) << history.error();
      EXPECT_EQ(reread("a"), std::vector<Bar>(bars.begin(), bars.end() - 1)) << missing;
      ASSERT_TRUE(history.append(series, bars.back(), bars.back().open_time_ms));
      EXPECT_EQ(all_of(history), bars) << missing;
    }
    EXPECT_EQ(reread("a"), bars) << missing;
    History again(directory_, History::Access::write);
    EXPECT_EQ(all_of(again), bars) << missing;
    EXPECT_EQ(again.corrections(*again.find("a")), 1U);
    EXPECT_TRUE(again.problems().empty());
  }
}

TEST_F(HistoryMissingTest, ItMayBeCorrectedAndAddedAgain) {
  auto bars = some_bars(100, 1);
  History history(directory_, History::Access::write);
  append_without(history, bars, 50);
  const auto series = *history.find("a");
  ASSERT_TRUE(history.add_missing(series, bars[50], 1));
  const Bar before = bars[50];
  bars[50].close = bars[50].high;
  bars[50].volume += 1;
  ASSERT_TRUE(history.correct(series, bars[50], 2));
  ASSERT_TRUE(history.add_missing(series, before, 3)) << "REST says it again";
  EXPECT_EQ(reread("a"), bars);
  EXPECT_EQ(all_of(history), bars);
}

}  // namespace
}  // namespace atcd::state
