// What one bar of one series costs: in batches of 99 and 2,000 series x 1,500 bars with each kernel, with all
// 13 columns written and with the average alone, on one thread and on two; live, one series back to back and
// round robin over 99, with prepare() before and inside the timed part; the preview of a forming bar; some of
// the families only, whose columns are compared with the full computation's. Beside them a naive reference,
// windows recomputed at every bar. Every kernel's results are compared with the baseline's before anything is
// timed.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "engine/batch.hpp"
#include "engine/dispatch.hpp"
#include "engine/incremental.hpp"
#include "engine/plan.hpp"
#include "tests/engine/naive_reference.hpp"

namespace {

using namespace atcd::engine;

constexpr std::size_t kSeries = 99;
constexpr std::size_t kBars = 1500;

/// Closes of many series and room for the columns that live publishes.
struct Market {
  explicit Market(std::size_t series, bool all = true) : closes(series), columns(series) {
    std::mt19937_64 random(1);
    std::normal_distribution<double> step(0, 0.01);
    for (std::size_t s = 0; s < series; ++s) {
      double price = 100;
      for (std::size_t i = 0; i < kBars; ++i) closes[s].push_back(price *= std::exp(step(random)));
      columns[s].resize(13 * kBars);
    }
    for (std::size_t s = 0; s < series; ++s) {
      inputs.push_back({closes[s]});
      const auto column = [&](std::size_t i) { return std::span(columns[s]).subspan(i * kBars, kBars); };
      BatchOutput output;
      for (std::size_t f = 0; f < kFamilies; ++f) {
        if (!all) continue;
        output.layer1[f] = column(f);
        output.equity[f] = column(kFamilies + f);
      }
      output.average = column(2 * kFamilies);
      outputs.push_back(output);
    }
  }

  void lose(double share) {
    std::mt19937_64 random(2);
    for (auto& series : closes) {
      for (double& close : series) {
        if (std::bernoulli_distribution(share)(random)) close = std::numeric_limits<double>::quiet_NaN();
      }
    }
  }

