#include "daemon/sweep.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <future>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <stdexcept>
#include <thread>
#include <utility>

#include "daemon/scan_source.hpp"
#include "daemon/sweep_reading.hpp"
#include "daemon/sweep_results.hpp"
#include "daemon/sweep_sets.hpp"
#include "engine/anchor.hpp"
#include "engine/batch.hpp"
#include "engine/plan.hpp"
#include "gpu/planner.hpp"

namespace atcd::daemon {
namespace {

/// Does `work(i)` for all i below count, on so many threads, the caller's among them.
template <class Work>
void on_threads(unsigned threads, std::size_t count, const Work& work) {
  std::atomic<std::size_t> next = 0;
  const auto some = [&] {
    for (std::size_t i = 0; (i = next.fetch_add(1)) < count;) work(i);
  };
  std::vector<std::jthread> others;
  while (others.size() + 1 < std::min<std::size_t>(threads, count)) others.emplace_back(some);
  some();
}

ScanOptions scan_options_of(const SweepOptions& options) {
  ScanOptions scan;
  scan.live_anchors = options.live_anchors;
  // A missing close has no price: it is refused, as this dialect does.
  scan.parameters.dialect = engine::Dialect::pine;
  return scan;
}

SweepDigests digests_of(const SweepOptions& options, const std::vector<KnownSeries>& series) {
  std::string sets, all;
  for (const engine::Parameters& set : options.sets) sets += engine::canonical_json(set);
  for (const KnownSeries& each : series) all += each.source.name + ' ' + std::to_string(each.digest) + '\n';
  const EvaluationOptions& how = options.evaluation;
  const std::string evaluation = std::to_string(static_cast<int>(how.side)) + ' ' +
                                 std::to_string(static_cast<int>(how.fill)) + ' ' +
                                 std::to_string(std::bit_cast<std::uint64_t>(how.fee_bp)) + ' ' +
                                 std::to_string(std::bit_cast<std::uint64_t>(how.slippage_bp));
  return {engine::fnv1a_64(sets), engine::fnv1a_64(evaluation), engine::fnv1a_64(all)};
}

/// Series of one block, and where the trend of each run lies in a column of all.
struct Block {
  std::vector<std::size_t> places;  // among all series
  std::vector<SweepSeries> series;
  std::vector<engine::BatchInput> inputs;    // run by run
  std::vector<std::size_t> offsets, begins;  // of each input; of each series' first input
  std::size_t bars = 0, longest = 0;         // of all inputs together; of one

  void add(std::size_t place, SweepSeries one) {
    places.push_back(place);
    series.push_back(std::move(one));
  }
  /// Once all were added.
  void lay_out() {
    for (const SweepSeries& each : series) {
      begins.push_back(inputs.size());
      for (const SweepSeries::Run& run : each.runs()) {
        inputs.push_back(each.input(run));
        offsets.push_back(bars);
        bars += run.end - run.anchor;
        longest = std::max(longest, run.end - run.anchor);
      }
    }
  }
};

// Of an engine's kernel with the widest vectors.
constexpr std::size_t kMostLanes = 8;

/// About what one more set takes while a block is computed, beside its growth factors.
std::size_t bytes_of_set(const Block& block, unsigned threads) {
  return block.bars * sizeof(std::int8_t) + sizeof(engine::Plan) + sizeof(engine::PlanConstants) +
         block.inputs.size() * sizeof(engine::BatchOutput) + block.series.size() * sizeof(Evaluation) +
         threads * kMostLanes * sizeof(engine::BatchColumns);
}

/// Of some sets for the series of a block.
struct Trends {
  std::span<const std::size_t> sets;
  std::vector<std::int64_t> minimum_bars;  // that each of them needs
  std::vector<std::int8_t> columns;        // of the block's bars, for each set
  std::vector<Evaluation> evaluations;     // set by set
  std::uint64_t missing = 0;               // bars of sets that no file held
};

class Sweep {
 public:
  Sweep(const SweepOptions& options, const ScanSource& source, std::vector<KnownSeries>& series,
        SweepResults& results, const TellSweep& tell)
      : options_(options),
        source_(source),
        series_(series),
        results_(results),
        tell_(tell),
        groups_(sets_by_averages(options.sets)),
        progress_{false, 0, missing_bars()},
        choice_(choice()),
        planner_({.kernel = options.kernel, .threads = options.threads, .choice = choice_},
                 options.device()) {
    if (options.choice != gpu::Choice::device) return;
    if (const auto outcome = planner_.wait_for_device(); !outcome.done())
      throw std::runtime_error("--path cuda: " + outcome.sentence);
  }

  void run() {
    const auto reader = source_.reader();
    for (std::size_t s = 0; s < series_.size();) {
      Block block;
      std::size_t bars = 0;
      do {
        bars += series_[s].run_bars;
        if (!complete(s)) block.add(s, read(s, *reader));
      } while (++s < series_.size() && bars + series_[s].run_bars <= options_.block_bars);
      block.lay_out();
      if (!block.series.empty()) run(block);
    }
  }

