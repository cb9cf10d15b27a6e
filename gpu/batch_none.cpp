#include "gpu/batch.hpp"

namespace atcd::gpu {

struct BatchComputer::Workers {};

BatchComputer::BatchComputer(const BatchOptions& options) : options_(options) {}
BatchComputer::~BatchComputer() = default;

Outcome BatchComputer::compute(const engine::Plan&, std::span<const engine::BatchInput>,
                               std::span<const engine::BatchOutput>, std::span<engine::Incremental* const>) {
  return {Outcome::Kind::no_device, "this program was built without CUDA"};
}

Outcome BatchComputer::compute_variants(std::span<const engine::Plan* const>,
                                        std::span<const engine::BatchInput>,
                                        std::span<const engine::BatchOutput>) {
  return {Outcome::Kind::no_device, "this program was built without CUDA"};
}

}  // namespace atcd::gpu
