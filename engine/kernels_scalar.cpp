// The definition compiled for any processor.

#define ATCD_KERNEL scalar
#define ATCD_LANES 1

#include "engine/kernel_body.hpp"
#include "engine/kernels.hpp"

namespace atcd::engine {
namespace {

bool always() { return true; }

}  // namespace

const Kernel kScalarKernel = ATCD_KERNEL_ROW("scalar", always);

}  // namespace atcd::engine
