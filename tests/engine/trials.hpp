#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "engine/parameters.hpp"

/// Generated series and parameter sets, each from one number, for the tests that compare computing paths.
namespace atcd::trials {

/// Both undefined, or the same bits.
inline bool same_bits(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return std::memcmp(&a, &b, sizeof a) == 0;
}

inline bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](double x, double y) { return same_bits(x, y); });
}

struct Trial {
  engine::Parameters parameters;
  std::vector<double> closes;
  std::vector<double> sources;  // empty: the closes
};

class Maker {
 public:
  explicit Maker(std::uint64_t seed) : random_(seed) {}

  std::int64_t from_to(std::int64_t first, std::int64_t last) {
    return std::uniform_int_distribution<std::int64_t>(first, last)(random_);
  }
  double real(double first, double last) {
    return std::uniform_real_distribution<double>(first, last)(random_);
  }
  bool one_in(int count) { return from_to(1, count) == 1; }

  engine::Parameters parameters() {
    engine::Parameters p;
    p.dialect = one_in(2) ? engine::Dialect::pine : engine::Dialect::lts;
    p.robustness = static_cast<engine::Robustness>(from_to(0, 2));
    constexpr std::array<int, 3> kSmallest = {5, 7, 8};
    const int smallest = kSmallest[static_cast<std::size_t>(p.robustness)];
    for (int& length : p.lengths) length = static_cast<int>(from_to(smallest, one_in(3) ? 60 : 30));
    if (one_in(40)) p.lengths[static_cast<std::size_t>(from_to(0, 5))] = static_cast<int>(from_to(61, 512));
    if (one_in(3)) p.lengths.fill(p.lengths[0]);
    if (one_in(4)) {  // the default's, which kernels have compiled in
      p.lengths = engine::Parameters().lengths;
      p.robustness = engine::Parameters().robustness;
    }
    if (one_in(2)) {
      for (double& weight : p.weights) weight = real(0.05, 3);
    }
    p.lambda = one_in(4) ? real(-3, 3) : 0.02;
    p.decay = one_in(4) ? real(0, 5) : one_in(30) ? 100 : 0.03;
    p.cutout = one_in(3) ? from_to(1, 120) : 0;
    p.long_threshold = real(-0.2, 0.6);
    p.short_threshold = p.long_threshold - real(0.01, 0.6);
    p.strategy_mode = one_in(4);
    if (one_in(3)) leave_out_families(p, static_cast<unsigned>(from_to(1, 62)));
    return p;
  }

  /// Keeps the families of these bits; the others get lengths and weights that nobody may look at.
  void leave_out_families(engine::Parameters& p, unsigned kept) {
    for (std::size_t f = 0; f < engine::kFamilies; ++f) {
      p.families[f] = (kept >> f & 1) != 0;
      if (p.families[f] || one_in(3)) continue;
      p.lengths[f] = one_in(2) ? static_cast<int>(from_to(-9, 4)) : std::numeric_limits<int>::max();
      p.weights[f] = one_in(2) ? real(-2, 0) : std::numeric_limits<double>::quiet_NaN();
    }
  }

  /// Finite positive prices: walks, ticks with ties, flats, jumps, ramps, alternation; at any magnitude.
  std::vector<double> prices(std::size_t bars) {
    constexpr std::array<double, 9> kMagnitudes = {1, 100, 100, 100, 1e-8, 1e8, 1e-10, 1e-300, 1e290};
    const double start = kMagnitudes[static_cast<std::size_t>(from_to(0, 8))];
    const auto kind = from_to(0, 5);
    const double volatility = real(1e-4, 0.05);
    std::normal_distribution<double> step(0, volatility);
    std::vector<double> result;
    double price = start;
    for (std::size_t i = 0; i < bars; ++i) {
      switch (kind) {
        case 0:  // a walk
          price *= std::exp(step(random_));
          break;
        case 1:  // ticks, often unchanged
          price = std::max(start / 64, price + start / 64 * static_cast<double>(from_to(-1, 1)));
          break;
        case 2:  // flats with jumps
          if (one_in(25)) price = start * real(0.5, 1.5);
          break;
        case 3:
          price = start * (i % 2 == 0 ? 1 : 1.01);
          break;
        case 4:
          price = start * (1 + static_cast<double>(i) / 64);
          break;
        default:  // a walk that pauses
          if (!one_in(3)) price *= std::exp(step(random_));
          break;
      }
      result.push_back(price);
    }
    return result;
  }

  void lose_some(std::vector<double>& values) {
    const std::size_t head = one_in(3) ? static_cast<std::size_t>(from_to(1, 70)) : 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i < head || one_in(40)) values[i] = std::numeric_limits<double>::quiet_NaN();
    }
  }

  /// `complete`: no missing values, as the live path has it.
  Trial trial(bool complete) {
    Trial made;
    made.parameters = parameters();
    int longest = 0;
    for (std::size_t f = 0; f < engine::kFamilies; ++f) {
      if (made.parameters.families[f]) longest = std::max(longest, made.parameters.lengths[f] + 8);
    }
    const auto fewest = std::max<std::int64_t>(longest, made.parameters.cutout + 1);
    const auto bars = static_cast<std::size_t>(fewest + from_to(0, 250));
    made.closes = prices(bars);
    if (one_in(3)) {
      made.sources = made.closes;
      for (double& value : made.sources) value *= 1 + real(-0.004, 0.004);
    }
    if (!complete && made.parameters.dialect == engine::Dialect::lts) {
      if (one_in(2)) lose_some(made.closes);
      if (!made.sources.empty() && one_in(2)) lose_some(made.sources);
    }
    return made;
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace atcd::trials
