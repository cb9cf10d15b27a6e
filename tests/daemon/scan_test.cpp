#include "daemon/scan.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "daemon/signal_series.hpp"
#include "engine/plan.hpp"
#include "state/history.hpp"

namespace atcd::daemon {
namespace {

namespace fs = std::filesystem;
using engine::Bar;

constexpr std::int64_t kMinute = 60'000;
constexpr std::int64_t kBegin = 1'700'000'040'000;

std::vector<Bar> walk(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Bar> bars;
  double price = 100;
  std::int64_t open_ms = kBegin;
  for (std::size_t i = 0; i < count; ++i) {
    price *= 1 + (static_cast<double>(random() % 2001) - 1000) * 1e-5;
    bars.push_back({open_ms, open_ms + kMinute, price, price, price, price, 1});
    open_ms += random() % 30 == 0 ? 3 * kMinute : kMinute;  // some slots have no bar
  }
  return bars;
}

class ScanTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string form = (fs::temp_directory_path() / "atcd-scan-XXXXXX").string();
    folder_ = mkdtemp(form.data());
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::vector<Bar>& bars, bool times = true) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream file(folder_ / name);
    file << (times ? "open_ms,close\n" : "close\n");
    file.precision(17);
    for (const Bar& bar : bars) {
      if (times) file << bar.open_time_ms << ',';
      file << bar.close << '\n';
    }
  }
  void write_text(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }

  static void append(state::History& history, const std::string& name, const std::vector<Bar>& bars) {
    const auto series = history.add(name);
    ASSERT_TRUE(series);
    std::int64_t covered_ms = bars.front().open_time_ms;
    for (const Bar& bar : bars) {
      ASSERT_TRUE(history.append(*series, bar, covered_ms));
      covered_ms = bar.close_time_ms;
    }
  }

  ScanResult run(const ScanOptions& options = {}) const {
    return scan(folder_.string(), options, [](std::size_t, std::size_t) {});
  }

  fs::path folder_;
};

void expect_same(const ScanRow& a, const ScanRow& b) {
  EXPECT_EQ(a.series, b.series);
  EXPECT_EQ(a.bars, b.bars);
  EXPECT_EQ(a.close_time_ms, b.close_time_ms);
  EXPECT_EQ(a.close, b.close);
  EXPECT_EQ(a.average, b.average);
  EXPECT_EQ(a.trend, b.trend);
  EXPECT_EQ(a.trend_since_ms, b.trend_since_ms);
  EXPECT_EQ(a.layer1, b.layer1);
}

void expect_same(const ScanResult& a, const ScanResult& b) {
  EXPECT_EQ(a.refused, b.refused);
  ASSERT_EQ(a.rows.size(), b.rows.size());
  for (std::size_t i = 0; i < a.rows.size(); ++i) expect_same(a.rows[i], b.rows[i]);
}

void expect_signal(const ScanRow& row, const Bar& bar, const engine::Signal& signal) {
  EXPECT_EQ(row.bars, signal.bar_index + 1) << row.series;
  EXPECT_EQ(row.close_time_ms, bar.close_time_ms) << row.series;
  EXPECT_EQ(row.close, bar.close) << row.series;
  EXPECT_EQ(row.average, signal.average) << row.series;
  EXPECT_EQ(row.trend, signal.trend) << row.series;
  EXPECT_EQ(row.trend_since_ms, signal.trend_since_ms) << row.series;
  EXPECT_EQ(row.layer1, signal.layer1) << row.series;
}

engine::Signal last_of(const std::vector<Bar>& bars) {
  engine::Incremental engine(std::make_shared<const engine::Plan>(engine::Parameters{}));
  engine::Signal signal;
  for (const Bar& bar : bars) signal = engine.update(bar);
  return signal;
}

TEST_F(ScanTest, AFileWithTheNewestBarFirstIsRefused) {
  const std::vector<Bar> bars = walk(9000, 5);
  std::vector<Bar> backward(bars.rbegin(), bars.rend()), late = bars;
  late[8500].open_time_ms = late[8499].open_time_ms;
  write("A-1m.csv", bars);
  write("B.csv", bars);
  write("C-1m.csv", backward);
  write("D.csv", late);  // whose interval is not known
  const ScanResult result = run();
  ASSERT_EQ(result.rows.size(), 2U);
  EXPECT_TRUE(result.rows[0].close_time_ms.has_value() != result.rows[1].close_time_ms.has_value());
  ASSERT_EQ(result.refused.size(), 2U);
  for (const std::string& refusal : result.refused)
    EXPECT_NE(refusal.find("must be later than that of the bar before"), std::string::npos) << refusal;
}

