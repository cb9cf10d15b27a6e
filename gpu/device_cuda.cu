#include <cuda_runtime.h>

#include "gpu/device.hpp"

namespace atcd::gpu {

DeviceReport find_devices() {
  DeviceReport report{true, {}, ""};
  int count = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess) {
    report.reason = cudaGetErrorString(error);
    return report;
  }
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp properties{};
    if (const cudaError_t error = cudaGetDeviceProperties(&properties, index); error != cudaSuccess) {
      report.reason = cudaGetErrorString(error);
      continue;
    }
    report.devices.push_back(
        {properties.name, properties.major, properties.minor, properties.totalGlobalMem});
  }
  if (report.devices.empty() && report.reason.empty()) report.reason = "the driver reports no device";
  return report;
}

}  // namespace atcd::gpu
