#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace atcd::gpu {

/// One CUDA device that this program can use.
struct Device {
  std::string name;
  int compute_major = 0;
  int compute_minor = 0;
  std::size_t memory_bytes = 0;
};

/// What find_devices() found.
struct DeviceReport {
  bool compiled = false;        // this program holds CUDA code
  std::vector<Device> devices;  // may be empty
  std::string reason;           // why there are none; empty otherwise
};

/// Asks the driver for its devices. Never fails: a machine without a card or driver is a report with a
/// reason.
DeviceReport find_devices();

}  // namespace atcd::gpu
