#include "engine/dispatch.hpp"

#include "engine/kernels.hpp"

namespace atcd::engine {

namespace {

/// Those that were compiled in, the plain one first, the fastest last.
#if defined(__x86_64__)
constexpr const Kernel* kKernels[] = {&kBaselineKernel, &kScalarKernel, &kAvx2Kernel, &kAvx512Kernel};
#elif defined(__aarch64__)
constexpr const Kernel* kKernels[] = {&kScalarKernel, &kNeonKernel};
#else
constexpr const Kernel* kKernels[] = {&kScalarKernel};
#endif

}  // namespace

std::vector<const Kernel*> available_kernels() {
  std::vector<const Kernel*> kernels;
  for (const Kernel* kernel : kKernels) {
    if (kernel->supported()) kernels.push_back(kernel);
  }
  return kernels;
}

const Kernel& best_kernel() {
  static const Kernel best = [] {
    Kernel fastest = *available_kernels().back();
#if defined(__x86_64__)
    // Half as many lanes take some two thirds of the time (perf/NOTES.md).
    if (fastest.lanes == kAvx512Kernel.lanes && kAvx2Kernel.supported()) fastest.few = &kAvx2Kernel;
#endif
    return fastest;
  }();
  return best;
}

const Kernel* find_kernel(std::string_view name) {
  if (name == "auto") return &best_kernel();
  const auto kernels = available_kernels();
  for (const Kernel* kernel : kernels) {
    if (name == kernel->name) return kernel;
  }
  // Every machine has a scalar path, if need be without a fused multiply-add of the processor's own.
  return name == "scalar" ? kernels.front() : nullptr;
}

}  // namespace atcd::engine
