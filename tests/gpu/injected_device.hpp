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
    if (busy_.exchange(true)) script_.overlapped = true;
    Outcome outcome = compute_alone(plan, inputs, outputs, engines);
    busy_ = false;
    return outcome;
  }

 private:
  Outcome compute_alone(const engine::Plan& plan, std::span<const engine::BatchInput> inputs,
                        std::span<const engine::BatchOutput> outputs,
                        std::span<engine::Incremental* const> engines) {
    const auto failure = script_.calls.find(script_.computed++);
    if (failure == script_.calls.end()) {
      std::string refusal = engine::compute_batches(plan, inputs, outputs, engine::best_kernel(), 1, engines);
      if (refusal.empty()) return {};
      return {Outcome::Kind::refused, std::move(refusal)};
    }
    if (script_.writes_half_first) {
      const std::size_t half = inputs.size() / 2;
      engine::compute_batches(plan, inputs.first(half), outputs.first(outputs.empty() ? 0 : half),
                              engine::best_kernel(), 1, engines.first(engines.empty() ? 0 : half));
      // The rest has what no series can have.
      for (std::size_t i = half; i < outputs.size(); ++i) {
        for (double& value : outputs[i].average) value = -77;
      }
    }
    return failure->second;
  }

  Script& script_;
  std::atomic<bool> busy_ = false;
};

}  // namespace atcd::gpu
