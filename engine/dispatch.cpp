#include "engine/dispatch.hpp"

#include "engine/kernels.hpp"

namespace atcd::engine {

std::vector<const Kernel*> available_kernels() {
  std::vector<const Kernel*> kernels = {&kScalarKernel};
#if defined(__x86_64__)
  for (const Kernel* kernel : {&kAvx2Kernel, &kAvx512Kernel}) {
    if (kernel->supported()) kernels.push_back(kernel);
  }
#endif
  return kernels;
}

const Kernel& best_kernel() {
  static const Kernel& best = *available_kernels().back();
  return best;
}

const Kernel* find_kernel(std::string_view name) {
  if (name == "auto") return &best_kernel();
  for (const Kernel* kernel : available_kernels()) {
    if (name == kernel->name) return kernel;
  }
  return nullptr;
}

}  // namespace atcd::engine
