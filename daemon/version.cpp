#include "daemon/version.hpp"

#include "engine/dispatch.hpp"
#include "gpu/device.hpp"

namespace atcd::daemon {

std::string_view version_number() { return ATCD_VERSION; }

std::string version_text() {
  std::string text = "atcd " + std::string(version_number()) + "\ncompiler: ";
#if defined(__clang__)
  text += "clang " __clang_version__;
#else
  text += "GCC " __VERSION__;
#endif
  text += "\npaths: incremental";
  for (const engine::Kernel* kernel : engine::available_kernels()) text += ", " + std::string(kernel->name);
  const gpu::DeviceReport report = gpu::find_devices();
  text += "\nCUDA: ";
  if (!report.compiled) return text + "not built in";
  if (report.devices.empty()) return text + "built in, no device: " + report.reason;
  for (const gpu::Device& device : report.devices) {
    text += device.name + " (compute " + std::to_string(device.compute_major) + "." +
            std::to_string(device.compute_minor) + ", " + std::to_string(device.memory_bytes >> 20) +
            " MiB) ";
  }
  return text;
}

}  // namespace atcd::daemon
