#pragma once

#include <cstddef>

#include "perf/gpu_ceilings.hpp"

namespace atcd::perf {

/// Prints what the trends of 500 series of 1,500 bars take, from memory to memory, under so many plans that
/// differ in their layers: by the device and by all processors, beside their floors; and under some plans
/// that differ in their lengths. The bits are compared. The exit status.
int print_gpu_sweep(std::size_t plans, const GpuCeilings& ceilings);

}  // namespace atcd::perf
