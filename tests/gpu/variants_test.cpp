#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "engine/dispatch.hpp"
#include "tests/engine/columns.hpp"
#include "tests/engine/trials.hpp"
#include "tests/gpu/computers.hpp"

// Plans that share their averages, computed together: the bits of each by itself.

namespace atcd::gpu {
namespace {

using engine::Parameters;
using engine::Plan;
using trials::Columns;
using trials::Maker;
using trials::Trial;

/// The same averages, other layers.
Parameters variant_of(Parameters parameters, Maker& maker) {
  const Parameters other = maker.parameters();
  parameters.lambda = other.lambda;
  parameters.decay = other.decay;
  parameters.cutout = other.cutout;
  parameters.long_threshold = other.long_threshold;
  parameters.short_threshold = other.short_threshold;
  parameters.strategy_mode = other.strategy_mode;
  for (double& weight : parameters.weights) {
    if (maker.one_in(2)) weight = maker.real(0.05, 3);
  }
  return parameters;
}

struct Variants {
  Variants(Maker& maker, const Parameters& first, std::size_t series, std::size_t variants) {
    std::int64_t fewest = 0;
    for (std::size_t v = 0; v < variants; ++v) {
      plans.push_back(std::make_unique<const Plan>(v == 0 ? first : variant_of(first, maker)));
      pointers.push_back(plans.back().get());
      fewest = std::max(fewest, plans.back()->minimum_bars());
    }
    for (std::size_t i = 0; i < series; ++i) {
      Trial trial{first, maker.prices(static_cast<std::size_t>(fewest + maker.from_to(0, 260))), {}};
      if (maker.one_in(3)) {
        trial.sources = trial.closes;
        for (double& value : trial.sources) value *= 1 + maker.real(-0.004, 0.004);
      }
      if (first.dialect == engine::Dialect::lts && maker.one_in(4)) maker.lose_some(trial.closes);
      times.push_back(trials::close_times(trial.closes.size()));
      trials.push_back(trial);
    }
    for (std::size_t i = 0; i < series; ++i) {
      inputs.push_back({trials[i].closes, trials[i].sources, times[i]});
    }
    columns.reserve(series * variants);
    for (std::size_t k = 0; k < series * variants; ++k) {
      columns.emplace_back(trials[k % series].closes.size());
      outputs.push_back(columns.back().output());
      outputs.back().averages = outputs.back().states = outputs.back().equities = {};
    }
  }

  /// Of the columns that are computed together.
  std::string difference_from_scalar(std::size_t variant, std::size_t series) const {
    const Trial& trial = trials[series];
    const std::size_t bars = trial.closes.size();
    Columns expected = trials::by_batch(*plans[variant], trial, *engine::find_kernel("scalar"), bars);
    const Columns& got = columns[variant * inputs.size() + series];
    expected.averages = got.averages;
    expected.states = got.states;
    expected.equities = got.equities;
    return difference(expected, got, bars);
  }

