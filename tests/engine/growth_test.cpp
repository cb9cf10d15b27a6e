#include "engine/growth.hpp"

#include <gtest/gtest.h>

#include <cfloat>
#include <cmath>
#include <random>

#include "engine/plan.hpp"

namespace atcd::engine {
namespace {

/// Half a unit in the last place of `value`.
long double half_unit(double value) {
  return (static_cast<long double>(std::nextafter(value, INFINITY)) - static_cast<long double>(value)) / 2;
}

void expect_nearest(double y) {
  const double value = exact_exp(y);
  // 64 bits of mantissa: closer to a tie between two doubles than 2^-10 of their distance, it can't judge.
  const long double reference = expl(static_cast<long double>(y));
  const long double distance = fabsl(reference - static_cast<long double>(value));
  EXPECT_LE(distance, half_unit(value) * (1 + 0x1p-9L)) << "exp(" << y << ") = " << value;
}

TEST(GrowthTest, ExpIsTheNearestDouble) {
  static_assert(LDBL_MANT_DIG == 64 || LDBL_MANT_DIG == 113, "the reference needs more bits than a double");
  std::mt19937_64 random(1);
  for (const double reach : {1e-12, 1e-5, 0.01, 0.07, 1.0, 20.0, 700.0}) {
    std::uniform_real_distribution<double> uniform(-reach, reach);
    for (int i = 0; i < 5000; ++i) expect_nearest(uniform(random));
  }
  for (std::int64_t k = 0; k < 20'000; ++k) expect_nearest(2e-5 * static_cast<double>(k));
}

TEST(GrowthTest, ExpKnowsItsEnds) {
  EXPECT_EQ(exact_exp(0), 1);
  EXPECT_EQ(exact_exp(-0.0), 1);
  EXPECT_EQ(exact_exp(1), 0x1.5bf0a8b145769p+1);
  EXPECT_EQ(exact_exp(-1), 0x1.78b56362cef38p-2);
  EXPECT_EQ(exact_exp(1000), INFINITY);
  EXPECT_EQ(exact_exp(709.79), INFINITY);
  EXPECT_TRUE(std::isfinite(exact_exp(709.78)));
  EXPECT_EQ(exact_exp(-1000), 0);
  EXPECT_GE(exact_exp(-745), 0);
  EXPECT_EQ(exact_exp(INFINITY), INFINITY);
  EXPECT_EQ(exact_exp(-INFINITY), 0);
  EXPECT_TRUE(std::isnan(exact_exp(std::nan(""))));
}

TEST(GrowthTest, TheTableAndTheFunctionBehindItAreOne) {
  Parameters parameters;
  parameters.cutout = 7;
  const Plan plan(parameters);
  for (std::int64_t bar = 0; bar < Plan::kGrowthTable + 100; ++bar) {
    EXPECT_EQ(plan.growth(bar), growth_factor(0.02 / 1000, bar - 7)) << bar;
  }
  EXPECT_EQ(plan.growth(3), 1);
  EXPECT_EQ(plan.growth(7), 1);
  const auto table = plan.growth_table(100);
  ASSERT_EQ(table.size(), 100U);
  EXPECT_EQ(table[99], plan.growth(99));
}

TEST(GrowthTest, WithoutATableTheFactorsAreTheSame) {
  Parameters parameters;
  parameters.cutout = 7;
  EXPECT_EQ(Plan(parameters, nullptr, false).growth_table(Plan::kGrowthTable + 100),
            Plan(parameters).growth_table(Plan::kGrowthTable + 100));
}

TEST(GrowthTest, TheFactorPassesTheLimitsThatTheContractNames) {
  const Plan plan(Parameters{});
  EXPECT_LT(plan.growth(4765), 1.1);
  EXPECT_GT(plan.growth(4767), 1.1);
  EXPECT_LT(plan.growth(11156), 1.25);
  EXPECT_GT(plan.growth(11158), 1.25);
  EXPECT_LT(plan.growth(2999), 1.07);
}

TEST(GrowthTest, PlansOfOneLambdaShareTheirTable) {
  Parameters parameters;
  parameters.lambda = 0.05;
  const Plan first(parameters);
  parameters.cutout = 7;
  parameters.decay = 0.1;
  for (const double lambda : {0.05, 0.02, -0.3}) {
    parameters.lambda = lambda;
    EXPECT_EQ(Plan(parameters, &first).growth_table(3000), Plan(parameters).growth_table(3000)) << lambda;
  }
}

}  // namespace
}  // namespace atcd::engine
