#include "engine/growth.hpp"

#include <cmath>
#include <limits>

namespace atcd::engine {
namespace {

/// The unevaluated sum high + low with abs(low) at most half a unit in the last place of high.
struct DoubleDouble {
  double high;
  double low;
};

/// a + b exactly, where abs(a) >= abs(b) (Dekker).
DoubleDouble fast_two_sum(double a, double b) {
  const double high = a + b;
  return {high, b - (high - a)};
}

/// a * b exactly.
DoubleDouble two_product(double a, double b) {
  const double high = a * b;
  return {high, std::fma(a, b, -high)};
}

DoubleDouble times(const DoubleDouble& a, double b) {
  const DoubleDouble product = two_product(a.high, b);
  return fast_two_sum(product.high, std::fma(a.low, b, product.low));
}

DoubleDouble squared(const DoubleDouble& a) {
  const DoubleDouble product = two_product(a.high, a.high);
  return fast_two_sum(product.high, std::fma(2 * a.high, a.low, product.low));
}

DoubleDouble over(const DoubleDouble& a, double b) {
  const double quotient = a.high / b;
  const double remainder = std::fma(-quotient, b, a.high) + a.low;
  return fast_two_sum(quotient, remainder / b);
}

DoubleDouble one_plus(const DoubleDouble& a) {
  const DoubleDouble sum = fast_two_sum(1.0, a.high);  // abs(a) is far below 1 here
  return fast_two_sum(sum.high, sum.low + a.low);
}

constexpr double kLargestReduced = 1.0 / 128;
// (1/128)^14 / 14! is below 2^-134.
constexpr int kTaylorTerms = 14;

}  // namespace

double exact_exp(double y) {
  if (std::isnan(y)) return y;
  if (y > 709.8) return std::numeric_limits<double>::infinity();
  if (y < -745.2) return 0;
  // exp(y) = exp(y / 2^halvings) ^ (2^halvings); halving is exact.
  double reduced = y;
  int halvings = 0;
  while (std::fabs(reduced) > kLargestReduced) {
    reduced *= 0.5;
    ++halvings;
  }
  DoubleDouble result{1, 0};
  for (int n = kTaylorTerms; n >= 1; --n) {
    result = one_plus(over(times(result, reduced), n));
  }
  for (int i = 0; i < halvings; ++i) result = squared(result);
  const double value = result.high + result.low;
  // The last squaring overflowed: its low part is infinite with the other sign.
  return std::isnan(value) ? std::numeric_limits<double>::infinity() : value;
}

double growth_factor(double lambda_per_bar, std::int64_t bars_since_cutout) {
  if (bars_since_cutout < 0) return 1;
  return exact_exp(lambda_per_bar * static_cast<double>(bars_since_cutout));
}

}  // namespace atcd::engine
