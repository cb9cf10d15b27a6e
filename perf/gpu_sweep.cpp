#include "perf/gpu_sweep.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <initializer_list>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "engine/batch.hpp"
#include "engine/dispatch.hpp"
#include "engine/plan.hpp"
#include "gpu/batch.hpp"

namespace atcd::perf {
namespace {

using Plans = std::vector<std::unique_ptr<const engine::Plan>>;
using Pointers = std::span<const engine::Plan* const>;

constexpr std::size_t kSeries = 500, kBars = 1500;
constexpr std::size_t kOfOneSet = kSeries * kBars;
// About as many sets as `atcd sweep` computes together where a device does it.
constexpr std::size_t kUsualAtOnce = 70;
// FP64 instructions of a bar under one plan: by the definition, averages included, and those that the kernel
// from crossings to trend issues (NOTES.md).
constexpr double kOfDefinition = 1050, kOfLayersKernel = 596;
constexpr std::size_t kLengthPlans = 40;

struct Market {
  Market() : closes(kOfOneSet) {
    std::mt19937_64 random(1);
    std::normal_distribution<double> step(0, 0.01);
    for (std::size_t s = 0; s < kSeries; ++s) {
      double price = 100;
      for (std::size_t i = 0; i < kBars; ++i) closes[s * kBars + i] = price *= std::exp(step(random));
      inputs.push_back({std::span(closes).subspan(s * kBars, kBars)});
    }
  }
  std::vector<double> closes;
  std::vector<engine::BatchInput> inputs;
};

/// Where the trends of some plans go.
std::vector<engine::BatchOutput> outputs_in(std::span<std::int8_t> trends) {
  std::vector<engine::BatchOutput> outputs(trends.size() / kBars);
  for (std::size_t k = 0; k < outputs.size(); ++k) outputs[k].trend = trends.subspan(k * kBars, kBars);
  return outputs;
}

double once_ms(const std::function<void()>& work) {
  const auto began = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count();
}

/// After a first time, which takes memory.
double median_ms(const std::function<void()>& work) {
  work();
  std::vector<double> taken = {once_ms(work), once_ms(work), once_ms(work)};
  std::sort(taken.begin(), taken.end());
  return taken[1];
}

using Compute = std::function<std::string(Pointers, std::span<const engine::BatchInput>,
                                          std::span<const engine::BatchOutput>)>;

Compute by_device(gpu::BatchComputer& computer) {
  return [&computer](Pointers plans, auto inputs, auto outputs) {
    return computer.compute_variants(plans, inputs, outputs).sentence;
  };
}

std::string by_processors(Pointers plans, std::span<const engine::BatchInput> inputs,
                          std::span<const engine::BatchOutput> outputs) {
  return engine::compute_variants(plans, inputs, outputs, engine::best_kernel(),
                                  std::max(1U, std::thread::hardware_concurrency()));
}

/// A sweep's trends: plans that come together, so many at once. False: said why.
class Trends {
 public:
  Trends(const Market& market, const Plans& plans) : market_(market), trends_(plans.size() * kOfOneSet) {
    for (const auto& plan : plans) plans_.push_back(plan.get());
  }

  bool compute(const Compute& compute, std::size_t at_once) {
    for (std::size_t from = 0; from < plans_.size(); from += at_once) {
      const std::size_t count = std::min(at_once, plans_.size() - from);
      const auto outputs = outputs_in(std::span(trends_).subspan(from * kOfOneSet, count * kOfOneSet));
      const std::string sentence = compute(Pointers(plans_).subspan(from, count), market_.inputs, outputs);
      if (sentence.empty()) continue;
      std::fprintf(stderr, "gpu_bench sweep: %s\n", sentence.c_str());
      return false;
    }
    return true;
  }
  const std::vector<std::int8_t>& all() const { return trends_; }

