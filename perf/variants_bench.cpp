// Series under several plans that share their averages, all in one call, beside plan by plan. The columns are
// compared before anything is timed.

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "engine/batch.hpp"
#include "engine/dispatch.hpp"
#include "perf/engine_market.hpp"

namespace {

using namespace atcd::engine;
using namespace atcd::perf;

/// Averages and trends of 99 series under plans that differ in their layers, together or plan by plan.
void variants(benchmark::State& state, const Kernel& kernel, std::size_t count, bool together) {
  std::vector<Plan> plans;
  for (std::size_t p = 0; p < count; ++p) {
    Parameters parameters;
    parameters.lambda = 0.01 * static_cast<double>(p);
    parameters.decay = 0.01 * static_cast<double>(p % 7);
    parameters.cutout = static_cast<std::int64_t>(p % 5);
    plans.emplace_back(parameters);
  }
  const Market market(kSeries, false);
  std::vector<const Plan*> pointers;
  for (const Plan& plan : plans) pointers.push_back(&plan);
  const std::size_t columns = count * kSeries;
  std::vector<double> averages(columns * kBars);
  std::vector<std::int8_t> trends(columns * kBars);
  std::vector<BatchOutput> outputs(columns);
  for (std::size_t i = 0; i < columns; ++i) {
    outputs[i].average = std::span(averages).subspan(i * kBars, kBars);
    outputs[i].trend = std::span(trends).subspan(i * kBars, kBars);
  }
  const auto one_by_one = [&] {
    for (std::size_t p = 0; p < count; ++p) {
      compute_batches(plans[p], market.inputs, std::span(outputs).subspan(p * kSeries, kSeries), kernel);
    }
  };
  one_by_one();
  const std::vector<double> expected = averages;
  const std::vector<std::int8_t> expected_trends = trends;
  std::fill(averages.begin(), averages.end(), 0.0);
  compute_variants(pointers, market.inputs, outputs, kernel);
  if (std::memcmp(expected.data(), averages.data(), averages.size() * sizeof(double)) != 0 ||
      expected_trends != trends) {
    std::fprintf(stderr, "kernel %s: variants differ from plan by plan\n", kernel.name);
    std::abort();
  }
  for (auto _ : state) {
    if (together) {
      compute_variants(pointers, market.inputs, outputs, kernel);
    } else {
      one_by_one();
    }
    benchmark::ClobberMemory();
  }
  report_per_bar(state, columns * kBars);
}

const int registered = [] {
  for (const Kernel* kernel : available_kernels()) {
    const std::string name = kernel->name;
    const auto add = [](const std::string& title, auto&& body) {
      return benchmark::RegisterBenchmark(title.c_str(), body);
    };
    for (const std::size_t count : std::initializer_list<std::size_t>{2, 4, 32}) {
      const std::string title = "variants_" + std::to_string(count) + "_of_99x1500/lts/";
      add(title + "together/" + name, [=](benchmark::State& s) { variants(s, *kernel, count, true); });
      add(title + "one_by_one/" + name, [=](benchmark::State& s) { variants(s, *kernel, count, false); });
    }
  }
  return 0;
}();

}  // namespace
