// The warm-up of many series of 1,500 bars on the first CUDA device, transfers included, against the fastest
// kernel of the processor on all its cores in the same run, and beside its floor. Everything is compared with
// the processor's bits before anything is timed. Medians.

#include <cuda_runtime_api.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string_view>
#include <thread>
#include <vector>

#include "engine/batch.hpp"
#include "engine/dispatch.hpp"
#include "engine/incremental.hpp"
#include "gpu/batch.hpp"
#include "gpu/batch_layout.hpp"
#include "gpu/device.hpp"
#include "gpu/launch.hpp"
#include "perf/gpu_ceilings.hpp"
#include "perf/gpu_crossover.hpp"
#include "perf/gpu_phases.hpp"
#include "perf/gpu_pipeline.hpp"
#include "perf/gpu_sweep.hpp"

namespace {

using namespace atcd;
using engine::BatchInput;
using engine::BatchOutput;
using engine::Incremental;
using engine::kFamilies;

constexpr std::size_t kBars = 1500;
constexpr std::size_t kColumns = 2 * kFamilies + 1;
// FP64 instructions a bar and series that the definition needs (shared/speed.md's count of them for the
// device).
constexpr double kInstructionsPerBar = 1050;

enum class Wanted { state, average, signal };
constexpr const char* kWantedNames[] = {"state", "average+trend", "signal series"};

struct Market {
  Market(std::size_t series, Wanted wanted, const std::shared_ptr<const engine::Plan>& plan)
      : closes(series), columns(series), trends(series) {
    std::mt19937_64 random(1);
    std::normal_distribution<double> step(0, 0.01);
    for (std::size_t s = 0; s < series; ++s) {
      double price = 100;
      for (std::size_t i = 0; i < kBars; ++i) closes[s].push_back(price *= std::exp(step(random)));
      inputs.push_back({closes[s]});
      if (wanted == Wanted::state) {
        engines.emplace_back(plan);
        continue;
      }
      columns[s].resize(kColumns * kBars);
      trends[s].resize(kBars);
      const auto column = [&](std::size_t i) { return std::span(columns[s]).subspan(i * kBars, kBars); };
      BatchOutput output;
      for (std::size_t f = 0; f < kFamilies && wanted == Wanted::signal; ++f) {
        output.layer1[f] = column(f);
        output.equity[f] = column(kFamilies + f);
      }
      output.average = column(2 * kFamilies);
      output.trend = trends[s];
      outputs.push_back(output);
    }
    for (Incremental& engine : engines) pointers.push_back(&engine);
  }

  std::vector<std::vector<double>> closes, columns;
  std::vector<std::vector<std::int8_t>> trends;
  std::vector<BatchInput> inputs;
  std::vector<BatchOutput> outputs;
  std::vector<Incremental> engines;
  std::vector<Incremental*> pointers;
};

/// All cores, each taking some series at a time. For the state alone it writes nothing.
void compute_on_cpu(const engine::Plan& plan, const Market& market) {
  constexpr std::size_t kAtATime = 16;
  const std::vector<BatchOutput> none(kAtATime);
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t at = next.fetch_add(kAtATime); at < market.inputs.size();
         at = next.fetch_add(kAtATime)) {
      const std::size_t count = std::min(kAtATime, market.inputs.size() - at);
      const auto outputs = market.outputs.empty() ? std::span(none).first(count)
                                                  : std::span(market.outputs).subspan(at, count);
      compute_batches(plan, std::span(market.inputs).subspan(at, count), outputs, engine::best_kernel());
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < std::thread::hardware_concurrency(); ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
}

template <class Work>
double median_ms(int times, Work work) {
  std::vector<double> taken;
  for (int i = 0; i < times; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    taken.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(taken.begin(), taken.end());
  return taken[taken.size() / 2];
}

void require(bool holds, const char* what, const std::string& sentence = "") {
  if (holds) return;
  std::fprintf(stderr, "gpu_bench: %s %s\n", what, sentence.c_str());
  std::exit(1);
}

bool same(const std::vector<double>& a, const std::vector<double>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](double x, double y) { return x == y || (x != x && y != y); });
}

void require_same_bits(gpu::BatchComputer& computer, const std::shared_ptr<const engine::Plan>& plan) {
  Market expected(300, Wanted::signal, plan), actual(300, Wanted::signal, plan),
      states(300, Wanted::state, plan);
  compute_on_cpu(*plan, expected);
  gpu::Outcome outcome = computer.compute(*plan, actual.inputs, actual.outputs, {});
  require(outcome.done(), "columns:", outcome.sentence);
  outcome = computer.compute(*plan, states.inputs, {}, states.pointers);
  require(outcome.done(), "states:", outcome.sentence);
  for (std::size_t s = 0; s < 300; ++s) {
    require(same(expected.columns[s], actual.columns[s]) && expected.trends[s] == actual.trends[s],
            "the device's columns differ from the processor's");
    const engine::Signal last = states.engines[s].last();
    require(last.average == expected.columns[s].back() && last.trend == expected.trends[s].back(),
            "the device's state differs from the processor's");
  }
}

