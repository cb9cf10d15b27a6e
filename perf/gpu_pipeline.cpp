// How BatchComputer's host side spreads a batch over threads and time.

#include "perf/gpu_pipeline.hpp"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <vector>

namespace atcd::perf {
namespace {

using Run = std::function<void(gpu::BatchComputer&)>;

constexpr int kTimes = 5;
constexpr double kMebibyte = 1 << 20;
constexpr std::int64_t kSizes[] = {1 << 19, 1 << 20, 1 << 21, 1 << 22, 1 << 23, 1 << 24};

double once_ms(const Run& run, gpu::BatchComputer& computer) {
  const auto start = std::chrono::steady_clock::now();
  run(computer);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

double median_ms(const Run& run, gpu::BatchComputer& computer) {
  std::vector<double> taken;
  for (int i = 0; i < kTimes; ++i) taken.push_back(once_ms(run, computer));
  std::sort(taken.begin(), taken.end());
  return taken[taken.size() / 2];
}

double busy_ms(const gpu::WorkerTimes& t) {
  return t.reserve_ms + t.pack_ms + t.submit_ms + t.wait_ms + t.unpack_ms;
}

void print_call(const char* which, double taken, const gpu::BatchComputer& computer) {
  std::printf("%s: %.3f ms\n", which, taken);
  std::printf("  worker chunks   reserve      pack    submit      wait    unpack       sum\n");
  int worker = 0;
  for (const gpu::WorkerTimes& t : computer.times()) {
    std::printf("  %6d %6d %9.3f %9.3f %9.3f %9.3f %9.3f %9.3f\n", worker++, t.chunks, t.reserve_ms,
                t.pack_ms, t.submit_ms, t.wait_ms, t.unpack_ms, busy_ms(t));
  }
}

void print_calls(const char* of, const gpu::BatchOptions& options, const Run& run) {
  std::printf("%s: %d workers, %d slots, %d chunks a worker\n", of, options.workers, options.slots,
              options.chunks_per_worker);
  gpu::BatchComputer computer(options);
  const double first = once_ms(run, computer);
  print_call("its first call", first, computer);
  std::printf("its next %d: %.3f ms\n", kTimes, median_ms(run, computer));
  const double last = once_ms(run, computer);
  print_call("one more", last, computer);
  std::fflush(stdout);
}

/// What a thread does that waits for the device.
void print_waits(const gpu::BatchOptions& default_options, const gpu::BatchOptions& crowded, const Run& run) {
  struct Wait {
    const char* name;
    unsigned flags;
  };
  for (const Wait wait : {Wait{"spins", cudaDeviceScheduleSpin}, Wait{"yields", cudaDeviceScheduleYield},
                          Wait{"sleeps", cudaDeviceScheduleBlockingSync}}) {
    if (const cudaError_t error = cudaSetDeviceFlags(wait.flags); error != cudaSuccess) {
      std::printf("cudaSetDeviceFlags: %s\n", cudaGetErrorString(error));
      break;
    }
    std::printf("a waiting thread %-6s", wait.name);
    for (const gpu::BatchOptions& options : {default_options, crowded}) {
      gpu::BatchComputer computer(options);
      run(computer);
      std::printf("  %2d x %d: %9.3f ms", options.workers, options.slots, median_ms(run, computer));
    }
    std::printf("\n");
  }
  cudaSetDeviceFlags(cudaDeviceScheduleAuto);
}

void print_sweep(const Run& run) {
  std::printf("\nmedian of %d, ms, by the chunks' MiB\nworkers slots", kTimes);
  for (const std::int64_t size : kSizes) std::printf(" %9.1f", static_cast<double>(size) / kMebibyte);
  std::printf("\n");
  for (const int workers : {1, 2, 4, 8, 16}) {
    for (const int slots : {1, 2}) {
      std::printf("%7d %5d", workers, slots);
      for (const std::int64_t size : kSizes) {
        gpu::BatchOptions options;
        options.workers = workers;
        options.slots = slots;
        options.least_chunk_bytes = options.most_chunk_bytes = size;
        gpu::BatchComputer computer(options);
        run(computer);
        std::printf(" %9.3f", median_ms(run, computer));
      }
      std::printf("\n");
      std::fflush(stdout);
    }
  }
}

}  // namespace

void print_gpu_pipeline(const Run& run) {
  {
    gpu::BatchComputer computer;
    const double first = once_ms(run, computer);
    std::printf("the program's first call, with loading the kernels: %.3f ms\n", first);
  }
  const gpu::BatchOptions usual;
  gpu::BatchOptions crowded;
  crowded.workers = 16;
  crowded.slots = 2;
  print_calls("default", usual, run);
  print_calls("crowded", crowded, run);
  print_waits(usual, crowded, run);
  print_sweep(run);
}

}  // namespace atcd::perf
