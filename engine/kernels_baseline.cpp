// The definition compiled for any x86-64 processor: where it has no fused multiply-add, the C library's.

#define ATCD_KERNEL baseline
#define ATCD_LANES 1

#include "engine/kernel_body.hpp"
#include "engine/kernels.hpp"

namespace atcd::engine {
namespace {

bool always() { return true; }

}  // namespace

const Kernel kBaselineKernel = ATCD_KERNEL_ROW("baseline", always);

}  // namespace atcd::engine
