#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "daemon/csv_compute.hpp"
#include "daemon/csv_table.hpp"

namespace atcd::daemon {

/// What `atcd compute` writes of bars that are there, as a whole; without text where they are refused.
inline TextResult compute_csv(const ComputeOptions& options, const CsvBars& bars) {
  TextResult result;
  const auto read = [&bars](std::size_t, CsvBars& to) {
    to = bars;
    return std::string();
  };
  const auto write = [&result](std::string_view text) {
    result.text += text;
    return true;
  };
  result.error = compute_csv(options, read, write, bars.size());
  return result;
}

}  // namespace atcd::daemon
