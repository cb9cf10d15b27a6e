// The definition for AVX-512: eight series of a batch at once.

#define ATCD_KERNEL avx512
#define ATCD_LANES 8

#include "engine/kernel_body.hpp"
#include "engine/kernels.hpp"

namespace atcd::engine {
namespace {

bool supported() {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("fma") != 0;
}

}  // namespace

const Kernel kAvx512Kernel = ATCD_KERNEL_ROW("avx512", supported);

}  // namespace atcd::engine
