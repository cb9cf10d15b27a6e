#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>

#include "engine/plan.hpp"

// Quotients by constants are made of two multiplications (PlanConstants::Inverses): they must be those of a
// division, also where x/d lies as near to the middle between two doubles as it can.

namespace atcd::engine {
namespace {

/// How many of many numerators give another quotient than x / d.
int wrong_quotients(double high, double low, double divisor, std::mt19937_64& random) {
  const auto differs = [&](double x) {
    const double quotient = std::fma(x, high, x * low);
    return quotient != x / divisor || std::signbit(quotient) != std::signbit(x / divisor);
  };
  int wrong = differs(0.0) + differs(-0.0) + differs(INFINITY) + differs(-INFINITY) + differs(1e290) +
              differs(1e-290);
  for (int i = 0; i < 200; ++i) {
    const int exponent = std::uniform_int_distribution<int>(-900, 900)(random);
    const double anything = std::ldexp(1 + std::uniform_real_distribution<double>(0, 1)(random), exponent);
    // Numerators whose quotients are nearest to a middle: (2m+1)*d/2 rounded, and its neighbours.
    const double odd = static_cast<double>((random() >> 10) | 1);
    const double middle = std::ldexp(odd, exponent - 54) * divisor;
    for (const double x :
         {anything, -anything, middle, std::nextafter(middle, 0.0), std::nextafter(middle, INFINITY)})
      wrong += differs(x);
  }
  return wrong;
}

TEST(DivisionTest, QuotientsByConstantsAreThoseOfADivision) {
  std::mt19937_64 random(5);
  for (int base = 8; base <= 512; ++base) {
    Parameters parameters;
    parameters.lengths.fill(base);
    const Plan plan(parameters);
    const PlanConstants& c = plan.constants();
    EXPECT_EQ(wrong_quotients(c.hundredth_high, c.hundredth_low, 100, random), 0);
    const auto lengths = family_lengths(base, parameters.robustness);
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      const double n = lengths[i];
      const auto check = [&](const PlanConstants::Inverses& inverses, double divisor) {
        EXPECT_EQ(wrong_quotients(inverses.high[i], inverses.low[i], divisor, random), 0) << divisor;
      };
      check(c.wma_inverse, n * (n + 1) / 2);
      check(c.lsma_mean_inverse, n);
      if (n > 1) check(c.lsma_step_inverse, n - 1);
    }
    if (base > 64) base += 12;  // then every thirteenth, in time for a test
  }
}

}  // namespace
}  // namespace atcd::engine
