#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/csv_table.hpp"
#include "daemon/scan.hpp"
#include "engine/bar.hpp"
#include "engine/interval.hpp"
#include "state/history.hpp"

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

/// All bars of one series, oldest first, for what is computed of more than the last.
struct WholeSeries {
  /// Bars between which none is missing that the exchange has.
  struct Part {
    std::size_t begin = 0;  // of its first bar
    std::int64_t covered_from_ms = 0;
  };

  std::vector<engine::Bar> bars;  // of a file only times and close, and the open where there is one
  std::vector<double> sources;    // MA source of a file that has one; else empty
  bool opens_known = true;
  std::vector<Part> parts;
  std::int64_t listed_ms = 0;          // 0: not known
  std::vector<state::LateBar> late{};  // as in BarHistory
};

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
  /// All bars; their times must be known.
  virtual std::string read_whole(const ScanSeries& series, WholeSeries& whole) = 0;

  /// Why the signal of what read() gave last may be another than the one that live publishes, sentences.
  const std::vector<std::string>& doubts() const { return doubts_; }

 protected:
  std::vector<std::string> doubts_;
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
