#pragma once

namespace atcd::perf {

/// What the device reaches: bytes a second of a copy between host and device and back (pinned memory), and
/// FP64 instructions a second.
struct GpuCeilings {
  double to_device_bytes;
  double from_device_bytes;
  double fp64_instructions;
};

/// All zero where the device fails.
GpuCeilings measure_gpu_ceilings();

}  // namespace atcd::perf
