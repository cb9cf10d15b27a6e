#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/csv_table.hpp"
#include "daemon/scan.hpp"
#include "engine/interval.hpp"

namespace atcd::daemon {

/// A series that can be scanned.
struct ScanSeries {
  std::string name;  // as it is shown
  std::string key;   // how the source finds it: a path, or a name in the history
  std::optional<engine::Interval> interval;
};

/// Takes the bars of one series in order, those from `begin` on, which are new. `bars.open_ms` is empty where
/// the times are not known.
using TakeScanBars = std::function<void(const CsvBars& bars, std::size_t begin)>;

/// Reads series; each thread has its own.
class ScanReader {
 public:
  virtual ~ScanReader() = default;
  /// Gives the bars that the last signal is computed from, from bar 0 on. `restart`: what was given is to be
  /// forgotten, all comes again. A sentence where they can't be had; empty when all is well.
  virtual std::string read(const ScanSeries& series, const TakeScanBars& take,
                           const std::function<void()>& restart) = 0;
  /// About so many of the newest bars, or all, for an estimate: nothing is said of what lies before them.
  virtual std::string read_newest(const ScanSeries& series, std::size_t count, CsvBars& bars) = 0;
};

/// What a directory holds.
class ScanSource {
 public:
  virtual ~ScanSource() = default;
  virtual std::unique_ptr<ScanReader> reader() const = 0;

  std::vector<ScanSeries> series;    // in the order of their names
  std::vector<std::string> refused;  // what of the directory could not be looked at, sentences
};

/// Throws std::runtime_error with a sentence where there is nothing to scan.
std::unique_ptr<ScanSource> open_scan_source(const std::string& directory, const ScanOptions& options);

}  // namespace atcd::daemon
