// The device kernel's phases compiled for the host.

#define ATCD_KERNEL stand_in
#define ATCD_LANES 1

#include "tests/gpu/stand_in.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "gpu/batch_layout.hpp"
#include "gpu/series_kernel.hpp"

namespace atcd::gpu {
namespace {

// A number that no price, average or equity is: as little like an undefined value as like a right one.
constexpr double kPoison = -7.25e77;

/// 32 lanes, one after the other; a barrier is where all have been.
class Lanes32 {
 public:
  explicit Lanes32(LaneOrder order) : shuffled_(order == LaneOrder::shuffled) {
    std::iota(order_.begin(), order_.end(), 0);
    if (order == LaneOrder::backward) std::reverse(order_.begin(), order_.end());
  }

  template <class Phase>
  void each(Phase phase) {
    if (shuffled_) std::shuffle(order_.begin(), order_.end(), random_);
    for (const int id : order_) phase(id, lanes_[static_cast<std::size_t>(id)]);
  }
  template <class Holds>
  stand_in::Bars vote(Holds holds) {
    stand_in::Bars bits = 0;
    for (std::size_t id = 0; id < lanes_.size(); ++id) bits |= stand_in::Bars{holds(lanes_[id])} << id;
    return bits;
  }

 private:
  bool shuffled_;
  std::mt19937 random_{5};
  std::array<int, kLanes> order_{};
  std::array<stand_in::Lane, kLanes> lanes_{};
};

struct Run {
  const DevicePlan& plan;
  const KernelArguments& arguments;
  const SeriesTask& task;
  double* memory;
  Lanes32& lanes;

  template <bool pine, Spread spread>
  void of() const {
    stand_in::run_series<pine, spread>(plan, arguments, task, memory, lanes);
  }
};

struct FindCrossings {
  const DevicePlan& plan;
  const KernelArguments& arguments;
  const SeriesTask& task;
  double* memory;
  Lanes32& lanes;

  template <bool pine, Spread spread>
  void of() const {
    stand_in::find_series_crossings<pine, spread>(plan, arguments, task, memory, lanes);
  }
};

/// A warp's shared memory, of the exact size, so that AddressSanitizer sees what goes past it.
std::vector<double> shared_memory(std::int64_t bytes) {
  return std::vector<double>((static_cast<std::size_t>(bytes) + sizeof(double) - 1) / sizeof(double),
                             kPoison);
}

void launch(const DevicePlan& plan, const KernelArguments& arguments, std::size_t series, LaneOrder order) {
  const auto variants = static_cast<std::size_t>(arguments.variants);
  for (std::size_t warp = 0; warp < series; ++warp) {
    std::vector<double> memory = shared_memory(stand_in::tile_bytes(plan));
    Lanes32 lanes(order);
    const SeriesTask& task = arguments.tasks[warp * variants];
    if (variants == 1) {
      stand_in::for_plan(plan, Run{plan, arguments, task, memory.data(), lanes});
    } else {
      stand_in::for_plan(plan, FindCrossings{plan, arguments, task, memory.data(), lanes});
    }
  }
  for (std::size_t warp = 0; variants > 1 && warp < series * variants; ++warp) {
    std::vector<double> memory = shared_memory(stand_in::layers_bytes());
    Lanes32 lanes(order);
    const SeriesTask& task = arguments.tasks[warp];
    if (plan.pine != 0) {
      stand_in::run_layers<true>(arguments, task, memory.data(), lanes);
    } else {
      stand_in::run_layers<false>(arguments, task, memory.data(), lanes);
    }
  }
}

Outcome compute(const Batch& batch, LaneOrder order) {
  for (const Chunk& chunk : chunks_of(batch, 3, 0, std::int64_t{1} << 30)) {
    const Layout layout = lay_out(batch, chunk);
    std::vector<double> memory(static_cast<std::size_t>(layout.bytes) / sizeof(double), kPoison);
    auto* const base = reinterpret_cast<std::byte*>(memory.data());
    std::string refusal = pack(batch, chunk, layout, base, base);
    if (!refusal.empty()) return {Outcome::Kind::refused, std::move(refusal)};
    launch(batch.device_plan, arguments_of(batch, layout, base), chunk.members.size(), order);
    unpack(batch, chunk, layout, base);
  }
  return {};
}

}  // namespace

Outcome compute_by_stand_in(const engine::Plan& plan, std::span<const engine::BatchInput> inputs,
                            std::span<const engine::BatchOutput> outputs,
                            std::span<engine::Incremental* const> engines, LaneOrder order) {
  return compute(Batch(plan, inputs, outputs, engines), order);
}

Outcome compute_variants_by_stand_in(std::span<const engine::Plan* const> plans,
                                     std::span<const engine::BatchInput> inputs,
                                     std::span<const engine::BatchOutput> outputs, LaneOrder order) {
  return compute(Batch(plans, inputs, outputs), order);
}

std::int64_t shared_bytes_of(const engine::Plan& plan) {
  return stand_in::tile_bytes(device_plan(plan.constants()));
}

}  // namespace atcd::gpu
