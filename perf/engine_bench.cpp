// What one bar of one series costs: in a batch of 99 series x 1,500 bars with each kernel, and live, round
// robin over 99 series, with prepare() before and inside the timed part. Every kernel's results are compared
// with the scalar kernel's before anything is timed.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "engine/batch.hpp"
#include "engine/dispatch.hpp"
#include "engine/incremental.hpp"
#include "engine/plan.hpp"

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

  std::vector<std::vector<double>> closes, columns;
  std::vector<BatchInput> inputs;
  std::vector<BatchOutput> outputs;
};

Parameters parameters_of(bool pine) {
  Parameters parameters;
  parameters.dialect = pine ? Dialect::pine : Dialect::lts;
  return parameters;
}

void require_same_as_scalar(const Plan& plan, const Kernel& kernel) {
  Market expected(kSeries), market(kSeries);
  compute_batches(plan, expected.inputs, expected.outputs, *find_kernel("scalar"));
  compute_batches(plan, market.inputs, market.outputs, kernel);
  for (std::size_t s = 0; s < kSeries; ++s) {
    if (std::memcmp(expected.columns[s].data(), market.columns[s].data(), 13 * kBars * sizeof(double)) != 0) {
      std::fprintf(stderr, "kernel %s differs from the scalar one on series %zu\n", kernel.name, s);
      std::abort();
    }
  }
}

void report_per_bar(benchmark::State& state, std::size_t bars_per_iteration) {
  state.counters["ns_per_bar"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * static_cast<double>(bars_per_iteration),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void batch(benchmark::State& state, const Kernel& kernel, std::size_t series, bool pine, bool all = true) {
  const Plan plan(parameters_of(pine));
  require_same_as_scalar(plan, kernel);
  Market market(series, all);
  for (auto _ : state) {
    compute_batches(plan, market.inputs, market.outputs, kernel);
    benchmark::ClobberMemory();
  }
  report_per_bar(state, series * kBars);
}

/// The series in turn, each with its own engine; only the update is timed, and prepare() with it or not.
void live(benchmark::State& state, const Kernel& kernel, bool prepare_inside) {
  const auto plan = std::make_shared<const Plan>(parameters_of(false));
  require_same_as_scalar(*plan, kernel);
  Market market(kSeries);
  std::vector<Incremental> engines;
  const auto warm = [&](std::size_t s) {
    Incremental engine(plan, kernel);
    for (const double close : market.closes[s]) engine.update(close, close, 0);
    return engine;
  };
  for (std::size_t s = 0; s < kSeries; ++s) engines.push_back(warm(s));
  std::size_t at = 0;
  for (auto _ : state) {
    const std::size_t s = at % kSeries;
    const double close = market.closes[s][(at / kSeries) % kBars];
    ++at;
    if (engines[s].bars() == std::int64_t{2 * kBars})
      engines[s] = warm(s);  // as many bars as live has since its anchor
    if (!prepare_inside) engines[s].prepare();
    const auto start = std::chrono::steady_clock::now();
    benchmark::DoNotOptimize(engines[s].update(close, close, 0));
    const auto end = std::chrono::steady_clock::now();
    state.SetIterationTime(std::chrono::duration<double>(end - start).count());
  }
}

/// The same without a clock in the loop: back to back, prepare and update together.
void replay(benchmark::State& state, const Kernel& kernel) {
  const auto plan = std::make_shared<const Plan>(parameters_of(false));
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
    add("batch_99x1500/lts/" + name, [kernel](benchmark::State& s) { batch(s, *kernel, kSeries, false); });
    add("batch_99x1500_average/lts/" + name, [kernel](benchmark::State& s) { batch(s, *kernel, kSeries, false, false); });
    add("batch_99x1500/pine/" + name, [kernel](benchmark::State& s) { batch(s, *kernel, kSeries, true); });
    add("batch_2000x1500/lts/" + name, [kernel](benchmark::State& s) { batch(s, *kernel, 2000, false); });
    add("one_series_back_to_back/" + name, [kernel](benchmark::State& s) { replay(s, *kernel); });
    add("live_update_prepared/" + name, [kernel](benchmark::State& s) {
      live(s, *kernel, false);
    })->UseManualTime();
    add("live_update_with_prepare/" + name, [kernel](benchmark::State& s) {
      live(s, *kernel, true);
    })->UseManualTime();
  }
  benchmark::RegisterBenchmark("clock_alone", clock_alone)->UseManualTime();
  return 0;
}();

}  // namespace
