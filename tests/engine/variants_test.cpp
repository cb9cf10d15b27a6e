#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "engine/batch.hpp"
#include "engine/dispatch.hpp"
#include "tests/engine/columns.hpp"

// Many series under plans that share their averages have the bits that they have plan by plan.

namespace atcd::engine {
namespace {

using trials::Maker;
using trials::Trial;

/// Parameters with the same averages and other layers.
Parameters with_other_layers(Maker& maker, const Parameters& given, std::int64_t most_cutout) {
  const Parameters other = maker.parameters();
  Parameters p = given;
  if (maker.one_in(4)) p.weights.fill(maker.real(0.05, 3));
  p.lambda = maker.one_in(2) ? other.lambda : given.lambda;
  if (maker.one_in(20)) p.lambda = 1e5;  // returns that become infinite
  p.decay = maker.one_in(2) ? other.decay : given.decay;
  p.cutout = maker.one_in(2) ? maker.from_to(0, most_cutout) : given.cutout;
  p.long_threshold = other.long_threshold;
  p.short_threshold = other.short_threshold;
  p.strategy_mode = other.strategy_mode;
  return p;
}

/// Series of lengths near and far, some with missing values or with a source of their own.
std::vector<Trial> some_series(Maker& maker, const Trial& first, std::size_t count) {
  std::vector<Trial> trials = {first};
  const bool may_miss = first.parameters.dialect == Dialect::lts;
  while (trials.size() < count) {
    const std::size_t more = maker.one_in(2) ? 0 : static_cast<std::size_t>(maker.from_to(0, 200));
    Trial next{first.parameters, maker.prices(first.closes.size() + more), {}};
    if (maker.one_in(3)) {
      next.sources = next.closes;
      for (double& value : next.sources) value *= 1 + maker.real(-0.004, 0.004);
    }
    if (may_miss && maker.one_in(5)) maker.lose_some(next.closes);
    trials.push_back(next);
  }
  return trials;
}

/// Room for all columns but those inside, of every series under every plan.
struct Results {
  Results(std::size_t plans, const std::vector<Trial>& trials, Maker maker) {
    for (std::size_t i = 0; i < plans * trials.size(); ++i) {
      columns.emplace_back(trials[i % trials.size()].closes.size());
    }
    for (auto& of_series : columns) {
      BatchOutput output = of_series.output();
      output.averages = output.states = output.equities = {};
      if (maker.one_in(2)) output.layer1 = {};
      if (maker.one_in(2)) output.equity = {};
      if (maker.one_in(4)) output.average = {};
      if (maker.one_in(4)) output.trend = {};
      if (output.trend.empty() || maker.one_in(2)) output.trend_since_ms = {};
      outputs.push_back(output);
    }
  }

