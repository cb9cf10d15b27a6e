// The device kernel's phases compiled for the host.

#define ATCD_KERNEL stand_in
#define ATCD_LANES 1

#include "tests/gpu/stand_in.hpp"

#include <algorithm>
#include <array>
#include <cstring>
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

void launch(const DevicePlan& plan, const KernelArguments& arguments, std::size_t series, LaneOrder order) {
  const auto bytes = static_cast<std::size_t>(stand_in::tile_bytes(plan));
  for (std::size_t block = 0; block < series; ++block) {
    // Of the exact size, so that AddressSanitizer sees what goes past it.
    std::vector<double> memory((bytes + sizeof(double) - 1) / sizeof(double), kPoison);
    Lanes32 lanes(order);
    const SeriesTask& task = arguments.tasks[block];
    stand_in::for_plan(plan, Run{plan, arguments, task, memory.data(), lanes});
  }
}

}  // namespace

Outcome compute_by_stand_in(const engine::Plan& plan, std::span<const engine::BatchInput> inputs,
                            std::span<const engine::BatchOutput> outputs,
                            std::span<engine::Incremental* const> engines, LaneOrder order) {
  const Batch batch(plan, inputs, outputs, engines);
  for (const Chunk& chunk : chunks_of(batch, 3, 0, std::int64_t{1} << 30)) {
    const Layout layout = lay_out(batch, chunk);
    std::vector<double> memory(static_cast<std::size_t>(layout.bytes) / sizeof(double), kPoison);
    auto* const base = reinterpret_cast<std::byte*>(memory.data());
    std::string refusal = pack(batch, chunk, layout, base, base);
    if (!refusal.empty()) return {Outcome::Kind::refused, std::move(refusal)};
    const KernelArguments arguments{at<SeriesTask>(base, layout.tasks), at<double>(base, layout.growth),
                                    batch.places};
    launch(batch.device_plan, arguments, chunk.members.size(), order);
    unpack(batch, chunk, layout, base);
  }
  return {};
}

}  // namespace atcd::gpu
