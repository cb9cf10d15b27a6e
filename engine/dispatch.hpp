#pragma once

#include <string_view>
#include <vector>

#include "engine/kernel.hpp"

namespace atcd::engine {

/// The kernels that were compiled in and that this processor can run, the plain one first, the fastest last.
std::vector<const Kernel*> available_kernels();

/// The fastest of them; it leaves few series to the one that is faster with those (Kernel::few).
const Kernel& best_kernel();

/// The kernel with that name ("baseline", "scalar", "avx2", "avx512", "neon", or "auto" for the best), and
/// for all series that one; nullptr where this build or this processor has none. "scalar" there is always.
const Kernel* find_kernel(std::string_view name);

}  // namespace atcd::engine
