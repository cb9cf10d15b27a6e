// The definition for AVX2 and FMA: four series of a batch at once.

#define ATCD_KERNEL avx2
#define ATCD_LANES 4

#include "engine/kernel_body.hpp"
#include "engine/kernels.hpp"

namespace atcd::engine {
namespace {

bool supported() { return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0; }

}  // namespace

const Kernel kAvx2Kernel = ATCD_KERNEL_ROW("avx2", supported);

}  // namespace atcd::engine
