#pragma once

#include <cuda_runtime_api.h>

#include "gpu/series_kernel_types.hpp"

namespace atcd::gpu {

/// Starts the kernel for `series` series, and where there are variants the second one for all of their tasks,
/// asynchronous on the stream. A device whose blocks have too little shared memory for the plan's longest
/// window gives cudaErrorInvalidValue.
cudaError_t launch(const DevicePlan& plan, const KernelArguments& arguments, int series, cudaStream_t stream);

}  // namespace atcd::gpu
