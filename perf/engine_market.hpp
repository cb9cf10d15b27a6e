#pragma once

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

#include "engine/batch.hpp"
#include "engine/plan.hpp"

// The series that the engine's benchmarks compute.

namespace atcd::perf {

constexpr std::size_t kSeries = 99;
constexpr std::size_t kBars = 1500;

/// Closes of many series and room for the columns that live publishes.
struct Market {
  explicit Market(std::size_t series, bool all = true) : closes(series), columns(series) {
    std::mt19937_64 random(1);
    std::normal_distribution<double> step(0, 0.01);
    for (std::size_t s = 0; s < series; ++s) {
      double price = 100;
      for (std::size_t i = 0; i < kBars; ++i) closes[s].push_back(price *= std::exp(step(random)));
      columns[s].resize(13 * kBars);
    }
    for (std::size_t s = 0; s < series; ++s) {
      inputs.push_back({closes[s]});
      const auto column = [&](std::size_t i) { return std::span(columns[s]).subspan(i * kBars, kBars); };
      engine::BatchOutput output;
      for (std::size_t f = 0; f < engine::kFamilies; ++f) {
        if (!all) continue;
        output.layer1[f] = column(f);
        output.equity[f] = column(engine::kFamilies + f);
      }
      output.average = column(2 * engine::kFamilies);
      outputs.push_back(output);
    }
  }

  void lose(double share) {
    std::mt19937_64 random(2);
    for (auto& series : closes) {
      for (double& close : series) {
        if (std::bernoulli_distribution(share)(random)) close = std::numeric_limits<double>::quiet_NaN();
      }
    }
  }

  std::vector<std::vector<double>> closes, columns;
  std::vector<engine::BatchInput> inputs;
  std::vector<engine::BatchOutput> outputs;
};

inline engine::Parameters parameters_of(bool pine) {
  engine::Parameters parameters;
  parameters.dialect = pine ? engine::Dialect::pine : engine::Dialect::lts;
  return parameters;
}

inline void report_per_bar(benchmark::State& state, std::size_t bars_per_iteration) {
  state.counters["ns_per_bar"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * static_cast<double>(bars_per_iteration),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

}  // namespace atcd::perf
