#include "gpu/batch.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <vector>

#include "engine/dispatch.hpp"
#include "gpu/device_plan.hpp"
#include "tests/engine/columns.hpp"
#include "tests/engine/trials.hpp"
#include "tests/gpu/computers.hpp"

// The device gives the bits of the scalar definition: every column, the state to go on from, and no more of
// the memory than its own.

namespace atcd::gpu {
namespace {

using engine::Incremental;
using engine::Plan;
using engine::Signal;
using trials::Columns;
using trials::Maker;
using trials::Trial;

/// Many series of one plan, of several lengths, some with missing values.
struct Series {
  Series(Maker& maker, std::size_t count, bool complete)
      : Series(maker, maker.trial(complete), count, complete) {}
  Series(Maker& maker, const Trial& first, std::size_t count, bool complete)
      : parameters(first.parameters), trials{first} {
    const Plan plan(parameters);
    const std::int64_t fewest = plan.minimum_bars();
    while (trials.size() < count) {
      Trial next{parameters, maker.prices(static_cast<std::size_t>(fewest + maker.from_to(0, 260))), {}};
      if (maker.one_in(3)) {
        next.sources = next.closes;
        for (double& value : next.sources) value *= 1 + maker.real(-0.004, 0.004);
      }
      if (!complete && parameters.dialect == engine::Dialect::lts && maker.one_in(4)) {
        maker.lose_some(next.closes);
        // Some end with missing values, so that the next bar goes over them.
        if (maker.one_in(2)) next.closes.back() = std::numeric_limits<double>::quiet_NaN();
      }
      trials.push_back(next);
    }
    for (const Trial& trial : trials) {
      times.push_back(trials::close_times(trial.closes.size()));
      columns.emplace_back(trial.closes.size());
    }
    for (std::size_t i = 0; i < trials.size(); ++i) {
      inputs.push_back({trials[i].closes, trials[i].sources, times[i]});
      outputs.push_back(columns[i].output());
    }
  }

