// What one bar of one series costs: in batches of 99 and 2,000 series x 1,500 bars with each kernel ("auto":
// the fastest, which leaves few series to another) and with all 13 columns written and with the average
// alone, on one thread and on two; live, one series back to back and round robin over 99, with prepare()
// before and inside the timed part; the preview of a forming bar; some of the families only, whose columns
// are compared with the full computation's. Beside them a naive reference, windows recomputed at every bar.
// Every kernel's results are compared with the baseline's before anything is timed, and live's with the
// batch's.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/batch.hpp"
#include "engine/dispatch.hpp"
#include "engine/incremental.hpp"
#include "engine/plan.hpp"
#include "perf/engine_market.hpp"
#include "tests/engine/naive_reference.hpp"

namespace {

using namespace atcd::engine;
using namespace atcd::perf;

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

/// Bar by bar, prepared and previewed, against the batch of the same kernel.
void require_live_same_as_batch(const std::shared_ptr<const Plan>& plan, const Kernel& kernel) {
  Market market(1);
  compute_batches(*plan, market.inputs, market.outputs, kernel);
  Incremental engine(plan, kernel);
  const auto same = [](double a, double b) {
    return std::memcmp(&a, &b, sizeof a) == 0 || (std::isnan(a) && std::isnan(b));
  };
  for (std::size_t i = 0; i < kBars; ++i) {
    Bar bar{};
    bar.close = market.closes[0][i];
    engine.prepare();
    const Signal preview = engine.preview(bar);
    const Signal signal = engine.update(bar);
    bool equal = same(signal.average, market.outputs[0].average[i]) && same(signal.average, preview.average);
    for (std::size_t f = 0; f < kFamilies; ++f) {
      equal &= same(signal.layer1[f], market.outputs[0].layer1[f][i]);
      equal &= same(signal.equity[f], market.outputs[0].equity[f][i]);
    }
    if (!equal) {
      std::fprintf(stderr, "kernel %s: live differs from the batch at bar %zu\n", kernel.name, i);
      std::abort();
    }
  }
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

/// `share` 0.5: the median.
double quantile(std::vector<double>& durations, double share) {
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(durations.size() - 1));
  std::nth_element(durations.begin(), durations.begin() + at, durations.end());
  return durations[static_cast<std::size_t>(at)];
}

/// Every duration by itself: the median is of single bars, not of repetitions.
class Stopwatch {
 public:
  explicit Stopwatch(benchmark::State& state) : state_(state) { durations_.reserve(1 << 22); }

  template <class Work>
  void time(Work&& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const auto end = std::chrono::steady_clock::now();
    const std::chrono::duration<double> took = end - start;
    state_.SetIterationTime(took.count());
    if (durations_.size() < durations_.capacity()) durations_.push_back(took.count() * 1e9);
  }

  void report() {
    state_.counters["median_ns"] = quantile(durations_, 0.5);
    state_.counters["p10_ns"] = quantile(durations_, 0.1);
    state_.counters["p99_ns"] = quantile(durations_, 0.99);
  }

 private:
  benchmark::State& state_;
  std::vector<double> durations_;
};

enum class Timed { update, prepare_and_update, preview };

/// `series` in turn, each with its own engine; timed is one bar of one of them.
void live(benchmark::State& state, const Kernel& kernel, Timed timed, std::size_t series) {
  const auto plan = std::make_shared<const Plan>(parameters_of(false));
  require_same_as_baseline(*plan, kernel);
  require_live_same_as_batch(plan, kernel);
  Market market(series);
  std::vector<Incremental> engines;
  const auto warm = [&](std::size_t s) {
    Incremental engine(plan, kernel);
    for (const double close : market.closes[s]) engine.update(close, close, 0);
    return engine;
  };
  for (std::size_t s = 0; s < series; ++s) engines.push_back(warm(s));
  Bar bar{};
  std::size_t at = 0;
  Stopwatch stopwatch(state);
  for (auto _ : state) {
    const std::size_t s = at % series;
    bar.close = market.closes[s][(at / series) % kBars];
    ++at;
    Incremental& engine = engines[s];
    if (engine.bars() == std::int64_t{2 * kBars}) engine = warm(s);  // as many bars as since live's anchor
    // Where a series stands alone its preview is timed on a state that moves on.
    if (timed == Timed::preview && at % 16 == 0) engine.update(bar);
    if (timed != Timed::prepare_and_update) engine.prepare();
    stopwatch.time([&] {
      benchmark::DoNotOptimize(timed == Timed::preview ? engine.preview(bar) : engine.update(bar));
    });
  }
  stopwatch.report();
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
  Stopwatch stopwatch(state);
  for (auto _ : state) stopwatch.time([] { benchmark::ClobberMemory(); });
  stopwatch.report();
}

const int registered = [] {
  std::vector<std::pair<std::string, const Kernel*>> kernels;
  for (const Kernel* kernel : available_kernels()) kernels.emplace_back(kernel->name, kernel);
  // The fastest as it is used where nobody forces one: few series by another, so the rest of a batch too.
  if (best_kernel().few != nullptr) kernels.emplace_back("auto", &best_kernel());
  for (const auto& each : kernels) {
    const std::string name = each.first;
    const Kernel* const kernel = each.second;
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
    const auto add_live = [&](const std::string& title, Timed timed) {
      add(title + "/back_to_back/" + name, [kernel, timed](benchmark::State& s) {
        live(s, *kernel, timed, 1);
      })->UseManualTime();
      add(title + "/round_robin/" + name, [kernel, timed](benchmark::State& s) {
        live(s, *kernel, timed, kSeries);
      })->UseManualTime();
    };
    add_live("live_update_prepared", Timed::update);
    add_live("live_update_with_prepare", Timed::prepare_and_update);
    add_live("live_preview_prepared", Timed::preview);
  }
  benchmark::RegisterBenchmark("naive_reference", naive_reference);
  benchmark::RegisterBenchmark("clock_alone", clock_alone)->UseManualTime();
  return 0;
}();

}  // namespace
