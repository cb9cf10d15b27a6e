#include "daemon/scan.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <iterator>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>

#include "daemon/scan_screen.hpp"
#include "daemon/scan_source.hpp"
#include "daemon/scan_threads.hpp"
#include "engine/batch.hpp"
#include "engine/dispatch.hpp"
#include "engine/incremental.hpp"
#include "engine/plan.hpp"

namespace atcd::daemon {
namespace {

using engine::kFamilies;
using SharedPlan = std::shared_ptr<const engine::Plan>;

/// The bars of one series, until it is computed; of one too long to be held, an engine that has taken them.
class Held {
 public:
  Held(const ScanSeries& series, SharedPlan plan, const engine::Kernel& kernel, std::size_t whole_bars)
      : series_(series), plan_(std::move(plan)), kernel_(&kernel), whole_bars_(whole_bars) {}

  void restart() { *this = Held(series_, plan_, *kernel_, whole_bars_); }

  void take(const CsvBars& bars, std::size_t begin) {
    if (bars.size() == begin) return;
    times_known_ = times_known_ && !bars.open_ms.empty() && series_.interval;
    for (std::size_t i = begin; i < bars.size(); ++i) {
      bars_.closes.push_back(bars.closes[i]);
      if (!bars.sources.empty()) bars_.sources.push_back(bars.sources[i]);
      if (times_known_) bars_.open_ms.push_back(bars.open_ms[i]);
    }
    if (bars_.size() > whole_bars_ || engine_) hand_over();
  }

  std::int64_t bars() const {
    return (engine_ ? engine_->bars() : 0) + static_cast<std::int64_t>(bars_.size());
  }
  /// That are held.
  std::size_t size() const { return bars_.size(); }
  const std::string& name() const { return series_.name; }
  void set_doubts(const std::vector<std::string>& doubts) { doubts_ = doubts; }
  engine::BatchInput input() const { return {bars_.closes, bars_.sources}; }

  /// Of a series whose engine has taken all.
  ScanRow row() const {
    const engine::Signal last = engine_->last();
    return row_of(last_close_, last_open_ms_, last.average, last.trend, last.trend_since_ms, last.layer1);
  }
  bool by_engine() const { return engine_.has_value(); }

  /// Of what a batch gave for input().
  ScanRow row(std::span<const double> average, std::span<const std::int8_t> trend,
              const std::array<double, kFamilies>& layer1) const {
    std::size_t since = trend.size() - 1;
    while (since > 0 && trend[since - 1] == trend[since]) --since;
    const std::int64_t last_ms = times_known_ ? bars_.open_ms.back() : 0;
    return row_of(bars_.closes.back(), last_ms, average.back(), trend.back(),
                  times_known_ ? series_.interval->close_time_ms(bars_.open_ms[since]) : 0, layer1);
  }

 private:
  void hand_over() {
    if (!engine_) engine_.emplace(plan_, *kernel_);
    for (std::size_t i = 0; i < bars_.size(); ++i) {
      last_close_ = bars_.closes[i];
      if (times_known_) last_open_ms_ = bars_.open_ms[i];
      engine_->update(last_close_, bars_.sources.empty() ? last_close_ : bars_.sources[i],
                      times_known_ ? series_.interval->close_time_ms(last_open_ms_) : 0);
    }
    bars_ = {};
  }

  ScanRow row_of(double close, std::int64_t open_ms, double average, int trend, std::int64_t trend_since_ms,
                 const std::array<double, kFamilies>& layer1) const {
    ScanRow row{series_.name, bars(), std::nullopt, close, average, trend, std::nullopt, layer1, doubts_};
    if (!times_known_) return row;
    row.close_time_ms = series_.interval->close_time_ms(open_ms);
    row.trend_since_ms = trend_since_ms;
    return row;
  }

