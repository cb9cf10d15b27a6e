// The device kernel's phases once more, with a clock around each (in blocks of one warp, which are fewer on a
// multiprocessor).

#define ATCD_KERNEL timed
#define ATCD_LANES 1

#include "perf/gpu_phases.hpp"

#include <cstdio>

#include "gpu/series_kernel.hpp"

namespace atcd::perf {
namespace {

constexpr int kPhases = 15;  // calls of each() a tile, without columns
constexpr const char* kNames[kPhases] = {
    "load",       "noise",   "EMA DEMA KAMA", "their equities", "their layer 1",   "windows",
    "outer Hull", "storing", "equities",      "layer 1",        "layer 2 factors", "layer 2 equities",
    "layer 2",    "average", "trend"};

struct TimedWarp {
  int id;
  unsigned long long* cycles;
  int call = 0;
  gpu::timed::Lane lane{};

  template <class Phase>
  __device__ void each(Phase phase) {
    const long long start = clock64();
    phase(id, lane);
    __syncwarp();
    const long long taken = clock64() - start;
    if (call > 0 && id == 0) atomicAdd(cycles + (call - 1) % kPhases, static_cast<unsigned long long>(taken));
    ++call;
  }
  template <class Holds>
  __device__ gpu::timed::Bars vote(Holds holds) {
    return __ballot_sync(~0U, holds(lane));
  }
};

template <gpu::Spread spread>
__global__ void __launch_bounds__(gpu::kLanes)
    compute_timed(const __grid_constant__ gpu::DevicePlan plan,
                  const __grid_constant__ gpu::KernelArguments arguments, unsigned long long* cycles) {
  extern __shared__ __align__(16) double memory[];
  TimedWarp warp{static_cast<int>(threadIdx.x), cycles};
  gpu::SeriesTask task = arguments.tasks[blockIdx.x];
  task.end = nullptr;  // one call of each() less
  gpu::timed::run_series<false, spread>(plan, arguments, task, memory, warp);
}

struct Kernels {
  template <bool pine, gpu::Spread spread>
  auto of() const {
    return compute_timed<spread>;
  }
};

}  // namespace

void print_gpu_phases(const gpu::DevicePlan& plan, const gpu::KernelArguments& arguments, int series) {
  void* memory = nullptr;
  if (cudaMalloc(&memory, kPhases * sizeof(unsigned long long)) != cudaSuccess) return;
  auto* const cycles = static_cast<unsigned long long*>(memory);
  cudaMemset(cycles, 0, kPhases * sizeof(unsigned long long));
  const auto bytes = static_cast<int>(gpu::timed::tile_bytes(plan));
  const auto kernel = gpu::timed::for_plan(plan, Kernels{});
  cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout,
                       cudaSharedmemCarveoutMaxShared);
  kernel<<<static_cast<unsigned>(series), gpu::kLanes, static_cast<std::size_t>(bytes)>>>(plan, arguments,
                                                                                          cycles);
  unsigned long long taken[kPhases] = {};
  if (cudaMemcpy(taken, cycles, sizeof taken, cudaMemcpyDeviceToHost) == cudaSuccess) {
    double all = 0;
    for (const unsigned long long one : taken) all += static_cast<double>(one);
    for (int i = 0; i < kPhases; ++i) {
      std::printf("%-20s %5.1f %% of a warp's cycles\n", kNames[i],
                  100 * static_cast<double>(taken[i]) / all);
    }
    std::printf("%.0f cycles a series\n", all / series);
  }
  cudaFree(memory);
}

}  // namespace atcd::perf
