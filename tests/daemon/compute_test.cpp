#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "daemon/csv_compute.hpp"
#include "daemon/csv_table.hpp"
#include "engine/dispatch.hpp"
#include "engine/incremental.hpp"
#include "engine/plan.hpp"
#include "tests/daemon/csv_walk.hpp"
#include "tests/daemon/whole_csv.hpp"
#include "tests/locations.hpp"

namespace atcd::daemon {
namespace {

namespace fs = std::filesystem;

std::vector<std::vector<std::string>> rows_of(const std::string& text) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    rows.emplace_back();
    std::istringstream fields(line);
    for (std::string field; std::getline(fields, field, ',');) rows.back().push_back(field);
    if (!line.empty() && line.back() == ',') rows.back().emplace_back();
  }
  return rows;
}

std::string field(const std::vector<std::vector<std::string>>& rows, std::size_t bar,
                  const std::string& column) {
  const auto at = std::find(rows[0].begin(), rows[0].end(), column);
  if (at == rows[0].end()) return "no column " + column;
  return rows[bar + 1].at(static_cast<std::size_t>(at - rows[0].begin()));
}

TEST(ComputeTest, TheColumnsAreThoseOfTheContract) {
  ComputeOptions options;
  const auto rows = rows_of(compute_csv(options, walk(60)).text);
  EXPECT_EQ(rows[0], (std::vector<std::string>{"close", "EMA_Signal", "HMA_Signal", "WMA_Signal",
                                               "DEMA_Signal", "LSMA_Signal", "KAMA_Signal", "EMA_S", "HMA_S",
                                               "WMA_S", "DEMA_S", "LSMA_S", "KAMA_S", "Average_Signal"}));
  ASSERT_EQ(rows.size(), 61U);
  for (const auto& row : rows) EXPECT_EQ(row.size(), 14U);
}

TEST(ComputeTest, EveryPathAndTheLibraryGiveTheSameText) {
  ComputeOptions options;
  options.dump = true;
  options.extras = {"trend"};
  options.parameters.cutout = 20;
  const CsvBars bars = walk(300);
  options.path = "incremental";
  const std::string expected = compute_csv(options, bars).text;
  for (const auto* kernel : engine::available_kernels()) {
    options.path = kernel->name;
    EXPECT_EQ(compute_csv(options, bars).text, expected) << kernel->name;
  }
  const auto rows = rows_of(expected);
  EXPECT_EQ(rows[0].size(), 14U + 3 * engine::kAverages + 1);
  EXPECT_EQ(field(rows, 19, "EMA_Signal"), "");
  EXPECT_EQ(field(rows, 20, "eq_KAMA_22"), "1");
  EXPECT_EQ(field(rows, 26, "EMA_28"), "");

  engine::Incremental engine(std::make_shared<const engine::Plan>(options.parameters));
  for (std::size_t i = 0; i < bars.closes.size(); ++i) {
    const auto signal = engine.update(bars.closes[i], bars.closes[i], 0);
    const auto inner = engine.inner();
    EXPECT_EQ(std::strtod(field(rows, i, "Average_Signal").c_str(), nullptr), signal.average);
    EXPECT_EQ(field(rows, i, "trend"), std::to_string(signal.trend));
    EXPECT_EQ(std::strtod(field(rows, i, "KAMA_28").c_str(), nullptr), inner.averages[45]);
    EXPECT_EQ(std::strtod(field(rows, i, "sig_HMA_34").c_str(), nullptr), inner.states[9 + 4]);
    if (i >= 20) {
      EXPECT_EQ(std::strtod(field(rows, i, "DEMA_S").c_str(), nullptr), signal.equity[3]);
    }
  }
}

