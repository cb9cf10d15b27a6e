// `atcd history`, as a program, of what no CSV file makes.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tests/locations.hpp"
#include "tests/state/history_folder.hpp"

namespace atcd::daemon {
namespace {

using state::History;
using state::StoredBars;

constexpr const char* kSeries = "binance:spot:A:1m";

using Stretches = std::vector<std::pair<std::int64_t, std::int64_t>>;

class HistoryProgram : public state::HistoryTest {
 protected:
  std::string history() const { return directory_ + "/history"; }

  /// What it says goes to the file "said".
  void run(const std::string& arguments) const {
    const std::string command = std::string(ATCD_PROGRAM) + " history " + arguments + " --directory " +
                                directory_ + " >" + directory_ + "/said 2>&1";
    const int status = std::system(command.c_str());
    EXPECT_EQ(WEXITSTATUS(status), 0) << read("said");
  }

  /// What is known of the series, as bars or as slots without one.
  Stretches known() const {
    Stretches stretches;
    History held(history(), History::Access::read);
    held.read_all(*held.find(kSeries), 0, [&](const StoredBars& part) {
      if (stretches.empty() || part.covered_from_ms > stretches.back().second)
        stretches.emplace_back(part.covered_from_ms, part.covered_to_ms);
      stretches.back().second = part.covered_to_ms;
    });
    return stretches;
  }
};

/// Its bar is asked for again: it may not be taken for a slot in which nothing was traded.
TEST_F(HistoryProgram, AHoleBeforeSlotsWithoutABarStaysOne) {
  const auto bars = state::some_bars(12, 1);
  {
    History held(history(), History::Access::write);
    const auto series = held.add(kSeries);
    ASSERT_TRUE(series);
    for (const std::size_t i : {0U, 1U, 2U, 6U, 7U, 8U, 9U})
      ASSERT_TRUE(held.append(*series, bars[i], bars[i].open_time_ms));
    ASSERT_TRUE(held.insert(*series, {bars.data() + 3, 1}, bars[3].open_time_ms, bars[6].open_time_ms));
    engine::Bar corrected = bars[3];
    corrected.volume += 1;
    ASSERT_TRUE(held.correct(*series, corrected, 1));
  }
  ASSERT_EQ(known(), (Stretches{{bars[0].open_time_ms, bars[9].close_time_ms}}));
  std::string blocks = read("history/blocks");
  blocks[blocks.find_last_not_of('\0')] ^= 1;  // of the block that was written last
  write("history/blocks", blocks);
  const Stretches damaged = {{bars[0].open_time_ms, bars[2].close_time_ms},
                             {bars[4].open_time_ms, bars[9].close_time_ms}};
  ASSERT_EQ(known(), damaged);
  const std::string command = std::string(ATCD_PROGRAM) + " history repair --directory " + directory_ + " >" +
                              directory_ + "/said 2>&1";
  const int status = std::system(command.c_str());
  EXPECT_EQ(WEXITSTATUS(status), 0) << read("said");
  EXPECT_EQ(known(), damaged);
}

/// Who computes from the file gets other signals than were published.
TEST_F(HistoryProgram, AnExportTellsThatLateCorrectionsAreNotInIt) {
  const auto bars = state::some_bars(3, 1);
  History held(history(), History::Access::write);
  const auto series = held.add(kSeries);
  for (const engine::Bar& bar : bars) ASSERT_TRUE(held.append(*series, bar, bar.open_time_ms));
  run("export " + std::string(kSeries));
  EXPECT_EQ(read("said").find("late"), std::string::npos) << read("said");
  ASSERT_TRUE(held.keep_late(*series, {bars[0], bars[2].open_time_ms}));
  run("export " + std::string(kSeries));
  EXPECT_NE(read("said").find("1 late corrections of the exchange are not in the file"), std::string::npos)
      << read("said");
}

}  // namespace
}  // namespace atcd::daemon