  ScanSeries series_;
  SharedPlan plan_;
  const engine::Kernel* kernel_;
  std::size_t whole_bars_;
  CsvBars bars_;
  bool times_known_ = true;
  std::optional<engine::Incremental> engine_;
  double last_close_ = 0;
  std::int64_t last_open_ms_ = 0;
  std::vector<std::string> doubts_;
};

/// Has batches computed by the device, for whichever thread comes first, or by the thread itself.
class Computer {
 public:
  Computer(const ScanOptions& options, std::size_t series)
      : kernel_(options.kernel != nullptr ? *options.kernel : engine::best_kernel()) {
    const bool enough = series / options.threads >= options.device_series_per_thread;
    forced_ = options.choice == gpu::Choice::device;
    if (!forced_ && !(options.choice == gpu::Choice::automatic && enough)) return;
    gpu::Planner::Options planned;
    planned.kernel = &kernel_;
    planned.choice = options.choice;
    planner_.emplace(planned, options.device());
    if (!forced_) return;
    if (const auto outcome = planner_->wait_for_device(); !outcome.done())
      throw std::runtime_error(sentence_of(outcome));
  }

  std::string compute(const engine::Plan& plan, std::span<const engine::BatchInput> inputs,
                      std::span<const engine::BatchOutput> outputs) {
    if (planner_) {
      std::unique_lock lock(mutex_, std::defer_lock);
      if (forced_) lock.lock();
      if (forced_ || lock.try_lock()) return sentence_of(planner_->compute(plan, inputs, outputs, {}));
    }
    return compute_batches(plan, inputs, outputs, kernel_);
  }

  const engine::Kernel& kernel() const { return kernel_; }

 private:
  std::string sentence_of(const gpu::Outcome& outcome) const {
    return forced_ && !outcome.done() ? "--path cuda: " + outcome.sentence : outcome.sentence;
  }

  const engine::Kernel& kernel_;
  bool forced_ = false;
  std::mutex mutex_;  // of the planner, which has one call at a time
  std::optional<gpu::Planner> planner_;
};

/// Computes series that are held; only of the last bars is anything kept. A sentence, and no row, where one
/// can't be computed.
std::string compute(const engine::Plan& plan, Computer& computer, const std::vector<Held>& group,
                    std::vector<ScanRow>& rows) {
  constexpr std::size_t kColumns = kFamilies + 1;
  std::size_t bars = 0;
  for (const Held& held : group) bars += held.size();
  std::vector<double> values(bars * kColumns);
  std::vector<std::int8_t> trends(bars);
  std::vector<engine::BatchInput> inputs;
  std::vector<engine::BatchOutput> outputs;
  std::size_t at = 0;
  for (const Held& held : group) {
    inputs.push_back(held.input());
    engine::BatchOutput output;
    const auto column = [&](std::size_t i) {
      return std::span(values).subspan(at * kColumns + i * held.size(), held.size());
    };
    for (std::size_t f = 0; f < kFamilies; ++f) output.layer1[f] = column(f);
    output.average = column(kFamilies);
    output.trend = std::span(trends).subspan(at, held.size());
    outputs.push_back(output);
    at += held.size();
  }
  std::string refusal = computer.compute(plan, inputs, outputs);
  if (!refusal.empty()) return refusal;
  for (std::size_t i = 0; i < group.size(); ++i) {
    std::array<double, kFamilies> layer1{};
    for (std::size_t f = 0; f < kFamilies; ++f) layer1[f] = outputs[i].layer1[f].back();
    rows.push_back(group[i].row(outputs[i].average, outputs[i].trend, layer1));
  }
  return {};
}

/// What the threads share: which series is next, and what came of those before.
class Scan {
 public:
  Scan(const ScanSource& source, std::span<const ScanSeries> series, const ScanOptions& options,
       Computer& computer, const ScanProgress& progress)
      : source_(source),
        series_(series),
        options_(options),
        computer_(computer),
        progress_(progress),
        plan_(std::make_shared<const engine::Plan>(options.parameters)) {}

  ScanResult run() {
    run_with_readers(source_, std::min<std::size_t>(options_.threads, series_.size()),
                     [this](ScanReader& reader) { work(reader); });
    return std::move(result_);
  }

