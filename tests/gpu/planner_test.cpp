#include "gpu/planner.hpp"

#include <gtest/gtest.h>

#include <latch>
#include <memory>
#include <string>
#include <vector>

#include "engine/dispatch.hpp"
#include "tests/engine/columns.hpp"
#include "tests/gpu/injected_device.hpp"

// Whatever a device does, a batch has the processor's bits and nothing is lost.

namespace atcd::gpu {
namespace {

using engine::Incremental;
using engine::Plan;
using Kind = Outcome::Kind;
using Script = InjectedDevice::Script;

const Outcome kNoMemory{Kind::out_of_memory, "CUDA: device memory: out of memory"};
const Outcome kLost{Kind::failed, "CUDA: computing: unspecified launch failure"};

/// What machine G of perf/CLAIMS.md takes: one H200 and 16 processors with AVX-512.
constexpr Costs kCostsOfH200{{250'000, 450, 0.75}, {0, 200, 4.4}};
constexpr Costs kDeviceAlways{{0, 0, 0}, {1, 0, 0}};
constexpr Costs kDeviceNever{{1, 0, 0}, {0, 0, 0}};

/// Series of one plan with room for what comes of them.
struct Market {
  explicit Market(std::size_t series, std::size_t bars = 200) {
    trials::Maker maker(77);
    for (std::size_t i = 0; i < series; ++i) {
      closes.push_back(maker.prices(bars + i));
      times.push_back(trials::close_times(bars + i));
      columns.emplace_back(bars + i);
      engines.emplace_back(plan);
    }
    for (std::size_t i = 0; i < series; ++i) {
      inputs.push_back({closes[i], {}, times[i]});
      outputs.push_back(columns[i].output());
      pointers.push_back(&engines[i]);
    }
  }

  Outcome compute(Planner& planner) { return planner.compute(*plan, inputs, outputs, pointers); }

  /// That the processor alone gives the same of all, and of the bar after.
  void expect_the_processors_bits() {
    Market expected(inputs.size(), closes.front().size());
    ASSERT_EQ(engine::compute_batches(*plan, expected.inputs, expected.outputs,
                                      *engine::find_kernel("scalar"), 1, expected.pointers),
              "");
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      ASSERT_EQ(difference(expected.columns[i], columns[i], closes[i].size()), "") << "series " << i;
      ASSERT_EQ(engines[i].bars(), static_cast<std::int64_t>(closes[i].size()));
      const double next = closes[i].back() * 1.01;
      const engine::Signal a = expected.engines[i].update(next, next, 1),
                           b = engines[i].update(next, next, 1);
      ASSERT_TRUE(trials::same_bits(a.average, b.average)) << "series " << i;
      ASSERT_EQ(a.trend, b.trend);
    }
  }

  std::shared_ptr<const Plan> plan = std::make_shared<const Plan>(engine::Parameters{});
  std::vector<std::vector<double>> closes;
  std::vector<std::vector<std::int64_t>> times;
  std::vector<trials::Columns> columns;
  std::vector<Incremental> engines;
  std::vector<engine::BatchInput> inputs;
  std::vector<engine::BatchOutput> outputs;
  std::vector<Incremental*> pointers;
};

class PlannerTest : public testing::Test {
 protected:
  std::unique_ptr<Planner> planner(Choice choice = Choice::automatic, const Costs& costs = kDeviceAlways) {
    Planner::Options options;
    options.choice = choice;
    options.costs = costs;
    options.tell = [this](std::string_view sentence) { told_.emplace_back(sentence); };
    return std::make_unique<Planner>(options, std::make_unique<InjectedDevice>(script_));
  }
  std::unique_ptr<Planner> started(Choice choice = Choice::automatic, const Costs& costs = kDeviceAlways) {
    auto made = planner(choice, costs);
    EXPECT_EQ(made->wait_for_device().sentence, "");
    return made;
  }
  /// A batch of its own goes well, with the processor's bits.
  static void expect_well(Planner& planner) {
    Market market(5);
    EXPECT_EQ(market.compute(planner).sentence, "");
    market.expect_the_processors_bits();
  }

  Script script_;
  std::vector<std::string> told_;
};

TEST_F(PlannerTest, WithoutADeviceTheProcessorComputesAndTheReasonIsToldOnce) {
  script_.start = {Kind::no_device, "there is no driver"};
  const auto planner = this->planner();
  EXPECT_EQ(planner->wait_for_device().kind, Kind::no_device);
  for (int i = 0; i < 3; ++i) expect_well(*planner);
  EXPECT_EQ(told_, std::vector<std::string>{
                       "no CUDA device is used: there is no driver; the processor computes all batches"});
  EXPECT_EQ(script_.started, 1);
  EXPECT_EQ(script_.computed, 0);
}

TEST_F(PlannerTest, BatchesGoToTheProcessorWhileTheDeviceStarts) {
  std::latch may_start(1);
  script_.start_waits_for = &may_start;
  const auto planner = this->planner();
  expect_well(*planner);
  EXPECT_FALSE(planner->costs());
  EXPECT_EQ(script_.computed, 0);
  may_start.count_down();
  EXPECT_TRUE(planner->wait_for_device().done());
  expect_well(*planner);
  EXPECT_EQ(script_.computed, 1);
  EXPECT_EQ(told_, std::vector<std::string>{});
}

TEST_F(PlannerTest, APlannerMayEndBeforeItsDeviceHasStarted) {
  std::latch may_start(1);
  script_.start_waits_for = &may_start;
  auto planner = this->planner();
  may_start.count_down();
  planner.reset();
  EXPECT_EQ(script_.started, 1);
}

TEST_F(PlannerTest, ALostDeviceLosesNothingAndIsNotTriedAgain) {
  script_.calls[1] = kLost;
  const auto planner = started();
  for (int i = 0; i < 5; ++i) expect_well(*planner);
  EXPECT_EQ(script_.computed, 2);
  EXPECT_EQ(told_, std::vector<std::string>{
                       "no CUDA device is used: CUDA: computing: unspecified launch failure; the processor "
                       "computes this batch again, and all after it"});
  EXPECT_EQ(planner->wait_for_device().kind, Kind::failed);
}

TEST_F(PlannerTest, ADeviceWithoutMemoryIsTriedAgainAfterEverMoreBatches) {
  for (int call = 1; call <= 3; ++call) script_.calls[call] = kNoMemory;
  const auto planner = started();
  // Which of the batches the device is given: it fails the second, then 1, 2 and 4 go past it.
  const std::vector<int> given = {1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 4, 5, 6};
  for (const int calls : given) {
    expect_well(*planner);
    EXPECT_EQ(script_.computed, calls);
  }
  EXPECT_EQ(told_, std::vector<std::string>{
                       "the CUDA device has not enough memory: CUDA: device memory: out of memory; the "
                       "processor computes the batch, and the device is tried again later"});
  // One that succeeded begins the count anew.
  script_.calls[6] = kNoMemory;
  for (const int calls : {7, 7, 8}) {
    expect_well(*planner);
    EXPECT_EQ(script_.computed, calls);
  }
  EXPECT_EQ(told_.size(), 1U);
}

TEST_F(PlannerTest, ADeviceWithoutMemoryIsTriedAgainAfter64BatchesAtTheLatest) {
  for (int call = 0; call < 100; ++call) script_.calls[call] = kNoMemory;
  script_.writes_half_first = false;
  const auto planner = started();
  Market market(1, 40);
  const auto batches_until_call = [&](int calls) {
    int batches = 0;
    for (; script_.computed < calls && batches < 1'000; ++batches) {
      EXPECT_TRUE(planner->compute(*market.plan, market.inputs, market.outputs, {}).done());
    }
    return batches;
  };
  EXPECT_EQ(batches_until_call(7), 7 + 1 + 2 + 4 + 8 + 16 + 32);
  EXPECT_EQ(batches_until_call(8), 65);
  EXPECT_EQ(batches_until_call(9), 65);
}

TEST_F(PlannerTest, WhatIsRefusedIsRefusedWithTheEnginesSentence) {
  Market market(3);
  market.closes[1][7] = -1;
  const std::string sentence =
      "series 1: the close of bar 7 is -1, but must be finite and positive, or missing";
  for (const Choice choice : {Choice::automatic, Choice::processor, Choice::device}) {
    const auto planner = this->planner(choice);
    planner->wait_for_device();
    const Outcome outcome = market.compute(*planner);
    EXPECT_EQ(outcome.kind, Kind::refused);
    EXPECT_EQ(outcome.sentence, sentence);
  }
  EXPECT_EQ(script_.computed, 2);
  EXPECT_EQ(told_, std::vector<std::string>{});
}

TEST_F(PlannerTest, AForcedProcessorLeavesTheDeviceAlone) {
  const auto planner = this->planner(Choice::processor);
  expect_well(*planner);
  EXPECT_EQ(script_.started, 0);
  EXPECT_EQ(planner->wait_for_device().kind, Kind::no_device);
}

TEST_F(PlannerTest, AForcedDeviceIsWaitedForAndHasEveryBatch) {
  std::latch may_start(1);
  script_.start_waits_for = &may_start;
  const auto planner = this->planner(Choice::device, kDeviceNever);
  std::thread later([&] { may_start.count_down(); });
  expect_well(*planner);
  later.join();
  EXPECT_EQ(script_.computed, 1);
}

TEST_F(PlannerTest, WhereTheDeviceIsForcedTheOutcomeSaysHowItFailed) {
  script_.calls[0] = kNoMemory;
  script_.calls[2] = kLost;
  const auto planner = started(Choice::device);
  Market market(3);
  EXPECT_EQ(market.compute(*planner).sentence, kNoMemory.sentence);
  expect_well(*planner);
  EXPECT_EQ(market.compute(*planner).sentence, kLost.sentence);
  EXPECT_EQ(market.compute(*planner).kind, Kind::failed);
  EXPECT_EQ(script_.computed, 3);
  EXPECT_EQ(told_, std::vector<std::string>{});
}

TEST_F(PlannerTest, WhereTheDeviceIsForcedAndDoesNotStartTheOutcomeSaysWhy) {
  script_.start = {Kind::no_device, "there is no driver"};
  const auto planner = this->planner(Choice::device);
  Market market(3);
  for (int i = 0; i < 2; ++i) {
    const Outcome outcome = market.compute(*planner);
    EXPECT_EQ(outcome.kind, Kind::no_device);
    EXPECT_EQ(outcome.sentence, "there is no driver");
  }
  EXPECT_EQ(script_.started, 1);
}

TEST_F(PlannerTest, TheSizeDecidesWhoComputes) {
  // Made so that 4 series of 200 bars are too few and 5 are enough.
  const Costs costs{{100'000, 100, 1}, {0, 0, 140}};
  EXPECT_EQ(costs.crossover_series(200), 5U);
  const auto planner = started(Choice::automatic, costs);
  for (const auto& [series, calls] : {std::pair{1U, 0}, {4U, 0}, {6U, 1}, {2U, 1}, {40U, 2}}) {
    Market market(series);
    EXPECT_TRUE(market.compute(*planner).done());
    market.expect_the_processors_bits();
    EXPECT_EQ(script_.computed, calls) << series;
  }
}

TEST_F(PlannerTest, FewSeriesUnderManyPlansAreManySeries) {
  const Costs costs{{100'000, 100, 1}, {0, 0, 140}};
  EXPECT_EQ(costs.crossover_series(200), 5U);
  const auto planner = started(Choice::automatic, costs);
  const Plan plan{engine::Parameters{}};
  for (const auto& [variants, calls] : {std::pair{2U, 0}, {6U, 1}}) {
    Market market(1);
    const std::vector<const Plan*> plans(variants, &plan);
    std::vector<trials::Columns> columns(variants, trials::Columns(200));
    std::vector<engine::BatchOutput> outputs;
    for (trials::Columns& each : columns) outputs.push_back(each.output());
    EXPECT_EQ(planner->compute_variants(plans, market.inputs, outputs).sentence, "");
    EXPECT_EQ(script_.computed, calls) << variants;
  }
}

TEST_F(PlannerTest, FewSeriesStayWithTheProcessorHoweverLong) {
  EXPECT_EQ(kCostsOfH200.crossover_series(1'500), 115U);
  EXPECT_FALSE(kCostsOfH200.device_is_faster({1, 1'000'000, 1'000'000}));
  EXPECT_FALSE(kCostsOfH200.device_is_faster({50, 100'000, 5'000'000}));
  EXPECT_TRUE(kCostsOfH200.device_is_faster({10'000, 1'500, 15'000'000}));
  EXPECT_EQ(kDeviceNever.crossover_series(1'500), 0U);
  EXPECT_EQ(kDeviceAlways.crossover_series(1'500), 1U);
}

TEST_F(PlannerTest, VariantsOfWhichADeviceHadComputedHalfAreTheProcessors) {
  Market market(4);
  std::vector<std::unique_ptr<Plan>> made;
  std::vector<const Plan*> plans;
  for (const double lambda : {0.02, 0.03, 0.04}) {
    engine::Parameters parameters;
    parameters.lambda = lambda;
    plans.push_back(made.emplace_back(std::make_unique<Plan>(parameters)).get());
  }
  for (const Outcome& failure : {kLost, kNoMemory}) {
    script_.computed = 0;
    script_.calls = {{0, failure}};
    const auto planner = started();
    std::vector<trials::Columns> columns, expected;
    std::vector<engine::BatchOutput> outputs, expected_outputs;
    for (auto* all : {&columns, &expected}) {
      for (std::size_t i = 0; i < plans.size() * market.inputs.size(); ++i)
        all->emplace_back(market.closes[i % market.inputs.size()].size());
    }
    for (auto& one : columns) outputs.push_back(one.output());
    for (auto& one : expected) expected_outputs.push_back(one.output());
    EXPECT_EQ(planner->compute_variants(plans, market.inputs, outputs).sentence, "");
    EXPECT_EQ(script_.computed, 1);
    ASSERT_EQ(
        engine::compute_variants(plans, market.inputs, expected_outputs, *engine::find_kernel("scalar")), "");
    for (std::size_t i = 0; i < columns.size(); ++i)
      EXPECT_EQ(difference(expected[i], columns[i], columns[i].average.size()), "") << i;
  }
  EXPECT_EQ(told_.size(), 2U);
}

TEST_F(PlannerTest, CostsAreMeasuredOnceBeforeTheDeviceIsUsed) {
  Planner::Options options;
  options.threads = 2;
  Planner planner(options, std::make_unique<InjectedDevice>(script_));
  EXPECT_TRUE(planner.wait_for_device().done());
  ASSERT_TRUE(planner.costs());
  EXPECT_GT(planner.costs()->device.bar_ns, 0);
  EXPECT_GT(planner.costs()->processor.bar_ns, 0);
  EXPECT_EQ(script_.computed, 9);
  expect_well(planner);
}

TEST_F(PlannerTest, ADeviceThatDoesNotStartIsNotMeasured) {
  script_.start = {Kind::no_device, "there is no driver"};
  Planner planner({}, std::make_unique<InjectedDevice>(script_));
  EXPECT_EQ(planner.wait_for_device().sentence, "there is no driver");
  EXPECT_EQ(script_.computed, 0);
}

TEST_F(PlannerTest, ADeviceThatFailsWhileItIsMeasuredIsNotUsed) {
  script_.calls[4] = kNoMemory;
  Planner::Options options;
  options.tell = [this](std::string_view sentence) { told_.emplace_back(sentence); };
  Planner planner(options, std::make_unique<InjectedDevice>(script_));
  EXPECT_EQ(planner.wait_for_device().kind, Kind::out_of_memory);
  expect_well(planner);
  EXPECT_EQ(script_.computed, 5);
  EXPECT_EQ(told_.size(), 1U);
}

}  // namespace
}  // namespace atcd::gpu