TEST_F(ScanTest, GivesTheLastSignalOfEveryFileTheLargestFirst) {
  for (unsigned i = 0; i < 40; ++i) write("deep/" + std::to_string(i) + "-1m.csv", walk(300 + 37 * i, i));
  const ScanResult result = run();
  EXPECT_TRUE(result.refused.empty());
  ASSERT_EQ(result.rows.size(), 40U);
  for (const ScanRow& row : result.rows) {
    const auto number = static_cast<unsigned>(std::stoul(row.series.substr(5)));
    const auto bars = walk(300 + 37 * number, number);
    expect_signal(row, bars.back(), last_of(bars));
  }
  for (std::size_t i = 1; i < result.rows.size(); ++i) {
    const ScanRow &a = result.rows[i - 1], &b = result.rows[i];
    EXPECT_TRUE(a.average > b.average || (a.average == b.average && a.series < b.series)) << i;
  }
}

TEST_F(ScanTest, ThreadsAndGroupsChangeNothing) {
  for (unsigned i = 0; i < 60; ++i) write(std::to_string(i) + "-1m.csv", walk(40 + 97 * i, i));
  write("short-1m.csv", walk(10, 1));
  ScanOptions options;
  const ScanResult expected = run(options);
  EXPECT_EQ(expected.rows.size(), 60U);
  for (const unsigned threads : {1U, 3U, 100U}) {
    for (const std::size_t group_bars : {std::size_t{1}, std::size_t{5000}}) {
      for (const std::size_t whole_bars : {std::size_t{1}, std::size_t{2000}}) {  // longer ones bar by bar
        options.threads = threads;
        options.group_bars = group_bars;
        options.whole_bars = whole_bars;
        expect_same(run(options), expected);
      }
    }
  }
}

TEST_F(ScanTest, EqualSignalsAreInTheOrderOfTheirNames) {
  for (const char* name : {"c.csv", "a.csv", "b.csv"}) write(name, walk(100, 7), false);
  const ScanResult result = run();
  ASSERT_EQ(result.rows.size(), 3U);
  EXPECT_EQ(result.rows[0].series + result.rows[1].series + result.rows[2].series, "abc");
  EXPECT_EQ(result.rows[0].close_time_ms, std::nullopt);
  EXPECT_EQ(result.rows[0].trend_since_ms, std::nullopt);
}

TEST_F(ScanTest, WhatIsRefusedIsNamedAndTheOthersGoOn) {
  write("good-1m.csv", walk(200, 1));
  write("few.csv", walk(20, 2));
  write_text("bad.csv", "close\n1\n-2\n");
  write_text("torn.csv.gz", "\x1f\x8b\x08");
  write("same.csv", walk(100, 3));
  write("same.csv.gz", walk(100, 4));
  write_text("notes.txt", "no series");
  fs::create_directories(folder_ / "true-folder");
  fs::create_symlink("nowhere", folder_ / "u-dangling.csv");
  fs::create_symlink("true-folder", folder_ / "v-link");
  fs::create_symlink("good-1m.csv", folder_ / "w-link-1m.csv");
  const ScanResult result = run();
  ASSERT_EQ(result.rows.size(), 3U);
  ASSERT_EQ(result.refused.size(), 6U);
  EXPECT_EQ(result.refused[3], "bad: line 3: close is -2, but must be a finite number above 0, or empty");
  EXPECT_EQ(result.refused[4], "few: there are 20 bars, but the longest length outside KAMA needs 34");
  EXPECT_TRUE(result.refused[0].ends_with("same.csv is of the same name")) << result.refused[0];
  EXPECT_TRUE(result.refused[1].ends_with("u-dangling.csv: it is no file, or a link to none"));
  EXPECT_TRUE(result.refused[2].ends_with("v-link: a link to a folder is not followed"));
  EXPECT_TRUE(result.refused[5].starts_with("torn: cannot read it: ")) << result.refused[5];
}

TEST_F(ScanTest, ADirectoryWithNothingToComputeIsAnError) {
  const auto error = [this] {
    try {
      run();
    } catch (const std::runtime_error& failure) {
      return std::string(failure.what());
    }
    return std::string("none");
  };
  EXPECT_NE(error().find("no files *.csv"), std::string::npos);
  { const state::History history((folder_ / "history").string(), state::History::Access::write); }
  EXPECT_NE(error().find("this history has no series"), std::string::npos);
  fs::remove_all(folder_);
  EXPECT_NE(error().find("is no directory"), std::string::npos);
}

