#include "daemon/sweep_results.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "state/history.hpp"
#include "tests/daemon/sweep_folder.hpp"

namespace atcd::daemon {
namespace {

using SweepResultsTest = SweepTest;

TEST_F(SweepResultsTest, GoesOnWhereverItWasCutShort) {
  for (std::size_t s = 0; s < 6; ++s) write(symbol(s), walk(150 + 17 * s, static_cast<unsigned>(s)));
  SweepOptions options = live_options();
  const SweepResult expected = run(options);
  options.results = results();
  options.block_bars = 700;
  options.trend_bytes = 2000;
  expect_same(run(options), expected);
  std::ifstream file(results(), std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(file), {}};
  const std::size_t header = whole.find('\n') + 1;
  EXPECT_EQ(std::count(whole.begin(), whole.end(), '\n'), 1 + 6 * static_cast<int>(options.sets.size()));
  std::mt19937 random(8);
  for (int round = 0; round < 60; ++round) {
    const std::size_t cut = round < 3 ? header - static_cast<std::size_t>(round) : random() % whole.size();
    std::ofstream(results(), std::ios::binary) << whole.substr(0, cut);
    std::uint64_t computed = 0, first_all = 0;
    const auto tell = [&](const SweepProgress& progress) {
      if (progress.reading) return;
      computed = progress.done;
      first_all = progress.all;
    };
    expect_same(sweep(data().string(), options, tell), expected);
    EXPECT_EQ(computed, first_all);
    std::ifstream again(results(), std::ios::binary);
    EXPECT_EQ((std::string{std::istreambuf_iterator<char>(again), {}}), whole) << cut;
  }
  // What is there is not computed again.
  std::uint64_t told = 0;
  expect_same(sweep(data().string(), options,
                    [&](const SweepProgress& progress) { told += progress.reading ? 0 : 1; }),
              expected);
  EXPECT_EQ(told, 0U);
  // A line that is damaged is computed again.
  std::string damaged = whole;
  damaged[header + 3] = 'x';
  std::ofstream(results(), std::ios::binary) << damaged;
  expect_same(run(options), expected);
}

TEST_F(SweepResultsTest, ResultsOfOtherInputsAreRefused) {
  write(symbol(0), walk(200, 1));
  SweepOptions options = live_options();
  options.results = results();
  run(options);
  SweepOptions other = options;
  other.sets.pop_back();
  EXPECT_EQ(refusal_of(other), results() + " holds results of other sets: name another file, or remove it");
  other = options;
  other.evaluation.fee_bp = 5;
  EXPECT_EQ(refusal_of(other), results() +
                                   " holds results of another side, fill, fee or slippage: name another "
                                   "file, or remove it");
  other = options;
  other.live_anchors->rule.history_bars = 61;
  const std::string bars = "other series, bars, anchors or times (--to keeps new bars out)";
  EXPECT_EQ(refusal_of(other), results() + " holds results of " + bars + ": name another file, or remove it");
  write(symbol(0), walk(201, 1));
  EXPECT_EQ(refusal_of(options),
            results() + " holds results of " + bars + ": name another file, or remove it");
  std::ofstream(results())
      << "some text of the user that is no result of any sweep, and longer than a header has "
         "ever been, by far and away\n";
  EXPECT_EQ(refusal_of(options), results() + " holds no results of a sweep");
  std::ofstream(results()) << "short";
  EXPECT_EQ(refusal_of(options), results() + " holds no results of a sweep");
  // It is not read on when it is known to be none: all of it would not be held.
  std::filesystem::resize_file(results(), std::uintmax_t{1} << 40);
  EXPECT_EQ(refusal_of(options), results() + " holds no results of a sweep");
}

TEST_F(SweepResultsTest, WhatADaemonIsToldTooLateForTheseBarsChangesNothing) {
  const std::vector<Bar> bars = walk(400, 1);
  const auto tell = [&](std::size_t of, std::size_t at) {
    state::History history(data().string(), state::History::Access::write);
    Bar other = bars[of];
    other.high = other.close *= 1.5;
    ASSERT_TRUE(history.keep_late(*history.find(symbol(0)), {other, bars[at].close_time_ms}));
  };
  {
    state::History history(data().string(), state::History::Access::write);
    const auto series = *history.add(symbol(0));
    std::int64_t covered_ms = bars.front().open_time_ms;
    for (const Bar& bar : bars) {
      ASSERT_TRUE(history.append(series, bar, covered_ms));
      covered_ms = bar.close_time_ms;
    }
  }
  SweepOptions options = live_options();
  options.results = results();
  options.range.to_ms = bars[350].open_time_ms;
  const SweepResult before = run(options);
  tell(340, 360);  // it holds from a later anchor on than those of the bars that are looked at
  EXPECT_EQ(refusal_of(options), "");
  expect_same(run(options), before);
  tell(150, 160);
  EXPECT_NE(refusal_of(options).find("holds results of other series, bars, anchors"), std::string::npos);
}

TEST_F(SweepResultsTest, AFileThatCanNotBeUsedIsRefused) {
  write(symbol(0), walk(200, 1));
  SweepOptions options = live_options();
  options.results = "/dev/full";
  EXPECT_EQ(refusal_of(options), "/dev/full is no regular file");
  options.results = data().string();
  EXPECT_EQ(refusal_of(options), "cannot open " + data().string() + ": Is a directory");
  // Another sweep has it.
  options.results = results();
  SweepResults holder(1, 1);
  EXPECT_EQ(holder.open(results(), {}), "");
  EXPECT_EQ(refusal_of(options), results() + " is being written by another sweep");
}

TEST_F(SweepResultsTest, TooManyResultsAreRefused) {
  for (std::size_t s = 0; s < 120; ++s) write("S" + std::to_string(s), walk(3, 1));
  SweepOptions options;
  options.sets.resize(100'000);
  EXPECT_EQ(refusal_of(options),
            "100000 sets of 120 series have 12000000 results: there may be 10000000 at most");
}

}  // namespace
}  // namespace atcd::daemon
