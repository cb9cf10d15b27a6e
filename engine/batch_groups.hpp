#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <thread>
#include <vector>

#include "engine/batch.hpp"
#include "engine/kernel.hpp"

// How the series of a batch become groups, one a lane, and how threads share the groups.

namespace atcd::engine {

/// The kernels' view of one series.
BatchColumns columns_of(const BatchInput& input, const BatchOutput& output);

/// Series in the order in which they are computed: by length, so that the lanes of a group end together.
std::vector<std::size_t> order_of(std::span<const BatchInput> inputs);

/// Memory as kernels want it.
class Scratch {
 public:
  explicit Scratch(std::int64_t bytes);
  void* get() const { return memory_.get(); }

 private:
  static constexpr std::align_val_t kLine{64};
  struct Free {
    void operator()(void* memory) const { ::operator delete(memory, kLine); }
  };
  std::unique_ptr<void, Free> memory_;
};

/// Calls run(members) of a runner for each group. Each thread has a runner of its own, made here before any
/// begins, so that memory that is not there is the caller's to hear of.
template <class Make>
void run_groups(std::span<const BatchInput> inputs, const Kernel& kernel, unsigned threads,
                const Make& make) {
  const std::vector<std::size_t> order = order_of(inputs);
  const auto lanes = static_cast<std::size_t>(kernel.lanes);
  const std::size_t groups = (order.size() + lanes - 1) / lanes;
  std::vector<decltype(make())> runners;
  const std::size_t workers = std::clamp<std::size_t>(threads, 1, std::max<std::size_t>(groups, 1));
  runners.reserve(workers);
  while (runners.size() < workers) runners.push_back(make());
  // The longest groups come last in the order and are taken first, so that the threads end together.
  std::atomic<std::size_t> left = groups;
  const auto work = [&](auto& runner) {
    for (;;) {
      std::size_t mine = left.load(std::memory_order_relaxed);
      while (mine != 0 && !left.compare_exchange_weak(mine, mine - 1, std::memory_order_relaxed)) {
      }
      if (mine == 0) return;
      const std::size_t first = (mine - 1) * lanes;
      runner.run(std::span(order).subspan(first, std::min(lanes, order.size() - first)));
    }
  };
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < workers; ++i)
    others.emplace_back([&work, &runner = runners[i]] { work(runner); });
  work(runners[0]);
}

}  // namespace atcd::engine
