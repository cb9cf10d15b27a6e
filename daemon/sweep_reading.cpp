#include "daemon/sweep_reading.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <utility>

#include "daemon/scan_threads.hpp"

namespace atcd::daemon {
namespace {

std::size_t run_bars_of(const SweepSeries& series) {
  std::size_t bars = 0;
  for (const SweepSeries::Run& run : series.runs()) bars += run.end - run.anchor;
  return bars;
}

class FirstReading {
 public:
  FirstReading(const SweepOptions& options, const ScanSource& source, const TellSweep& tell)
      : options_(options), source_(source), tell_(tell), found_(source.series.size()) {}

  std::vector<KnownSeries> run(std::vector<std::string>& refused) {
    run_with_readers(source_, std::min<std::size_t>(options_.threads, source_.series.size()),
                     [this](ScanReader& reader) { work(reader); });
    refused.insert(refused.end(), refused_.begin(), refused_.end());
    std::sort(refused.begin(), refused.end());
    std::vector<KnownSeries> all;
    for (std::optional<KnownSeries>& each : found_) {
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

  KnownSeries known(const ScanSeries& source, SweepSeries series) {
    EvaluationOptions holding = options_.evaluation;
    holding.side = Side::both;
    const std::vector<std::int8_t> up(series.length(), 1);
    KnownSeries known{source,
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
  std::vector<std::optional<KnownSeries>> found_;  // each is one thread's alone
  std::atomic<std::size_t> next_ = 0, kept_ = 0;
  std::mutex mutex_;  // of what follows
  std::vector<std::string> refused_;
  std::size_t done_ = 0;
};

}  // namespace

std::optional<SweepSeries> read_series(const SweepOptions& options, const SweepRange& range,
                                       ScanReader& reader, const ScanSeries& source,
                                       std::string& refusal) try {
  WholeSeries whole;
  refusal = reader.read_whole(source, whole);
  if (!refusal.empty()) return std::nullopt;
  if (options.evaluation.fill == Fill::next_open && !whole.bars.empty() && !whole.opens_known) {
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

std::vector<KnownSeries> read_all(const SweepOptions& options, const ScanSource& source,
                                  const TellSweep& tell, std::vector<std::string>& refused) {
  return FirstReading(options, source, tell).run(refused);
}

}  // namespace atcd::daemon
