#include "gpu/costs.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <vector>

namespace atcd::gpu {
namespace {

constexpr std::size_t kShortBars = 128, kLongBars = 1024;
constexpr int kTurns = 3;

/// All of the same closes: they cost what others do.
class Trial {
 public:
  explicit Trial(std::size_t most_series) : averages_(most_series * kLongBars) {
    for (std::size_t i = 0; i < kLongBars; ++i) {
      const auto up = static_cast<double>(i % 37), down = static_cast<double>(i % 61);
      closes_.push_back(100 + up - down / 2);
    }
  }

  Outcome time(const ComputeTrial& compute, std::size_t series, std::size_t bars, double& best_ns) {
    using Clock = std::chrono::steady_clock;
    std::vector<engine::BatchInput> inputs(series, {std::span(closes_).first(bars)});
    std::vector<engine::BatchOutput> outputs(series);
    for (std::size_t i = 0; i < series; ++i)
      outputs[i].average = std::span(averages_).subspan(i * bars, bars);
    best_ns = std::numeric_limits<double>::infinity();
    for (int turn = 0; turn < kTurns; ++turn) {
      const auto began = Clock::now();
      if (Outcome outcome = compute(plan_, inputs, outputs); !outcome.done()) return outcome;
      best_ns = std::min(best_ns, std::chrono::duration<double, std::nano>(Clock::now() - began).count());
    }
    return {};
  }

 private:
  engine::Plan plan_{engine::Parameters{}};
  std::vector<double> closes_, averages_;
};

}  // namespace

BatchSize size_of(std::span<const engine::BatchInput> inputs) {
  BatchSize size{inputs.size(), 0, 0};
  for (const engine::BatchInput& input : inputs) {
    size.longest_bars = std::max(size.longest_bars, input.closes.size());
    size.bars += input.closes.size();
  }
  return size;
}

double Cost::ns(const BatchSize& size) const {
  return call_ns + step_ns * static_cast<double>(size.longest_bars) + bar_ns * static_cast<double>(size.bars);
}

std::size_t Costs::crossover_series(std::size_t bars) const {
  constexpr std::size_t kMost = 1'000'000;
  const auto faster = [&](std::size_t series) { return device_is_faster({series, bars, series * bars}); };
  if (faster(1)) return 1;
  if (!faster(kMost)) return 0;
  std::size_t slower = 1, enough = kMost;
  while (enough - slower > 1) {
    const std::size_t middle = slower + (enough - slower) / 2;
    (faster(middle) ? enough : slower) = middle;
  }
  return enough;
}

Outcome measure_cost(const ComputeTrial& compute, std::size_t many_series, Cost& cost) {
  Trial trial(many_series);
  double short_ns = 0, long_ns = 0, many_ns = 0;
  Outcome outcome = trial.time(compute, 1, kShortBars, short_ns);
  if (outcome.done()) outcome = trial.time(compute, 1, kLongBars, long_ns);
  if (outcome.done()) outcome = trial.time(compute, many_series, kLongBars, many_ns);
  if (!outcome.done()) return outcome;
  // A machine that was busy meanwhile must not make anything gain time.
  cost.step_ns = std::max(0.0, long_ns - short_ns) / static_cast<double>(kLongBars - kShortBars);
  cost.bar_ns = std::max(0.0, many_ns - long_ns) / static_cast<double>((many_series - 1) * kLongBars);
  cost.call_ns = std::max(0.0, short_ns - cost.step_ns * static_cast<double>(kShortBars));
  return {};
}

}  // namespace atcd::gpu
