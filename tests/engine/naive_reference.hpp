#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "engine/parameters.hpp"

/// The indicator written a second time, straight from section 2 of the contract: every average over the whole
/// series by itself, windows recomputed at every bar, no state, no tricks. What the engine computes must have
/// these bits.
namespace atcd::naive {

using Series = std::vector<double>;
constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

/// The sum of values[t-1], values[t-2], ... count of them, in that order: the order that the contract fixes.
inline double sum_before(const Series& values, std::size_t t, std::size_t count) {
  double sum = 0;
  for (std::size_t j = 1; j <= count; ++j) sum += values[t - j];
  return sum;
}

/// The same for the sums of all prefixes: weights count, count-1, ..., 1 for the values before t.
inline double weighted_sum_before(const Series& values, std::size_t t, std::size_t count) {
  double sum = 0, weighted = 0;
  for (std::size_t j = 1; j <= count; ++j) {
    sum += values[t - j];
    weighted += sum;
  }
  return weighted;
}

inline double sma_at(const Series& x, std::size_t t, std::size_t length) {
  return (sum_before(x, t, length - 1) + x[t]) / static_cast<double>(length);
}

inline double wma_at(const Series& x, std::size_t t, std::size_t length) {
  const auto n = static_cast<double>(length);
  return std::fma(n, x[t], weighted_sum_before(x, t, length - 1)) / (n * (n + 1) / 2);
}

/// Windows from the first bar at which one is whole; undefined before.
inline Series windowed(const Series& x, std::size_t length, const std::function<double(std::size_t)>& value) {
  Series result(x.size(), kUndefined);
  for (std::size_t t = length - 1; t < x.size(); ++t) result[t] = value(t);
  return result;
}

inline Series sma(const Series& x, std::size_t length) {
  return windowed(x, length, [&](std::size_t t) { return sma_at(x, t, length); });
}

inline Series wma(const Series& x, std::size_t length) {
  return windowed(x, length, [&](std::size_t t) { return wma_at(x, t, length); });
}

inline Series hull(const Series& x, std::size_t length) {
  const std::size_t half = length / 2 == 0 ? 10 : length / 2;
  const auto root = static_cast<std::size_t>(std::sqrt(static_cast<double>(length)));
  const Series short_average = wma(x, half), long_average = wma(x, length);
  Series raw(x.size(), kUndefined);
  for (std::size_t t = 0; t < x.size(); ++t) raw[t] = 2 * short_average[t] - long_average[t];
  return wma(raw, root);
}

inline Series lsma(const Series& x, std::size_t length, engine::Dialect dialect) {
  if (length == 1) {
    // A line through one point has no slope; at the newest bar it is the point.
    return dialect == engine::Dialect::pine ? x : Series(x.size(), kUndefined);
  }
  return windowed(x, length, [&](std::size_t t) {
    const double weighted = wma_at(x, t, length), simple = sma_at(x, t, length);
    const double newest = 3 * weighted - 2 * simple;
    if (dialect == engine::Dialect::pine) return newest;
    return newest - 6 * (weighted - simple) / static_cast<double>(length - 1);
  });
}

/// Defined from `first` on with `seed`.
inline Series ema_from(const Series& x, std::size_t length, std::size_t first, double seed) {
  Series result(x.size(), kUndefined);
  const double alpha = 2.0 / (static_cast<double>(length) + 1);
  double e = seed;
  for (std::size_t t = first; t < x.size(); ++t) {
    if (t > first) e = std::fma(alpha, x[t] - e, e);
    result[t] = e;
  }
  return result;
}

inline Series ema(const Series& x, std::size_t length) {
  if (x.size() < length) return Series(x.size(), kUndefined);
  return ema_from(x, length, length - 1, sma_at(x, length - 1, length));
}

inline Series dema(const Series& x, std::size_t length, engine::Dialect dialect) {
  const Series e1 = ema(x, length);
  const std::size_t first = dialect == engine::Dialect::lts ? length - 1 : 2 * length - 2;
  Series result(x.size(), kUndefined);
  if (first >= x.size()) return result;
  double seed = e1[first];
  if (dialect == engine::Dialect::pine) {
    double sum = 0;
    for (std::size_t t = length - 1; t <= first; ++t) sum += e1[t];
    seed = sum / static_cast<double>(length);
  }
  const Series e2 = ema_from(e1, length, first, seed);
  for (std::size_t t = first; t < x.size(); ++t) result[t] = 2 * e1[t] - e2[t];
  return result;
}

inline Series kama(const Series& x, std::size_t length, engine::Dialect dialect) {
  Series result(x.size(), kUndefined), change(x.size(), 0);
  for (std::size_t t = 1; t < x.size(); ++t) change[t] = std::fabs(x[t] - x[t - 1]);
  const bool pine = dialect == engine::Dialect::pine;
  double k = pine ? 0 : x.front();
  for (std::size_t t = 0; t < x.size(); ++t) {
    double ratio = 0;
    if (t >= length) {
      const double noise = sum_before(change, t, length - 1) + change[t];
      const bool still = pine ? noise <= 1e-10 : noise == 0;
      ratio = still ? 0 : std::fabs(x[t] - x[t - length]) / noise;
    }
    if (t >= length || pine) {
      const double smooth = std::fma(ratio, 0.666 - 0.064, 0.064);
      k = std::fma(smooth * smooth, x[t] - k, k);
    }
    result[t] = k;
  }
  return result;
}

inline Series average(const Series& x, engine::Family family, std::size_t length, engine::Dialect dialect) {
  switch (family) {
    case engine::Family::ema:
      return ema(x, length);
    case engine::Family::hma:
      return dialect == engine::Dialect::lts ? hull(x, length) : sma(x, length);
    case engine::Family::wma:
      return wma(x, length);
    case engine::Family::dema:
      return dema(x, length, dialect);
    case engine::Family::lsma:
      return lsma(x, length, dialect);
    case engine::Family::kama:
      break;
  }
  return kama(x, length, dialect);
}

inline Series crossing_state(const Series& price, const Series& ma) {
  Series state(price.size(), 0);
  for (std::size_t t = 1; t < price.size(); ++t) {
    const bool up = price[t] > ma[t] && price[t - 1] <= ma[t - 1];
    const bool down = price[t] < ma[t] && price[t - 1] >= ma[t - 1];
    state[t] = up ? 1 : down ? -1 : state[t - 1];
  }
  return state;
}

/// `growth(k)`: exp(lambda * k), from the engine's table: its bits have a test of their own.
inline Series equity(const Series& price, const Series& driver, double start,
                     const engine::Parameters& parameters,
                     const std::function<double(std::int64_t)>& growth) {
  Series result(price.size(), kUndefined);
  const double keep = 1 - parameters.decay / 100;
  const auto cutout = static_cast<std::size_t>(parameters.cutout);
  // The pine vectors (weights_all_different) show the floor already at the first bar.
  double a = 0, e = start < 0.25 ? 0.25 : start;
  for (std::size_t t = cutout; t < price.size(); ++t) {
    if (t > cutout) {
      const double r =
          ((price[t] - price[t - 1]) / price[t - 1]) * growth(static_cast<std::int64_t>(t - cutout));
      const double before = driver[t - 1];
      if (before > 0) {
        a = r;
      } else if (before < 0) {
        a = -r;
      } else if (parameters.dialect == engine::Dialect::lts) {
        a = 0;
      }
      e = (e * keep) * (1 + a);
      e = e < 0.25 ? 0.25 : e;
    }
    result[t] = e;
  }
  return result;
}

struct Result {
  std::array<Series, engine::kFamilies> layer1, layer2;
  Series average;
  std::array<std::array<Series, engine::kLengthsPerFamily>, engine::kFamilies> averages, states, equities;
};

inline double round_two(double value, engine::Dialect dialect) {
  const double scaled = value * 100;
  return (dialect == engine::Dialect::lts ? std::nearbyint(scaled) : std::round(scaled)) / 100;
}

/// Everything of a family that is not computed.
inline void leave_out(Result& result, std::size_t family, std::size_t bars) {
  const Series nothing(bars, kUndefined);
  result.averages[family].fill(nothing);
  result.states[family].fill(nothing);
  result.equities[family].fill(nothing);
  result.layer1[family] = result.layer2[family] = nothing;
}

/// Complete closes and sources only; parameters as validated.
inline Result compute(const Series& price, const Series& source, const engine::Parameters& p,
                      const std::function<double(std::int64_t)>& growth) {
  Result result;
  const std::size_t bars = price.size();
  const bool lts = p.dialect == engine::Dialect::lts;
  const double upper = lts ? p.long_threshold : 0.49, lower = lts ? p.short_threshold : -0.49;
  for (std::size_t f = 0; f < engine::kFamilies; ++f) {
    if (!p.families[f]) {
      leave_out(result, f, bars);
      continue;
    }
    const auto lengths = engine::family_lengths(p.lengths[f], p.robustness);
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      const auto length = static_cast<std::size_t>(lengths[i]);
      result.averages[f][i] = average(source, static_cast<engine::Family>(f), length, p.dialect);
      result.states[f][i] = crossing_state(price, result.averages[f][i]);
      result.equities[f][i] = equity(price, result.states[f][i], 1, p, growth);
    }
    result.layer1[f].resize(bars);
    for (std::size_t t = 0; t < bars; ++t) {
      double signed_sum = 0, sum = 0;
      for (std::size_t i = 0; i < lengths.size(); ++i) {
        signed_sum += result.states[f][i][t] * result.equities[f][i][t];
        sum += result.equities[f][i][t];
      }
      result.layer1[f][t] = round_two(signed_sum / sum, p.dialect);
    }
    result.layer2[f] = equity(price, result.layer1[f], p.weights[f], p, growth);
  }
  result.average.resize(bars);
  for (std::size_t t = 0; t < bars; ++t) {
    double signed_sum = 0, sum = 0;
    for (std::size_t f = 0; f < engine::kFamilies; ++f) {
      if (!p.families[f]) continue;
      const double signal = result.layer1[f][t];
      const double cut = signal > upper ? 1 : signal < lower ? -1 : 0;
      signed_sum += cut * result.layer2[f][t];
      sum += result.layer2[f][t];
    }
    const double value = signed_sum / sum;
    result.average[t] = lts && !std::isfinite(value) ? 0 : value;
  }
  if (lts && p.strategy_mode) {
    result.average.insert(result.average.begin(), 0.0);
    result.average.pop_back();
  }
  return result;
}

}  // namespace atcd::naive
