#pragma once

#include <functional>

#include "gpu/batch.hpp"

namespace atcd::perf {

/// Prints where the time of one call goes, and how long it takes for many ways to spread the batch over
/// threads and time. `run` computes the same batch with any computer.
void print_gpu_pipeline(const std::function<void(gpu::BatchComputer&)>& run);

}  // namespace atcd::perf
