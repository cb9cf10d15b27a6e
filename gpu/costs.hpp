#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "engine/batch.hpp"
#include "gpu/batch.hpp"

namespace atcd::gpu {

/// What the time of a batch depends on.
struct BatchSize {
  std::size_t series = 0;
  std::size_t longest_bars = 0;
  std::size_t bars = 0;  // of all series
};
BatchSize size_of(std::span<const engine::BatchInput> inputs);

/// What one way of computing batches takes: call_ns + step_ns * longest_bars + bar_ns * bars. A bar waits for
/// the one before it, so a long series takes its time however much is idle beside it; and each bar has its
/// share of what all series wait for, copies among it.
struct Cost {
  double call_ns = 0;
  double step_ns = 0;
  double bar_ns = 0;

  double ns(const BatchSize& size) const;
};

/// Of the two ways.
struct Costs {
  Cost device;
  Cost processor;

  bool device_is_faster(const BatchSize& size) const { return device.ns(size) < processor.ns(size); }
  /// The fewest series of so many bars that the device computes faster; 0: not even a million of them.
  std::size_t crossover_series(std::size_t bars) const;
};

/// A batch with the default parameters, without engines.
using ComputeTrial = std::function<Outcome(const engine::Plan& plan, std::span<const engine::BatchInput>,
                                           std::span<const engine::BatchOutput>)>;

/// Has batches of generated series computed and takes the times, the best of a few: one of a short series,
/// of a long one, and of `many_series` long ones, with room of 8 KB each. The outcome of the first that
/// fails.
Outcome measure_cost(const ComputeTrial& compute, std::size_t many_series, Cost& cost);

}  // namespace atcd::gpu