  std::vector<trials::Columns> columns;
  std::vector<BatchOutput> outputs;
};

/// Which columns differ, as a word; what was not asked for has stayed as it was in both.
std::string difference(const Results& a, const Results& b) {
  for (std::size_t i = 0; i < a.columns.size(); ++i) {
    const trials::Columns &x = a.columns[i], &y = b.columns[i];
    const std::string where = " of output " + std::to_string(i);
    for (std::size_t f = 0; f < kFamilies; ++f) {
      if (!trials::same_bits(x.layer1[f], y.layer1[f])) return "layer 1" + where;
      if (!trials::same_bits(x.equity[f], y.equity[f])) return "equity" + where;
    }
    if (!trials::same_bits(x.average, y.average)) return "average" + where;
    if (x.trend != y.trend) return "trend" + where;
    if (x.trend_since_ms != y.trend_since_ms) return "trend since" + where;
  }
  return "";
}

std::string difference(Maker& maker, const std::vector<Trial>& trials,
                       const std::vector<Parameters>& variants, const Kernel& kernel) {
  std::vector<Plan> plans;
  for (const Parameters& parameters : variants) plans.emplace_back(parameters);
  std::vector<const Plan*> pointers;
  for (const Plan& plan : plans) pointers.push_back(&plan);
  std::vector<std::vector<std::int64_t>> times;
  std::vector<BatchInput> inputs;
  for (const Trial& trial : trials) times.push_back(trials::close_times(trial.closes.size()));
  for (std::size_t i = 0; i < trials.size(); ++i) {
    inputs.push_back({trials[i].closes, trials[i].sources, times[i]});
  }
  Maker wanted = maker;
  maker.one_in(2);
  Results together(plans.size(), trials, wanted), one_by_one(plans.size(), trials, wanted);
  const auto threads = static_cast<unsigned>(maker.from_to(1, 2));
  const std::string refusal = compute_variants(pointers, inputs, together.outputs, kernel, threads);
  if (!refusal.empty()) return refusal;
  for (std::size_t p = 0; p < plans.size(); ++p) {
    compute_batches(plans[p], inputs, std::span(one_by_one.outputs).subspan(p * inputs.size(), inputs.size()),
                    kernel);
  }
  return difference(together, one_by_one);
}

RC_GTEST_PROP(VariantsTest, HaveTheBitsOfPlanByPlan, ()) {
  Maker maker(*rc::gen::arbitrary<std::uint64_t>());
  const Trial first = maker.trial(false);
  std::vector<Parameters> variants = {first.parameters};
  const auto most_cutout = static_cast<std::int64_t>(first.closes.size()) - 1;
  const auto count = static_cast<std::size_t>(maker.from_to(2, 6));
  while (variants.size() < count) {
    variants.push_back(with_other_layers(maker, first.parameters, most_cutout));
    RC_ASSERT(same_averages(variants.back(), first.parameters));
  }
  const auto trials = some_series(maker, first, static_cast<std::size_t>(maker.from_to(1, 10)));
  for (const Kernel* kernel : available_kernels()) {
    RC_ASSERT(difference(maker, trials, variants, *kernel) == "");
  }
}

TEST(VariantsTest, OneBarAndLengthsUpTo512) {
  Maker maker(9);
  for (const Dialect dialect : {Dialect::lts, Dialect::pine}) {
    Parameters parameters;
    parameters.dialect = dialect;
    parameters.lengths = {512, 500, 28, 512, 41, 300};
    std::vector<Parameters> variants(4, parameters);
    variants[3].weights[2] = 2;
    variants[1].decay = 2;
    variants[2].lambda = -1;
    std::vector<Trial> trials;
    for (const std::size_t bars : std::initializer_list<std::size_t>{1, 2, 1, 64, 600, 1300}) {
      if (dialect == Dialect::lts && bars < 600) continue;
      trials.push_back({parameters, maker.prices(bars), {}});
    }
    for (const Kernel* kernel : available_kernels()) {
      EXPECT_EQ(difference(maker, trials, variants, *kernel), "");
    }
  }
}

TEST(VariantsTest, InnerColumnsToo) {
  Maker maker(4);
  const Trial trial{Parameters{}, maker.prices(300), {}};
  const Plan plan(trial.parameters);
  const std::vector<const Plan*> plans(5, &plan);
  std::vector<trials::Columns> columns(5, trials::Columns(300));
  std::vector<BatchOutput> outputs;
  for (auto& of_plan : columns) outputs.push_back(of_plan.output());
  const auto times = trials::close_times(300);
  const BatchInput input{trial.closes, {}, times};
  ASSERT_EQ(compute_variants(plans, {&input, 1}, outputs, best_kernel()), "");
  const trials::Columns expected = trials::by_batch(plan, trial, best_kernel(), 300);
  for (const auto& of_plan : columns) EXPECT_EQ(trials::difference(expected, of_plan, 300), "");
}

TEST(VariantsTest, ARefusalNamesTheFirstSeriesOfTheFirstPlanThatRefusesAndWritesNothing) {
  Parameters late;
  late.cutout = 50;
  const Plan usual(Parameters{}), cut(late);
  const std::vector<double> longer(60, 100), shorter(50, 100);
  std::vector<double> negative = longer;
  negative[3] = -1;
  std::vector<double> average(60, 7);
  BatchOutput output;
  output.average = average;
  const std::array<BatchOutput, 4> outputs = {output, {}, {}, {}};
  const std::array<const Plan*, 2> plans = {&usual, &cut};
  const std::array<BatchInput, 2> short_one = {BatchInput{longer}, BatchInput{shorter}};
  EXPECT_EQ(compute_variants(plans, short_one, outputs, best_kernel()),
            "series 1: cutout is 50, but must be below the number of bars, 50");
  const std::array<BatchInput, 2> bad_one = {BatchInput{longer}, BatchInput{negative}};
  EXPECT_EQ(compute_variants(plans, bad_one, outputs, best_kernel()),
            "series 1: the close of bar 3 is -1, but must be finite and positive, or missing");
  EXPECT_EQ(average, std::vector<double>(60, 7));
  EXPECT_EQ(compute_variants({}, short_one, {}, best_kernel()), "");
  EXPECT_EQ(compute_variants(plans, {}, {}, best_kernel()), "");
}

}  // namespace
}  // namespace atcd::engine
