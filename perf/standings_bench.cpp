// Engines that stand after 1,500 bars of 99 and of 2,000 series: left there by a batch, on one thread and on
// two, beside those that take every bar. The saved states are compared before anything is timed.

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "engine/batch.hpp"
#include "engine/dispatch.hpp"
#include "engine/incremental.hpp"
#include "perf/engine_market.hpp"

namespace {

using namespace atcd::engine;
using namespace atcd::perf;

void take_bars(Incremental& engine, const std::vector<double>& closes) {
  for (const double close : closes) engine.update(close, close, 0);
}

/// Engines that stand after the last bar and nothing else: what a warm-up asks for. `by_batch`: left by the
/// batch, else by one update a bar.
void standings(benchmark::State& state, const Kernel& kernel, std::size_t series, unsigned threads,
               bool by_batch) {
  const auto plan = std::make_shared<const Plan>(parameters_of(false));
  const Market market(series, false);
  std::vector<Incremental> engines;
  std::vector<Incremental*> pointers;
  for (std::size_t s = 0; s < series; ++s) engines.emplace_back(plan, kernel);
  for (Incremental& engine : engines) pointers.push_back(&engine);
  compute_batches(*plan, market.inputs, {}, kernel, threads, pointers);
  for (std::size_t s = 0; s < series; ++s) {
    Incremental live(plan, kernel);
    take_bars(live, market.closes[s]);
    std::vector<std::byte> expected(live.saved_bytes()), left(live.saved_bytes());
    live.save(expected);
    engines[s].save(left);
    if (expected == left) continue;
    std::fprintf(stderr, "kernel %s: the batch's engine of series %zu differs\n", kernel.name, s);
    std::abort();
  }
  for (auto _ : state) {
    if (by_batch) {
      compute_batches(*plan, market.inputs, {}, kernel, threads, pointers);
      continue;
    }
    for (std::size_t s = 0; s < series; ++s) take_bars(engines[s], market.closes[s]);
    state.PauseTiming();
    for (Incremental& engine : engines) engine = Incremental(plan, kernel);
    state.ResumeTiming();
  }
  report_per_bar(state, series * kBars);
}

const int registered = [] {
  for (const Kernel* kernel : available_kernels()) {
    const std::string name = kernel->name;
    const auto add = [](const std::string& title, auto&& body) {
      return benchmark::RegisterBenchmark(title.c_str(), body);
    };
    for (const std::size_t series : {kSeries, std::size_t{2000}}) {
      const std::string title = "standings_" + std::to_string(series) + "x1500/lts/";
      const auto add_standings = [&](const std::string& how, unsigned threads, bool by_batch) {
        add(title + how + name, [=](benchmark::State& s) {
          standings(s, *kernel, series, threads, by_batch);
        })->MeasureProcessCPUTime();
      };
      add_standings("", 1, true);
      add_standings("2_threads/", 2, true);
      add_standings("bar_by_bar/", 1, false);
    }
  }
  return 0;
}();

}  // namespace
