#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/dispatch.hpp"
#include "tests/engine/columns.hpp"
#include "tests/engine/trials.hpp"

// Some of the families: their columns have the bits of the full computation, those of the others are
// undefined, and the average signal is the plain formula over the chosen ones.

namespace atcd::engine {
namespace {

using trials::Columns;
using trials::Maker;
using trials::Trial;

constexpr unsigned kAllFamilies = (1U << kFamilies) - 1;
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

void forget(std::span<double> values) { std::fill(values.begin(), values.end(), kNothing); }

/// The published average signal of the chosen families, from their columns.
std::vector<double> plain_average(const Columns& columns, const Parameters& p) {
  const bool lts = p.dialect == Dialect::lts;
  const double above = lts ? p.long_threshold : 0.49, below = lts ? p.short_threshold : -0.49;
  std::vector<double> averages;
  for (std::size_t bar = 0; bar < columns.average.size(); ++bar) {
    double signed_sum = 0, sum = 0;
    for (std::size_t f = 0; f < kFamilies; ++f) {
      if (!p.families[f]) continue;
      const double signal = columns.layer1[f][bar], equity = columns.equity[f][bar];
      signed_sum += (signal > above ? 1.0 : signal < below ? -1.0 : 0.0) * equity;
      sum += equity;
    }
    const double average = signed_sum / sum;
    averages.push_back(lts && !std::isfinite(average) ? 0 : average);
  }
  if (lts && p.strategy_mode) {
    averages.insert(averages.begin(), 0.0);
    averages.pop_back();
  }
  return averages;
}

/// What the full computation gave, as a computation of some families has to give it.
Columns restricted(Columns columns, const Parameters& p) {
  const std::size_t bars = columns.average.size();
  for (std::size_t f = 0; f < kFamilies; ++f) {
    if (p.families[f]) continue;
    forget(columns.layer1[f]);
    forget(columns.equity[f]);
    for (auto* inner : {&columns.averages, &columns.states, &columns.equities}) {
      forget(std::span(*inner).subspan(f * kLengthsPerFamily * bars, kLengthsPerFamily * bars));
    }
  }
  columns.average = plain_average(columns, p);
  const auto times = trials::close_times(bars);
  for (std::size_t bar = 0; bar < bars; ++bar) {
    const double average = columns.average[bar];
    const std::int8_t before = bar == 0 ? std::int8_t{0} : columns.trend[bar - 1];
    columns.trend[bar] = average > p.long_threshold    ? std::int8_t{1}
                         : average < p.short_threshold ? std::int8_t{-1}
                                                       : before;
    const bool continues = bar > 0 && columns.trend[bar] == before;
    columns.trend_since_ms[bar] = continues ? columns.trend_since_ms[bar - 1] : times[bar];
  }
  return columns;
}

/// All six families.
Trial full_trial(Maker& maker) {
  for (;;) {
    Trial trial = maker.trial(false);
    if (trial.parameters.families == Parameters{}.families) return trial;
  }
}

TEST(FamiliesTest, EverySubsetOnEveryPathIsTheFullComputationRestrictedToIt) {
  Maker maker(20263);
  for (unsigned kept = 1; kept < kAllFamilies; ++kept) {
    for (int round = 0; round < 4; ++round) {
      const Trial full = full_trial(maker);
      const std::size_t bars = full.closes.size();
      Trial some = full;
      maker.leave_out_families(some.parameters, kept);
      const auto plan = std::make_shared<const Plan>(some.parameters);
      const Columns expected = restricted(
          trials::by_batch(Plan(full.parameters), full, *find_kernel("scalar"), bars), some.parameters);
      const auto part = static_cast<std::size_t>(maker.from_to(plan->minimum_bars(), static_cast<int>(bars)));
      for (const Kernel* kernel : available_kernels()) {
        const std::string where = std::string(kernel->name) + ", families " + std::to_string(kept);
        ASSERT_EQ(difference(expected, trials::by_batch(*plan, some, *kernel, bars), bars), "") << where;
        ASSERT_EQ(difference(expected, trials::by_batch(*plan, some, *kernel, part), part), "") << where;
        ASSERT_EQ(difference(expected, trials::bar_by_bar(plan, some, *kernel), bars), "") << where;
      }
    }
  }
}

TEST(FamiliesTest, KamaAloneBeginsWithTheFirstBar) {
  for (const Dialect dialect : {Dialect::lts, Dialect::pine}) {
    Parameters parameters;
    parameters.dialect = dialect;
    parameters.families = {false, false, false, false, false, true};
    const Plan plan(parameters);
    ASSERT_EQ(plan.minimum_bars(), 1);
    EXPECT_EQ(plan.first_defined_bar(Family::kama, 28), 0);
    EXPECT_EQ(plan.first_defined_bar(Family::ema, 28), -1);
    const Columns columns = trials::by_batch(plan, {parameters, {100}, {}}, best_kernel(), 1);
    EXPECT_FALSE(std::isnan(columns.averages.back()));
    EXPECT_FALSE(std::isnan(columns.equity[5][0]));
    EXPECT_TRUE(std::isnan(columns.equity[0][0]));
  }
}

std::vector<std::byte> saved(const Incremental& engine) {
  std::vector<std::byte> bytes(engine.saved_bytes());
  engine.save(bytes);
  return bytes;
}

/// Whatever an engine has been through, and whatever is said of families that are not chosen.
TEST(FamiliesTest, SavedStatesAreThoseOfTheBarsAlone) {
  Maker maker(8);
  for (int round = 0; round < 100; ++round) {
    Parameters parameters = full_trial(maker).parameters;
    const auto kept = static_cast<unsigned>(maker.from_to(1, kAllFamilies - 1));
    maker.leave_out_families(parameters, kept);
    const auto plan = std::make_shared<const Plan>(parameters);
    maker.leave_out_families(parameters, kept);
    const auto other_plan = std::make_shared<const Plan>(parameters);
    ASSERT_EQ(canonical_json(plan->parameters()), canonical_json(other_plan->parameters()));
    Incremental plain(plan), tried(other_plan);
    for (const double price : maker.prices(150)) {
      plain.update(price, price, 0);
      if (maker.one_in(4)) {
        tried.update(price * 1.01, price * 0.99, 0);
        ASSERT_TRUE(tried.step_back());
      }
      tried.update(price, price, 0);
      if (!maker.one_in(20)) continue;
      const auto state = saved(tried);
      ASSERT_EQ(state, saved(plain));
      Incremental restored(plan);
      ASSERT_TRUE(restored.restore(state));
      tried = std::move(restored);
    }
    ASSERT_EQ(saved(tried), saved(plain));
  }
}

}  // namespace
}  // namespace atcd::engine
