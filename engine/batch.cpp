#include "engine/batch.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "engine/batch_groups.hpp"
#include "engine/standing.hpp"

namespace atcd::engine {
namespace {

/// Fewer plans take less time one by one: what they share is computed by the slower, general bar.
constexpr std::size_t kFewestVariants = 4;

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

/// The same under several plans that have the same averages.
struct Variants {
  std::span<const Plan* const> plans;
  const Kernel& kernel;
  std::span<const BatchInput> inputs;
  std::span<const BatchOutput> outputs;  // plan by plan

  const BatchOutput& output(std::size_t plan, std::size_t series) const {
    return outputs[plan * inputs.size() + series];
  }
};

/// Computes groups of series; each thread has one.
class Runner {
 public:
  Runner(const Task& task, const std::vector<double>& growth)
      : task_(task),
        growth_(growth),
        columns_(static_cast<std::size_t>(task.kernel.lanes)),
        scratch_(task.kernel.scratch_bytes(task.plan.constants())) {
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
    kernel_of(members.size()).run(task_.plan.constants(), growth_.data(), columns_.data(), scratch_.get());
    for (std::size_t lane = 0; lane < members.size(); ++lane) {
      const BatchInput& input = task_.inputs[members[lane]];
      fill_trend_since(input, task_.output(members[lane]));
      if (Incremental* engine = task_.engine(members[lane])) ends_->resume(*engine, lane, input);
    }
  }

 private:
  const Kernel& kernel_of(std::size_t series) const {
    const Kernel* few = task_.kernel.few;
    return few != nullptr && series <= static_cast<std::size_t>(few->lanes) ? *few : task_.kernel;
  }

  const Task& task_;
  const std::vector<double>& growth_;  // of the longest series
  std::vector<BatchColumns> columns_;
  Scratch scratch_;
  std::optional<Ends> ends_;
};

/// Computes all of it, group by group.
void compute(const Task& task, std::size_t longest, unsigned threads) {
  const auto growth = task.plan.growth_table(static_cast<std::int64_t>(longest));
  run_groups(task.inputs, task.kernel, threads, [&] { return Runner(task, growth); });
}

/// The same series under several plans; each thread has one.
class VariantsRunner {
 public:
  VariantsRunner(const Variants& variants, const std::vector<const double*>& growth, std::size_t longest)
      : variants_(variants),
        lanes_(static_cast<std::size_t>(variants.kernel.lanes)),
        columns_(variants.plans.size() * lanes_),
        scratch_(variants.kernel.variants_scratch_bytes(variants.plans[0]->constants(),
                                                        static_cast<std::int64_t>(longest))) {
    for (std::size_t p = 0; p < variants.plans.size(); ++p) {
      of_kernel_.push_back({&variants.plans[p]->constants(), growth[p], &columns_[p * lanes_]});
    }
  }

  void run(std::span<const std::size_t> members) {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::size_t lane = i % lanes_;
      const bool own = lane < members.size();
      const std::size_t series = members[own ? lane : 0];
      columns_[i] =
          columns_of(variants_.inputs[series], own ? variants_.output(i / lanes_, series) : BatchOutput{});
    }
    variants_.kernel.run_variants(of_kernel_.data(), static_cast<std::int64_t>(of_kernel_.size()),
                                  scratch_.get());
    for (std::size_t p = 0; p < of_kernel_.size(); ++p) {
      for (const std::size_t series : members) {
        fill_trend_since(variants_.inputs[series], variants_.output(p, series));
      }
    }
  }

 private:
  const Variants& variants_;
  std::size_t lanes_;
  std::vector<BatchColumns> columns_;  // plan by plan
  std::vector<BatchVariant> of_kernel_;
  Scratch scratch_;
};

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
  std::size_t longest = 0;
  for (std::size_t p = 0; p < plans.size(); ++p) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const auto bars = static_cast<std::int64_t>(inputs[i].closes.size());
      // Of the values all plans think alike.
      const std::string refusal = p == 0 ? check_batch(*plans[p], inputs[i]) : check_bars(*plans[p], bars);
      if (!refusal.empty()) return "series " + std::to_string(i) + ": " + refusal;
      longest = std::max(longest, inputs[i].closes.size());
    }
  }
  if (plans.empty() || inputs.empty()) return {};
  const bool inner = std::any_of(outputs.begin(), outputs.end(),
                                 [](const BatchOutput& output) { return !output.averages.empty(); });
  if (inner || plans.size() < kFewestVariants) {
    for (std::size_t p = 0; p < plans.size(); ++p) {
      compute({*plans[p], kernel, inputs, outputs.subspan(p * inputs.size(), inputs.size()), {}}, longest,
              threads);
    }
    return {};
  }
  const Variants variants{plans, kernel, inputs, outputs};
  std::map<std::pair<double, std::int64_t>, std::vector<double>> tables;  // by what growth depends on
  std::vector<const double*> growth;
  for (const Plan* plan : plans) {
    std::vector<double>& table = tables[{plan->parameters().lambda, plan->parameters().cutout}];
    if (table.empty()) table = plan->growth_table(static_cast<std::int64_t>(longest));
    growth.push_back(table.data());
  }
  run_groups(inputs, kernel, threads, [&] { return VariantsRunner(variants, growth, longest); });
  return {};
}

}  // namespace atcd::engine
