#pragma once

#include <atomic>
#include <functional>
#include <latch>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/batch.hpp"
#include "engine/dispatch.hpp"
#include "gpu/batch_device.hpp"

namespace atcd::gpu {

/// A device that computes with the engine, and fails when it is told to.
class InjectedDevice final : public BatchDevice {
 public:
  /// What a test sets before, and reads after; it outlives the planner that has the device.
  struct Script {
    Outcome start{};
    std::latch* start_waits_for = nullptr;
    std::map<int, Outcome> calls{};  // by their number, from 0; others are done
    bool writes_half_first = true;   // before it fails
    std::atomic<int> started = 0, computed = 0;
    std::atomic<bool> overlapped = false;  // a call came while another was under way
  };
  explicit InjectedDevice(Script& script) : script_(script) {}

  Outcome start() override {
    if (script_.start_waits_for != nullptr) script_.start_waits_for->wait();
    ++script_.started;
    return script_.start;
  }

  Outcome compute(const engine::Plan& plan, std::span<const engine::BatchInput> inputs,
                  std::span<const engine::BatchOutput> outputs,
                  std::span<engine::Incremental* const> engines) override {
    return one_call(
        [&](std::size_t count) {
          return engine::compute_batches(plan, inputs.first(count),
                                         outputs.first(outputs.empty() ? 0 : count), engine::best_kernel(), 1,
                                         engines.first(engines.empty() ? 0 : count));
        },
        inputs.size(), outputs);
  }

  Outcome compute_variants(std::span<const engine::Plan* const> plans,
                           std::span<const engine::BatchInput> inputs,
                           std::span<const engine::BatchOutput> outputs) override {
    return one_call(
        [&](std::size_t count) {
          return engine::compute_variants(plans.first(count), inputs, outputs.first(count * inputs.size()),
                                          engine::best_kernel());
        },
        plans.size(), outputs);
  }

 private:
  /// `compute` has the first of them computed.
  template <class Compute>
  Outcome one_call(const Compute& compute, std::size_t count, std::span<const engine::BatchOutput> outputs) {
    if (busy_.exchange(true)) script_.overlapped = true;
    Outcome outcome;
    const auto failure = script_.calls.find(script_.computed++);
    if (failure == script_.calls.end()) {
      std::string refusal = compute(count);
      if (!refusal.empty()) outcome = {Outcome::Kind::refused, std::move(refusal)};
    } else {
      if (script_.writes_half_first) write_half(compute, count, outputs);
      outcome = failure->second;
    }
    busy_ = false;
    return outcome;
  }

  template <class Compute>
  static void write_half(const Compute& compute, std::size_t count,
                         std::span<const engine::BatchOutput> outputs) {
    compute(count / 2);
    // The rest has what no series can have.
    for (std::size_t i = outputs.size() / count * (count / 2); i < outputs.size(); ++i) {
      for (double& value : outputs[i].average) value = -77;
    }
  }

  Script& script_;
  std::atomic<bool> busy_ = false;
};

}  // namespace atcd::gpu
