#pragma once

#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

namespace atcd::trials {

/// A random walk whose drift and width change now and then.
inline std::vector<double> drifting_walk(std::mt19937_64& random, std::normal_distribution<double>& normal,
                                         std::size_t bars) {
  std::vector<double> closes;
  double price = 100, drift = 0, width = 0.002;
  for (std::size_t i = 0; i < bars; ++i) {
    if (random() % 200 == 0) {
      drift = normal(random) * 0.0005;
      width = 0.001 * std::exp(0.7 * normal(random));
    }
    closes.push_back(price *= std::exp(drift + width * normal(random)));
  }
  return closes;
}

}  // namespace atcd::trials
