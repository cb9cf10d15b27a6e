#include "daemon/sweep.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <stdexcept>
#include <thread>
#include <utility>

#include "daemon/scan_source.hpp"
#include "daemon/scan_threads.hpp"
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

/// A series that passed the first reading.
struct Known {
  ScanSeries source;
  SweptSeries swept;
  std::uint64_t digest = 0;
  std::size_t run_bars = 0;           // of all runs together
  std::optional<SweepSeries> kept{};  // until it is computed
};

std::size_t run_bars_of(const SweepSeries& series) {
  std::size_t bars = 0;
  for (const SweepSeries::Run& run : series.runs()) bars += run.end - run.anchor;
  return bars;
}

ScanOptions scan_options_of(const SweepOptions& options) {
  ScanOptions scan;
  scan.live_anchors = options.live_anchors;
  // A missing close has no price: it is refused, as this dialect does.
  scan.parameters.dialect = engine::Dialect::pine;
  return scan;
}

/// Reads a series; a sentence in `refusal` where it can't be evaluated.
std::optional<SweepSeries> read_series(const SweepOptions& options, const SweepRange& range,
                                       ScanReader& reader, const ScanSeries& source,
                                       std::string& refusal) try {
  WholeSeries whole;
  refusal = reader.read_whole(source, whole);
  if (!refusal.empty()) return std::nullopt;
  if (options.evaluation.fill == Fill::next_open && !whole.opens_known) {
    refusal = "it has no column open, but --fill next-open needs one (or --fill next-close)";
    return std::nullopt;
  }
  std::optional<engine::AnchorRule> rule;
  if (options.live_anchors) rule = options.live_anchors->rule;
  std::optional<SweepSeries> series(std::in_place, whole, source, rule, range, refusal);
  if (!refusal.empty()) series.reset();
  return series;
} catch (const std::exception& failure) {
  refusal = failure.what();
  return std::nullopt;
}

/// The first reading: what there is, how much it is, and what results of it depend on.
class FirstReading {
 public:
  FirstReading(const SweepOptions& options, const ScanSource& source, const TellSweep& tell)
      : options_(options), source_(source), tell_(tell), found_(source.series.size()) {}

  std::vector<Known> run(std::vector<std::string>& refused) {
    run_with_readers(source_, std::min<std::size_t>(options_.threads, source_.series.size()),
                     [this](ScanReader& reader) { work(reader); });
    refused.insert(refused.end(), refused_.begin(), refused_.end());
    std::sort(refused.begin(), refused.end());
    std::vector<Known> all;
    for (std::optional<Known>& each : found_) {
      if (each) all.push_back(std::move(*each));
    }
    return all;
  }

 private:
  void work(ScanReader& reader) {
    for (std::size_t i = 0; (i = next_.fetch_add(1)) < found_.size();) {
      const ScanSeries& source = source_.series[i];
      std::string refusal;
      std::optional<SweepSeries> series = read_series(options_, options_.range, reader, source, refusal);
      if (series) found_[i] = known(source, std::move(*series));
      const std::lock_guard lock(mutex_);
      if (!refusal.empty()) refused_.push_back(source.name + ": " + refusal);
      tell_({true, ++done_, found_.size()});
    }
  }

  Known known(const ScanSeries& source, SweepSeries series) {
    EvaluationOptions holding = options_.evaluation;
    holding.side = Side::both;
    const std::vector<std::int8_t> up(series.bars(), 1);
    Known known{source,
                {source.name, series.bars(), series.first_open_ms(), series.last_open_ms(),
                 evaluate(up, series.evaluated(), holding).gain},
                series.digest(),
                run_bars_of(series)};
    if (kept_.fetch_add(known.run_bars) + known.run_bars <= options_.kept_bars)
      known.kept.emplace(std::move(series));
    return known;
  }

  const SweepOptions& options_;
  const ScanSource& source_;
  const TellSweep& tell_;
  std::vector<std::optional<Known>> found_;  // each is one thread's alone
  std::atomic<std::size_t> next_ = 0, kept_ = 0;
  std::mutex mutex_;  // of what follows
  std::vector<std::string> refused_;
  std::size_t done_ = 0;
};

