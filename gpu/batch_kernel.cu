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
constexpr int kBlocks = 6;

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

template <bool pine, Spread spread>
__global__ void __launch_bounds__(kLanes* kMostWarps, kBlocks)
    compute_series(const __grid_constant__ DevicePlan plan, const __grid_constant__ KernelArguments arguments,
                   int series) {
  extern __shared__ __align__(16) double memory[];
  const auto warp = static_cast<int>(threadIdx.y), at = static_cast<int>(blockIdx.x * blockDim.y) + warp;
  if (at >= series) return;
  double* const own = memory + warp * (cuda::tile_bytes(plan) / static_cast<int>(sizeof(double)));
  Warp lanes{static_cast<int>(threadIdx.x), {}};
  cuda::run_series<pine, spread>(plan, arguments, arguments.tasks[at], own, lanes);
}

struct Kernels {
  template <bool pine, Spread spread>
  auto of() const {
    return compute_series<pine, spread>;
  }
};

}  // namespace

cudaError_t launch(const DevicePlan& plan, const KernelArguments& arguments, int series,
                   cudaStream_t stream) {
  const auto kernel = cuda::for_plan(plan, Kernels{});
  const auto bytes = static_cast<int>(cuda::tile_bytes(plan));
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
  const auto blocks = static_cast<unsigned>((series + warps - 1) / warps);
  kernel<<<blocks, threads, static_cast<std::size_t>(warps * bytes), stream>>>(plan, arguments, series);
  return cudaGetLastError();
}

}  // namespace atcd::gpu
