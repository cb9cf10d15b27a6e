// The definition compiled for the device: one warp a series.

#define ATCD_KERNEL cuda
#define ATCD_LANES 1

#include "gpu/launch.hpp"
#include "gpu/series_kernel.hpp"

namespace atcd::gpu {
namespace {

// Warps of a block have nothing to do with each other: a block of several takes less memory of the
// multiprocessor than as many blocks. So many blocks of the usual plans find room there.
constexpr int kMostWarps = 4;
#ifdef ATC_KERNEL_BLOCKS  // perf/ measures fewer, which have more registers
constexpr int kBlocks = ATC_KERNEL_BLOCKS;
#else
constexpr int kBlocks = 6;
#endif

/// The lanes of a warp; the stand-in of the tests has as many in an array.
struct Warp {
  int id;
  cuda::Lane lane;

  template <class Phase>
  __device__ void each(Phase phase) {
    phase(id, lane);
    __syncwarp();
  }
  template <class Holds>
  __device__ cuda::Bars vote(Holds holds) {
    return __ballot_sync(~0U, holds(lane));
  }
};

/// A warp's number in the launch.
__device__ int warp_number() { return static_cast<int>(blockIdx.x * blockDim.y + threadIdx.y); }

template <bool pine, Spread spread>
__global__ void __launch_bounds__(kLanes* kMostWarps, kBlocks)
    compute_series(const __grid_constant__ DevicePlan plan, const __grid_constant__ KernelArguments arguments,
                   int series) {
  extern __shared__ __align__(16) double memory[];
  if (warp_number() >= series) return;
  double* const own = memory + threadIdx.y * (cuda::tile_bytes(plan) / static_cast<int>(sizeof(double)));
  Warp lanes{static_cast<int>(threadIdx.x), {}};
  cuda::run_series<pine, spread>(plan, arguments, arguments.tasks[warp_number()], own, lanes);
}

template <bool pine, Spread spread>
__global__ void __launch_bounds__(kLanes* kMostWarps, kBlocks)
    find_crossings(const __grid_constant__ DevicePlan plan, const __grid_constant__ KernelArguments arguments,
                   int series) {
  extern __shared__ __align__(16) double memory[];
  if (warp_number() >= series) return;
  double* const own = memory + threadIdx.y * (cuda::tile_bytes(plan) / static_cast<int>(sizeof(double)));
  Warp lanes{static_cast<int>(threadIdx.x), {}};
  const SeriesTask& task = arguments.tasks[std::int64_t{warp_number()} * arguments.variants];
  cuda::find_series_crossings<pine, spread>(plan, arguments, task, own, lanes);
}

template <bool pine>
__global__ void __launch_bounds__(kLanes* kMostWarps, kBlocks)
    compute_layers(const __grid_constant__ KernelArguments arguments, int tasks) {
  extern __shared__ __align__(16) double memory[];
  if (warp_number() >= tasks) return;
  double* const own = memory + threadIdx.y * (cuda::layers_bytes() / static_cast<int>(sizeof(double)));
  Warp lanes{static_cast<int>(threadIdx.x), {}};
  cuda::run_layers<pine>(arguments, arguments.tasks[warp_number()], own, lanes);
}

struct SeriesKernels {
  template <bool pine, Spread spread>
  auto of() const {
    return compute_series<pine, spread>;
  }
};
struct CrossingsKernels {
  template <bool pine, Spread spread>
  auto of() const {
    return find_crossings<pine, spread>;
  }
};

/// A warp for each of `count`, with so much shared memory of its own.
template <class Kernel, class... Arguments>
cudaError_t start(Kernel kernel, std::int64_t bytes_each, int count, cudaStream_t stream,
                  const Arguments&... arguments) {
  const auto bytes = static_cast<int>(bytes_each);
  int most = 0;
  cudaError_t error = cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0);
  if (error != cudaSuccess) return error;
  const int warps = most >= kMostWarps * bytes ? kMostWarps : 1;
  error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, warps * bytes);
  if (error != cudaSuccess) return error;
  // Shared memory is what limits how many warps a multiprocessor has.
  error = cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout,
                               cudaSharedmemCarveoutMaxShared);
  if (error != cudaSuccess) return error;
  const dim3 threads(kLanes, static_cast<unsigned>(warps));
  const auto blocks = static_cast<unsigned>((count + warps - 1) / warps);
  kernel<<<blocks, threads, static_cast<std::size_t>(warps * bytes), stream>>>(arguments..., count);
  return cudaGetLastError();
}

}  // namespace

cudaError_t launch(const DevicePlan& plan, const KernelArguments& arguments, int series,
                   cudaStream_t stream) {
  const std::int64_t bytes = cuda::tile_bytes(plan);
  if (arguments.variants == 1)
    return start(cuda::for_plan(plan, SeriesKernels{}), bytes, series, stream, plan, arguments);
  const cudaError_t error =
      start(cuda::for_plan(plan, CrossingsKernels{}), bytes, series, stream, plan, arguments);
  if (error != cudaSuccess) return error;
  const int tasks = series * arguments.variants;
  const std::int64_t layers_bytes = cuda::layers_bytes();
  return plan.pine != 0 ? start(compute_layers<true>, layers_bytes, tasks, stream, arguments)
                        : start(compute_layers<false>, layers_bytes, tasks, stream, arguments);
}

}  // namespace atcd::gpu