TEST(ComputeTest, BadValuesAreRefusedByLineAndValue) {
  const auto error_with = [](double close, engine::Dialect dialect) {
    CsvBars bars = walk(60);
    bars.closes[41] = close;
    ComputeOptions options;
    options.parameters.dialect = dialect;
    return compute_csv(options, bars).error;
  };
  using engine::Dialect;
  EXPECT_EQ(error_with(-3, Dialect::lts),
            "line 43: close is -3, but must be a finite number above 0, or empty");
  EXPECT_EQ(error_with(0, Dialect::pine), "line 43: close is 0, but must be a finite number above 0");
  EXPECT_EQ(error_with(INFINITY, Dialect::lts),
            "line 43: close is inf, but must be a finite number above 0, or empty");
  EXPECT_EQ(error_with(NAN, Dialect::pine), "line 43: close is missing, but must be a finite number above 0");
  EXPECT_EQ(error_with(NAN, Dialect::lts), "");
  EXPECT_EQ(compute_csv(ComputeOptions{}, walk(33)).error,
            "there are 33 bars, but the longest length outside KAMA needs 34");
  // Also where a column is asked for, which no row has.
  ComputeOptions with_times;
  with_times.extras = {"time"};
  for (const ComputeOptions& options : {ComputeOptions{}, with_times})
    EXPECT_EQ(compute_csv(options, {}).error, "there are no bars, but at least one is needed");
}

TEST(ComputeTest, UnknownNamesAreRefusedWithTheNearestOne) {
  ComputeOptions options;
  options.path = "avx215";
  options.extras = {"trends", "bar_index"};
  EXPECT_EQ(check_options(options),
            (std::vector<std::string>{
                "--path is \"avx215\", which is not known; did you mean avx2? (allowed: incremental, "
                "baseline, scalar, avx2, avx512, neon, cuda, auto)",
                "--extra is \"trends\", which is not known; did you mean trend? (allowed: time, trend, "
                "bar_index, anchor_ms, previous_trend, trend_since_ms)",
                "--extra is bar_index, which needs --live-anchors"}));
  std::string error;
  EXPECT_FALSE(parse_live_anchors("binance:spot:BTCUSDT:1m", error));
  EXPECT_FALSE(parse_live_anchors("binance:spot:BTCUSDT:1x:default", error));
  EXPECT_NE(error.find("1x"), std::string::npos);
  EXPECT_FALSE(parse_live_anchors("binance:spot:BTC USDT:1m:default", error));
  EXPECT_TRUE(parse_live_anchors("binance:spot:BTC%20USDT:1m:default", error));
}

TEST(ComputeTest, APathThatOtherProcessorsHaveIsRefusedWithThoseOfThisOne) {
  ComputeOptions options;
  options.path = engine::find_kernel("neon") == nullptr ? "neon" : "avx2";
  std::string have = "incremental";
  for (const engine::Kernel* kernel : engine::available_kernels()) have += std::string(", ") + kernel->name;
  EXPECT_EQ(check_options(options),
            (std::vector<std::string>{"--path is " + options.path +
                                      ", but this build on this processor has: " + have}));
}

