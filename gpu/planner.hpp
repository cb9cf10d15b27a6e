#pragma once

#include <span>

#include "engine/batch.hpp"
#include "engine/kernel.hpp"
#include "gpu/batch.hpp"

namespace atcd::gpu {

/// Has batches computed where that is fastest: by the engine's kernel on some threads, or by a CUDA device
/// where there is one. The same bits either way. One call at a time; never throws.
class Planner {
 public:
  struct Options {
    const engine::Kernel* kernel = nullptr;  // null: the fastest of this processor
    unsigned threads = 1;                    // for the engine's way, the caller's among them
  };
  explicit Planner(const Options& options);

  /// As engine::compute_batches. The outcome is done, refused or out of memory.
  Outcome compute(const engine::Plan& plan, std::span<const engine::BatchInput> inputs,
                  std::span<const engine::BatchOutput> outputs,
                  std::span<engine::Incremental* const> engines);

  /// As engine::compute_variants. The outcome is done, refused or out of memory.
  Outcome compute_variants(std::span<const engine::Plan* const> plans,
                           std::span<const engine::BatchInput> inputs,
                           std::span<const engine::BatchOutput> outputs);

 private:
  const engine::Kernel& kernel_;
  unsigned threads_;
};

}  // namespace atcd::gpu
