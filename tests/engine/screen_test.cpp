#include "engine/screen.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "engine/dispatch.hpp"
#include "tests/engine/drifting_walk.hpp"

namespace atcd::engine {
namespace {

/// Random walks whose drift and width change now and then.
std::vector<std::vector<double>> walks(std::size_t count, std::size_t bars) {
  std::vector<std::vector<double>> series(count);
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal;
  for (auto& closes : series) closes = trials::drifting_walk(random, normal, bars);
  return series;
}

std::vector<double> estimates_of(const Plan& plan, const Kernel& kernel,
                                 const std::vector<std::vector<double>>& series) {
  std::vector<BatchInput> inputs;
  for (const auto& closes : series) inputs.push_back({closes});
  std::vector<double> estimates(series.size());
  Screen(plan, kernel).run(inputs, estimates);
  return estimates;
}

std::vector<double> exact_of(const Plan& plan, const std::vector<std::vector<double>>& series) {
  std::vector<std::vector<double>> averages;
  std::vector<BatchInput> inputs;
  std::vector<BatchOutput> outputs(series.size());
  for (const auto& closes : series) {
    averages.emplace_back(closes.size());
    inputs.push_back({closes});
  }
  for (std::size_t i = 0; i < series.size(); ++i) outputs[i].average = averages[i];
  EXPECT_EQ(compute_batches(plan, inputs, outputs, best_kernel()), "");
  std::vector<double> last;
  for (const auto& average : averages) last.push_back(average.back());
  return last;
}

/// The part of the series at the top that have an estimate at the top, too.
double found(const std::vector<double>& exact, const std::vector<double>& estimates) {
  double at_top = 0, both = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    if (exact[i] < 0.99) continue;
    ++at_top;
    both += estimates[i] > 0.99 ? 1 : 0;
  }
  EXPECT_GT(at_top, 100);
  return both / at_top;
}

TEST(ScreenTest, EveryKernelGivesTheSameBits) {
  auto series = walks(37, 700);
  series[3].resize(20);
  series[4].resize(1);
  for (std::size_t i = 0; i < series[5].size(); i += 3)
    series[5][i] = std::numeric_limits<double>::quiet_NaN();
  series[6].assign(40, std::numeric_limits<double>::quiet_NaN());
  series[7].assign(600, 1e-300);
  series[8].assign(600, 1e300);
  series[9].assign(600, 1);
  for (std::size_t i = 100; i < 600; ++i) series[9][i] = i % 2 == 0 ? 1e200 : 1e-200;
  for (const bool pine : {false, true}) {
    Parameters parameters;
    parameters.dialect = pine ? Dialect::pine : Dialect::lts;
    parameters.lengths = {20, 33, 25, 18, 40, 15};
    const Plan plan(parameters);
    const auto expected = estimates_of(plan, *available_kernels().front(), series);
    for (const Kernel* kernel : available_kernels()) {
      const auto estimates = estimates_of(plan, *kernel, series);
      for (std::size_t i = 0; i < series.size(); ++i) {
        EXPECT_EQ(std::bit_cast<std::uint64_t>(estimates[i]), std::bit_cast<std::uint64_t>(expected[i]))
            << kernel->name << ", series " << i;
        EXPECT_TRUE(estimates[i] >= -1 && estimates[i] <= 1) << i << ": " << estimates[i];
      }
    }
  }
}

TEST(ScreenTest, FindsTheSeriesAtTheTop) {
  const auto series = walks(1500, 1700);
  const Plan plan{Parameters{}};
  EXPECT_GT(found(exact_of(plan, series), estimates_of(plan, best_kernel(), series)), 0.99);
}

TEST(ScreenTest, FollowsTheDialectAndTheLengths) {
  const auto series = walks(800, 1700);
  for (const int length : {12, 28, 60}) {
    for (const bool pine : {false, true}) {
      Parameters parameters;
      parameters.dialect = pine ? Dialect::pine : Dialect::lts;
      parameters.lengths.fill(length);
      const Plan plan(parameters);
      EXPECT_GT(found(exact_of(plan, series), estimates_of(plan, best_kernel(), series)), 0.97)
          << length << (pine ? ", pine" : ", lts");
    }
  }
}

TEST(ScreenTest, GoesOverTheChosenFamiliesAlone) {
  const auto series = walks(800, 1700);
  for (const Family family : {Family::hma, Family::kama}) {
    Parameters parameters;
    parameters.families.fill(false);
    parameters.families[static_cast<std::size_t>(family)] = true;
    parameters.lengths.fill(-7);  // of the others nobody looks at it
    parameters.lengths[static_cast<std::size_t>(family)] = 28;
    const Plan plan(parameters);
    const auto exact = exact_of(plan, series), estimates = estimates_of(plan, best_kernel(), series);
    EXPECT_GT(found(exact, estimates), 0.97) << static_cast<int>(family);
    for (const double estimate : estimates) EXPECT_EQ(std::abs(estimate), 1) << "one family takes a side";
  }
}

TEST(ScreenTest, AStrategysEstimateIsThatOfTheBarBefore) {
  auto series = walks(50, 400);
  Parameters parameters;
  parameters.strategy_mode = true;
  const auto shifted = estimates_of(Plan(parameters), best_kernel(), series);
  for (auto& closes : series) closes.pop_back();
  parameters.strategy_mode = false;
  // What was before the first bar stands still one bar longer, which only rounding feels.
  const auto before = estimates_of(Plan(parameters), best_kernel(), series);
  for (std::size_t i = 0; i < series.size(); ++i) EXPECT_NEAR(shifted[i], before[i], 1e-4) << i;
}

}  // namespace
}  // namespace atcd::engine
