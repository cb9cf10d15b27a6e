// The definition on plain doubles, with the processor's fused multiply-add: on x86 for those that have one.

#define ATCD_KERNEL scalar
#define ATCD_LANES 1

#include "engine/kernel_body.hpp"
#include "engine/kernels.hpp"

namespace atcd::engine {
namespace {

bool supported() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx") != 0 && __builtin_cpu_supports("fma") != 0;
#else
  return true;
#endif
}

}  // namespace

const Kernel kScalarKernel = ATCD_KERNEL_ROW("scalar", supported);

}  // namespace atcd::engine
