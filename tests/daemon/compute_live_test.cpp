// `atcd compute --live-anchors` of a listing that is younger than the indicator needs.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "daemon/csv_compute.hpp"
#include "daemon/signal_series.hpp"
#include "engine/plan.hpp"
#include "tests/daemon/csv_walk.hpp"
#include "tests/daemon/whole_csv.hpp"
#include "tests/locations.hpp"

namespace atcd::daemon {
namespace {

constexpr std::int64_t kMinute = 60'000;
constexpr std::int64_t kListedMs = 1'700'000'040'000;
constexpr const char* kSeries = "binance:spot:NEW:1m:default";

CsvBars listing(std::size_t count) {
  CsvBars bars = walk(count);
  for (std::size_t i = 0; i < count; ++i)
    bars.open_ms.push_back(kListedMs + kMinute * static_cast<std::int64_t>(i));
  return bars;
}

ComputeOptions live_options() {
  ComputeOptions options;
  std::string error;
  options.live_anchors = parse_live_anchors(kSeries, error);
  return options;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> fields_of(const std::string& row) {
  std::vector<std::string> fields;
  std::istringstream stream(row);
  for (std::string field; std::getline(stream, field, ',');) fields.push_back(field);
  return fields;
}

std::string after_close(const std::string& row) { return row.substr(row.find(',')); }

TEST(ComputeLiveTest, ANewListingsFirstRowsSayNothingUntilLivePublishes) {
  const CsvBars bars = listing(40);
  ComputeOptions options = live_options();
  options.dump = true;
  options.extras = {"time", "trend", "bar_index", "anchor_ms", "previous_trend", "trend_since_ms"};
  const auto lines = lines_of(compute_csv(options, bars).text);
  ASSERT_EQ(lines.size(), 41U);
  const SignalSeries live(std::make_shared<const engine::Plan>(options.parameters),
                          options.live_anchors->rule, options.live_anchors->interval, kSeries);
  SignalSeries::Replay replay(live);
  std::vector<engine::Bar> known;
  for (std::size_t i = 0; i < 40; ++i)
    known.push_back({bars.open_ms[i], bars.open_ms[i] + kMinute, 0, 0, 0, bars.closes[i], 0});
  const std::string nothing(13 + 3 * engine::kAverages, ',');
  for (std::size_t i = 0; i < 40; ++i) {
    const auto signal = replay.at({known, 0}, i);
    EXPECT_EQ(signal.has_value(), i >= 33) << i;
    const std::string row = after_close(lines[i + 1]);
    const std::string empty = nothing + ',' + std::to_string(bars.open_ms[i]) + ",," + std::to_string(i) +
                              ',' + std::to_string(kListedMs) + ",,";
    if (signal) {
      EXPECT_TRUE(row.ends_with(',' + std::to_string(signal->signal.trend_since_ms))) << row;
      EXPECT_EQ(std::strtod(fields_of(row)[13].c_str(), nullptr), signal->signal.average) << row;
      EXPECT_NE(fields_of(row)[13], "") << row;
    } else {
      EXPECT_EQ(row, empty) << i;
    }
  }
}

TEST(ComputeLiveTest, WhereBarsAreMissingThereMayBeTooFewSinceAnyAnchor) {
  // Only every third slot has a bar: a segment's first bar is the 21st, but 34 are needed.
  CsvBars bars = listing(600);
  for (std::size_t i = 0; i < bars.size(); ++i)
    bars.open_ms[i] = kListedMs + 3 * kMinute * static_cast<std::int64_t>(i);
  ComputeOptions options = live_options();
  options.live_anchors->rule.history_bars = options.live_anchors->rule.anchor_period = 60;
  options.extras = {"bar_index"};
  const auto lines = lines_of(compute_csv(options, bars).text);
  ASSERT_EQ(lines.size(), 601U);
  std::size_t without = 0;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const int bar_index = std::stoi(lines[i].substr(lines[i].rfind(',') + 1));
    const bool empty = lines[i].find(std::string(13, ',')) != std::string::npos;
    EXPECT_EQ(empty, bar_index < 33) << lines[i];
    without += empty ? 1 : 0;
  }
  EXPECT_GT(without, 300U);
}

/// Runs the program itself on a file of these bars; what it says, standard output left out.
class ComputeLiveProgramTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string form = (std::filesystem::temp_directory_path() / "atcd-live-XXXXXX").string();
    folder_ = mkdtemp(form.data());
    std::ofstream file(folder_ / "binance:spot:NEW:1m.csv");
    const CsvBars bars = listing(100);
    file << "open_ms,close\n";
    for (std::size_t i = 0; i < bars.size(); ++i) file << bars.open_ms[i] << ',' << bars.closes[i] << '\n';
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string run(const std::string& arguments, int& status) const {
    const std::string told = (folder_ / "told").string();
    const int code =
        std::system((std::string(ATCD_PROGRAM) + ' ' + arguments + " > /dev/null 2> " + told).c_str());
    status = WIFEXITED(code) ? WEXITSTATUS(code) : -1;
    std::ifstream file(told);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::filesystem::path folder_;
};

TEST_F(ComputeLiveProgramTest, FewerHistoryBarsThanTheIndicatorNeedsAreRefused) {
  const std::string compute =
      "compute " + (folder_ / "binance:spot:NEW:1m.csv").string() + " --live-anchors " + kSeries;
  const std::string scan = "scan " + folder_.string() + " --live-anchors default";
  for (const auto& [command, name] : {std::pair{compute, "compute"}, {scan, "scan"}}) {
    const std::string refused = "atcd " + std::string(name) + ": --history-bars is ";
    int status = -1;
    EXPECT_EQ(run(command + " --history-bars 20", status),
              refused + "20: these lengths and cutout need at least 34\n");
    EXPECT_EQ(status, 2);
    EXPECT_EQ(run(command + " --history-bars 33", status),
              refused + "33: these lengths and cutout need at least 34\n");
    EXPECT_EQ(status, 2);
    EXPECT_EQ(run(command + " --history-bars 34 --cutout 40", status),
              refused + "34: these lengths and cutout need at least 41\n");
    EXPECT_EQ(status, 2);
    run(command + " --history-bars 34", status);
    EXPECT_EQ(status, 0);
    run(command + " --history-bars 20 --families kama", status);
    EXPECT_EQ(status, 0);
  }
}

}  // namespace
}  // namespace atcd::daemon
