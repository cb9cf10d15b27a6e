#include "perf/gpu_crossover.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "engine/batch.hpp"
#include "engine/dispatch.hpp"
#include "engine/plan.hpp"
#include "gpu/planner.hpp"

namespace atcd::perf {
namespace {

constexpr int kTurns = 11;

/// The average and trend of every bar are wanted.
struct Market {
  Market(std::size_t series, std::size_t bars)
      : closes(series * bars), averages(series * bars), trends(series * bars) {
    unsigned random = 1;
    for (std::size_t s = 0; s < series; ++s) {
      double price = 100;
      for (std::size_t i = 0; i < bars; ++i) {
        random = random * 1'664'525U + 1'013'904'223U;
        closes[s * bars + i] = price *= 1 + (static_cast<double>(random >> 20) - 2'047.5) * 5e-6;
      }
      inputs.push_back({std::span(closes).subspan(s * bars, bars)});
      engine::BatchOutput output;
      output.average = std::span(averages).subspan(s * bars, bars);
      output.trend = std::span(trends).subspan(s * bars, bars);
      outputs.push_back(output);
    }
  }

  std::vector<double> closes, averages;
  std::vector<std::int8_t> trends;
  std::vector<engine::BatchInput> inputs;
  std::vector<engine::BatchOutput> outputs;
};

double once_ms(gpu::Planner& planner, const engine::Plan& plan, const Market& market) {
  const auto began = std::chrono::steady_clock::now();
  const gpu::Outcome outcome = planner.compute(plan, market.inputs, market.outputs, {});
  const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - began;
  if (!outcome.done()) {
    std::fprintf(stderr, "gpu_bench crossover: %s\n", outcome.sentence.c_str());
    std::exit(1);
  }
  return taken.count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

gpu::Planner::Options options_of(gpu::Choice choice) {
  gpu::Planner::Options options;
  options.threads = std::max(1U, std::thread::hardware_concurrency());
  options.choice = choice;
  return options;
}

void print_cost(const char* name, const gpu::Cost& cost) {
  std::printf("%s: %.0f us a call, %.0f ns a bar of the longest series, %.3f ns a bar of all\n", name,
              cost.call_ns / 1e3, cost.step_ns, cost.bar_ns);
}

/// Three times, each by a planner of its own: what it decides by must not change from start to start.
std::optional<gpu::Costs> print_measured_costs() {
  std::optional<gpu::Costs> costs;
  for (int turn = 0; turn < 3; ++turn) {
    const auto began = std::chrono::steady_clock::now();
    gpu::Planner planner(options_of(gpu::Choice::automatic));
    const gpu::Outcome outcome = planner.wait_for_device();
    const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - began;
    if (!outcome.done()) {
      std::fprintf(stderr, "gpu_bench crossover: %s\n", outcome.sentence.c_str());
      std::exit(1);
    }
    costs = planner.costs();
    std::printf("planner, ready after %.1f ms: from %zu series of 1,500 bars on, %zu of 300, %zu of 10,000\n",
                taken.count(), costs->crossover_series(1'500), costs->crossover_series(300),
                costs->crossover_series(10'000));
    print_cost("  device", costs->device);
    print_cost("  processor", costs->processor);
  }
  return costs;
}

}  // namespace

void print_gpu_crossover() {
  const engine::Plan plan{engine::Parameters{}};
  const auto costs = print_measured_costs();
  gpu::Planner device(options_of(gpu::Choice::device)), processor(options_of(gpu::Choice::processor));
  std::printf("milliseconds, medians of %d in turn; processor: %u threads, kernel %s\n", kTurns,
              std::max(1U, std::thread::hardware_concurrency()), engine::best_kernel().name);
  std::printf("%7s %7s %9s %9s %9s %9s  %s\n", "series", "bars", "device", "expected", "processor",
              "expected", "faster, planner's choice");
  const std::pair<std::size_t, std::size_t> sizes[] = {
      {1, 1'500},   {8, 1'500},   {16, 1'500},  {32, 1'500},    {64, 1'500},    {99, 1'500},
      {128, 1'500}, {256, 1'500}, {518, 1'500}, {1'024, 1'500}, {2'000, 1'500}, {64, 300},
      {256, 300},   {1'024, 300}, {1, 131'072}, {8, 131'072},   {64, 16'384},   {256, 16'384}};
  for (const auto& [series, bars] : sizes) {
    Market market(series, bars);
    once_ms(device, plan, market);  // the memory that it takes
    const std::vector<double> from_device = market.averages;
    once_ms(processor, plan, market);
    if (std::memcmp(from_device.data(), market.averages.data(), from_device.size() * sizeof(double)) != 0) {
      std::fprintf(stderr, "gpu_bench crossover: the device's averages differ from the processor's\n");
      std::exit(1);
    }
    std::vector<double> on_device, on_processor;
    for (int turn = 0; turn < kTurns; ++turn) {
      on_device.push_back(once_ms(device, plan, market));
      on_processor.push_back(once_ms(processor, plan, market));
    }
    const gpu::BatchSize size = gpu::size_of(market.inputs);
    const double device_ms = median(on_device), processor_ms = median(on_processor);
    std::printf("%7zu %7zu %9.3f %9.3f %9.3f %9.3f  %s, %s\n", series, bars, device_ms,
                costs->device.ns(size) / 1e6, processor_ms, costs->processor.ns(size) / 1e6,
                device_ms < processor_ms ? "device" : "processor",
                costs->device_is_faster(size) ? "device" : "processor");
    std::fflush(stdout);
  }
}

}  // namespace atcd::perf
