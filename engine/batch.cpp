#include "engine/batch.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <memory>
#include <new>
#include <numeric>
#include <optional>
#include <thread>
#include <vector>

#include "engine/dispatch.hpp"
#include "engine/standing.hpp"

namespace atcd::engine {
namespace {

constexpr std::align_val_t kLine{64};

struct FreeLines {
  void operator()(void* memory) const { ::operator delete(memory, kLine); }
};

std::string text_of(double value) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

std::string refuse_value(const char* what, std::size_t bar, double value, const char* allowed) {
  return std::string(what) + " of bar " + std::to_string(bar) + " is " +
         (std::isnan(value) ? "missing" : text_of(value)) + ", but must be " + allowed;
}

std::string check_values(const BatchInput& input, bool pine) {
  const char* const positive = pine ? "finite and positive" : "finite and positive, or missing";
  for (std::size_t i = 0; i < input.closes.size(); ++i) {
    const double close = input.closes[i];
    const bool missing = std::isnan(close);
    if (missing ? pine : !(std::isfinite(close) && close > 0)) {
      return refuse_value("the close", i, close, positive);
    }
  }
  for (std::size_t i = 0; i < input.sources.size(); ++i) {
    const double source = input.sources[i];
    if (std::isinf(source) || (pine && std::isnan(source))) {
      return refuse_value("the MA source", i, source, pine ? "finite" : "finite or missing");
    }
  }
  return {};
}

double* data_or_null(std::span<double> column) { return column.empty() ? nullptr : column.data(); }

/// The kernels' view of one series; the trend goes to `trend` where it is wanted.
BatchColumns columns_of(const BatchInput& input, const BatchOutput& output) {
  BatchColumns columns{};
  columns.bars = static_cast<std::int64_t>(input.closes.size());
  columns.closes = input.closes.data();
  columns.sources = input.sources.empty() ? input.closes.data() : input.sources.data();
  for (std::size_t f = 0; f < kFamilies; ++f) {
    columns.layer1[f] = data_or_null(output.layer1[f]);
    columns.layer2[f] = data_or_null(output.equity[f]);
  }
  columns.average = data_or_null(output.average);
  columns.trend = output.trend.empty() ? nullptr : output.trend.data();
  columns.averages = data_or_null(output.averages);
  columns.states = data_or_null(output.states);
  columns.equities = data_or_null(output.equities);
  return columns;
}

/// Series in the order in which they are computed: by length, so that the lanes of a group end together.
std::vector<std::size_t> order_of(std::span<const BatchInput> inputs) {
  std::vector<std::size_t> order(inputs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return inputs[a].closes.size() < inputs[b].closes.size();
  });
  return order;
}

/// Where the kernel leaves how its lanes' series stand, and the engines that go on from there.
class Ends {
 public:
  Ends(const PlanConstants& constants, std::size_t lanes)
      : ends_(lanes), raws_of_lane_(static_cast<std::size_t>(constants.longest_root) * kLengthsPerFamily) {
    raws_.resize(lanes * raws_of_lane_);
    for (std::size_t lane = 0; lane < lanes; ++lane) ends_[lane].raws = raws(lane).data();
  }

  BatchEnd* of_lane(std::size_t lane) { return &ends_[lane]; }

  void resume(Incremental& engine, std::size_t lane, const BatchInput& input) {
    const BatchEnd& end = ends_[lane];
    Standing standing{};
    standing.block = end.block;
    standing.previous_trend = end.previous_trend;
    if (!input.close_times_ms.empty()) {
      standing.trend_since_ms = input.close_times_ms[static_cast<std::size_t>(end.trend_since_bar)];
    }
    standing.sources = input.sources.empty() ? input.closes : input.sources;
    standing.raws = raws(lane);
    engine.resume(standing);
  }

 private:
  std::span<double> raws(std::size_t lane) {
    return std::span(raws_).subspan(lane * raws_of_lane_, raws_of_lane_);
  }

  std::vector<BatchEnd> ends_;
  std::size_t raws_of_lane_;
  std::vector<double> raws_;
};

/// What is asked of a batch.
struct Task {
  const Plan& plan;
  const Kernel& kernel;
  std::span<const BatchInput> inputs;
  std::span<const BatchOutput> outputs;   // or none
  std::span<Incremental* const> engines;  // or none

  BatchOutput output(std::size_t series) const { return outputs.empty() ? BatchOutput{} : outputs[series]; }
  Incremental* engine(std::size_t series) const { return engines.empty() ? nullptr : engines[series]; }
};

/// Computes groups of series; each thread has one.
class Runner {
 public:
  Runner(const Task& task, const std::vector<double>& growth)
      : task_(task),
        growth_(growth),
        columns_(static_cast<std::size_t>(task.kernel.lanes)),
        scratch_(::operator new(static_cast<std::size_t>(task.kernel.scratch_bytes(task.plan.constants())),
                                kLine)) {
    if (!task.engines.empty()) ends_.emplace(task.plan.constants(), columns_.size());
  }

  /// As many as the kernel has lanes, or fewer: lanes without a series of their own repeat the first and
  /// write nothing.
  void run(std::span<const std::size_t> members) {
    for (std::size_t lane = 0; lane < columns_.size(); ++lane) {
      const bool own = lane < members.size();
      const std::size_t series = members[own ? lane : 0];
      columns_[lane] = columns_of(task_.inputs[series], own ? task_.output(series) : BatchOutput{});
      if (own && task_.engine(series) != nullptr) columns_[lane].end = ends_->of_lane(lane);
    }
    task_.kernel.run(task_.plan.constants(), growth_.data(), columns_.data(), scratch_.get());
    for (std::size_t lane = 0; lane < members.size(); ++lane) {
      const BatchInput& input = task_.inputs[members[lane]];
      fill_trend_since(input, task_.output(members[lane]));
      if (Incremental* engine = task_.engine(members[lane])) ends_->resume(*engine, lane, input);
    }
  }

