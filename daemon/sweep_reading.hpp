#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/scan_source.hpp"
#include "daemon/sweep.hpp"
#include "daemon/sweep_series.hpp"

// A sweep's reading of its directory.

namespace atcd::daemon {

/// A series that passed the first reading.
struct KnownSeries {
  ScanSeries source;
  SweptSeries swept;
  std::uint64_t digest = 0;
  std::size_t run_bars = 0;           // of all runs together
  std::optional<SweepSeries> kept{};  // until it is computed
};

/// Reads a series; a sentence in `refusal` where it can't be evaluated.
std::optional<SweepSeries> read_series(const SweepOptions& options, const SweepRange& range,
                                       ScanReader& reader, const ScanSeries& source, std::string& refusal);

/// The first reading of all: what there is, how much it is, and what results of it depend on. Those that
/// can't be evaluated are added to `refused`, which is sorted then.
std::vector<KnownSeries> read_all(const SweepOptions& options, const ScanSource& source,
                                  const TellSweep& tell, std::vector<std::string>& refused);

}  // namespace atcd::daemon
