#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "daemon/sweep.hpp"
#include "daemon/sweep_sets.hpp"

namespace atcd::daemon {

namespace fs = std::filesystem;
using engine::Bar;

inline constexpr std::int64_t kMinute = 60'000;
inline constexpr std::int64_t kBegin = 1'700'000'040'000;
inline const engine::Interval kInterval(1, engine::Interval::Unit::minute);
inline constexpr engine::AnchorRule kRule{.history_bars = 60, .anchor_period = 45, .fixed_anchor_ms = {}};

/// Some slots have no bar.
inline std::vector<Bar> walk(std::size_t count, unsigned seed, std::int64_t open_ms = kBegin) {
  std::mt19937 random(seed);
  std::vector<Bar> bars;
  double price = 100;
  for (std::size_t i = 0; i < count; ++i) {
    const double open = price * (1 + (static_cast<double>(random() % 201) - 100) * 1e-5);
    price *= 1 + (static_cast<double>(random() % 2001) - 1000) * 1e-5;
    bars.push_back(
        {open_ms, open_ms + kMinute, open, std::max(open, price), std::min(open, price), price, 1});
    open_ms += random() % 30 == 0 ? 3 * kMinute : kMinute;
  }
  return bars;
}

inline std::vector<engine::Parameters> some_sets() {
  return parse_sets(
             "[[set]]\nlengths = [9, 12]\nlambda = [0.02, 0.05]\nlong_threshold = [0.1, 0.3]\ncutout = [0, "
             "21]\n"
             "[[set]]\nlengths = 10\ndialect = \"pine\"\ncutout = [0, 50]\n"
             "[[set]]\nlengths = { ema = 20 }\nfamilies = [\"ema\", \"kama\"]\nstrategy_mode = [true, "
             "false]\n")
      .sets;
}

/// A directory of CSV files, and a file of results beside it.
class SweepTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string form = (fs::temp_directory_path() / "atcd-sweep-XXXXXX").string();
    folder_ = mkdtemp(form.data());
    fs::create_directories(data());
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path data() const { return folder_ / "data"; }
  std::string results() const { return (folder_ / "results").string(); }

  static std::string symbol(std::size_t number) { return "binance:spot:S" + std::to_string(number) + ":1m"; }

  void write(const std::string& name, const std::vector<Bar>& bars) const {
    std::ofstream file(data() / (name + ".csv"));
    file.precision(17);
    file << "open_ms,open,close\n";
    for (const Bar& bar : bars) file << bar.open_time_ms << ',' << bar.open << ',' << bar.close << '\n';
  }

  static SweepOptions live_options() {
    SweepOptions options;
    options.sets = some_sets();
    options.live_anchors = {"default", kRule};
    return options;
  }

  SweepResult run(const SweepOptions& options) const {
    return sweep(data().string(), options, [](const SweepProgress&) {});
  }

  std::string refusal_of(const SweepOptions& options) const {
    try {
      run(options);
    } catch (const std::runtime_error& failure) {
      return failure.what();
    }
    return {};
  }

  fs::path folder_;
};

inline void expect_same(const Evaluation& a, const Evaluation& b, const std::string& where) {
  EXPECT_EQ(std::memcmp(&a, &b, sizeof a), 0) << where << ": " << a.gain << " and " << b.gain;
}

inline void expect_same(const SweepResult& a, const SweepResult& b) {
  EXPECT_EQ(a.refused, b.refused);
  ASSERT_EQ(a.series.size(), b.series.size());
  ASSERT_EQ(a.evaluations.size(), b.evaluations.size());
  for (std::size_t i = 0; i < a.evaluations.size(); ++i)
    expect_same(a.evaluations[i], b.evaluations[i], std::to_string(i));
  for (std::size_t s = 0; s < a.series.size(); ++s) {
    EXPECT_EQ(a.series[s].name, b.series[s].name);
    EXPECT_EQ(a.series[s].bars, b.series[s].bars);
    EXPECT_EQ(a.series[s].holding, b.series[s].holding);
  }
}

}  // namespace atcd::daemon
