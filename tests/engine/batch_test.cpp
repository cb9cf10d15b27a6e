#include "engine/batch.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "engine/dispatch.hpp"
#include "tests/engine/columns.hpp"

namespace atcd::engine {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinite = std::numeric_limits<double>::infinity();
constexpr double kLeast = std::numeric_limits<double>::denorm_min();
constexpr double kMost = std::numeric_limits<double>::max();

std::string refusal(Dialect dialect, std::vector<double> closes, const std::vector<double>& sources = {}) {
  Parameters parameters;
  parameters.dialect = dialect;
  return check_batch(Plan(parameters), {closes, sources});
}

std::vector<double> flat_with(double value) {
  std::vector<double> closes(40, 100);
  closes[17] = value;
  return closes;
}

TEST(BatchTest, EmptyAndShortInputIsRefused) {
  EXPECT_EQ(refusal(Dialect::lts, {}), "there are no bars, but at least one is needed");
  EXPECT_EQ(refusal(Dialect::pine, {}), "there are no bars, but at least one is needed");
  EXPECT_EQ(refusal(Dialect::lts, std::vector<double>(33, 5)),
            "there are 33 bars, but the longest length outside KAMA needs 34");
  EXPECT_EQ(refusal(Dialect::lts, std::vector<double>(34, 5)), "");
  EXPECT_EQ(refusal(Dialect::pine, {5}), "");
  Parameters parameters;
  parameters.cutout = 40;
  EXPECT_EQ(check_batch(Plan(parameters), {std::vector<double>(40, 5)}),
            "cutout is 40, but must be below the number of bars, 40");
}

TEST(BatchTest, ZeroNegativeAndInfiniteClosesAreRefused) {
  for (const Dialect dialect : {Dialect::lts, Dialect::pine}) {
    for (const double close : {0.0, -0.0, -kLeast, -1.0, -kMost, kInfinite, -kInfinite}) {
      const std::string sentence = refusal(dialect, flat_with(close));
      EXPECT_TRUE(sentence.starts_with("the close of bar 17 is ")) << sentence;
    }
    for (const double close : {kLeast, kMost}) EXPECT_EQ(refusal(dialect, flat_with(close)), "");
  }
  EXPECT_EQ(refusal(Dialect::lts, flat_with(-1)),
            "the close of bar 17 is -1, but must be finite and positive, or missing");
}

TEST(BatchTest, MissingClosesAreRefusedInPineOnly) {
  EXPECT_EQ(refusal(Dialect::pine, flat_with(kMissing)),
            "the close of bar 17 is missing, but must be finite and positive");
  EXPECT_EQ(refusal(Dialect::lts, flat_with(kMissing)), "");
  EXPECT_EQ(refusal(Dialect::lts, flat_with(-kMissing)), "");
}

TEST(BatchTest, InfiniteSourcesAndOtherLengthsAreRefused) {
  const std::vector<double> closes(40, 100);
  EXPECT_EQ(refusal(Dialect::lts, closes, flat_with(kInfinite)),
            "the MA source of bar 17 is inf, but must be finite or missing");
  EXPECT_EQ(refusal(Dialect::pine, closes, flat_with(kMissing)),
            "the MA source of bar 17 is missing, but must be finite");
  EXPECT_EQ(refusal(Dialect::lts, closes, flat_with(kMissing)), "");
  EXPECT_EQ(refusal(Dialect::lts, closes, flat_with(-3)), "");
  EXPECT_EQ(refusal(Dialect::lts, closes, {1, 2}),
            "there are 2 MA source values for 40 closes, but there must be as many, or none");
}

TEST(BatchTest, ARefusedBatchWritesNothingAndNamesTheSeries) {
  const Plan plan(Parameters{});
  const std::vector<double> good(40, 100), bad(20, 100);
  std::vector<double> average(40, 7), other(20, 7);
  BatchOutput first, second;
  first.average = average;
  second.average = other;
  const std::array<BatchInput, 2> inputs = {BatchInput{good}, BatchInput{bad}};
  const std::array<BatchOutput, 2> outputs = {first, second};
  EXPECT_EQ(compute_batches(plan, inputs, outputs, best_kernel()),
            "series 1: there are 20 bars, but the longest length outside KAMA needs 34");
  EXPECT_EQ(average, std::vector<double>(40, 7));
  EXPECT_EQ(compute_batches(plan, {}, {}, best_kernel()), "");
}

TEST(BatchTest, ColumnsThatAreNotWantedStayAway) {
  const Plan plan(Parameters{});
  trials::Maker maker(3);
  std::vector<double> closes;
  for (int i = 0; i < 200; ++i) closes.push_back(maker.real(99, 101));
  const trials::Trial trial{Parameters{}, closes, {}};
  const trials::Columns all = trials::by_batch(plan, trial, best_kernel(), closes.size());
  std::vector<double> average(closes.size());
  BatchOutput output;
  output.average = average;
  EXPECT_EQ(compute_batch(plan, {closes}, output, best_kernel()), "");
  EXPECT_TRUE(trials::same_bits(average, all.average));
}

// adaptive_trend_LTS's equity_series puts the floor under whatever e is, the start included; so do pine's
// vectors.
TEST(BatchTest, AWeightBelowTheFloorStartsAtTheFloor) {
  for (const Dialect dialect : {Dialect::lts, Dialect::pine}) {
    Parameters parameters;
    parameters.dialect = dialect;
    parameters.weights = {0.1, 0.2499, 0.25, 0.2501, 1, 3};
    parameters.cutout = 2;
    const trials::Trial trial{parameters, std::vector<double>(60, 100), {}};
    const trials::Columns columns = trials::by_batch(Plan(parameters), trial, best_kernel(), 60);
    const std::array<double, kFamilies> starts = {0.25, 0.25, 0.25, 0.2501, 1, 3};
    for (std::size_t f = 0; f < kFamilies; ++f) EXPECT_EQ(columns.equity[f][2], starts[f]);
  }
}

TEST(BatchTest, LeadingValuesAreUndefinedUpToTheCutout) {
  for (const Dialect dialect : {Dialect::lts, Dialect::pine}) {
    Parameters parameters;
    parameters.dialect = dialect;
    parameters.cutout = 13;
    const Plan plan(parameters);
    EXPECT_EQ(plan.leading_undefined(), 13);
    const trials::Trial trial{parameters, std::vector<double>(60, 100), {}};
    const trials::Columns columns = trials::by_batch(plan, trial, best_kernel(), 60);
    for (std::size_t i = 0; i < 60; ++i) {
      for (std::size_t f = 0; f < kFamilies; ++f) {
        EXPECT_EQ(std::isnan(columns.layer1[f][i]), i < 13);
        EXPECT_EQ(std::isnan(columns.equity[f][i]), i < 13);
      }
      EXPECT_EQ(std::isnan(columns.average[i]), i < 13 && dialect == Dialect::pine);
    }
  }
}

}  // namespace
}  // namespace atcd::engine