/// The kernel alone: all series in one launch, inputs on the device.
double kernel_ms(const engine::Plan& plan, const Market& market, int times) {
  const gpu::Batch batch(plan, market.inputs, market.outputs, market.pointers);
  const auto chunks = gpu::chunks_of(batch, 1, std::int64_t{1} << 40, std::int64_t{1} << 40);
  const gpu::Layout layout = gpu::lay_out(batch, chunks.front());
  void* device = nullptr;
  std::vector<std::byte> host(static_cast<std::size_t>(layout.bytes));
  require(cudaMalloc(&device, host.size()) == cudaSuccess, "no memory for the kernel alone");
  auto* const memory = static_cast<std::byte*>(device);
  gpu::pack(batch, chunks.front(), layout, host.data(), memory);
  cudaMemcpy(memory, host.data(), host.size(), cudaMemcpyHostToDevice);
  const gpu::KernelArguments arguments = gpu::arguments_of(batch, layout, memory);
  const double taken = median_ms(times, [&] {
    require(gpu::launch(batch.device_plan, arguments, static_cast<int>(market.inputs.size()), nullptr) ==
                cudaSuccess,
            "the launch failed");
    require(cudaDeviceSynchronize() == cudaSuccess, "the kernel failed");
  });
  if (times == 1)
    perf::print_gpu_phases(batch.device_plan, arguments, static_cast<int>(market.inputs.size()));
  cudaFree(device);
  return taken;
}

void measure(gpu::BatchComputer& computer, const perf::GpuCeilings& ceilings, std::size_t series,
             Wanted wanted, bool pine) {
  engine::Parameters parameters;
  if (pine) parameters.dialect = engine::Dialect::pine;
  const auto plan = std::make_shared<const engine::Plan>(parameters);
  Market market(series, wanted, plan);
  const double kernel = kernel_ms(*plan, market, 15);
  const auto run = [&] {
    const gpu::Outcome outcome = computer.compute(*plan, market.inputs, market.outputs, market.pointers);
    require(outcome.done(), "timing:", outcome.sentence);
  };
  run();
  const int times = series > 5000 ? 9 : 15;
  const double on_gpu = median_ms(times, run);
  const double on_cpu = median_ms(times, [&] { compute_on_cpu(*plan, market); });
  const gpu::Batch batch(*plan, market.inputs, market.outputs, market.pointers);
  double in = 0, out = 0;
  for (const gpu::Chunk& chunk : gpu::chunks_of(batch, 1, std::int64_t{1} << 40, std::int64_t{1} << 40)) {
    const gpu::Layout layout = gpu::lay_out(batch, chunk);
    in += static_cast<double>(layout.input_bytes);
    out += static_cast<double>(layout.bytes - layout.input_bytes);
  }
  const double bars = static_cast<double>(series * kBars);
  const double arithmetic = 1e3 * bars * kInstructionsPerBar / ceilings.fp64_instructions;
  const double bus = 1e3 * std::max(in / ceilings.to_device_bytes, out / ceilings.from_device_bytes);
  std::printf("%-4s %6zu %-14s %9.3f %9.3f %9.3f %9.3f %9.3f %8.2f\n", pine ? "pine" : "lts", series,
              kWantedNames[static_cast<int>(wanted)], on_gpu, kernel, on_cpu, bus, arithmetic,
              on_cpu / on_gpu);
  std::fflush(stdout);
}

/// For a profiler, and where the kernel's cycles go.
int kernel_alone(std::size_t series) {
  const auto plan = std::make_shared<const engine::Plan>(engine::Parameters{});
  const Market market(series, Wanted::state, plan);
  std::printf("kernel: %.3f ms, the first time\n", kernel_ms(*plan, market, 1));
  return 0;
}

/// What bench has in its column kernel, for programs that differ in their kernel.
int kernels() {
  const auto plan = std::make_shared<const engine::Plan>(engine::Parameters{});
  for (const std::size_t series : std::initializer_list<std::size_t>{99, 518, 2'000, 10'000}) {
    const Market market(series, Wanted::state, plan);
    std::printf("%zu series: kernel %.3f ms, the median of 15\n", series, kernel_ms(*plan, market, 15));
  }
  return 0;
}

int host_pipeline(std::size_t series) {
  const auto plan = std::make_shared<const engine::Plan>(engine::Parameters{});
  const Market market(series, Wanted::state, plan);
  std::printf("%zu series of %zu bars, state\n", series, kBars);
  perf::print_gpu_pipeline([&](gpu::BatchComputer& computer) {
    const gpu::Outcome outcome = computer.compute(*plan, market.inputs, market.outputs, market.pointers);
    require(outcome.done(), "pipeline:", outcome.sentence);
  });
  return 0;
}

