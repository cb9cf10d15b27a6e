#include "daemon/csv_compute.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <optional>

#include "daemon/csv_checks.hpp"
#include "engine/batch.hpp"
#include "engine/incremental.hpp"
#include "engine/plan.hpp"
#include "gpu/planner.hpp"

namespace atcd::daemon {
namespace {

using engine::kAverages;
using engine::kFamilies;

/// Rows that are computed, and written, at once.
constexpr std::size_t kPieceBars = 4096;

/// The columns of the output, by bar.
struct Columns {
  explicit Columns(std::size_t bars, bool dump) : average(bars), trend(bars) {
    for (auto& column : layer1) column.resize(bars);
    for (auto& column : equity) column.resize(bars);
    if (!dump) return;
    for (auto* columns : {&averages, &states, &equities}) columns->resize(bars * kAverages);
  }

  std::array<std::vector<double>, kFamilies> layer1, equity;
  std::vector<double> average;
  std::vector<std::int8_t> trend;
  std::vector<double> averages, states, equities;  // --dump
  // --live-anchors
  std::vector<std::int8_t> previous_trend;
  std::vector<std::int64_t> bar_index, anchor_ms, trend_since_ms;
  std::vector<std::uint8_t> unpublished;  // live has no signal of the bar
};

engine::BatchOutput output_of(Columns& columns) {
  engine::BatchOutput output;
  for (std::size_t f = 0; f < kFamilies; ++f) {
    output.layer1[f] = columns.layer1[f];
    output.equity[f] = columns.equity[f];
  }
  output.average = columns.average;
  output.trend = columns.trend;
  output.averages = columns.averages;
  output.states = columns.states;
  output.equities = columns.equities;
  return output;
}

void take(Columns& columns, std::size_t row, const engine::Signal& signal,
          const engine::Incremental& engine) {
  for (std::size_t f = 0; f < kFamilies; ++f) {
    columns.layer1[f][row] = signal.layer1[f];
    columns.equity[f][row] = signal.equity[f];
  }
  columns.average[row] = signal.average;
  columns.trend[row] = signal.trend;
  if (columns.averages.empty()) return;
  const auto inner = engine.inner();
  const std::size_t rows = columns.average.size();
  for (std::size_t a = 0; a < kAverages; ++a) {
    columns.averages[a * rows + row] = inner.averages[a];
    columns.states[a * rows + row] = inner.states[a];
    columns.equities[a * rows + row] = inner.equities[a];
  }
}

void take_nothing(Columns& columns, std::size_t row) {
  constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
  for (auto& column : columns.layer1) column[row] = kUndefined;
  for (auto& column : columns.equity) column[row] = kUndefined;
  columns.average[row] = kUndefined;
  columns.unpublished[row] = 1;
  const std::size_t rows = columns.average.size();
  for (auto* values : {&columns.averages, &columns.states, &columns.equities}) {
    for (std::size_t at = row; at < values->size(); at += rows) (*values)[at] = kUndefined;
  }
}

/// Bars in order, each once, a piece of them at a time.
class BarByBar {
 public:
  virtual ~BarByBar() = default;
  /// The bars from `begin` on, as many as the columns have rows.
  virtual void take(const CsvBars& bars, std::size_t begin, Columns& columns) = 0;
  /// Of the bars that were all taken: the first that those after them still need.
  virtual std::size_t needed_from(const CsvBars& bars) const = 0;
};

double source_of(const CsvBars& bars, std::size_t i) {
  return bars.sources.empty() ? bars.closes[i] : bars.sources[i];
}

class FromFirstBar final : public BarByBar {
 public:
  FromFirstBar(const std::shared_ptr<const engine::Plan>& plan, const engine::Kernel& kernel)
      : engine_(plan, kernel) {}

  void take(const CsvBars& bars, std::size_t begin, Columns& columns) override {
    for (std::size_t row = 0; row < columns.average.size(); ++row) {
      const std::size_t i = begin + row;
      daemon::take(columns, row, engine_.update(bars.closes[i], source_of(bars, i), 0), engine_);
    }
  }

  std::size_t needed_from(const CsvBars& bars) const override { return bars.size(); }

 private:
  engine::Incremental engine_;
};

/// Each bar's signal as live publishes it: from bar 0 of the bar's own segment, and none where there are too
/// few bars since.
class FromAnchors final : public BarByBar {
 public:
  FromAnchors(const LiveAnchors& anchors, const std::shared_ptr<const engine::Plan>& plan,
              const engine::Kernel& kernel)
      : anchors_(anchors),
        phase_(engine::anchor_phase(anchors.series, anchors.rule.anchor_period)),
        plan_(plan),
        kernel_(kernel) {}

