// The definition for aarch64's vectors, which all its processors have: two series of a batch at once.

#define ATCD_KERNEL neon
#define ATCD_LANES 2

#include "engine/kernel_body.hpp"
#include "engine/kernels.hpp"

namespace atcd::engine {
namespace {

bool always() { return true; }

}  // namespace

const Kernel kNeonKernel = ATCD_KERNEL_ROW("neon", always);

}  // namespace atcd::engine
