// What is said where a signal that was computed right may be another than live's.
#include "daemon/csv_doubts.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "daemon/clock.hpp"
#include "daemon/scan.hpp"
#include "state/history.hpp"
#include "tests/daemon/csv_walk.hpp"
#include "tests/locations.hpp"

namespace atcd::daemon {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMinute = 60'000;
constexpr std::int64_t kFirstMs = 1'700'000'040'000;
constexpr engine::AnchorRule kRule{400, 300, std::nullopt};

class CsvDoubtsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string form = (fs::temp_directory_path() / "atcd-doubts-XXXXXX").string();
    folder_ = mkdtemp(form.data());
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// The closes from `begin` on; the first of all has the time.
  fs::path write(const std::string& name, std::int64_t first_ms, std::size_t begin = 0) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream file(folder_ / name);
    file << "open_ms,close\n";
    for (std::size_t i = begin; i < bars_.closes.size(); ++i)
      file << first_ms + kMinute * static_cast<std::int64_t>(i) << ',' << bars_.closes[i] << '\n';
    return folder_ / name;
  }
  void append(state::History& history, const std::string& name, std::size_t begin, std::size_t end) const {
    const auto series = history.add(name);
    ASSERT_TRUE(series);
    for (std::size_t i = begin; i < end; ++i) {
      const double close = bars_.closes[i];
      const std::int64_t open_ms = kFirstMs + kMinute * static_cast<std::int64_t>(i);
      ASSERT_TRUE(
          history.append(*series, {open_ms, open_ms + kMinute, close, close, close, close, 1}, open_ms));
    }
  }
  /// So that the last bar runs, and will for long.
  std::int64_t first_of_running() const {
    const auto before = static_cast<std::int64_t>(bars_.closes.size()) - 100;
    return (utc_ms() / kMinute - before) * kMinute;
  }

  /// "NAME: sentence, up to its first number"; a line a row.
  std::string scanned(const char* folder, const ScanOptions& options) const {
    ScanResult result = scan((folder_ / folder).string(), options, [](std::size_t, std::size_t) {});
    EXPECT_TRUE(result.refused.empty());
    std::sort(result.rows.begin(), result.rows.end(),
              [](const ScanRow& a, const ScanRow& b) { return a.series < b.series; });
    std::string text;
    for (const ScanRow& row : result.rows) {
      text += row.series.substr(8, row.series.find(':', 8) - 8) + ":";
      for (const std::string& doubt : row.doubts)
        text += " " + doubt.substr(0, doubt.find_first_of("0123456789"));
      text += "\n";
    }
    return text;
  }

  CsvBars bars_ = walk(1200);
  fs::path folder_;
};

TEST_F(CsvDoubtsTest, OfWhichBarsNothingBeforeTheFirstIsNeeded) {
  std::string error;
  LiveAnchors anchors = *parse_live_anchors("binance:spot:BTCUSDT:1m:default", error);
  anchors.rule = kRule;
  const std::int64_t phase = engine::anchor_phase(anchors.series, kRule.anchor_period);
  for (std::int64_t shift = 0; shift < kRule.anchor_period; ++shift) {
    CsvBars bars;
    bars.open_ms = {kFirstMs + shift * kMinute};
    CsvDoubts doubts;
    doubts.take(bars, 0);
    std::int64_t whole = bars.open_ms[0] / kMinute;  // by the definition of a segment
    while (engine::segment_of(kRule, anchors.interval, phase, whole)->anchor_ordinal <
           bars.open_ms[0] / kMinute)
      ++whole;
    EXPECT_EQ(doubts.whole_from_ms(anchors), whole * kMinute) << shift;
  }
}

TEST_F(CsvDoubtsTest, AScanSaysWhatLiveMayPublishOtherwise) {
  write("files/ex:spot:LATE:1m.csv", kFirstMs, bars_.closes.size() - 100);
  write("files/ex:spot:RUNNING:1m.csv", first_of_running());
  write("files/ex:spot:WHOLE:1m.csv", kFirstMs);
  {
    state::History history((folder_ / "state/history").string(), state::History::Access::write);
    append(history, "ex:spot:HOLE:1m", 0, 700);
    append(history, "ex:spot:HOLE:1m", 800, bars_.closes.size());
    append(history, "ex:spot:WHOLE:1m", 0, bars_.closes.size());
  }
  ScanOptions live, plain;
  live.live_anchors = {"default", kRule};
  for (const std::size_t whole_bars : {std::size_t{1}, kWholeBars}) {
    live.whole_bars = plain.whole_bars = whole_bars;
    EXPECT_EQ(scanned("files", live), "LATE: its bars begin at \nRUNNING: its last bar ends at \nWHOLE:\n");
    EXPECT_EQ(scanned("files", plain), "LATE:\nRUNNING: its last bar ends at \nWHOLE:\n");
    EXPECT_EQ(scanned("state", plain), "HOLE: it has holes, the last from \nWHOLE:\n");
  }
}

TEST_F(CsvDoubtsTest, ComputeSaysOfWhichBarsLivePublishesOtherSignals) {
  const auto run = [this](const fs::path& file) {
    const std::string output = (folder_ / "output").string();
    const int code =
        std::system((std::string(ATCD_PROGRAM) + " compute " + file.string() +
                     " --live-anchors ex:spot:A:1m:default --history-bars 400 --anchor-period 300 "
                     "--extra time,anchor_ms -o " +
                     output + ".csv 2> " + output)
                        .c_str());
    EXPECT_TRUE(WIFEXITED(code) && WEXITSTATUS(code) == 0);
    std::ifstream told(output);
    return std::string{std::istreambuf_iterator<char>(told), {}};
  };
  const std::string told = run(write("late.csv", kFirstMs));
  // The first row whose bar 0 is not the file's first bar.
  std::ifstream rows(folder_ / "output.csv");
  std::string row, first_whole;
  for (std::getline(rows, row); first_whole.empty() && std::getline(rows, row);) {
    const std::size_t anchor = row.rfind(','), time = row.rfind(',', anchor - 1);
    if (row.substr(anchor + 1) != std::to_string(kFirstMs))
      first_whole = row.substr(time + 1, anchor - time - 1);
  }
  EXPECT_EQ(told, "atcd compute: " + (folder_ / "late.csv").string() + ": its bars begin at " +
                      std::to_string(kFirstMs) + ", after the anchors of those that open before " +
                      first_whole +
                      ": live publishes other signals of these, unless nothing was traded before, as with a "
                      "new listing\n");
  EXPECT_NE(run(write("running.csv", first_of_running())).find(", in the future: it has not closed"),
            std::string::npos);
}

}  // namespace
}  // namespace atcd::daemon
