#pragma once

#include <cstddef>
#include <random>

#include "daemon/csv_table.hpp"

namespace atcd::daemon {

/// Closes of a random walk, as of a file with a header.
inline CsvBars walk(std::size_t count, unsigned seed = 4) {
  std::mt19937 random(seed);
  CsvBars bars;
  double price = 100;
  for (std::size_t i = 0; i < count; ++i) {
    price *= 1 + (static_cast<double>(random() % 2001) - 1000) * 1e-5;
    bars.closes.push_back(price);
    bars.lines.push_back(i + 2);
  }
  return bars;
}

}  // namespace atcd::daemon
