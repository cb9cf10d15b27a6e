#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/evaluation.hpp"
#include "daemon/scan.hpp"
#include "daemon/sweep_series.hpp"
#include "engine/kernel.hpp"
#include "engine/parameters.hpp"
#include "gpu/batch_device.hpp"
#include "gpu/planner.hpp"

namespace atcd::daemon {

struct SweepOptions {
  std::vector<engine::Parameters> sets;  // valid, each once
  /// Of each bar the signal that live publishes under this profile; empty: bar 0 is a series' first bar.
  std::optional<ScanOptions::LiveAnchors> live_anchors;
  SweepRange range;
  EvaluationOptions evaluation;
  unsigned threads = 1;
  const engine::Kernel* kernel = nullptr;  // null: the fastest of this processor
  /// Whether a device computes: automatic only where there is so much to do that this pays its start.
  gpu::Choice choice = gpu::Choice::processor;
  std::function<std::unique_ptr<gpu::BatchDevice>()> device = gpu::cuda_device;
  std::uint64_t device_bars_per_thread = 5'000'000;  // of sets, from which on automatic tries the device
  std::string results;  // a file to go on from and to keep results in; empty: none
  // What is held at once: bars that are computed together, the trends of some sets for them with all that
  // these sets take, and bars that are kept from the first reading. A longer series is held all the same.
  std::size_t block_bars = std::size_t{1} << 20;
  std::size_t trend_bytes = std::size_t{1} << 27;
  std::size_t kept_bars = std::size_t{1} << 22;
};

struct SweptSeries {
  std::string name;
  std::size_t bars = 0;                              // that were evaluated
  std::int64_t first_open_ms = 0, last_open_ms = 0;  // of the first and the last of them
  double holding = 0;                                // gain of buying at the first fill, fees included
};

struct SweepResult {
  std::vector<SweptSeries> series;      // in the order of their names
  std::vector<Evaluation> evaluations;  // set by set, for each as many as series
  std::vector<std::string> refused;     // "NAME: why", in the order of the names
};

struct SweepProgress {
  bool reading = false;  // series are counted; else bars of sets, without those that a file held
  std::uint64_t done = 0, all = 0;
};
/// Told now and then, by any thread but never by two at once.
using TellSweep = std::function<void(const SweepProgress&)>;

/// Computes every set for every series of a directory (as scan()) and evaluates it. The same results whatever
/// the number of threads, the kernel, and however often it was cut short and went on. Memory is bounded by
/// the options, the longest series and the results. Throws std::runtime_error with a sentence where there is
/// nothing to compute, the results are too many or their file can't be used.
SweepResult sweep(const std::string& directory, const SweepOptions& options, const TellSweep& tell);

}  // namespace atcd::daemon
