#include <cuda_runtime.h>

#include "gpu/device.hpp"

namespace atcd::gpu {
namespace {

// The least of CMAKE_CUDA_ARCHITECTURES.
constexpr int kLeastMajor = 7, kLeastMinor = 5;

/// "12.8", of the form that CUDA counts its versions in.
std::string version_text(int version) {
  return std::to_string(version / 1000) + '.' + std::to_string(version % 1000 / 10);
}

std::string reason_of(cudaError_t error) {
  if (error != cudaErrorInsufficientDriver) return cudaGetErrorString(error);
  int driver = 0, runtime = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) return "there is no NVIDIA driver";
  cudaRuntimeGetVersion(&runtime);
  return "the NVIDIA driver is too old: it knows CUDA " + version_text(driver) +
         ", and this program was built with " + version_text(runtime);
}

}  // namespace

DeviceReport find_devices() {
  DeviceReport report{true, {}, ""};
  int count = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess) {
    report.reason = reason_of(error);
    return report;
  }
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp properties{};
    if (const cudaError_t error = cudaGetDeviceProperties(&properties, index); error != cudaSuccess) {
      report.reason = reason_of(error);
      cudaGetLastError();  // or a later call, which had no error, gives this one back
      continue;
    }
    if (properties.major < kLeastMajor ||
        (properties.major == kLeastMajor && properties.minor < kLeastMinor)) {
      report.reason = std::string(properties.name) + " has compute capability " +
                      std::to_string(properties.major) + '.' + std::to_string(properties.minor) +
                      ", but at least 7.5 is needed";
      continue;
    }
    report.devices.push_back(
        {properties.name, properties.major, properties.minor, properties.totalGlobalMem});
  }
  if (report.devices.empty() && report.reason.empty()) report.reason = "the driver reports no device";
  return report;
}

}  // namespace atcd::gpu