  engine::Parameters parameters;
  std::vector<Trial> trials;
  std::vector<std::vector<std::int64_t>> times;
  std::vector<Columns> columns;
  std::vector<engine::BatchInput> inputs;
  std::vector<engine::BatchOutput> outputs;
};

class GpuBatchTest : public ComputersTest {};
INSTANTIATE_TEST_SUITE_P(Gpu, GpuBatchTest, all_computers(), name_of);

TEST_P(GpuBatchTest, EveryColumnHasTheBitsOfTheScalarDefinition) {
  Maker maker(20261);
  const int wanted = times(2'000, 10'500);
  int compared = 0;
  while (compared < wanted) {
    Series series(maker, static_cast<std::size_t>(maker.from_to(1, 60)), false);
    const Plan plan(series.parameters);
    ASSERT_EQ(compute(plan, series.inputs, series.outputs).sentence, "");
    for (std::size_t i = 0; i < series.trials.size(); ++i, ++compared) {
      const std::size_t bars = series.trials[i].closes.size();
      const Columns expected = trials::by_batch(plan, series.trials[i], *engine::find_kernel("scalar"), bars);
      ASSERT_EQ(difference(expected, series.columns[i], bars), "") << "series " << compared;
    }
  }
}

std::string difference(const Signal& a, const Signal& b) {
  for (std::size_t f = 0; f < engine::kFamilies; ++f) {
    if (!trials::same_bits(a.layer1[f], b.layer1[f])) return "layer 1 of family " + std::to_string(f);
    if (!trials::same_bits(a.equity[f], b.equity[f])) return "layer 2 of family " + std::to_string(f);
  }
  if (!trials::same_bits(a.average, b.average)) return "average";
  if (a.bar_index != b.bar_index) return "bar index";
  if (a.trend_since_ms != b.trend_since_ms) return "trend since";
  if (a.trend != b.trend || a.previous_trend != b.previous_trend) return "trend";
  return "";
}

/// Both go on over the same bars, and now and then one is taken back.
void expect_same_future(Incremental& expected, Incremental& actual, const Trial& trial, Maker& maker) {
  ASSERT_EQ(difference(expected.last(), actual.last()), "");
  ASSERT_EQ(expected.bars(), actual.bars());
  const bool pine = trial.parameters.dialect == engine::Dialect::pine;
  double price = trial.closes.back() > 0 ? trial.closes.back() : 100;
  std::int64_t time = 1'900'000'000'000;
  for (int i = 0; i < 70; ++i) {
    price *= 1 + maker.real(-0.02, 0.02);
    const double source = !pine && maker.one_in(30) ? std::numeric_limits<double>::quiet_NaN() : price;
    ASSERT_EQ(difference(expected.update(price, source, time), actual.update(price, source, time)), "") << i;
    time += 60'000;
    if (maker.one_in(5)) {
      ASSERT_TRUE(expected.step_back());
      ASSERT_TRUE(actual.step_back());
    }
  }
}

TEST_P(GpuBatchTest, TheStateAtTheEndGoesOnAsIfEveryBarHadBeenTakenLive) {
  Maker maker(77);
  const int wanted = times(300, 2'000);
  int compared = 0;
  while (compared < wanted) {
    Series series(maker, static_cast<std::size_t>(maker.from_to(1, 30)), false);
    const auto plan = std::make_shared<const Plan>(series.parameters);
    std::vector<Incremental> resumed;
    std::vector<Incremental*> engines;
    for (std::size_t i = 0; i < series.trials.size(); ++i) resumed.emplace_back(plan);
    for (Incremental& engine : resumed) engines.push_back(&engine);
    // Without any column: what a warm-up asks for.
    ASSERT_EQ(compute(*plan, series.inputs, {}, engines).sentence, "");
    for (std::size_t i = 0; i < series.trials.size(); ++i, ++compared) {
      Incremental expected(plan);
      const Trial& trial = series.trials[i];
      for (std::size_t bar = 0; bar < trial.closes.size(); ++bar) {
        expected.update(trial.closes[bar], trials::source_of(trial, bar), series.times[i][bar]);
      }
      ASSERT_NO_FATAL_FAILURE(expect_same_future(expected, resumed[i], trial, maker))
          << "series " << compared;
    }
  }
}

TEST_P(GpuBatchTest, SomeColumnsOfSomeSeries) {
  Maker maker(5);
  Series series(maker, 9, true);
  const Plan plan(series.parameters);
  const std::vector<engine::BatchOutput> all = series.outputs;
  // An average here, a trend there, nothing of most: what is not wanted stays as it was.
  for (std::size_t i = 0; i < series.outputs.size(); ++i) {
    engine::BatchOutput some;
    if (i % 3 == 1) some.average = all[i].average;
    if (i % 3 == 2) some.trend = all[i].trend;
    if (i == 4) some.equity[3] = all[i].equity[3];
    series.outputs[i] = some;
  }
  ASSERT_EQ(compute(plan, series.inputs, series.outputs).sentence, "");
  for (std::size_t i = 0; i < series.trials.size(); ++i) {
    const std::size_t bars = series.trials[i].closes.size();
    const Columns expected = trials::by_batch(plan, series.trials[i], engine::best_kernel(), bars);
    const Columns& got = series.columns[i];
    const std::vector<double> nothing(bars, 0.0);
    EXPECT_TRUE(trials::same_bits(got.average, i % 3 == 1 ? expected.average : nothing));
    EXPECT_EQ(got.trend, i % 3 == 2 ? expected.trend : std::vector<std::int8_t>(bars));
    EXPECT_TRUE(trials::same_bits(got.equity[3], i == 4 ? expected.equity[3] : nothing));
    EXPECT_TRUE(trials::same_bits(got.layer1[0], nothing));
    EXPECT_TRUE(trials::same_bits(got.states, std::vector<double>(bars * engine::kAverages, 0.0)));
  }
}

TEST_P(GpuBatchTest, TinyAndRaggedBatchesAroundTheTilesEdges) {
  engine::Parameters parameters;
  parameters.dialect = engine::Dialect::pine;
  Maker maker(11);
  for (const bool pine : {true, false}) {
    parameters.dialect = pine ? engine::Dialect::pine : engine::Dialect::lts;
    const Plan plan(parameters);
    std::vector<Trial> trials;
    for (const std::size_t bars :
         std::initializer_list<std::size_t>{1, 2, 31, 32, 33, 34, 63, 64, 65, 95, 96, 97, 128}) {
      if (static_cast<std::int64_t>(bars) < plan.minimum_bars()) continue;
      trials.push_back({parameters, maker.prices(bars), {}});
    }
    std::vector<Columns> columns;
    std::vector<std::vector<std::int64_t>> times;
    for (const Trial& trial : trials) {
      columns.emplace_back(trial.closes.size());
      times.push_back(trials::close_times(trial.closes.size()));
    }
    std::vector<engine::BatchInput> inputs;
    std::vector<engine::BatchOutput> outputs;
    for (std::size_t i = 0; i < trials.size(); ++i) {
      inputs.push_back({trials[i].closes, {}, times[i]});
      outputs.push_back(columns[i].output());
    }
    ASSERT_EQ(compute(plan, inputs, outputs).sentence, "");
    for (std::size_t i = 0; i < trials.size(); ++i) {
      const std::size_t bars = trials[i].closes.size();
      const Columns expected = trials::by_batch(plan, trials[i], *engine::find_kernel("scalar"), bars);
      EXPECT_EQ(difference(expected, columns[i], bars), "") << bars << " bars";
    }
  }
  EXPECT_TRUE(compute(Plan(parameters), {}, {}).done());
}

struct Scan {
  int base;
  engine::Robustness robustness;
  Spread spread;  // which of the kernel's variants that has to choose
};
constexpr Scan kScans[] = {
    {28, engine::Robustness::narrow, Spread::narrow}, {28, engine::Robustness::medium, Spread::medium},
    {28, engine::Robustness::wide, Spread::wide},     {27, engine::Robustness::narrow, Spread::other},
    {29, engine::Robustness::medium, Spread::other},  {41, engine::Robustness::wide, Spread::other}};

TEST_P(GpuBatchTest, UnrolledScansOfTheUsualLengthsAndTheGeneralOne) {
  Maker maker(28);
  for (const engine::Dialect dialect : {engine::Dialect::lts, engine::Dialect::pine}) {
    for (const Scan& scan : kScans) {
      engine::Parameters parameters;
      parameters.dialect = dialect;
      parameters.robustness = scan.robustness;
      parameters.lengths.fill(scan.base);
      const Plan plan(parameters);
      ASSERT_EQ(device_plan(plan.constants()).spread, scan.spread) << scan.base;
      const Trial first{parameters, maker.prices(300), {}};
      Series series(maker, first, 12, dialect == engine::Dialect::pine);
      ASSERT_EQ(compute(plan, series.inputs, series.outputs).sentence, "");
      for (std::size_t i = 0; i < series.trials.size(); ++i) {
        const std::size_t bars = series.trials[i].closes.size();
        const Columns expected =
            trials::by_batch(plan, series.trials[i], *engine::find_kernel("scalar"), bars);
        EXPECT_EQ(difference(expected, series.columns[i], bars), "") << scan.base << ", series " << i;
      }
    }
  }
}

/// Twice an average of such values is infinite, which a fused operation would not notice.
TEST_P(GpuBatchTest, ValuesThatOverflowWhenDoubled) {
  Maker maker(29);
  for (const engine::Dialect dialect : {engine::Dialect::lts, engine::Dialect::pine}) {
    engine::Parameters parameters;
    parameters.dialect = dialect;
    const Plan plan(parameters);
    Trial rising{parameters, std::vector<double>(64, 1e300), {}};
    rising.closes.resize(192, 1.7e308);
    Trial swinging{parameters, maker.prices(192), {}};
    swinging.sources = swinging.closes;
    for (std::size_t i = 64; i < 192; ++i) swinging.sources[i] = i % 2 == 0 ? 1.7e308 : -1.7e308;
    for (const Trial& trial : {rising, swinging}) {
      Series series(maker, trial, 1, true);
      ASSERT_EQ(compute(plan, series.inputs, series.outputs).sentence, "");
      const Columns expected = trials::by_batch(plan, trial, *engine::find_kernel("scalar"), 192);
      EXPECT_EQ(difference(expected, series.columns[0], 192), "");
    }
  }
}

TEST_P(GpuBatchTest, SomeFamiliesOfTheUsualLengthsAndOfOthers) {
  Maker maker(63);
  for (unsigned kept = 1; kept < 63; kept += 3) {
    for (const int base : {28, 31, 5}) {
      engine::Parameters parameters;
      parameters.dialect = maker.one_in(2) ? engine::Dialect::pine : engine::Dialect::lts;
      if (base == 5) parameters.robustness = engine::Robustness::narrow;
      parameters.lengths.fill(base);
      maker.leave_out_families(parameters, kept);
      const auto plan = std::make_shared<const Plan>(parameters);
      Series series(maker, Trial{parameters, maker.prices(150), {}}, 3, false);
      std::vector<Incremental> resumed;
      std::vector<Incremental*> engines;
      for (std::size_t i = 0; i < series.trials.size(); ++i) resumed.emplace_back(plan);
      for (Incremental& engine : resumed) engines.push_back(&engine);
      ASSERT_EQ(compute(*plan, series.inputs, series.outputs, engines).sentence, "");
      for (std::size_t i = 0; i < series.trials.size(); ++i) {
        const Trial& trial = series.trials[i];
        const std::size_t bars = trial.closes.size();
        const Columns expected = trials::by_batch(*plan, trial, *engine::find_kernel("scalar"), bars);
        ASSERT_EQ(difference(expected, series.columns[i], bars), "")
            << "families " << kept << ", base " << base;
        Incremental live(plan);
        for (std::size_t bar = 0; bar < bars; ++bar) {
          live.update(trial.closes[bar], trials::source_of(trial, bar), series.times[i][bar]);
        }
        ASSERT_NO_FATAL_FAILURE(expect_same_future(live, resumed[i], trial, maker)) << "families " << kept;
      }
    }
  }
}

TEST_P(GpuBatchTest, LengthsOfOneAndOfThousands) {
  Maker maker(13);
  for (const engine::Dialect dialect : {engine::Dialect::lts, engine::Dialect::pine}) {
    engine::Parameters parameters;
    parameters.dialect = dialect;
    parameters.robustness = engine::Robustness::narrow;
    parameters.lengths = {5, 5, 2000, 6, 5, 5};
    const Plan plan(parameters);
    const Trial trial{parameters, maker.prices(2'100), {}};
    Columns columns(2'100);
    const auto close_times = trials::close_times(2'100);
    const engine::BatchInput input{trial.closes, {}, close_times};
    const engine::BatchOutput output = columns.output();
    ASSERT_EQ(compute(plan, {&input, 1}, {&output, 1}).sentence, "");
    const Columns expected = trials::by_batch(plan, trial, *engine::find_kernel("scalar"), 2'100);
    EXPECT_EQ(difference(expected, columns, 2'100), "");
  }
}

}  // namespace
}  // namespace atcd::gpu