/// The trends of 500 series under plans that share their averages: together, and plan by plan.
int variants(std::size_t count) {
  constexpr std::size_t kSeries = 500;
  std::vector<std::unique_ptr<const engine::Plan>> plans;
  std::vector<const engine::Plan*> pointers;
  for (std::size_t v = 0; v < count; ++v) {
    engine::Parameters parameters;
    parameters.lambda = 0.01 * static_cast<double>(1 + v % 10);
    parameters.decay = 0.01 * static_cast<double>(v / 10);
    plans.push_back(std::make_unique<const engine::Plan>(parameters));
    pointers.push_back(plans.back().get());
  }
  const Market market(kSeries, Wanted::state, std::make_shared<const engine::Plan>(engine::Parameters{}));
  std::vector<std::int8_t> together(count * kSeries * kBars), alone(together.size());
  const auto outputs_at = [&](std::vector<std::int8_t>& trends) {
    std::vector<BatchOutput> outputs(count * kSeries);
    for (std::size_t k = 0; k < outputs.size(); ++k)
      outputs[k].trend = std::span(trends).subspan(k * kBars, kBars);
    return outputs;
  };
  const std::vector<BatchOutput> all = outputs_at(together), each = outputs_at(alone);
  gpu::BatchComputer computer;
  const double shared_ms = median_ms(3, [&] {
    const gpu::Outcome outcome = computer.compute_variants(pointers, market.inputs, all);
    require(outcome.done(), "variants:", outcome.sentence);
  });
  const double alone_ms = median_ms(3, [&] {
    for (std::size_t v = 0; v < count; ++v) {
      const auto outputs = std::span(each).subspan(v * kSeries, kSeries);
      const gpu::Outcome outcome = computer.compute(*pointers[v], market.inputs, outputs, {});
      require(outcome.done(), "plan by plan:", outcome.sentence);
    }
  });
  require(together == alone, "plans together have other trends than plan by plan");
  std::printf("trends of %zu series of %zu bars under %zu plans: %.1f ms together, %.1f plan by plan\n",
              kSeries, kBars, count, shared_ms, alone_ms);
  return 0;
}

}  // namespace

// gpu_bench, or gpu_bench crossover|kernels, or gpu_bench kernel|pipeline SERIES, or gpu_bench variants|sweep
// PLANS
int main(int count, char** arguments) {
  const gpu::DeviceReport report = gpu::find_devices();
  if (report.devices.empty()) {
    std::printf("gpu_bench: skipped, no CUDA device: %s\n", report.reason.c_str());
    return 0;
  }
  if (count > 2) {
    const std::string_view what = arguments[1];
    const std::size_t many = std::strtoul(arguments[2], nullptr, 10);
    if (what == "variants") return variants(many);
    if (what == "sweep") return perf::print_gpu_sweep(many, perf::measure_gpu_ceilings());
    return what == "pipeline" ? host_pipeline(many) : kernel_alone(many);
  }
  if (count > 1) {
    if (std::string_view(arguments[1]) == "kernels") return kernels();
    perf::print_gpu_crossover();
    return 0;
  }
  const perf::GpuCeilings ceilings = perf::measure_gpu_ceilings();
  std::printf("%s; processor: %u threads, kernel %s\n", report.devices.front().name.c_str(),
              std::thread::hardware_concurrency(), engine::best_kernel().name);
  std::printf("measured: %.1f GB/s to the device, %.1f GB/s back, %.2f x 10^12 FP64 instructions/s\n",
              ceilings.to_device_bytes / 1e9, ceilings.from_device_bytes / 1e9,
              ceilings.fp64_instructions / 1e12);
  gpu::BatchComputer computer;
  for (const bool pine : {false, true}) {
    engine::Parameters parameters;
    if (pine) parameters.dialect = engine::Dialect::pine;
    require_same_bits(computer, std::make_shared<const engine::Plan>(parameters));
  }
  std::printf(
      "the same bits as the processor's: 300 series of each dialect, columns and states\n\n"
      "milliseconds, median, %zu bars; gpu: from the caller's memory and back; floors: bus, arithmetic\n"
      "     series wanted               gpu    kernel cpu (all)       bus     arith  cpu/gpu\n",
      kBars);
  for (const std::size_t series : std::initializer_list<std::size_t>{99, 518, 2'000, 10'000})
    measure(computer, ceilings, series, Wanted::state, false);
  measure(computer, ceilings, 2'000, Wanted::state, true);
  for (const Wanted wanted : {Wanted::average, Wanted::signal})
    measure(computer, ceilings, 2'000, wanted, false);
  measure(computer, ceilings, 10'000, Wanted::average, false);
  return 0;
}