  std::vector<std::vector<double>> closes, columns;
  std::vector<BatchInput> inputs;
  std::vector<BatchOutput> outputs;
};

Parameters parameters_of(bool pine) {
  Parameters parameters;
  parameters.dialect = pine ? Dialect::pine : Dialect::lts;
  return parameters;
}

void require_same_as_baseline(const Plan& plan, const Kernel& kernel) {
  Market expected(kSeries), market(kSeries);
  compute_batches(plan, expected.inputs, expected.outputs, *available_kernels().front());
  compute_batches(plan, market.inputs, market.outputs, kernel);
  for (std::size_t s = 0; s < kSeries; ++s) {
    if (std::memcmp(expected.columns[s].data(), market.columns[s].data(), 13 * kBars * sizeof(double)) != 0) {
      std::fprintf(stderr, "kernel %s differs from the baseline on series %zu\n", kernel.name, s);
      std::abort();
    }
  }
}

/// Of some families: all but the average signal has the full computation's bits, the other columns none.
void require_same_as_all_families(const Parameters& parameters, const Kernel& kernel) {
  Parameters full = parameters;
  full.families = Parameters{}.families;
  Market expected(kSeries), market(kSeries);
  compute_batches(Plan(full), expected.inputs, expected.outputs, kernel);
  compute_batches(Plan(parameters), market.inputs, market.outputs, kernel);
  for (std::size_t s = 0; s < kSeries; ++s) {
    for (std::size_t f = 0; f < 2 * kFamilies; ++f) {
      const double* const column = market.columns[s].data() + f * kBars;
      const bool same =
          std::memcmp(expected.columns[s].data() + f * kBars, column, kBars * sizeof(double)) == 0;
      const bool none = std::all_of(column, column + kBars, [](double value) { return std::isnan(value); });
      if (parameters.families[f % kFamilies] ? same : none) continue;
      std::fprintf(stderr, "kernel %s: column %zu of some families differs\n", kernel.name, f);
      std::abort();
    }
  }
}

void report_per_bar(benchmark::State& state, std::size_t bars_per_iteration) {
  state.counters["ns_per_bar"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * static_cast<double>(bars_per_iteration),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

struct BatchShape {
  std::size_t series = kSeries;
  bool pine = false;
  bool all = true;  // all 13 columns; else the average
  unsigned threads = 1;
  bool same_lengths = true;  // of all families, as by default
  double missing = 0;        // of the closes
  std::array<bool, kFamilies> families = Parameters{}.families;
};

void batch(benchmark::State& state, const Kernel& kernel, const BatchShape& shape) {
  Parameters parameters = parameters_of(shape.pine);
  if (!shape.same_lengths) parameters.lengths.back() -= 1;
  parameters.families = shape.families;
  const Plan plan(parameters);
  require_same_as_baseline(plan, kernel);
  require_same_as_all_families(parameters, kernel);
  Market market(shape.series, shape.all);
  market.lose(shape.missing);
  // Columns of families that are not computed are not asked for.
  for (BatchOutput& output : market.outputs) {
    for (std::size_t f = 0; f < kFamilies; ++f) {
      if (!shape.families[f]) output.layer1[f] = output.equity[f] = {};
    }
  }
  for (auto _ : state) {
    compute_batches(plan, market.inputs, market.outputs, kernel, shape.threads);
    benchmark::ClobberMemory();
  }
  report_per_bar(state, shape.series * kBars);
}

/// The indicator as one would first write it: every average by itself over the whole series.
void naive_reference(benchmark::State& state) {
  const Parameters parameters = parameters_of(false);
  const Plan plan(parameters);
  Market market(1);
  for (auto _ : state) {
    benchmark::DoNotOptimize(atcd::naive::compute(market.closes[0], market.closes[0], parameters,
                                                  [&](std::int64_t k) { return plan.growth(k); }));
  }
  report_per_bar(state, kBars);
}

/// The series in turn, each with its own engine; only the update is timed, and prepare() with it or not.
enum class Timed { update, prepare_and_update, preview };

void live(benchmark::State& state, const Kernel& kernel, Timed timed) {
  const auto plan = std::make_shared<const Plan>(parameters_of(false));
  require_same_as_baseline(*plan, kernel);
  Market market(kSeries);
  std::vector<Incremental> engines;
  const auto warm = [&](std::size_t s) {
    Incremental engine(plan, kernel);
    for (const double close : market.closes[s]) engine.update(close, close, 0);
    return engine;
  };
  for (std::size_t s = 0; s < kSeries; ++s) engines.push_back(warm(s));
  Bar bar{};
  std::size_t at = 0;
  for (auto _ : state) {
    const std::size_t s = at % kSeries;
    bar.close = market.closes[s][(at / kSeries) % kBars];
    ++at;
    if (engines[s].bars() == std::int64_t{2 * kBars})
      engines[s] = warm(s);  // as many bars as live has since its anchor
    if (timed != Timed::prepare_and_update) engines[s].prepare();
    const auto start = std::chrono::steady_clock::now();
    benchmark::DoNotOptimize(timed == Timed::preview ? engines[s].preview(bar) : engines[s].update(bar));
    const auto end = std::chrono::steady_clock::now();
    state.SetIterationTime(std::chrono::duration<double>(end - start).count());
  }
}

/// The same without a clock in the loop: back to back, prepare and update together.
void replay(benchmark::State& state, const Kernel& kernel, const std::array<bool, kFamilies>& families) {
  Parameters parameters = parameters_of(false);
  parameters.families = families;
  require_same_as_all_families(parameters, kernel);
  const auto plan = std::make_shared<const Plan>(parameters);
  Market market(1);
  for (auto _ : state) {
    Incremental engine(plan, kernel);
    for (const double close : market.closes[0]) benchmark::DoNotOptimize(engine.update(close, close, 0));
  }
  report_per_bar(state, kBars);
}

void clock_alone(benchmark::State& state) {
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    benchmark::ClobberMemory();
    const auto end = std::chrono::steady_clock::now();
    state.SetIterationTime(std::chrono::duration<double>(end - start).count());
  }
}

const int registered = [] {
  for (const Kernel* kernel : available_kernels()) {
    const std::string name = kernel->name;
    const auto add = [](const std::string& title, auto&& body) {
      return benchmark::RegisterBenchmark(title.c_str(), body);
    };
    const auto add_batch = [&](const std::string& title, const BatchShape& shape) {
      // Wall-clock time: on two threads the caller's own is not what it takes.
      add(title + "/" + name, [kernel, shape](benchmark::State& s) {
        batch(s, *kernel, shape);
      })->MeasureProcessCPUTime();
    };
    add_batch("batch_99x1500/lts", {});
    add_batch("batch_99x1500/pine", {.pine = true});
    add_batch("batch_99x1500/lts/average", {.all = false});
    add_batch("batch_99x1500/lts/other_lengths", {.same_lengths = false});
    add_batch("batch_99x1500/lts/missing", {.missing = 0.01});
    add_batch("batch_99x1500/lts/families=ema", {.families = {true}});
    add_batch("batch_99x1500/lts/families=wma", {.families = {false, false, true}});
    add_batch("batch_99x1500/lts/families=kama", {.families = {false, false, false, false, false, true}});
    add_batch("batch_99x1500/lts/families=ema,kama", {.families = {true, false, false, false, false, true}});
    add_batch("batch_99x1500/lts/families=ema,hma,wma,dema,lsma",
              {.families = {true, true, true, true, true, false}});
    add_batch("batch_99x1500/lts/2_threads", {.threads = 2});
    add_batch("batch_2000x1500/lts", {.series = 2000});
    add_batch("batch_2000x1500/lts/average", {.series = 2000, .all = false});
    add_batch("batch_2000x1500/lts/2_threads", {.series = 2000, .threads = 2});
    add("one_series_back_to_back/" + name,
        [kernel](benchmark::State& s) { replay(s, *kernel, Parameters{}.families); });
    add("one_series_back_to_back/families=ema/" + name,
        [kernel](benchmark::State& s) { replay(s, *kernel, {true}); });
    add("live_update_prepared/" + name, [kernel](benchmark::State& s) {
      live(s, *kernel, Timed::update);
    })->UseManualTime();
    add("live_preview_prepared/" + name, [kernel](benchmark::State& s) {
      live(s, *kernel, Timed::preview);
    })->UseManualTime();
    add("live_update_with_prepare/" + name, [kernel](benchmark::State& s) {
      live(s, *kernel, Timed::prepare_and_update);
    })->UseManualTime();
  }
  benchmark::RegisterBenchmark("naive_reference", naive_reference);
  benchmark::RegisterBenchmark("clock_alone", clock_alone)->UseManualTime();
  return 0;
}();

}  // namespace