  void take(const CsvBars& bars, std::size_t begin, Columns& columns) override {
    const std::size_t rows = columns.average.size();
    columns.previous_trend.resize(rows);
    columns.unpublished.resize(rows);
    for (auto* column : {&columns.bar_index, &columns.anchor_ms, &columns.trend_since_ms})
      column->resize(rows);
    for (std::size_t row = 0; row < rows; ++row) {
      const std::size_t i = begin + row;
      if (!engine_ || bars.open_ms[i] >= end_ms_) begin_segment(bars, i);
      const engine::Signal signal = update(bars, i);
      if (engine_->bars() < plan_->minimum_bars()) {
        take_nothing(columns, row);
      } else {
        daemon::take(columns, row, signal, *engine_);
      }
      columns.previous_trend[row] = signal.previous_trend;
      columns.bar_index[row] = signal.bar_index;
      columns.anchor_ms[row] = first_ms_;
      columns.trend_since_ms[row] = signal.trend_since_ms;
    }
  }

  std::size_t needed_from(const CsvBars& bars) const override {
    return first_bar(bars, segment(end_ms_).anchor_ordinal);
  }

 private:
  /// The rule has no fixed anchor here, so every bar has a segment.
  engine::Segment segment(std::int64_t open_ms) const {
    return *engine::segment_of(anchors_.rule, anchors_.interval, phase_, anchors_.interval.ordinal(open_ms));
  }

  std::size_t first_bar(const CsvBars& bars, std::int64_t anchor_ordinal) const {
    const std::int64_t anchor_ms = anchors_.interval.open_time_ms(anchor_ordinal);
    return static_cast<std::size_t>(std::lower_bound(bars.open_ms.begin(), bars.open_ms.end(), anchor_ms) -
                                    bars.open_ms.begin());
  }

  void begin_segment(const CsvBars& bars, std::size_t bar) {
    const engine::Segment present = segment(bars.open_ms[bar]);
    const std::size_t first = first_bar(bars, present.anchor_ordinal);
    end_ms_ = anchors_.interval.open_time_ms(present.end_ordinal);
    first_ms_ = bars.open_ms[first];
    engine_.emplace(plan_, kernel_);
    for (std::size_t i = first; i < bar; ++i) update(bars, i);
  }

  engine::Signal update(const CsvBars& bars, std::size_t i) {
    return engine_->update(bars.closes[i], source_of(bars, i),
                           anchors_.interval.close_time_ms(bars.open_ms[i]));
  }