 private:
  /// Bars of sets.
  std::uint64_t missing_bars() const {
    std::uint64_t bars = 0;
    for (std::size_t s = 0; s < series_.size(); ++s) {
      for (std::size_t set = 0; set < options_.sets.size(); ++set)
        bars += results_.has(set, s) ? 0 : series_[s].run_bars;
    }
    return bars;
  }
  /// A device takes longer to start than the processor for a short sweep.
  gpu::Choice choice() const {
    const bool enough = progress_.all / options_.threads >= options_.device_bars_per_thread;
    return options_.choice == gpu::Choice::automatic && !enough ? gpu::Choice::processor : options_.choice;
  }

  bool complete(std::size_t series) const {
    for (std::size_t set = 0; set < options_.sets.size(); ++set) {
      if (!results_.has(set, series)) return false;
    }
    return true;
  }

  SweepSeries read(std::size_t s, ScanReader& reader) {
    KnownSeries& known = series_[s];
    std::optional<SweepSeries> series = std::exchange(known.kept, std::nullopt);
    if (series) return std::move(*series);
    // A daemon may have written meanwhile.
    SweepRange range = options_.range;
    range.to_ms = std::min(range.to_ms, known.swept.last_open_ms + 1);
    std::string refusal;
    series = read_series(options_, range, reader, known.source, refusal);
    if (refusal.empty() && series->digest() != known.digest)
      refusal = "its bars changed while they were read";
    if (!refusal.empty()) throw std::runtime_error(known.source.name + ": " + refusal);
    return std::move(*series);
  }

  void run(const Block& block) {
    std::future<void> evaluating;  // of the sets before; waits for it
    for (const std::vector<std::size_t>& group : groups_) {
      for (std::span<const std::size_t> left = group; !left.empty();) {
        const std::size_t count = at_once(block, left);
        run(block, left.first(count), evaluating);
        left = left.subspan(count);
      }
    }
    finish(block, evaluating);
  }

  /// How many of the sets are computed together: as many as there is memory for, and one at least.
  std::size_t at_once(const Block& block, std::span<const std::size_t> sets) const {
    const std::size_t each = bytes_of_set(block, options_.threads);
    std::set<std::pair<double, std::int64_t>> grown;  // sets of one lambda and cutout share their factors
    // Beside a device there are those of the sets before, too.
    const std::size_t most = options_.trend_bytes / (choice_ == gpu::Choice::processor ? 1 : 2);
    std::size_t bytes = 0;
    for (std::size_t count = 0; count < sets.size(); ++count) {
      const engine::Parameters& set = options_.sets[sets[count]];
      bytes += each;
      if (grown.emplace(set.lambda, set.cutout).second) bytes += block.longest * sizeof(double);
      if (count > 0 && bytes > most) return count;
    }
    return sets.size();
  }

  /// Sets that have their averages in common. Where a device computes their trends those of the sets before
  /// are evaluated meanwhile.
  void run(const Block& block, std::span<const std::size_t> sets, std::future<void>& evaluating) {
    std::uint64_t missing = 0;
    for (const std::size_t place : block.places) {
      for (const std::size_t set : sets) missing += results_.has(set, place) ? 0 : series_[place].run_bars;
    }
    if (missing == 0) return;
    std::vector<engine::Plan> plans;
    plans.reserve(sets.size());
    for (const std::size_t set : sets)
      plans.emplace_back(options_.sets[set], growth_of(options_.sets[set]), false);
    spare_.sets = sets;
    spare_.missing = missing;
    compute(block, plans, spare_);
    finish(block, evaluating);
    std::swap(spare_, evaluated_);
    const bool by_device = choice_ == gpu::Choice::device || planner_.costs();
    evaluating = std::async(by_device ? std::launch::async : std::launch::deferred,
                            [this, &block] { evaluate_all(block, evaluated_); });
    if (by_device) return;
    finish(block, evaluating);
    std::swap(spare_, evaluated_);  // one has the memory
  }

  void evaluate_all(const Block& block, Trends& trends) const {
    const std::size_t series = block.series.size();
    trends.evaluations.resize(trends.sets.size() * series);
    on_threads(options_.threads, trends.evaluations.size(), [&](std::size_t i) {
      trends.evaluations[i] = evaluate_one(block, i % series, trends, i / series);
    });
  }

  /// Takes the results of what is being evaluated, if there is any.
  void finish(const Block& block, std::future<void>& evaluating) {
    if (!evaluating.valid()) return;
    evaluating.get();
    const std::size_t series = block.series.size();
    for (std::size_t i = 0; i < evaluated_.evaluations.size(); ++i) {
      const std::size_t set = evaluated_.sets[i / series], place = block.places[i % series];
      if (!results_.has(set, place)) results_.put(set, place, evaluated_.evaluations[i]);
    }
    const std::string failure = results_.save();
    if (!failure.empty()) throw std::runtime_error(failure);
    progress_.done += evaluated_.missing;
    tell_(progress_);
  }

