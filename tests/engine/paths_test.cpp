#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "engine/dispatch.hpp"
#include "tests/engine/columns.hpp"
#include "tests/engine/naive_reference.hpp"
#include "tests/engine/trials.hpp"

// Every path gives the same bits: bar by bar, in a batch, of any part, with every kernel, several at once.

namespace atcd::engine {
namespace {

using trials::Columns;
using trials::Maker;
using trials::Trial;

/// Series and parameter sets compared; tests/long.sh sets more.
int trials_per_run() {
  const char* const wanted = std::getenv("ATCD_PATH_TRIALS");
  return (wanted == nullptr ? 2000 : std::atoi(wanted)) / 100;  // RapidCheck runs each property 100 times
}

RC_GTEST_PROP(PathsTest, EveryKernelBatchAndSplitGivesTheBitsOfTheScalarDefinition, ()) {
  Maker maker(*rc::gen::arbitrary<std::uint64_t>());
  const int count = trials_per_run();
  for (int i = 0; i < count; ++i) {
    const Trial trial = maker.trial(false);
    const auto plan = std::make_shared<const Plan>(trial.parameters);
    const std::size_t bars = trial.closes.size();
    const Columns definition = trials::bar_by_bar(plan, trial, *available_kernels().front());
    const auto part = static_cast<std::size_t>(maker.from_to(plan->minimum_bars(), static_cast<int>(bars)));
    RC_ASSERT(difference(definition, trials::by_batch(*plan, trial, best_kernel(), part), part) == "");
    for (const Kernel* kernel : available_kernels()) {
      RC_ASSERT(difference(definition, trials::bar_by_bar(plan, trial, *kernel), bars) == "");
      RC_ASSERT(difference(definition, trials::by_batch(*plan, trial, *kernel, bars), bars) == "");
    }
  }
}

RC_GTEST_PROP(PathsTest, ManySeriesAtOnceGiveTheBitsOfEachAlone, ()) {
  Maker maker(*rc::gen::arbitrary<std::uint64_t>());
  Trial first = maker.trial(true);
  const auto shared = std::make_shared<const Plan>(first.parameters);
  const Plan& plan = *shared;
  std::vector<Trial> series = {first};
  const auto count = static_cast<std::size_t>(maker.from_to(1, 21));
  while (series.size() < count) {
    Trial next = first;
    // Of lengths near and far, so that the lanes of one vector end apart; some with missing values.
    next.closes = maker.prices(first.closes.size() +
                               static_cast<std::size_t>(maker.one_in(3) ? maker.from_to(0, 150) : 0));
    if (!next.sources.empty()) next.sources = next.closes;
    if (maker.one_in(4)) next.sources.clear();  // beside others that have sources of their own
    if (first.parameters.dialect == Dialect::lts && maker.one_in(5)) maker.lose_some(next.closes);
    series.push_back(next);
  }
  const auto middle = static_cast<std::size_t>(maker.from_to(0, static_cast<std::int64_t>(count)));
  const auto threads = static_cast<unsigned>(maker.from_to(1, 3));
  auto kernels = available_kernels();
  kernels.push_back(&best_kernel());  // which leaves few series to another
  for (const Kernel* kernel : kernels) {
    std::vector<Columns> columns;
    std::vector<std::vector<std::int64_t>> times;
    for (const Trial& one : series) {
      columns.emplace_back(one.closes.size());
      times.push_back(trials::close_times(one.closes.size()));
    }
    std::vector<BatchInput> inputs;
    std::vector<BatchOutput> outputs;
    for (std::size_t i = 0; i < series.size(); ++i) {
      inputs.push_back({series[i].closes, series[i].sources, times[i]});
      outputs.push_back(columns[i].output());
    }
    // In two calls, so that other series meet in a group.
    const std::span all_inputs(inputs);
    const std::span all_outputs(outputs);
    RC_ASSERT(compute_batches(plan, all_inputs.first(middle), all_outputs.first(middle), *kernel, threads) ==
              "");
    RC_ASSERT(compute_batches(plan, all_inputs.subspan(middle), all_outputs.subspan(middle), *kernel) == "");
    for (std::size_t i = 0; i < series.size(); ++i) {
      const std::size_t bars = series[i].closes.size();
      const Columns alone = trials::bar_by_bar(shared, series[i], *available_kernels().front());
      RC_ASSERT(difference(alone, columns[i], bars) == "");
    }
  }
}

RC_GTEST_PROP(PathsTest, TheEngineHasTheBitsOfTheIndicatorWrittenAverageByAverage, ()) {
  Maker maker(*rc::gen::arbitrary<std::uint64_t>());
  for (int i = 0; i < 3; ++i) {
    const Trial trial = maker.trial(true);
    const auto& sources = trial.sources.empty() ? trial.closes : trial.sources;
    const Plan plan(trial.parameters);
    const std::size_t bars = trial.closes.size();
    const auto expected = naive::compute(trial.closes, sources, trial.parameters, [&](std::int64_t k) {
      return plan.growth(trial.parameters.cutout + k);
    });
    const Columns columns = trials::by_batch(plan, trial, best_kernel(), bars);
    const auto part = [bars](const std::vector<double>& values, std::size_t column) {
      const auto at = values.begin() + static_cast<std::ptrdiff_t>(column * bars);
      return std::vector<double>(at, at + static_cast<std::ptrdiff_t>(bars));
    };
    for (std::size_t f = 0; f < kFamilies; ++f) {
      for (std::size_t k = 0; k < kLengthsPerFamily; ++k) {
        const std::size_t column = f * kLengthsPerFamily + k;
        RC_ASSERT(trials::same_bits(expected.averages[f][k], part(columns.averages, column)));
        RC_ASSERT(trials::same_bits(expected.states[f][k], part(columns.states, column)));
        RC_ASSERT(trials::same_bits(expected.equities[f][k], part(columns.equities, column)));
      }
      RC_ASSERT(trials::same_bits(expected.layer1[f], columns.layer1[f]));
      RC_ASSERT(trials::same_bits(expected.layer2[f], columns.equity[f]));
    }
    RC_ASSERT(trials::same_bits(expected.average, columns.average));
  }
}

TEST(PathsTest, BasesUpTo512OfEveryFamilyWorkOnEveryPath) {
  using Lengths = std::array<int, kFamilies>;
  for (const Dialect dialect : {Dialect::lts, Dialect::pine}) {
    for (const Lengths& lengths :
         {Lengths{512, 512, 512, 512, 512, 512}, Lengths{512, 509, 511, 500, 508, 505}}) {
      Parameters parameters;
      parameters.dialect = dialect;
      parameters.robustness = Robustness::wide;
      parameters.lengths = lengths;
      const auto plan = std::make_shared<const Plan>(parameters);
      Maker maker(3);
      Trial trial{parameters, maker.prices(1700), {}};
      for (const bool missing : {false, true}) {
        if (missing && dialect == Dialect::pine) continue;
        if (missing) maker.lose_some(trial.closes);
        const Columns definition = trials::bar_by_bar(plan, trial, *available_kernels().front());
        for (const Kernel* kernel : available_kernels()) {
          EXPECT_EQ(difference(definition, trials::bar_by_bar(plan, trial, *kernel), 1700), "")
              << kernel->name;
          EXPECT_EQ(difference(definition, trials::by_batch(*plan, trial, *kernel, 1700), 1700), "")
              << kernel->name;
        }
      }
    }
  }
}

TEST(PathsTest, AnInfiniteReturnAfterUsualBarsIsComputedWithCare) {
  for (const Dialect dialect : {Dialect::lts, Dialect::pine}) {
    for (const int base : {28, 30}) {  // the lengths compiled in, and others that the families share
      Trial trial;
      trial.parameters.dialect = dialect;
      trial.parameters.lengths.fill(base);
      Maker maker(11);
      const auto some_bars = [&](int count) {
        for (int i = 0; i < count; ++i) trial.closes.push_back(1e300 * maker.real(0.9, 1.1));
      };
      // The bar after the small one is not usual, but prepared for as one.
      some_bars(119);
      trial.closes.push_back(1e-9);
      some_bars(6);
      const auto plan = std::make_shared<const Plan>(trial.parameters);
      const std::size_t bars = trial.closes.size();
      const Columns batch = trials::by_batch(*plan, trial, best_kernel(), bars);
      ASSERT_TRUE(std::isfinite(batch.averages[kLengthsPerFamily * bars + 120]))
          << "Hull's average is defined";
      for (const Kernel* kernel : available_kernels()) {
        EXPECT_EQ(difference(batch, trials::bar_by_bar(plan, trial, *kernel), bars), "") << kernel->name;
      }
    }
  }
}

TEST(PathsTest, AveragesBeginWhereThePlanSaysTheyDo) {
  for (const Dialect dialect : {Dialect::lts, Dialect::pine}) {
    Parameters parameters;
    parameters.dialect = dialect;
    parameters.robustness = Robustness::narrow;
    parameters.lengths = {5, 5, 6, 7, 5, 6};
    const Plan plan(parameters);
    Maker maker(7);
    Trial trial{parameters, {}, {}};
    double price = 100;
    for (int i = 0; i < 60; ++i) trial.closes.push_back(price *= 1 + maker.real(-0.01, 0.01));
    const Columns columns = trials::by_batch(plan, trial, best_kernel(), 60);
    for (std::size_t f = 0; f < kFamilies; ++f) {
      const auto lengths = family_lengths(parameters.lengths[f], parameters.robustness);
      for (std::size_t k = 0; k < lengths.size(); ++k) {
        const auto* column = &columns.averages[(f * kLengthsPerFamily + k) * 60];
        std::int64_t first = 0;
        while (first < 60 && std::isnan(column[first])) ++first;
        const std::int64_t stated = plan.first_defined_bar(static_cast<Family>(f), lengths[k]);
        EXPECT_EQ(first == 60 ? -1 : first, stated) << kFamilyNames[f] << ' ' << lengths[k];
      }
    }
  }
}

TEST(PathsTest, AKernelCanBeForcedByName) {
  ASSERT_NE(find_kernel("scalar"), nullptr);
  EXPECT_EQ(find_kernel("auto"), &best_kernel());
  EXPECT_EQ(find_kernel("sse9"), nullptr);
  for (const Kernel* kernel : available_kernels()) {
    EXPECT_EQ(find_kernel(kernel->name), kernel);
    EXPECT_TRUE(kernel->supported());
  }
}

}  // namespace
}  // namespace atcd::engine