TEST_F(ScanTest, TimesThatDoNotHoldAreNotShown) {
  auto bars = walk(100, 1);
  bars[50].open_time_ms += 1;
  write("a-1m.csv", bars);
  ASSERT_EQ(run().rows.size(), 1U);
  EXPECT_EQ(run().rows[0].close_time_ms, std::nullopt);
}

TEST_F(ScanTest, AHistoryGivesWhatItsFilesWouldGive) {
  state::History history((folder_ / "history").string(), state::History::Access::write);
  for (unsigned i = 0; i < 20; ++i) {
    append(history, "binance:spot:S" + std::to_string(i) + ":1m", walk(300 + 200 * i, i));
  }
  append(history, "binance:spot:S1:1m@set-aside-1700000000000", walk(300, 1));
  const ScanResult result = run();
  EXPECT_TRUE(result.refused.empty());
  ASSERT_EQ(result.rows.size(), 20U);
  for (const ScanRow& row : result.rows) {
    const auto number = static_cast<unsigned>(std::stoul(row.series.substr(14)));
    const auto bars = walk(300 + 200 * number, number);
    expect_signal(row, bars.back(), last_of(bars));
  }
  ScanOptions bar_by_bar;
  bar_by_bar.whole_bars = 1;
  bar_by_bar.threads = 3;
  expect_same(run(bar_by_bar), result);
  // The folder of the history itself will do.
  expect_same(scan((folder_ / "history").string(), {}, [](std::size_t, std::size_t) {}), result);
}

TEST_F(ScanTest, LiveAnchorsGiveWhatLivePublishes) {
  ScanOptions options;
  options.live_anchors = {"default", {400, 300, std::nullopt}};
  const auto plan = std::make_shared<const engine::Plan>(options.parameters);
  const fs::path files = folder_ / "files", state = folder_ / "state";
  state::History history((state / "history").string(), state::History::Access::write);
  for (unsigned i = 0; i < 20; ++i) {
    const std::string name = "binance:spot:S" + std::to_string(i) + ":1m";
    append(history, name, walk(800 + 331 * i, i));
    // Folders are no part of a series' name.
    write((i % 2 == 0 ? "files/" : "files/below/it/") + name + ".csv", walk(800 + 331 * i, i));
  }
  write("files/other/binance:spot:S0:1m.csv", walk(800, 7));
  append(history, "binance:spot:YOUNG:1m", walk(100, 99));  // its anchor lies before its first bar
  write("files/no:name.csv", walk(800, 1));
  write("files/binance:spot:NONE:1m.csv", {});
  const auto no_progress = [](std::size_t, std::size_t) {};
  const ScanResult of_history = scan(state.string(), options, no_progress);
  const ScanResult of_files = scan(files.string(), options, no_progress);
  ASSERT_EQ(of_history.rows.size(), 20U);
  ASSERT_EQ(of_history.refused.size(), 1U);
  EXPECT_TRUE(of_history.refused[0].starts_with("binance:spot:YOUNG:1m:default: its bars begin at "));
  ASSERT_EQ(of_files.refused.size(), 3U);
  EXPECT_TRUE(std::count(of_files.refused.begin(), of_files.refused.end(),
                         "binance:spot:NONE:1m:default: there are no bars, but at least one is needed"))
      << of_files.refused[2];
  EXPECT_NE(of_files.refused[0].find("which has 3 parts"), std::string::npos) << of_files.refused[0];
  EXPECT_TRUE(of_files.refused[1].ends_with("files/binance:spot:S0:1m.csv is of the same name"));
  for (const ScanRow& row : of_history.rows) {
    const auto number = static_cast<unsigned>(std::stoul(row.series.substr(14)));
    const auto bars = walk(800 + 331 * number, number);
    SignalSeries series(plan, options.live_anchors->rule, *engine::Interval::parse("1m"), row.series);
    const auto published =
        series.newest({bars, engine::Interval::parse("1m")->ordinal(bars.front().open_time_ms), {}});
    ASSERT_TRUE(published);
    expect_signal(row, bars.back(), published->signal);
  }
  expect_same({of_history.rows, {}}, {of_files.rows, {}});
}