  /// A plan of the same lambda, whose growth factors cost more than all else of a plan; null after so many
  /// (64 MB): they are computed for each call then, no more of them than it needs.
  const engine::Plan* growth_of(const engine::Parameters& set) {
    constexpr std::size_t kMostTables = 1000;
    const auto found = growths_.find(set.lambda);
    if (found != growths_.end()) return &found->second;
    return growths_.size() < kMostTables ? &growths_.emplace(set.lambda, set).first->second : nullptr;
  }

  /// The trends of all runs, but not where there are too few bars for a plan.
  void compute(const Block& block, std::span<const engine::Plan> plans, Trends& trends) {
    trends.columns.resize(plans.size() * block.bars);
    trends.minimum_bars.clear();
    std::vector<const engine::Plan*> all;
    std::int64_t least = 0;
    for (const engine::Plan& plan : plans) {
      all.push_back(&plan);
      trends.minimum_bars.push_back(plan.minimum_bars());
      least = std::max(least, plan.minimum_bars());
    }
    const std::span<std::int8_t> columns(trends.columns);
    compute(block, all, columns, least, std::numeric_limits<std::int64_t>::max());
    // Runs of a young listing that are too short for some of the sets.
    for (std::size_t p = 0; p < plans.size(); ++p) {
      compute(block, std::span(all).subspan(p, 1), columns.subspan(p * block.bars), plans[p].minimum_bars(),
              least);
    }
  }

  /// The runs that have from so many to so many bars (exclusive).
  void compute(const Block& block, std::span<const engine::Plan* const> plans, std::span<std::int8_t> columns,
               std::int64_t from, std::int64_t to) {
    std::vector<engine::BatchInput> inputs;
    std::vector<std::size_t> offsets;
    for (std::size_t i = 0; i < block.inputs.size(); ++i) {
      const auto bars = static_cast<std::int64_t>(block.inputs[i].closes.size());
      if (bars < from || bars >= to) continue;
      inputs.push_back(block.inputs[i]);
      offsets.push_back(block.offsets[i]);
    }
    if (inputs.empty()) return;
    std::vector<engine::BatchOutput> outputs(plans.size() * inputs.size());
    for (std::size_t o = 0; o < outputs.size(); ++o) {
      const std::size_t input = o % inputs.size(), plan = o / inputs.size();
      outputs[o].trend = columns.subspan(plan * block.bars + offsets[input], inputs[input].closes.size());
    }
    const gpu::Outcome outcome = planner_.compute_variants(plans, inputs, outputs);
    if (outcome.done()) return;
    const bool forced = options_.choice == gpu::Choice::device;
    throw std::runtime_error((forced ? "--path cuda: " : "") + outcome.sentence);
  }

  Evaluation evaluate_one(const Block& block, std::size_t place, const Trends& trends,
                          std::size_t plan) const {
    const SweepSeries& series = block.series[place];
    std::vector<std::int8_t> trend(series.length());
    // Live publishes nothing before there are so many.
    const auto unpublished = static_cast<std::size_t>(trends.minimum_bars[plan] - 1);
    for (std::size_t r = 0; r < series.runs().size(); ++r) {
      const SweepSeries::Run& run = series.runs()[r];
      const std::size_t from = std::min(std::max(run.first, run.anchor + unpublished), run.end);
      const auto column =
          trends.columns.begin() +
          static_cast<std::ptrdiff_t>(plan * block.bars + block.offsets[block.begins[place] + r]);
      std::copy(column + static_cast<std::ptrdiff_t>(from - run.anchor),
                column + static_cast<std::ptrdiff_t>(run.end - run.anchor),
                trend.begin() + static_cast<std::ptrdiff_t>(from - series.first()));
    }
    return evaluate(trend, series.evaluated(), options_.evaluation);
  }

  const SweepOptions& options_;
  const ScanSource& source_;
  std::vector<KnownSeries>& series_;
  SweepResults& results_;
  const TellSweep& tell_;
  std::vector<std::vector<std::size_t>> groups_;
  SweepProgress progress_;
  gpu::Choice choice_;
  gpu::Planner planner_;
  std::map<double, engine::Plan> growths_;  // by lambda
  Trends evaluated_, spare_;
};

}  // namespace

SweepResult sweep(const std::string& directory, const SweepOptions& options, const TellSweep& tell) {
  const ScanOptions scan_options = scan_options_of(options);
  const auto source = open_scan_source(directory, scan_options);
  SweepResult result;
  result.refused = source->refused;
  std::vector<KnownSeries> series = read_all(options, *source, tell, result.refused);
  if (series.size() * options.sets.size() > SweepResults::kMost) {
    throw std::runtime_error(std::to_string(options.sets.size()) + " sets of " +
                             std::to_string(series.size()) + " series have " +
                             std::to_string(series.size() * options.sets.size()) + " results: there may be " +
                             std::to_string(SweepResults::kMost) + " at most");
  }
  SweepResults results(options.sets.size(), series.size());
  if (!options.results.empty()) {
    const std::string refusal = results.open(options.results, digests_of(options, series));
    if (!refusal.empty()) throw std::runtime_error(refusal);
  }
  Sweep(options, *source, series, results, tell).run();
  for (KnownSeries& known : series) result.series.push_back(std::move(known.swept));
  result.evaluations = results.take();
  return result;
}

}  // namespace atcd::daemon
