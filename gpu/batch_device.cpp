#include "gpu/batch_device.hpp"

#include <vector>

#include "gpu/device.hpp"

namespace atcd::gpu {
namespace {

class CudaDevice final : public BatchDevice {
 public:
  Outcome start() override {
    const DeviceReport report = find_devices();
    if (report.devices.empty()) return {Outcome::Kind::no_device, report.reason};
    // The first batch makes the context and loads the kernel.
    const engine::Plan plan{engine::Parameters{}};
    const std::vector<double> closes(static_cast<std::size_t>(plan.minimum_bars()), 1.0);
    const engine::BatchInput input{closes};
    return computer_.compute(plan, {&input, 1}, {}, {});
  }

  Outcome compute(const engine::Plan& plan, std::span<const engine::BatchInput> inputs,
                  std::span<const engine::BatchOutput> outputs,
                  std::span<engine::Incremental* const> engines) override {
    return computer_.compute(plan, inputs, outputs, engines);
  }

  Outcome compute_variants(std::span<const engine::Plan* const> plans,
                           std::span<const engine::BatchInput> inputs,
                           std::span<const engine::BatchOutput> outputs) override {
    return computer_.compute_variants(plans, inputs, outputs);
  }

 private:
  BatchComputer computer_;
};

}  // namespace

std::unique_ptr<BatchDevice> cuda_device() { return std::make_unique<CudaDevice>(); }

}  // namespace atcd::gpu
