#include "daemon/sweep_sets.hpp"

#include <gtest/gtest.h>

#include <string>

#include "engine/batch.hpp"

namespace atcd::daemon {
namespace {

using engine::Parameters;

std::string errors_of(std::string_view text) {
  std::string all;
  for (const std::string& line : error_lines("F", parse_sets(text).read)) all += line + '\n';
  return all;
}

std::vector<Parameters> sets_of(std::string_view text) {
  const SetsResult result = parse_sets(text);
  EXPECT_EQ(errors_of(text), "");
  return result.sets;
}

TEST(SweepSetsTest, AnEmptyTableIsTheDefaults) {
  const auto sets = sets_of("[[set]]\n");
  ASSERT_EQ(sets.size(), 1U);
  EXPECT_EQ(engine::canonical_json(sets[0]), engine::canonical_json(Parameters{}));
}

TEST(SweepSetsTest, ListsStandForEveryCombination) {
  const auto sets = sets_of(
      "[[set]]\nlengths = [20, 28, 36]\nrobustness = [\"narrow\", \"wide\"]\ndecay = 0.05\n"
      "dialect = [\"lts\", \"pine\"]\nlambda = [0.01, 0.02]\nlong_threshold = [0.1, 0.2]\n");
  ASSERT_EQ(sets.size(), 48U);
  for (const Parameters& set : sets) EXPECT_EQ(set.decay, 0.05);
  // The key that is read last, lengths, changes first.
  EXPECT_EQ(sets[0].lengths[5], 20);
  EXPECT_EQ(sets[1].lengths[0], 28);
  EXPECT_EQ(sets[2].lengths[0], 36);
  EXPECT_EQ(sets[3].long_threshold, 0.2);
  EXPECT_EQ(sets[24].dialect, engine::Dialect::pine);
}

TEST(SweepSetsTest, FamiliesHaveTheirOwnLengthsAndWeights) {
  const auto sets = sets_of(
      "[[set]]\nlengths = { ema = [10, 20], kama = 30 }\nweights = { hma = [1, 2.5] }\n"
      "[[set]]\nfamilies = [\"ema\", \"kama\"]\nweights = 2\n"
      "[[set]]\nfamilies = [[\"ema\"], [\"wma\", \"lsma\"]]\n");
  ASSERT_EQ(sets.size(), 7U);
  EXPECT_EQ(sets[0].lengths, (std::array<int, 6>{10, 28, 28, 28, 28, 30}));
  EXPECT_EQ(sets[1].weights[1], 2.5);
  EXPECT_EQ(sets[2].lengths[0], 20);
  EXPECT_EQ(sets[4].families, (std::array<bool, 6>{true, false, false, false, false, true}));
  EXPECT_EQ(sets[4].weights[0], 2);
  EXPECT_EQ(sets[6].families, (std::array<bool, 6>{false, false, true, false, true, false}));
}

TEST(SweepSetsTest, WhatComesTwiceIsThereOnce) {
  const auto sets = sets_of(
      "[[set]]\nlengths = [20, 28]\n[[set]]\nlengths = [28, 36]\n"
      // The length of a family that is not chosen changes nothing.
      "[[set]]\nfamilies = [\"ema\"]\nlengths = { hma = [20, 30] }\n");
  ASSERT_EQ(sets.size(), 4U);
  EXPECT_EQ(sets[2].lengths[0], 36);
}

TEST(SweepSetsTest, WrongValuesAreNamedWithTheirLine) {
  EXPECT_EQ(
      errors_of("[[set]]\ndecay = [\n0.1,\n\"x\"]\nrobustness = [\"narow\"]\nlengths = { emma = 3 }\n"
                "cutout = []\nlamda = 1\n"),
      "F:4: set[0].decay[1] is 'x': it must be a finite number\n"
      "F:5: set[0].robustness[0] is 'narow': it must be one of narrow, medium, wide; did you mean narrow?\n"
      "F:6: set[0].lengths.emma is no key that atcd knows; did you mean ema?\n"
      "F:7: set[0].cutout is []: it must be a value, or a list of at least one\n"
      "F:8: set[0].lamda is no key that atcd knows; did you mean lambda?\n");
  EXPECT_EQ(
      errors_of("[[set]]\nfamilies = [[\"ema\"], [\"emma\"]]\n"),
      "F:2: set[0].families[1] has \"emma\", but may only have ema, hma, wma, dema, lsma, kama; did you "
      "mean ema?\n");
  EXPECT_EQ(errors_of("[[set]]\nlengths = [28, 600]\n"),
            "F:2: set[0].lengths[1] is 600: it must be a whole number from 1 to 512\n");
  EXPECT_EQ(errors_of("x = [\n"), "F:1:7: is no TOML: Error while parsing array: encountered end-of-file\n");
  EXPECT_EQ(errors_of(""), "F: the file has no [[set]], but at least one is needed\n");
  EXPECT_EQ(errors_of("[grid]\n"), "F:1: grid is no key that atcd knows\n");
}

TEST(SweepSetsTest, SetsThatCanNotBeComputedAreNamedOnceEach) {
  EXPECT_EQ(
      errors_of("\n[[set]]\nlengths = [6, 7, 28]\nrobustness = [\"medium\", \"wide\"]\n"
                "long_threshold = [0.1, -0.2]\nfamilies = [\"ema\"]\n"),
      "F:2: set[0] has a set that can't be computed: lengths.ema is 6, but must be from 7 (with robustness "
      "medium) to 5000\n"
      "F:2: set[0] has a set that can't be computed: lengths.ema is 6, but must be from 8 (with robustness "
      "wide) to 5000\n"
      "F:2: set[0] has a set that can't be computed: lengths.ema is 7, but must be from 8 (with robustness "
      "wide) to 5000\n"
      "F:2: set[0] has a set that can't be computed: long_threshold is -0.2, but must be above "
      "short_threshold, which is -0.1\n");
}

TEST(SweepSetsTest, TooManyAreRefused) {
  std::string list = "[0";
  for (int i = 1; i < 400; ++i) list += ", " + std::to_string(i);
  const std::string set = "[[set]]\ncutout = " + list + "]\nlambda = " + list + "]\n";
  EXPECT_EQ(errors_of(set), "F:1: set[0] stands for more than 100000 sets\n");
  list.resize(list.find(", 250"));
  const std::string half = "[[set]]\ncutout = " + list + "]\nlambda = " + list + "]\n";
  EXPECT_EQ(errors_of(half + half + "decay = 1\n"),
            "F: the tables stand for 125000 sets: there may be 100000 at most\n");
  // What comes after them is not held as well: memory would have no bound.
  std::string many = half + half;
  for (int i = 2; i < 40; ++i) many += half + "decay = " + std::to_string(i) + "\n";
  EXPECT_EQ(errors_of(many), "F: the tables stand for more than 125000 sets: there may be 100000 at most\n");
}

TEST(SweepSetsTest, SetsThatDifferInTheLayersShareTheirAverages) {
  const auto sets = sets_of(
      "[[set]]\nlengths = [20, 28]\ndecay = [0.03, 0.05]\ncutout = [0, 3]\nweights = { ema = 2 }\n"
      "[[set]]\nlengths = 28\nstrategy_mode = true\n");
  const auto groups = sets_by_averages(sets);
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0], (std::vector<std::size_t>{0, 2, 4, 6}));
  EXPECT_EQ(groups[1], (std::vector<std::size_t>{1, 3, 5, 7, 8}));
  for (const auto& group : groups) {
    for (const std::size_t set : group) EXPECT_TRUE(engine::same_averages(sets[group[0]], sets[set])) << set;
  }
}

TEST(SweepSetsTest, ColumnsShowEveryParameter) {
  const auto columns =
      columns_of(sets_of("[[set]]\nlengths = { ema = 20 }\nfamilies = [\"ema\", \"hma\"]\n"));
  std::string text;
  for (const SetColumn& column : columns) text += column.name + ':' + column.values.at(0) + ' ';
  EXPECT_EQ(text,
            "dialect:lts families:ema,hma lengths:ema=20,hma=28 weights:1 robustness:medium lambda:0.02 "
            "decay:0.03 cutout:0 long_threshold:0.1 short_threshold:-0.1 strategy_mode:false ");
}

}  // namespace
}  // namespace atcd::daemon