 private:
  const Market& market_;
  std::vector<const engine::Plan*> plans_;
  std::vector<std::int8_t> trends_;
};

Plans of_layers(std::size_t count) {
  Plans plans;
  for (std::size_t v = 0; v < count; ++v) {
    engine::Parameters parameters;
    parameters.lambda = 0.01 * static_cast<double>(1 + v % 10);
    parameters.decay = 0.01 * static_cast<double>(v / 10 % 10);
    parameters.long_threshold = 0.05 * static_cast<double>(1 + v / 100);
    plans.push_back(std::make_unique<const engine::Plan>(parameters));
  }
  return plans;
}

Plans of_lengths(std::size_t count) {
  Plans plans;
  for (std::size_t v = 0; v < count; ++v) {
    engine::Parameters parameters;
    parameters.lengths.fill(20 + static_cast<int>(v));
    plans.push_back(std::make_unique<const engine::Plan>(parameters));
  }
  return plans;
}

/// The device's time and the processors', with the same trends; false: not so.
bool compare(const char* what, const Market& market, const Plans& plans, std::size_t at_once) {
  Trends expected(market, plans), actual(market, plans);
  gpu::BatchComputer computer;
  bool well = true;
  const double device = median_ms([&] { well = well && actual.compute(by_device(computer), at_once); });
  if (!well) return false;
  const double processors = once_ms([&] { expected.compute(by_processors, at_once); });
  std::printf(
      "%zu plans that differ in their %s, %zu at once: device %.1f ms, processors %.1f ms (once): %.1f "
      "times\n",
      plans.size(), what, at_once, device, processors, processors / device);
  if (expected.all() == actual.all()) return true;
  std::fprintf(stderr, "gpu_bench sweep: the device's trends differ from the processors'\n");
  return false;
}

void print_floors(std::size_t plans, const GpuCeilings& ceilings) {
  const double bars = static_cast<double>(plans * kOfOneSet);
  const double a_ms = bars * 1e3 / ceilings.fp64_instructions;
  std::printf(
      "floors of %zu plans: arithmetic of the definition %.1f ms, of the layers' kernel alone %.1f; trends "
      "over the bus %.1f\n",
      plans, kOfDefinition * a_ms, kOfLayersKernel * a_ms, bars * 1e3 / ceilings.from_device_bytes);
}

/// How it depends on how the work is cut.
void print_cuts(const Market& market, const Plans& plans) {
  constexpr std::int64_t kMebibyte = 1 << 20;
  std::printf("device, ms, by plans at once and chunks of so many MiB\n%8s", "");
  const std::int64_t sizes[] = {1, 4, 16, 64};
  for (const std::int64_t size : sizes) std::printf(" %8lld", static_cast<long long>(size));
  Trends trends(market, plans);
  for (const std::size_t at_once : {kUsualAtOnce, 4 * kUsualAtOnce, plans.size()}) {
    std::printf("\n%8zu", at_once);
    for (const std::int64_t size : sizes) {
      gpu::BatchOptions options;
      options.least_chunk_bytes = options.most_chunk_bytes = size * kMebibyte;
      gpu::BatchComputer computer(options);
      trends.compute(by_device(computer), at_once);
      std::printf(" %8.1f", once_ms([&] { trends.compute(by_device(computer), at_once); }));
      std::fflush(stdout);
    }
  }
  std::printf("\n");
}

}  // namespace

int print_gpu_sweep(std::size_t count, const GpuCeilings& ceilings) {
  const Market market;
  const Plans plans = of_layers(count);
  std::printf("trends of %zu series of %zu bars; processors: %u threads, kernel %s\n", kSeries, kBars,
              std::max(1U, std::thread::hardware_concurrency()), engine::best_kernel().name);
  print_floors(count, ceilings);
  if (!compare("layers", market, plans, kUsualAtOnce)) return 1;
  // A sweep has these one after the other: they share no averages.
  print_floors(kLengthPlans, ceilings);
  if (!compare("lengths", market, of_lengths(kLengthPlans), 1)) return 1;
  print_cuts(market, plans);
  return 0;
}

}  // namespace atcd::perf
