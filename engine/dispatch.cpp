#include "engine/dispatch.hpp"

#include "engine/kernels.hpp"

namespace atcd::engine {

std::vector<const Kernel*> available_kernels() {
  std::vector<const Kernel*> kernels;
#if defined(__x86_64__)
  for (const Kernel* kernel : {&kBaselineKernel, &kScalarKernel, &kAvx2Kernel, &kAvx512Kernel}) {
    if (kernel->supported()) kernels.push_back(kernel);
  }
#else
  kernels.push_back(&kScalarKernel);
#endif
  return kernels;
}

const Kernel& best_kernel() {
  static const Kernel& best = *available_kernels().back();
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
