#pragma once

#include <memory>
#include <span>

#include "engine/batch.hpp"
#include "engine/incremental.hpp"
#include "engine/plan.hpp"
#include "gpu/batch.hpp"

namespace atcd::gpu {

/// What the planner knows of a device. One call at a time, of any thread; never throws.
class BatchDevice {
 public:
  virtual ~BatchDevice() = default;

  /// Makes it ready, which may take seconds. Called once, before all else.
  virtual Outcome start() = 0;
  /// As BatchComputer::compute: unless it is done, what was written is unspecified.
  virtual Outcome compute(const engine::Plan& plan, std::span<const engine::BatchInput> inputs,
                          std::span<const engine::BatchOutput> outputs,
                          std::span<engine::Incremental* const> engines) = 0;
  /// As BatchComputer::compute_variants, likewise.
  virtual Outcome compute_variants(std::span<const engine::Plan* const> plans,
                                   std::span<const engine::BatchInput> inputs,
                                   std::span<const engine::BatchOutput> outputs) = 0;
};

/// The first CUDA device. Where there is none, or none that can be used, its start says why.
std::unique_ptr<BatchDevice> cuda_device();

}  // namespace atcd::gpu