TEST_F(ScanTest, LiveAnchorsTakeLateTellingsAsLiveDoes) {
  ScanOptions options;
  options.live_anchors = {"default", {400, 300, std::nullopt}};
  const std::string name = "binance:spot:BTCUSDT:1m";
  const auto bars = walk(1500, 5);
  const engine::Interval interval = *engine::Interval::parse("1m");
  std::vector<state::LateBar> late;
  {
    state::History history((folder_ / "history").string(), state::History::Access::write);
    append(history, name, bars);
    for (const std::size_t at :
         {std::size_t{1100}, std::size_t{1200}, std::size_t{1300}, std::size_t{1480}}) {
      Bar told = bars[at];
      told.open = told.high = told.low = told.close = told.close * 1.05;
      late.push_back({told, told.close_time_ms + kMinute});
      ASSERT_TRUE(history.keep_late(*history.find(name), late.back()));
    }
  }
  SignalSeries series(std::make_shared<const engine::Plan>(options.parameters), options.live_anchors->rule,
                      interval, name + ":default");
  const auto with = series.newest({bars, interval.ordinal(bars.front().open_time_ms), late});
  series.forget();
  const auto without = series.newest({bars, interval.ordinal(bars.front().open_time_ms), {}});
  ASSERT_TRUE(with && without);
  ASSERT_FALSE(same_bits(*with, *without)) << "no telling counts here";
  const ScanResult result = run(options);
  ASSERT_EQ(result.rows.size(), 1U);
  expect_signal(result.rows[0], bars.back(), with->signal);
}

TEST_F(ScanTest, AnEstimateChoosesAndTheSignalIsExact) {
  constexpr std::size_t kTop = 20;
  state::History history((folder_ / "state/history").string(), state::History::Access::write);
  for (unsigned i = 0; i < 150; ++i) {
    const std::string name = "x:spot:S" + std::to_string(i) + ":1m";
    append(history, name, walk(700 + 3 * i, i));
    write("files/" + name + ".csv", walk(700 + 3 * i, i));
  }
  const auto scan_of = [this](const char* folder, const ScanOptions& options) {
    return scan((folder_ / folder).string(), options, [](std::size_t, std::size_t) {});
  };
  const ScanResult exact = scan_of("files", {});
  ScanOptions options;
  options.approximate_top = kTop;
  const ScanResult approximate = scan_of("files", options);
  EXPECT_EQ(approximate.rows.size(), kTop + kTop / 4 + 1);
  std::size_t found = 0;
  for (std::size_t i = 0; i < approximate.rows.size(); ++i) {
    const auto same = std::find_if(exact.rows.begin(), exact.rows.end(), [&](const ScanRow& row) {
      return row.series == approximate.rows[i].series;
    });
    ASSERT_NE(same, exact.rows.end());
    expect_same(approximate.rows[i], *same);
    found += i < kTop && same - exact.rows.begin() < static_cast<std::ptrdiff_t>(kTop) ? 1U : 0U;
  }
  EXPECT_GE(found, kTop - 2);
  options.threads = 5;
  expect_same(scan_of("files", options), approximate);
  expect_same(scan_of("state", options), approximate);

  // What is refused makes room for others; what can't be read is told.
  options.threads = 1;
  options.approximate_top = 1000;
  write("files/x:spot:FEW:1m.csv", walk(20, 1));
  write_text("files/bad.csv", "close\n0\n");
  const ScanResult all = scan_of("files", options);
  expect_same({all.rows, {}}, {exact.rows, {}});
  ASSERT_EQ(all.refused.size(), 2U);
}

TEST_F(ScanTest, ADamagedBlockIsTold) {
  {
    state::History history((folder_ / "history").string(), state::History::Access::write);
    append(history, "binance:spot:A:1m", walk(2000, 1));
    append(history, "binance:spot:B:1m", walk(400, 2));
  }
  const fs::path blocks = folder_ / "history" / "blocks";
  std::fstream file(blocks, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(fs::file_size(blocks) / 2));
  file.put('\x55').put('\xaa').put('\x55').put('\xaa');
  file.close();
  const ScanResult result = run();
  ASSERT_EQ(result.rows.size(), 1U);
  EXPECT_EQ(result.rows[0].series, "binance:spot:B:1m");
  ASSERT_EQ(result.refused.size(), 1U);
  EXPECT_NE(result.refused[0].find("is damaged"), std::string::npos) << result.refused[0];
}

}  // namespace
}  // namespace atcd::daemon
