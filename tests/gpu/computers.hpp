#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>

#include "gpu/batch.hpp"
#include "gpu/device.hpp"
#include "tests/gpu/stand_in.hpp"

/// Who computes in a test: the device, or its stand-in in some order of lanes.
namespace atcd::gpu {

struct Computer {
  std::string name;
  std::function<Outcome(const engine::Plan&, std::span<const engine::BatchInput>,
                        std::span<const engine::BatchOutput>, std::span<engine::Incremental* const>)>
      compute;
  std::function<Outcome(std::span<const engine::Plan* const>, std::span<const engine::BatchInput>,
                        std::span<const engine::BatchOutput>)>
      compute_variants;
  bool is_device;
};

inline void PrintTo(const Computer& computer, std::ostream* out) { *out << computer.name; }

inline Computer stand_in(const char* name, LaneOrder order) {
  return {
      name,
      [order](const engine::Plan& plan, std::span<const engine::BatchInput> inputs,
              std::span<const engine::BatchOutput> outputs, std::span<engine::Incremental* const> engines) {
        return compute_by_stand_in(plan, inputs, outputs, engines, order);
      },
      [order](std::span<const engine::Plan* const> plans, std::span<const engine::BatchInput> inputs,
              std::span<const engine::BatchOutput> outputs) {
        return compute_variants_by_stand_in(plans, inputs, outputs, order);
      },
      false};
}

/// Never destroyed: the runtime may be gone before it.
inline BatchComputer& device_computer() {
  static BatchComputer& computer = *new BatchComputer;
  return computer;
}

inline Computer device() {
  return {"Device",
          [](const engine::Plan& plan, std::span<const engine::BatchInput> inputs,
             std::span<const engine::BatchOutput> outputs, std::span<engine::Incremental* const> engines) {
            return device_computer().compute(plan, inputs, outputs, engines);
          },
          [](std::span<const engine::Plan* const> plans, std::span<const engine::BatchInput> inputs,
             std::span<const engine::BatchOutput> outputs) {
            return device_computer().compute_variants(plans, inputs, outputs);
          },
          true};
}

/// Why the device's tests can't run here; empty where they can.
inline std::string no_device_because() {
  const DeviceReport report = find_devices();
  return report.devices.empty() ? "no CUDA device: " + report.reason : "";
}

#define ATCD_SKIP_WITHOUT_DEVICE() \
  if (const std::string reason = atcd::gpu::no_device_because(); !reason.empty()) GTEST_SKIP() << reason

class ComputersTest : public testing::TestWithParam<Computer> {
 protected:
  void SetUp() override {
    if (GetParam().is_device) ATCD_SKIP_WITHOUT_DEVICE();
  }
  Outcome compute(const engine::Plan& plan, std::span<const engine::BatchInput> inputs,
                  std::span<const engine::BatchOutput> outputs,
                  std::span<engine::Incremental* const> engines = {}) const {
    return GetParam().compute(plan, inputs, outputs, engines);
  }
  Outcome compute_variants(std::span<const engine::Plan* const> plans,
                           std::span<const engine::BatchInput> inputs,
                           std::span<const engine::BatchOutput> outputs) const {
    return GetParam().compute_variants(plans, inputs, outputs);
  }
  /// The device is fast, and the machine that has one is lent for minutes.
  static int times(int stand_in_times, int device_times) {
    return GetParam().is_device ? device_times : stand_in_times;
  }
};

inline std::string name_of(const testing::TestParamInfo<Computer>& info) { return info.param.name; }

inline auto all_computers() {
  return testing::Values(stand_in("StandInForward", LaneOrder::forward),
                         stand_in("StandInBackward", LaneOrder::backward),
                         stand_in("StandInShuffled", LaneOrder::shuffled), device());
}

}  // namespace atcd::gpu