  std::vector<std::unique_ptr<const Plan>> plans;
  std::vector<const Plan*> pointers;
  std::vector<Trial> trials;
  std::vector<std::vector<std::int64_t>> times;
  std::vector<Columns> columns;
  std::vector<engine::BatchInput> inputs;
  std::vector<engine::BatchOutput> outputs;
};

class GpuVariantsTest : public ComputersTest {};
INSTANTIATE_TEST_SUITE_P(Gpu, GpuVariantsTest, all_computers(), name_of);

TEST_P(GpuVariantsTest, EachPlanHasTheBitsOfTheScalarDefinition) {
  Maker maker(4711);
  const int wanted = times(600, 6'000);
  int compared = 0;
  while (compared < wanted) {
    Variants variants(maker, maker.parameters(), static_cast<std::size_t>(maker.from_to(1, 12)),
                      static_cast<std::size_t>(maker.from_to(1, 9)));
    ASSERT_EQ(compute_variants(variants.pointers, variants.inputs, variants.outputs).sentence, "");
    for (std::size_t v = 0; v < variants.plans.size(); ++v) {
      for (std::size_t i = 0; i < variants.inputs.size(); ++i, ++compared) {
        ASSERT_EQ(variants.difference_from_scalar(v, i), "") << "plan " << v << ", series " << i;
      }
    }
  }
}

TEST_P(GpuVariantsTest, WhatIsNotWantedStaysAsItWas) {
  Maker maker(8);
  Variants variants(maker, Parameters{}, 3, 4);
  const std::vector<engine::BatchOutput> all = variants.outputs;
  for (std::size_t k = 0; k < all.size(); ++k) {
    variants.outputs[k] = {};
    if (k % 2 == 0) variants.outputs[k].trend = all[k].trend;
    if (k == 5) variants.outputs[k].equity[2] = all[k].equity[2];
  }
  ASSERT_EQ(compute_variants(variants.pointers, variants.inputs, variants.outputs).sentence, "");
  for (std::size_t k = 0; k < all.size(); ++k) {
    const std::size_t v = k / variants.inputs.size(), i = k % variants.inputs.size();
    const std::size_t bars = variants.trials[i].closes.size();
    const Columns expected =
        trials::by_batch(*variants.plans[v], variants.trials[i], engine::best_kernel(), bars);
    const std::vector<double> nothing(bars, 0.0);
    const Columns& got = variants.columns[k];
    EXPECT_EQ(got.trend, k % 2 == 0 ? expected.trend : std::vector<std::int8_t>(bars));
    EXPECT_TRUE(trials::same_bits(got.equity[2], k == 5 ? expected.equity[2] : nothing));
    EXPECT_TRUE(trials::same_bits(got.average, nothing));
  }
}

TEST(GpuVariantsDeviceTest, HoweverThePlansAreSpreadTheBitsAreTheSame) {
  ATCD_SKIP_WITHOUT_DEVICE();
  Maker maker(99);
  Variants variants(maker, Parameters{}, 40, 7);
  constexpr std::int64_t kAll = std::int64_t{1} << 30;
  for (const BatchOptions& options :
       {BatchOptions{1, 1, 1, kAll, kAll}, BatchOptions{16, 2, 4, 1, 1}, BatchOptions{5, 2, 2, 1, kAll}}) {
    BatchComputer computer(options);
    for (Columns& columns : variants.columns) columns.average.assign(columns.average.size(), 0);
    ASSERT_EQ(computer.compute_variants(variants.pointers, variants.inputs, variants.outputs).sentence, "");
    for (std::size_t v = 0; v < variants.plans.size(); ++v) {
      for (std::size_t i = 0; i < variants.inputs.size(); ++i) {
        ASSERT_EQ(variants.difference_from_scalar(v, i), "") << options.workers;
      }
    }
  }
  EXPECT_TRUE(device_computer().compute_variants({}, {}, {}).done());
  EXPECT_TRUE(device_computer().compute_variants(variants.pointers, {}, {}).done());
}

TEST(GpuVariantsDeviceTest, WithAveragesEachPlanIsComputedByItself) {
  ATCD_SKIP_WITHOUT_DEVICE();
  Maker maker(100);
  Variants variants(maker, Parameters{}, 2, 3);
  for (std::size_t k = 0; k < variants.columns.size(); ++k)
    variants.outputs[k] = variants.columns[k].output();
  ASSERT_EQ(device_computer().compute_variants(variants.pointers, variants.inputs, variants.outputs).sentence,
            "");
  for (std::size_t k = 0; k < variants.columns.size(); ++k) {
    const std::size_t v = k / variants.inputs.size(), i = k % variants.inputs.size();
    const std::size_t bars = variants.trials[i].closes.size();
    const Columns expected =
        trials::by_batch(*variants.plans[v], variants.trials[i], *engine::find_kernel("scalar"), bars);
    EXPECT_EQ(difference(expected, variants.columns[k], bars), "") << "plan " << v << ", series " << i;
  }
}

}  // namespace
}  // namespace atcd::gpu
