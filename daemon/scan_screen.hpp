#pragma once

#include <string>
#include <vector>

#include "daemon/scan.hpp"
#include "daemon/scan_source.hpp"

namespace atcd::daemon {

struct ScreenedSeries {
  std::vector<ScanSeries> series;    // the largest estimate first, then by name
  std::vector<std::string> refused;  // "NAME: why": can't be read
};

/// Puts the series in the order of an estimate of their signal (engine/screen.hpp) from their newest bars.
ScreenedSeries screen(const ScanSource& source, const ScanOptions& options, const ScanProgress& progress);

}  // namespace atcd::daemon