 private:
  void work(ScanReader& reader) {
    std::vector<Held> group;
    std::size_t bars = 0;
    for (;;) {
      const std::size_t mine = next_.fetch_add(1);
      const bool ended = mine >= series_.size();
      if (!ended) {
        Held held(series_[mine], plan_, computer_.kernel(), options_.whole_bars);
        std::string refusal = read(reader, series_[mine], held);
        if (!refusal.empty() || held.by_engine()) {
          finish(held, std::move(refusal));
        } else {
          bars += held.size();
          group.push_back(std::move(held));
        }
      }
      if (ended || bars >= options_.group_bars) {
        std::vector<ScanRow> rows;
        // Each was checked when it was read; should one be refused all the same, none has a row.
        const std::string refusal = compute(*plan_, computer_, group, rows);
        if (refusal.empty()) finish(std::move(rows));
        for (const Held& held : group) {
          if (!refusal.empty()) finish(held, refusal);
        }
        group.clear();
        bars = 0;
      }
      if (ended) return;
    }
  }

  std::string read(ScanReader& reader, const ScanSeries& series, Held& held) {
    try {
      std::string refusal = reader.read(
          series, [&](const CsvBars& more, std::size_t begin) { held.take(more, begin); },
          [&] { held.restart(); });
      if (!refusal.empty()) return refusal;
      held.set_doubts(reader.doubts());
      return held.by_engine() ? engine::check_bars(*plan_, held.bars())
                              : engine::check_batch(*plan_, held.input());
    } catch (const std::exception& failure) {
      return failure.what();
    }
  }

  void finish(const Held& held, std::string refusal) {
    std::vector<ScanRow> rows;
    if (refusal.empty()) rows.push_back(held.row());
    const std::lock_guard lock(mutex_);
    if (!refusal.empty()) result_.refused.push_back(held.name() + ": " + std::move(refusal));
    add(std::move(rows), 1);
  }

  void finish(std::vector<ScanRow> rows) {
    const std::lock_guard lock(mutex_);
    const std::size_t count = rows.size();
    add(std::move(rows), count);
  }

  void add(std::vector<ScanRow> rows, std::size_t done) {
    std::move(rows.begin(), rows.end(), std::back_inserter(result_.rows));
    done_ += done;
    progress_(done_, series_.size());
  }

  const ScanSource& source_;
  std::span<const ScanSeries> series_;
  const ScanOptions& options_;
  Computer& computer_;
  const ScanProgress& progress_;
  SharedPlan plan_;
  std::atomic<std::size_t> next_ = 0;
  std::mutex mutex_;  // of what follows
  ScanResult result_;
  std::size_t done_ = 0;
};

/// What is undefined comes last.
double place_of(double average) {
  if (std::isnan(average)) return -std::numeric_limits<double>::infinity();
  return average;
}

bool comes_before(const ScanRow& a, const ScanRow& b) {
  const double first = place_of(a.average), second = place_of(b.average);
  return first != second ? first > second : a.series < b.series;
}

}  // namespace

ScanResult scan(const std::string& directory, const ScanOptions& options, const ScanProgress& progress) {
  const auto source = open_scan_source(directory, options);
  ScanResult result{{}, source->refused};
  const std::size_t all = source->series.size();
  Computer computer(options, options.approximate_top == 0 ? all : std::min(all, options.approximate_top));
  const auto compute_some = [&](std::span<const ScanSeries> series) {
    ScanResult some = Scan(*source, series, options, computer, progress).run();
    std::move(some.rows.begin(), some.rows.end(), std::back_inserter(result.rows));
    std::move(some.refused.begin(), some.refused.end(), std::back_inserter(result.refused));
  };
  if (options.approximate_top == 0) {
    compute_some(source->series);
  } else {
    const ScreenedSeries screened = screen(*source, options, progress);
    result.refused.insert(result.refused.end(), screened.refused.begin(), screened.refused.end());
    std::span<const ScanSeries> rest(screened.series);
    // Some candidates more than wanted, and as many further ones as were refused.
    const std::size_t top = std::min(options.approximate_top, rest.size());
    const std::size_t wanted = top + top / 4 + 1;
    while (!rest.empty() && result.rows.size() < wanted) {
      const std::size_t count = std::min(wanted - result.rows.size(), rest.size());
      compute_some(rest.first(count));
      rest = rest.subspan(count);
    }
  }
  std::sort(result.rows.begin(), result.rows.end(), comes_before);
  std::sort(result.refused.begin(), result.refused.end());
  return result;
}

}  // namespace atcd::daemon
