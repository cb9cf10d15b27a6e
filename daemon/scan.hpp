#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/csv_compute.hpp"
#include "engine/anchor.hpp"
#include "engine/kernel.hpp"
#include "engine/parameters.hpp"
#include "engine/signal.hpp"
#include "gpu/batch_device.hpp"
#include "gpu/planner.hpp"

namespace atcd::daemon {

struct ScanOptions {
  /// Of each series the signal that live publishes under this profile.
  struct LiveAnchors {
    std::string profile;
    engine::AnchorRule rule;
  };

  engine::Parameters parameters;
  std::optional<LiveAnchors> live_anchors;
  unsigned threads = 1;
  const engine::Kernel* kernel = nullptr;  // null: the fastest of this processor
  /// Whether a device computes: automatic only where there are so many series that this pays its start.
  gpu::Choice choice = gpu::Choice::processor;
  std::function<std::unique_ptr<gpu::BatchDevice>()> device = gpu::cuda_device;
  std::size_t device_series_per_thread = 5'000;  // from which on automatic tries the device
  /// Not 0: only about so many rows are wanted, and an estimate chooses for which series they are computed.
  std::size_t approximate_top = 0;
  // What one thread holds at once: a longer series is computed bar by bar as it is read.
  std::size_t group_bars = 2 * kWholeBars, whole_bars = kWholeBars;
};

/// The signal of a series' last bar.
struct ScanRow {
  std::string series;
  std::int64_t bars = 0;                      // computed, from bar 0 on
  std::optional<std::int64_t> close_time_ms;  // empty where the times are not known
  double close = 0;                           // NaN: missing
  double average = 0;
  int trend = 0;
  std::optional<std::int64_t> trend_since_ms;  // as in a signal
  std::array<double, engine::kFamilies> layer1{};
  std::vector<std::string> doubts{};  // as ScanReader has them
};

struct ScanResult {
  std::vector<ScanRow> rows;         // the largest average first, undefined ones last; then by name
  std::vector<std::string> refused;  // "NAME: why", in the order of the names
};

/// Told now and then, by any thread but never by two at once.
using ScanProgress = std::function<void(std::size_t done, std::size_t all)>;

/// Computes all series, or those that are wanted, of a directory: the state directory of a daemon, or its
/// history, which it may be writing meanwhile; or else all files *.csv and *.csv.gz in it and below. The same
/// rows whatever the number of threads. Memory grows with the threads, not with the directory or a series
/// (but with live anchors it holds the bars since a series' anchor). Throws std::runtime_error with a
/// sentence where there is nothing to compute, or a device that must compute does not start.
ScanResult scan(const std::string& directory, const ScanOptions& options, const ScanProgress& progress);

}  // namespace atcd::daemon
