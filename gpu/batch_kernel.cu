// The definition compiled for the device: one warp, which is one block, a series.

#define ATCD_KERNEL cuda
#define ATCD_LANES 1

#include "gpu/launch.hpp"
#include "gpu/series_kernel.hpp"

namespace atcd::gpu {
namespace {

/// The lanes of a warp; the stand-in of the tests has as many in an array.
struct Warp {
  int id;
  cuda::Lane lane;

  template <class Phase>
  __device__ void each(Phase phase) {
    phase(id, lane);
    __syncwarp();
  }
};

template <bool pine>
__global__ void __launch_bounds__(kLanes) compute_series(const __grid_constant__ DevicePlan plan,
                                                         const __grid_constant__ KernelArguments arguments) {
  extern __shared__ double memory[];
  Warp warp{static_cast<int>(threadIdx.x), {}};
  cuda::run_series<pine>(plan, arguments, arguments.tasks[blockIdx.x], memory, warp);
}

}  // namespace

cudaError_t launch(const DevicePlan& plan, const KernelArguments& arguments, int series,
                   cudaStream_t stream) {
  const auto kernel = plan.pine != 0 ? compute_series<true> : compute_series<false>;
  const auto bytes = static_cast<int>(cuda::tile_bytes(plan));
  if (const cudaError_t error =
          cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
      error != cudaSuccess) {
    return error;
  }
  // Shared memory is what limits how many warps a multiprocessor has.
  if (const cudaError_t error = cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout,
                                                     cudaSharedmemCarveoutMaxShared);
      error != cudaSuccess) {
    return error;
  }
  kernel<<<static_cast<unsigned>(series), kLanes, static_cast<std::size_t>(bytes), stream>>>(plan, arguments);
  return cudaGetLastError();
}

}  // namespace atcd::gpu