  LiveAnchors anchors_;
  std::int64_t phase_;
  std::shared_ptr<const engine::Plan> plan_;
  const engine::Kernel& kernel_;
  std::optional<engine::Incremental> engine_;  // of the segment of the last bar taken
  std::int64_t first_ms_ = 0;                  // of that segment's bar 0
  std::int64_t end_ms_ = std::numeric_limits<std::int64_t>::max();
};

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(c - 'a' + 'A');
  return result;
}

std::string header_of(const ComputeOptions& options) {
  std::string header = "close";
  for (const char* ending : {"_Signal", "_S"}) {
    for (const auto family : engine::kFamilyNames) header += ',' + upper(family) + ending;
  }
  header += ",Average_Signal";
  if (options.dump) {
    for (const char* beginning : {"", "sig_", "eq_"}) {
      for (std::size_t f = 0; f < kFamilies; ++f) {
        // The base of a family that is not chosen may be any number.
        const std::int64_t base = options.parameters.lengths[f];
        for (const int offset : engine::family_lengths(0, options.parameters.robustness)) {
          header += ',' + std::string(beginning) + upper(engine::kFamilyNames[f]) + '_' +
                    std::to_string(base + offset);
        }
      }
    }
  }
  for (const auto& extra : options.extras) header += ',' + extra;
  return header + '\n';
}

void append(std::string& text, double value) {
  if (std::isnan(value)) return;
  std::array<char, 32> digits{};
  text.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
}

void append_extra(std::string& text, std::string_view extra, const CsvBars& bars, std::size_t bar,
                  const Columns& columns, std::size_t row) {
  if (extra == "time") text += std::to_string(bars.open_ms[bar]);
  if (extra == "bar_index") text += std::to_string(columns.bar_index[row]);
  if (extra == "anchor_ms") text += std::to_string(columns.anchor_ms[row]);
  if (!columns.unpublished.empty() && columns.unpublished[row] != 0) return;
  if (extra == "trend") text += std::to_string(columns.trend[row]);
  if (extra == "previous_trend") text += std::to_string(columns.previous_trend[row]);
  if (extra == "trend_since_ms") text += std::to_string(columns.trend_since_ms[row]);
}

/// Of the columns' rows from `from` on so many; their row 0 is the bar `begin`.
std::string rows_of(const ComputeOptions& options, const CsvBars& bars, std::size_t begin,
                    const Columns& columns, std::size_t from, std::size_t count) {
  std::string text;
  const std::size_t all = columns.average.size();
  for (std::size_t row = from; row < from + count; ++row) {
    append(text, bars.closes[begin + row]);
    const auto next = [&](double value) {
      text += ',';
      append(text, value);
    };
    for (const auto& column : columns.layer1) next(column[row]);
    for (const auto& column : columns.equity) next(column[row]);
    next(columns.average[row]);
    if (options.dump) {
      for (const auto* values : {&columns.averages, &columns.states, &columns.equities}) {
        for (std::size_t a = 0; a < kAverages; ++a) next((*values)[a * all + row]);
      }
    }
    for (const auto& extra : options.extras) {
      text += ',';
      append_extra(text, extra, bars, begin + row, columns, row);
    }
    text += '\n';
  }
  return text;
}

std::string check_bars(const ComputeOptions& options, const CsvBars& bars, std::size_t begin) {
  if (bars.closes.empty()) return "there are no bars, but at least one is needed";
  std::string refusal = check_values(bars, begin, options.parameters.dialect);
  const bool wants_time =
      std::find(options.extras.begin(), options.extras.end(), "time") != options.extras.end();
  if (refusal.empty() && wants_time && bars.open_ms.empty())
    refusal = "--extra time needs a column open_ms, which the header does not have";
  const bool live = options.live_anchors.has_value();
  if (refusal.empty() && live) refusal = check_times(bars, begin, options.live_anchors->interval);
  // The newest bar first would give a signal too.
  if (refusal.empty() && !live && !bars.open_ms.empty()) refusal = check_order_of_times(bars, begin);
  return refusal;
}

std::string compute_batch_of(const ComputeOptions& options, const engine::Plan& plan,
                             const engine::BatchInput& input, const engine::BatchOutput& output) {
  if (options.path != "cuda") return compute_batch(plan, input, output, kernel_of(options.path));
  std::string refusal = check_batch(plan, input);  // the planner's would name the series too
  if (!refusal.empty()) return refusal;
  const gpu::Outcome outcome = options.planner->compute(plan, {&input, 1}, {&output, 1}, {});
  return outcome.done() ? "" : "--path cuda: " + outcome.sentence;
}

std::string compute_whole(const ComputeOptions& options, const engine::Plan& plan, const CsvBars& bars,
                          const WriteText& write) {
  Columns columns(bars.size(), options.dump);
  const engine::BatchInput input{bars.closes, bars.sources};
  const engine::BatchOutput output = output_of(columns);
  std::string refusal = compute_batch_of(options, plan, input, output);
  if (!refusal.empty()) return refusal;
  bool taken = write(header_of(options));
  for (std::size_t row = 0; taken && row < bars.size(); row += kPieceBars) {
    taken = write(rows_of(options, bars, 0, columns, row, std::min(kPieceBars, bars.size() - row)));
  }
  return {};
}

std::unique_ptr<BarByBar> bar_by_bar(const ComputeOptions& options,
                                     const std::shared_ptr<const engine::Plan>& plan) {
  if (!options.live_anchors) return std::make_unique<FromFirstBar>(plan, kernel_of(options.path));
  return std::make_unique<FromAnchors>(*options.live_anchors, plan, kernel_of(options.path));
}

}  // namespace

std::string compute_csv(const ComputeOptions& options, const ReadBars& read, const WriteText& write,
                        std::size_t whole_bars) {
  CsvBars bars;  // of which those from `begin` on are new
  std::string refusal = read(whole_bars + 1, bars);
  if (refusal.empty()) refusal = check_bars(options, bars, 0);
  if (!refusal.empty()) return refusal;
  const auto plan = std::make_shared<const engine::Plan>(options.parameters);
  bool ended = bars.size() <= whole_bars;
  if (!ended && options.path == "cuda") {
    return "there are more than " + std::to_string(whole_bars) +
           " bars, which is the most that --path cuda computes; other paths have no such limit";
  }
  if (ended && !options.live_anchors) {
    if (options.path != "incremental") return compute_whole(options, *plan, bars, write);
    refusal = engine::check_batch(*plan, {bars.closes, bars.sources});
    if (!refusal.empty()) return refusal;
  }
  const auto computer = bar_by_bar(options, plan);
  std::int64_t total = 0;
  if (!write(header_of(options))) return {};
  for (std::size_t begin = 0;;) {
    while (begin < bars.size()) {
      Columns columns(std::min(kPieceBars, bars.size() - begin), options.dump);
      const std::size_t rows = columns.average.size();
      computer->take(bars, begin, columns);
      if (!write(rows_of(options, bars, begin, columns, 0, rows))) return {};
      begin += rows;
      total += static_cast<std::int64_t>(rows);
    }
    if (ended) break;
    // The last bar stays: the next must come after it.
    bars.drop(std::min(computer->needed_from(bars), bars.size() - 1));
    begin = bars.size();
    refusal = read(kPieceBars, bars);
    if (refusal.empty()) refusal = check_bars(options, bars, begin);
    if (!refusal.empty()) return refusal;
    ended = bars.size() - begin < kPieceBars;
  }
  return options.live_anchors ? "" : engine::check_bars(*plan, total);
}

}  // namespace atcd::daemon
