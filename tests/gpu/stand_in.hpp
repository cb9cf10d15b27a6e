#pragma once

#include <cstdint>
#include <span>

#include "engine/batch.hpp"
#include "engine/incremental.hpp"
#include "engine/plan.hpp"
#include "gpu/batch.hpp"

namespace atcd::gpu {

/// In which order the stand-in runs the lanes between two barriers. Where lanes do not depend on each other
/// all orders give the same bits.
enum class LaneOrder : std::uint8_t { forward, backward, shuffled };

/// BatchComputer::compute without a device: the kernel's own phases, lane after lane, and the same layout of
/// memory. Memory is full of signalling patterns at first, so that reading what nobody wrote shows.
Outcome compute_by_stand_in(const engine::Plan& plan, std::span<const engine::BatchInput> inputs,
                            std::span<const engine::BatchOutput> outputs,
                            std::span<engine::Incremental* const> engines, LaneOrder order);

/// BatchComputer::compute_variants likewise.
Outcome compute_variants_by_stand_in(std::span<const engine::Plan* const> plans,
                                     std::span<const engine::BatchInput> inputs,
                                     std::span<const engine::BatchOutput> outputs, LaneOrder order);

/// Of a multiprocessor's shared memory, for a series.
std::int64_t shared_bytes_of(const engine::Plan& plan);

}  // namespace atcd::gpu
