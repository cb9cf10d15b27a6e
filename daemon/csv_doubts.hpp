#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/compute_options.hpp"
#include "daemon/csv_table.hpp"
#include "engine/interval.hpp"

namespace atcd::daemon {

/// Why signals of a file's bars may be others than those that live publishes, though each is computed right:
/// what lies before the file's first bar, and whether its last one has closed, only the exchange knows.
class CsvDoubts {
 public:
  /// Those of `bars` from `begin` on are new. Their times are boundaries.
  void take(const CsvBars& bars, std::size_t begin);

  /// With live anchors: of the bars from here on nothing before the first is needed.
  std::int64_t whole_from_ms(const LiveAnchors& anchors) const;
  std::int64_t first_open_ms() const { return *first_open_ms_; }
  std::int64_t last_open_ms() const { return last_open_ms_; }
  bool any_bars() const { return first_open_ms_.has_value(); }
  /// That the last bar has not closed, a sentence; empty where it has.
  std::string running(const engine::Interval& interval, std::int64_t now_ms) const;

 private:
  std::optional<std::int64_t> first_open_ms_;
  std::int64_t last_open_ms_ = 0;
};

}  // namespace atcd::daemon