/// By the definition of section 3: for each bar on its own, everything from its bar 0 on.
TEST(ComputeTest, LiveAnchorsGiveTheSignalThatLivePublishes) {
  const std::string series = "binance:spot:BTCUSDT:1m:default";
  CsvBars bars = walk(700);
  std::mt19937 random(9);
  std::int64_t slot = 28'000'000;
  for (std::size_t i = 0; i < bars.closes.size(); ++i, ++slot) {
    while (random() % 8 == 0) ++slot;  // missing bars
    bars.open_ms.push_back(slot * 60'000);
  }
  ComputeOptions options;
  options.extras = {"time", "bar_index", "anchor_ms", "trend", "previous_trend", "trend_since_ms"};
  std::string error;
  options.live_anchors = parse_live_anchors(series, error);
  ASSERT_TRUE(options.live_anchors) << error;
  options.live_anchors->rule.history_bars = 120;
  options.live_anchors->rule.anchor_period = 90;
  ASSERT_EQ(check_options(options), std::vector<std::string>{});
  const auto result = compute_csv(options, bars);
  ASSERT_EQ(result.error, "");
  const auto rows = rows_of(result.text);
  const auto plan = std::make_shared<const engine::Plan>(options.parameters);
  const std::int64_t phase = engine::anchor_phase(series, 90);
  for (std::size_t i = 0; i < bars.closes.size(); i += 3) {
    const std::int64_t n = bars.open_ms[i] / 60'000;
    const std::int64_t anchor_slot = (n - phase) / 90 * 90 + phase - 120;
    engine::Incremental engine(plan);
    engine::Signal signal;
    std::int64_t anchor_ms = -1;
    for (std::size_t j = 0; j <= i; ++j) {
      if (bars.open_ms[j] < anchor_slot * 60'000) continue;
      if (anchor_ms < 0) anchor_ms = bars.open_ms[j];
      signal = engine.update(bars.closes[j], bars.closes[j], bars.open_ms[j] + 60'000);
    }
    if (engine.bars() < plan->minimum_bars()) continue;  // none is published: compute_live_test.cpp
    EXPECT_EQ(std::strtod(field(rows, i, "Average_Signal").c_str(), nullptr), signal.average) << i;
    EXPECT_EQ(std::strtod(field(rows, i, "HMA_S").c_str(), nullptr), signal.equity[1]) << i;
    EXPECT_EQ(field(rows, i, "time"), std::to_string(bars.open_ms[i]));
    EXPECT_EQ(field(rows, i, "bar_index"), std::to_string(signal.bar_index)) << i;
    EXPECT_EQ(field(rows, i, "anchor_ms"), std::to_string(anchor_ms)) << i;
    EXPECT_EQ(field(rows, i, "trend"), std::to_string(signal.trend)) << i;
    EXPECT_EQ(field(rows, i, "previous_trend"), std::to_string(signal.previous_trend)) << i;
    EXPECT_EQ(field(rows, i, "trend_since_ms"), std::to_string(signal.trend_since_ms)) << i;
  }
}

/// Bar 0 is the series' first bar then, however many bars are asked for before it.
TEST(ComputeTest, LiveAnchorsFarBeforeTheFirstMonthChangeNothing) {
  const engine::Interval interval = *engine::Interval::parse("1M");
  CsvBars bars = walk(60);
  for (std::size_t i = 0; i < 60; ++i)
    bars.open_ms.push_back(interval.open_time_ms(2020 * 12 + 1 + static_cast<int>(i)));
  ComputeOptions options;
  options.extras = {"bar_index"};
  std::string error;
  options.live_anchors = parse_live_anchors("x:y:Z:1M:p", error);
  options.live_anchors->rule.anchor_period = 1'000'000'000;
  options.live_anchors->rule.history_bars = 10'000;
  const auto wanted = compute_csv(options, bars);
  ASSERT_EQ(wanted.error, "");
  EXPECT_EQ(field(rows_of(wanted.text), 59, "bar_index"), "59");
  for (const std::int64_t far : {420'000, 1'000'000'000}) {
    options.live_anchors->rule.history_bars = far;
    EXPECT_EQ(compute_csv(options, bars).text, wanted.text) << far;
  }
}

TEST(ComputeTest, LiveAnchorsNeedTimesInOrderOnBoundaries) {
  ComputeOptions options;
  std::string error;
  options.live_anchors = parse_live_anchors("binance:spot:BTCUSDT:1m:default", error);
  CsvBars bars = walk(40);
  EXPECT_NE(compute_csv(options, bars).error.find("open_ms"), std::string::npos);
  for (std::size_t i = 0; i < 40; ++i) bars.open_ms.push_back(60'000 * static_cast<int>(i));
  EXPECT_EQ(compute_csv(options, bars).error, "");
  bars.open_ms[7] = bars.open_ms[6];
  EXPECT_EQ(compute_csv(options, bars).error,
            "line 9: open_ms is 360000, but must be later than that of the bar before");
  bars.open_ms[7] = 420'001;
  EXPECT_EQ(compute_csv(options, bars).error, "line 9: open_ms is 420001, which is no boundary of 1m");
  bars.open_ms[7] = 9'000'000'000'000'000'000;
  EXPECT_EQ(compute_csv(options, bars).error,
            "line 9: open_ms is 9000000000000000000, but must lie before the year 10000");
  bars.open_ms[7] = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(compute_csv(options, bars).error,
            "line 9: open_ms is -9223372036854775808, but must lie before the year 10000");
}

TEST(ComputeTest, TimesThatRunBackAreRefusedWhateverIsComputed) {
  CsvBars bars = walk(40);
  for (int i = 0; i < 40; ++i) bars.open_ms.push_back(60'000 * (40 - i));
  EXPECT_EQ(compute_csv({}, bars).error,
            "line 3: open_ms is 2340000, but must be later than that of the bar before");
  std::reverse(bars.open_ms.begin(), bars.open_ms.end());
  EXPECT_EQ(compute_csv({}, bars).error, "");
}

/// Runs the program itself.
class ProgramTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fs::exists(ATCD_PROGRAM)) << "the program is not built: " << ATCD_PROGRAM;
    folder_ = fs::temp_directory_path() / ("compute_test_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override {
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  /// Standard output and error together; the exit status goes to `status`.
  std::string run(const std::string& arguments, int& status) {
    const fs::path output = folder_ / "output";
    const std::string command =
        std::string(ATCD_PROGRAM) + " compute " + arguments + " > " + output.string() + " 2>&1";
    const int code = std::system(command.c_str());
    status = WIFEXITED(code) ? WEXITSTATUS(code) : -1;
    std::ifstream file(output);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string golden(const char* name) const {
    return (fs::path(ATCD_SOURCE_DIR) / "tests/golden" / name).string();
  }

  fs::path folder_;
};

TEST_F(ProgramTest, ComputesAGoldenCaseFromGzipPlainAndStandardInput) {
  int status = -1;
  const std::string options = " --lengths ema=20,hma=33,wma=25,dema=18,lsma=40,kama=15 ";
  const std::string from_gz = run(golden("lts/p_lens.csv.gz") + options, status);
  ASSERT_EQ(status, 0) << from_gz;
  const auto rows = rows_of(from_gz);
  const TextResult expected_text = read_text(golden("lts/p_lens.csv.gz"));
  const auto expected = rows_of(expected_text.text);
  ASSERT_EQ(rows.size(), expected.size());
  for (std::size_t bar = 0; bar + 1 < rows.size(); ++bar) {
    for (const std::string column : {"close", "LSMA_Signal", "KAMA_S", "Average_Signal"}) {
      EXPECT_NEAR(std::strtod(field(rows, bar, column).c_str(), nullptr),
                  std::strtod(field(expected, bar, column).c_str(), nullptr), 1e-9)
          << column << " of bar " << bar;
    }
  }
  const fs::path plain = folder_ / "plain.csv", written = folder_ / "written.csv";
  std::ofstream(plain) << expected_text.text;
  EXPECT_EQ(run(plain.string() + options, status), from_gz);
  EXPECT_EQ(run("-" + options + " < " + plain.string(), status), from_gz);
  EXPECT_EQ(run(options + "-o " + written.string() + ' ' + plain.string(), status), "");
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_text(written.string()).text, from_gz);
}

TEST_F(ProgramTest, TakesEveryOption) {
  int status = -1;
  const std::string text = run(golden("lts/p_all_dump.csv.gz") +
                                   " --dialect lts --robustness wide --lambda 0.1 --decay 0.1 --cutout 120"
                                   " --long-threshold 0.3 --short-threshold -0.2 --strategy-mode"
                                   " --lengths ema=20,hma=33,wma=25,dema=18,lsma=40,kama=15"
                                   " --weights ema=0.5,hma=2,wma=1.3,dema=0.8,lsma=3,kama=0.25"
                                   " --path scalar --dump --extra trend",
                               status);
  ASSERT_EQ(status, 0) << text;
  const auto rows = rows_of(text);
  const auto expected = rows_of(read_text(golden("lts/p_all_dump.csv.gz")).text);
  ASSERT_EQ(rows.size(), expected.size());
  for (std::size_t bar = 0; bar + 1 < rows.size(); ++bar) {
    for (std::size_t column = 0; column < 14; ++column) {
      const auto& mine = rows[bar + 1][column];
      const auto& theirs = expected[bar + 1][column];
      ASSERT_EQ(mine.empty(), theirs.empty()) << rows[0][column] << " of bar " << bar;
      EXPECT_NEAR(std::strtod(mine.c_str(), nullptr), std::strtod(theirs.c_str(), nullptr), 1e-9)
          << rows[0][column] << " of bar " << bar;
    }
  }
}

TEST_F(ProgramTest, SomeFamiliesHaveTheTextOfTheFullComputationAndTheOthersNone) {
  int status = -1;
  for (const std::string path : {"auto", "incremental"}) {
    const std::string common = golden("lts/p_lens.csv.gz") + " --dump --extra trend --path " + path +
                               " --lengths ema=20,hma=33,wma=25,dema=18,lsma=40,kama=15";
    const auto full = rows_of(run(common, status));
    ASSERT_EQ(status, 0);
    const auto some = rows_of(run(common + " --families kama,ema", status));
    ASSERT_EQ(status, 0) << some[0][0];
    ASSERT_EQ(some.size(), full.size());
    ASSERT_EQ(some[0], full[0]);
    for (std::size_t bar = 1; bar < some.size(); ++bar) {
      ASSERT_EQ(some[bar].size(), full[bar].size());
      for (std::size_t column = 0; column < some[0].size(); ++column) {
        const std::string& name = some[0][column];
        if (name == "Average_Signal" || name == "trend") continue;
        const bool there =
            name == "close" || name.find("KAMA_") != std::string::npos ||
            (name.find("EMA_") != std::string::npos && name.find("DEMA_") == std::string::npos);
        ASSERT_EQ(some[bar][column], there ? full[bar][column] : "") << name << " of bar " << bar;
      }
    }
  }
  // A base that is too small for a family is no matter where the family is not chosen.
  EXPECT_NE(
      run(golden("lts/p_lens.csv.gz") + " --dump --families ema --lengths hma=2", status).find("HMA_-4"),
      std::string::npos);
  EXPECT_EQ(status, 0);
}

TEST_F(ProgramTest, TheExitStatusTellsBadUsageFromBadInput) {
  int status = -1;
  const std::string input = golden("lts/n_const128.csv.gz");
  EXPECT_NE(run(input + " --robustness Foo", status).find("allowed: narrow, medium, wide"),
            std::string::npos);
  EXPECT_EQ(status, 2);
  EXPECT_NE(run(input + " --cutout -5", status).find("cutout is -5"), std::string::npos);
  EXPECT_EQ(status, 2);
  EXPECT_NE(run(input + " --lengths ema=6", status).find("from 7"), std::string::npos);
  EXPECT_EQ(status, 2);
  EXPECT_NE(run(input + " --lengths emma=28", status).find("did you mean ema?"), std::string::npos);
  EXPECT_EQ(status, 2);
  EXPECT_NE(run(input + " --families emma", status)
                .find("--families has \"emma\", but may only have ema, hma, wma, dema, lsma, kama"),
            std::string::npos);
  EXPECT_EQ(status, 2);
  EXPECT_NE(run(input + " --families ema,ema", status).find("--families has \"ema\" twice"),
            std::string::npos);
  EXPECT_EQ(status, 2);
  EXPECT_NE(run(input + " --families ''", status).find("--families is empty"), std::string::npos);
  EXPECT_EQ(status, 2);
  EXPECT_NE(run(input + " --history-bars 5", status).find("needs --live-anchors"), std::string::npos);
  EXPECT_EQ(status, 2);
  EXPECT_NE(run(input + " --long-threshold -0.5", status).find("must be above short_threshold"),
            std::string::npos);
  EXPECT_EQ(status, 2);
  run(input + " --no-such-option", status);
  EXPECT_EQ(status, 2);
  run("", status);
  EXPECT_EQ(status, 2);
  EXPECT_NE(run(input + " --cutout 600", status).find("cutout is 600"), std::string::npos);
  EXPECT_EQ(status, 1);
  run((folder_ / "none.csv").string(), status);
  EXPECT_EQ(status, 1);
  const fs::path torn = folder_ / "torn.csv.gz";
  std::ifstream whole(golden("lts/rw_vol0010.csv.gz"), std::ios::binary);
  std::string bytes(20'000, '\0');
  whole.read(bytes.data(), 20'000);
  std::ofstream(torn, std::ios::binary) << bytes;
  EXPECT_NE(run(torn.string(), status).find("cannot read"), std::string::npos);
  EXPECT_EQ(status, 1);
}

}  // namespace
}  // namespace atcd::daemon
