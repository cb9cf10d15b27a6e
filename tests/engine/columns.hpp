#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/batch.hpp"
#include "engine/incremental.hpp"
#include "engine/plan.hpp"
#include "tests/engine/trials.hpp"

/// All that a path computes for one series, as columns that can be compared.
namespace atcd::trials {

struct Columns {
  std::array<std::vector<double>, engine::kFamilies> layer1, equity;
  std::vector<double> average, averages, states, equities;
  std::vector<std::int8_t> trend;
  std::vector<std::int64_t> trend_since_ms;

  explicit Columns(std::size_t bars)
      : average(bars),
        averages(bars * engine::kAverages),
        states(bars * engine::kAverages),
        equities(bars * engine::kAverages),
        trend(bars),
        trend_since_ms(bars) {
    for (auto& column : layer1) column.resize(bars);
    for (auto& column : equity) column.resize(bars);
  }

  engine::BatchOutput output() {
    engine::BatchOutput out;
    for (std::size_t f = 0; f < engine::kFamilies; ++f) {
      out.layer1[f] = layer1[f];
      out.equity[f] = equity[f];
    }
    out.average = average;
    out.trend = trend;
    out.trend_since_ms = trend_since_ms;
    out.averages = averages;
    out.states = states;
    out.equities = equities;
    return out;
  }

  void take(std::size_t bar, const engine::Signal& signal, const engine::Incremental::Inner& inner) {
    for (std::size_t f = 0; f < engine::kFamilies; ++f) {
      layer1[f][bar] = signal.layer1[f];
      equity[f][bar] = signal.equity[f];
    }
    average[bar] = signal.average;
    trend[bar] = signal.trend;
    trend_since_ms[bar] = signal.trend_since_ms;
    const std::size_t bars = average.size();
    for (std::size_t a = 0; a < engine::kAverages; ++a) {
      averages[a * bars + bar] = inner.averages[a];
      states[a * bars + bar] = inner.states[a];
      equities[a * bars + bar] = inner.equities[a];
    }
  }
};

/// What differs first, with both values; empty when nothing does. `bars` limits the comparison.
inline std::string difference(const Columns& a, const Columns& b, std::size_t bars) {
  const auto compare = [bars](const std::string& name, const std::vector<double>& x,
                              const std::vector<double>& y, std::size_t x_from, std::size_t y_from) {
    for (std::size_t i = 0; i < bars; ++i) {
      if (!same_bits(x[x_from + i], y[y_from + i])) {
        return name + " of bar " + std::to_string(i) + ": " + std::to_string(x[x_from + i]) + " and " +
               std::to_string(y[y_from + i]);
      }
    }
    return std::string();
  };
  const std::size_t a_bars = a.average.size(), b_bars = b.average.size();
  for (std::size_t i = 0; i < engine::kAverages; ++i) {
    const std::string number = std::to_string(i);
    auto found = compare("average " + number, a.averages, b.averages, i * a_bars, i * b_bars);
    if (found.empty()) found = compare("state " + number, a.states, b.states, i * a_bars, i * b_bars);
    if (found.empty()) found = compare("equity " + number, a.equities, b.equities, i * a_bars, i * b_bars);
    if (!found.empty()) return found;
  }
  for (std::size_t f = 0; f < engine::kFamilies; ++f) {
    const std::string number = std::to_string(f);
    auto found = compare("layer 1 of family " + number, a.layer1[f], b.layer1[f], 0, 0);
    if (found.empty()) found = compare("layer 2 of family " + number, a.equity[f], b.equity[f], 0, 0);
    if (!found.empty()) return found;
  }
  for (std::size_t i = 0; i < bars; ++i) {
    if (a.trend[i] != b.trend[i]) return "trend of bar " + std::to_string(i);
    if (a.trend_since_ms[i] != b.trend_since_ms[i]) return "trend_since_ms of bar " + std::to_string(i);
  }
  return compare("average signal", a.average, b.average, 0, 0);
}

inline std::vector<std::int64_t> close_times(std::size_t bars) {
  std::vector<std::int64_t> times;
  for (std::size_t i = 0; i < bars; ++i) times.push_back(1'700'000'000'000 + 60'000 * static_cast<int>(i));
  return times;
}

inline double source_of(const Trial& trial, std::size_t bar) {
  return trial.sources.empty() ? trial.closes[bar] : trial.sources[bar];
}

inline Columns by_batch(const engine::Plan& plan, const Trial& trial, const engine::Kernel& kernel,
                        std::size_t bars) {
  Columns columns(bars);
  const auto times = close_times(bars);
  const auto first = [bars](const std::vector<double>& values) {
    return std::span(values).first(values.empty() ? 0 : bars);
  };
  const std::string refusal = engine::compute_batch(plan, {first(trial.closes), first(trial.sources), times},
                                                    columns.output(), kernel);
  if (!refusal.empty()) throw std::runtime_error(refusal);
  return columns;
}

inline Columns bar_by_bar(const std::shared_ptr<const engine::Plan>& plan, const Trial& trial,
                          const engine::Kernel& kernel) {
  const std::size_t bars = trial.closes.size();
  Columns columns(bars);
  const auto times = close_times(bars);
  engine::Incremental engine(plan, kernel);
  for (std::size_t i = 0; i < bars; ++i) {
    const engine::Signal signal = engine.update(trial.closes[i], source_of(trial, i), times[i]);
    columns.take(i, signal, engine.inner());
  }
  return columns;
}

}  // namespace atcd::trials
