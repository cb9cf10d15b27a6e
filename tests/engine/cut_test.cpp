#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <utility>

#include "engine/plan.hpp"

// The cut of an unrounded layer-1 value says what the rounded value's would: at every value where rounding
// may turn, and the doubles beside it.

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

}  // namespace
}  // namespace atcd::engine
