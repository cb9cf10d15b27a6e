#pragma once

namespace atcd::perf {

/// Prints, for sizes from one series on, what the device takes, from memory to memory, and what all
/// processors take, in turn; and what the planner would expect from its own measurement. The first CUDA
/// device must be there.
void print_gpu_crossover();

}  // namespace atcd::perf
