#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <utility>

#include "engine/plan.hpp"

// The cut of an unrounded layer-1 value says what the rounded value's would: at every value where rounding
// may turn, and the doubles beside it. The cut before the division says what the quotient's would: of
// quotients as near to where it turns as they can be.

namespace atcd::engine {
namespace {

double rounded(Dialect dialect, double value) {
  const double hundredths = value * 100;
  return (dialect == Dialect::pine ? std::round(hundredths) : std::nearbyint(hundredths)) / 100;
}

void expect_same_cuts(Dialect dialect, double above, double below) {
  Parameters parameters;
  parameters.dialect = dialect;
  parameters.long_threshold = above;
  parameters.short_threshold = below;
  const Plan plan(parameters);
  const PlanConstants& c = plan.constants();
  for (int half_hundredths = -200; half_hundredths <= 200; ++half_hundredths) {
    double value = half_hundredths / 200.0;
    for (int i = 0; i < 4; ++i) value = std::nextafter(value, -2.0);
    for (int i = 0; i < 9; ++i, value = std::nextafter(value, 2.0)) {
      if (std::fabs(value) > 1) continue;
      EXPECT_EQ(value >= c.cut_least_above, rounded(dialect, value) > c.cut_above) << value << ' ' << above;
      EXPECT_EQ(value <= c.cut_most_below, rounded(dialect, value) < c.cut_below) << value << ' ' << below;
    }
  }
  const double undefined = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(undefined >= c.cut_least_above);
  EXPECT_FALSE(undefined <= c.cut_most_below);
}

TEST(CutTest, AnUnroundedValueIsCutAsTheRoundedOne) {
  for (const auto& [above, below] : {std::pair{0.1, -0.1},
                                     {0.095, -0.3},
                                     {0.005, -0.005},
                                     {0.0, -0.015},
                                     {-0.5, -0.51},
                                     {1.0, 0.995},
                                     {0.99, -1.0},
                                     {5.0, -5.0},
                                     {-2.0, -3.0},
                                     {3.0, 2.0},
                                     {1e300, -1e300}}) {
    expect_same_cuts(Dialect::lts, above, below);
    expect_same_cuts(Dialect::pine, above, below);
  }
}

TEST(CutTest, SumsAreCutAsTheirQuotient) {
  std::mt19937_64 random(9);
  int compared = 0, above_count = 0, below_count = 0;
  for (const auto& [long_threshold, short_threshold] : {std::pair{0.1, -0.1},
                                                        {0.095, -0.3},
                                                        {0.0, -0.015},
                                                        {-0.5, -0.51},
                                                        {0.99, -1.0},
                                                        {5.0, -5.0},
                                                        {-2.0, -3.0}}) {
    Parameters parameters;
    parameters.long_threshold = long_threshold;
    parameters.short_threshold = short_threshold;
    const Plan plan(parameters);
    const PlanConstants& c = plan.constants();
    const auto expect_same = [&](double signed_sum, double sum) {
      const bool above = std::fma(-c.cut_least_above, sum, signed_sum) > -c.cut_above_half_gap * sum;
      const bool below = std::fma(-c.cut_most_below, sum, signed_sum) < c.cut_below_half_gap * sum;
      ASSERT_EQ(above, signed_sum / sum >= c.cut_least_above) << signed_sum << ' ' << sum;
      ASSERT_EQ(below, signed_sum / sum <= c.cut_most_below) << signed_sum << ' ' << sum;
      ++compared;
      above_count += above;
      below_count += below;
    };
    for (int i = 0; i < 20'000; ++i) {
      const int exponent = std::uniform_int_distribution<int>(2, i % 10 == 0 ? 1020 : 8)(random);
      const double sum = std::ldexp(std::uniform_real_distribution<double>(0.5625, 1)(random), exponent);
      for (const double cut : {c.cut_least_above, c.cut_most_below}) {
        double signed_sum = std::isfinite(cut) ? cut * sum : 0;
        for (int k = 0; k < 3; ++k) signed_sum = std::nextafter(signed_sum, -INFINITY);
        for (int k = 0; k < 7; ++k, signed_sum = std::nextafter(signed_sum, INFINITY)) {
          if (std::fabs(signed_sum) <= sum) expect_same(signed_sum, sum);
        }
      }
    }
  }
  EXPECT_GT(compared, 1'000'000);
  EXPECT_GT(above_count, 100'000);
  EXPECT_GT(below_count, 100'000);
}

}  // namespace
}  // namespace atcd::engine