SweepDigests digests_of(const SweepOptions& options, const std::vector<Known>& series) {
  std::string sets, all;
  for (const engine::Parameters& set : options.sets) sets += engine::canonical_json(set);
  for (const Known& each : series) all += each.source.name + ' ' + std::to_string(each.digest) + '\n';
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

class Sweep {
 public:
  Sweep(const SweepOptions& options, const ScanSource& source, std::vector<Known>& series,
        SweepResults& results, const TellSweep& tell)
      : options_(options),
        source_(source),
        series_(series),
        results_(results),
        tell_(tell),
        groups_(sets_by_averages(options.sets)),
        planner_({.kernel = options.kernel, .threads = options.threads, .choice = options.choice}) {
    if (options.choice != gpu::Choice::device) return;
    if (const auto outcome = planner_.wait_for_device(); !outcome.done())
      throw std::runtime_error("--path cuda: " + outcome.sentence);
  }

  void run() {
    for (std::size_t s = 0; s < series_.size(); ++s) {
      for (std::size_t set = 0; set < options_.sets.size(); ++set)
        progress_.all += results_.has(set, s) ? 0 : series_[s].run_bars;
    }
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
  bool complete(std::size_t series) const {
    for (std::size_t set = 0; set < options_.sets.size(); ++set) {
      if (!results_.has(set, series)) return false;
    }
    return true;
  }

  SweepSeries read(std::size_t s, ScanReader& reader) {
    Known& known = series_[s];
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
    for (const std::vector<std::size_t>& group : groups_) {
      for (std::span<const std::size_t> left = group; !left.empty();) {
        const std::size_t count = at_once(block, left);
        run(block, left.first(count));
        left = left.subspan(count);
      }
    }
  }

  /// How many of the sets are computed together: as many as there is memory for, and one at least.
  std::size_t at_once(const Block& block, std::span<const std::size_t> sets) const {
    const std::size_t each = bytes_of_set(block, options_.threads);
    std::set<std::pair<double, std::int64_t>> grown;  // sets of one lambda and cutout share their factors
    std::size_t bytes = 0;
    for (std::size_t count = 0; count < sets.size(); ++count) {
      const engine::Parameters& set = options_.sets[sets[count]];
      bytes += each;
      if (grown.emplace(set.lambda, set.cutout).second) bytes += block.longest * sizeof(double);
      if (count > 0 && bytes > options_.trend_bytes) return count;
    }
    return sets.size();
  }

  /// Sets that have their averages in common.
  void run(const Block& block, std::span<const std::size_t> sets) {
    std::uint64_t missing = 0;
    for (const std::size_t place : block.places) {
      for (const std::size_t set : sets) missing += results_.has(set, place) ? 0 : series_[place].run_bars;
    }
    if (missing == 0) return;
    std::vector<engine::Plan> plans;
    plans.reserve(sets.size());
    for (const std::size_t set : sets)
      plans.emplace_back(options_.sets[set], growth_of(options_.sets[set]), false);
    compute(block, plans);
    std::vector<Evaluation> evaluations(sets.size() * block.series.size());
    on_threads(options_.threads, evaluations.size(), [&](std::size_t i) {
      evaluations[i] = evaluate_one(block, i % block.series.size(), plans, i / block.series.size());
    });
    for (std::size_t i = 0; i < evaluations.size(); ++i) {
      const std::size_t set = sets[i / block.series.size()], place = block.places[i % block.series.size()];
      if (!results_.has(set, place)) results_.put(set, place, evaluations[i]);
    }
    const std::string failure = results_.save();
    if (!failure.empty()) throw std::runtime_error(failure);
    progress_.done += missing;
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

  /// The trends of all runs, a column of the block's bars for each plan; 0 where there are too few for it.
  void compute(const Block& block, std::span<const engine::Plan> plans) {
    trends_.assign(plans.size() * block.bars, 0);
    std::vector<const engine::Plan*> all;
    std::int64_t least = 0;
    for (const engine::Plan& plan : plans) {
      all.push_back(&plan);
      least = std::max(least, plan.minimum_bars());
    }
    compute(block, all, 0, least, std::numeric_limits<std::int64_t>::max());
    // Runs of a young listing that are too short for some of the sets.
    for (std::size_t p = 0; p < plans.size(); ++p)
      compute(block, std::span(all).subspan(p, 1), p, plans[p].minimum_bars(), least);
  }

  /// The runs that have from so many to so many bars (exclusive).
  void compute(const Block& block, std::span<const engine::Plan* const> plans, std::size_t first_column,
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
      const std::size_t input = o % inputs.size(), column = first_column + o / inputs.size();
      outputs[o].trend =
          std::span(trends_).subspan(column * block.bars + offsets[input], inputs[input].closes.size());
    }
    const gpu::Outcome outcome = planner_.compute_variants(plans, inputs, outputs);
    if (outcome.done()) return;
    const bool forced = options_.choice == gpu::Choice::device;
    throw std::runtime_error((forced ? "--path cuda: " : "") + outcome.sentence);
  }

  Evaluation evaluate_one(const Block& block, std::size_t place, std::span<const engine::Plan> plans,
                          std::size_t plan) const {
    const SweepSeries& series = block.series[place];
    std::vector<std::int8_t> trend(series.bars());
    // Live publishes nothing before there are so many.
    const auto unpublished = static_cast<std::size_t>(plans[plan].minimum_bars() - 1);
    for (std::size_t r = 0; r < series.runs().size(); ++r) {
      const SweepSeries::Run& run = series.runs()[r];
      const std::size_t from = std::min(std::max(run.first, run.anchor + unpublished), run.end);
      const auto column = trends_.begin() + static_cast<std::ptrdiff_t>(
                                                plan * block.bars + block.offsets[block.begins[place] + r]);
      std::copy(column + static_cast<std::ptrdiff_t>(from - run.anchor),
                column + static_cast<std::ptrdiff_t>(run.end - run.anchor),
                trend.begin() + static_cast<std::ptrdiff_t>(from - series.first()));
    }
    return evaluate(trend, series.evaluated(), options_.evaluation);
  }

  const SweepOptions& options_;
  const ScanSource& source_;
  std::vector<Known>& series_;
  SweepResults& results_;
  const TellSweep& tell_;
  std::vector<std::vector<std::size_t>> groups_;
  gpu::Planner planner_;
  std::map<double, engine::Plan> growths_;  // by lambda
  std::vector<std::int8_t> trends_;
  SweepProgress progress_;
};

}  // namespace

SweepResult sweep(const std::string& directory, const SweepOptions& options, const TellSweep& tell) {
  const ScanOptions scan_options = scan_options_of(options);
  const auto source = open_scan_source(directory, scan_options);
  SweepResult result;
  result.refused = source->refused;
  std::vector<Known> series = FirstReading(options, *source, tell).run(result.refused);
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
  for (Known& known : series) result.series.push_back(std::move(known.swept));
  result.evaluations = results.take();
  return result;
}

}  // namespace atcd::daemon
