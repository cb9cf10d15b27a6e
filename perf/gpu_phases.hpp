#pragma once

#include "gpu/series_kernel_types.hpp"

namespace atcd::perf {

/// Runs the lts kernel without columns once more, with a clock around every phase, and prints the shares.
void print_gpu_phases(const gpu::DevicePlan& plan, const gpu::KernelArguments& arguments, int series);

}  // namespace atcd::perf