 private:
  const Task& task_;
  const std::vector<double>& growth_;  // of the longest series
  std::vector<BatchColumns> columns_;
  std::unique_ptr<void, FreeLines> scratch_;
  std::optional<Ends> ends_;
};

/// Computes all of it, group by group.
void compute(const Task& task, std::size_t longest, unsigned threads) {
  const auto growth = task.plan.growth_table(static_cast<std::int64_t>(longest));
  const std::vector<std::size_t> order = order_of(task.inputs);
  const auto lanes = static_cast<std::size_t>(task.kernel.lanes);
  const std::size_t groups = (order.size() + lanes - 1) / lanes;
  // The longest groups come last in the order and are taken first, so that the threads end together.
  std::atomic<std::size_t> left = groups;
  const auto work = [&] {
    Runner runner(task, growth);
    for (;;) {
      std::size_t mine = left.load(std::memory_order_relaxed);
      while (mine != 0 && !left.compare_exchange_weak(mine, mine - 1, std::memory_order_relaxed)) {
      }
      if (mine == 0) return;
      const std::size_t first = (mine - 1) * lanes;
      runner.run(std::span(order).subspan(first, std::min(lanes, order.size() - first)));
    }
  };
  std::vector<std::jthread> others;
  while (others.size() + 1 < std::min<std::size_t>(threads, groups)) others.emplace_back(work);
  work();
}

}  // namespace

std::string check_bars(const Plan& plan, std::int64_t bars) {
  if (bars == 0) return "there are no bars, but at least one is needed";
  const std::int64_t cutout = plan.parameters().cutout;
  if (cutout >= bars) {
    return "cutout is " + std::to_string(cutout) + ", but must be below the number of bars, " +
           std::to_string(bars);
  }
  if (bars < plan.minimum_bars()) {
    return "there are " + std::to_string(bars) + " bars, but the longest length outside KAMA needs " +
           std::to_string(plan.minimum_bars());
  }
  return {};
}

std::string check_batch(const Plan& plan, const BatchInput& input) {
  const auto bars = static_cast<std::int64_t>(input.closes.size());
  if (!input.sources.empty() && input.sources.size() != input.closes.size()) {
    return "there are " + std::to_string(input.sources.size()) + " MA source values for " +
           std::to_string(bars) + " closes, but there must be as many, or none";
  }
  if (!input.close_times_ms.empty() && input.close_times_ms.size() != input.closes.size()) {
    return "there are " + std::to_string(input.close_times_ms.size()) + " close times for " +
           std::to_string(bars) + " closes, but there must be as many, or none";
  }
  std::string refusal = check_bars(plan, bars);
  return refusal.empty() ? check_values(input, plan.parameters().dialect == Dialect::pine) : refusal;
}

void fill_trend_since(const BatchInput& input, const BatchOutput& output) {
  for (std::size_t i = 0; i < output.trend_since_ms.size(); ++i) {
    const bool continues = i > 0 && output.trend[i] == output.trend[i - 1];
    output.trend_since_ms[i] = continues ? output.trend_since_ms[i - 1] : input.close_times_ms[i];
  }
}

std::string compute_batch(const Plan& plan, const BatchInput& input, const BatchOutput& output,
                          const Kernel& kernel) {
  std::string refusal = check_batch(plan, input);
  if (refusal.empty()) {
    const std::size_t member = 0;
    const auto growth = plan.growth_table(static_cast<std::int64_t>(input.closes.size()));
    const Task task{plan, kernel, {&input, 1}, {&output, 1}, {}};
    Runner(task, growth).run({&member, 1});
  }
  return refusal;
}

std::string compute_batch(const Plan& plan, const BatchInput& input, const BatchOutput& output) {
  return compute_batch(plan, input, output, best_kernel());
}

std::string compute_batches(const Plan& plan, std::span<const BatchInput> inputs,
                            std::span<const BatchOutput> outputs, const Kernel& kernel, unsigned threads,
                            std::span<Incremental* const> engines) {
  std::size_t longest = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::string refusal = check_batch(plan, inputs[i]);
    if (!refusal.empty()) return "series " + std::to_string(i) + ": " + refusal;
    longest = std::max(longest, inputs[i].closes.size());
  }
  const bool wanted =
      !outputs.empty() || std::any_of(engines.begin(), engines.end(),
                                      [](const Incremental* engine) { return engine != nullptr; });
  if (!inputs.empty() && wanted) compute({plan, kernel, inputs, outputs, engines}, longest, threads);
  return {};
}

bool same_averages(const Parameters& a, const Parameters& b) {
  return a.dialect == b.dialect && a.families == b.families && a.lengths == b.lengths &&
         a.robustness == b.robustness && a.ma_source == b.ma_source;
}

std::string compute_variants(std::span<const Plan* const> plans, std::span<const BatchInput> inputs,
                             std::span<const BatchOutput> outputs, const Kernel& kernel, unsigned threads) {
  for (std::size_t i = 0; i < plans.size(); ++i) {
    std::string refusal = compute_batches(*plans[i], inputs,
                                          outputs.subspan(i * inputs.size(), inputs.size()), kernel, threads);
    if (!refusal.empty()) return refusal;
  }
  return {};
}

}  // namespace atcd::engine
