#include "daemon/sweep_series.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "daemon/signal_series.hpp"

namespace atcd::daemon {
namespace {

constexpr double kYearMs = 365.25 * 86'400'000;

std::size_t first_from(const std::vector<engine::Bar>& bars, std::int64_t open_ms) {
  const auto found =
      std::lower_bound(bars.begin(), bars.end(), open_ms,
                       [](const engine::Bar& bar, std::int64_t ms) { return bar.open_time_ms < ms; });
  return static_cast<std::size_t>(found - bars.begin());
}

template <class Value>
std::span<const Value> part(const std::vector<Value>& values, std::size_t begin, std::size_t end) {
  return values.empty() ? std::span<const Value>() : std::span(values).subspan(begin, end - begin);
}

/// Not FNV-1a, which takes a byte at a time. Each word is taken by a step that can be undone, so that one
/// changed word always changes the result.
class Digest {
 public:
  void add(std::uint64_t word) { value_ = std::rotl(value_ ^ word, 29) * 0x9e3779b97f4a7c15ULL; }
  void add(const std::vector<double>& values) {
    add(values.size());
    for (const double value : values) add(std::bit_cast<std::uint64_t>(value));
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 1;
};

}  // namespace

SweepSeries::SweepSeries(const WholeSeries& whole, const ScanSeries& series,
                         const std::optional<engine::AnchorRule>& rule, const SweepRange& range,
                         std::string& refusal) {
  const std::size_t from = first_from(whole.bars, range.from_ms), end = first_from(whole.bars, range.to_ms);
  for (std::size_t i = 0; i < end; ++i) {
    open_ms_.push_back(whole.bars[i].open_time_ms);
    closes_.push_back(whole.bars[i].close);
    if (whole.opens_known) opens_.push_back(whole.bars[i].open);
    if (!whole.sources.empty()) sources_.push_back(whole.sources[i]);
  }
  if (rule) {
    find_runs(whole, series, *rule, from, end);
  } else if (from < end) {
    add({0, from, end, {}}, false);
  }
  if (!runs_.empty()) drop_unused();
  if (whole.bars.empty()) {
    refusal = "there are no bars";
  } else if (from >= end) {
    refusal = "it has no bars in this time";
  } else if (runs_.empty()) {
    refusal =
        "it has no bar in this time whose anchor its bars reach back to: live publishes nothing of them";
  } else if (bars() < 2) {
    refusal = "it has one bar only in this time, but at least two are needed";
  } else if (bars() == stretches_.size()) {
    refusal =
        "it has no two bars in this time that follow one another and whose anchor its bars reach back to, "
        "but at least two are needed";
  }
}

void SweepSeries::find_runs(const WholeSeries& whole, const ScanSeries& series,
                            const engine::AnchorRule& rule, std::size_t from, std::size_t end) {
  const engine::Interval& interval = *series.interval;
  const std::int64_t phase = engine::anchor_phase(series.name, rule.anchor_period);
  for (std::size_t p = 0; p < whole.parts.size(); ++p) {
    const WholeSeries::Part& part = whole.parts[p];
    const std::size_t part_end = std::min(p + 1 < whole.parts.size() ? whole.parts[p + 1].begin : end, end);
    // As a daemon that holds these bars sees them.
    const BarHistory known{std::span(whole.bars).first(part_end), interval.ordinal(part.covered_from_ms),
                           whole.late};
    bool follows = false;  // the run before, without a hole between
    for (std::size_t i = part.begin; i < part_end;) {
      const auto segment =
          *engine::segment_of(rule, interval, phase, interval.ordinal(whole.bars[i].open_time_ms));
      Run run;
      run.first = std::max(i, from);
      run.end = std::min(first_from(whole.bars, interval.open_time_ms(segment.end_ordinal)), part_end);
      i = run.end;
      // Where the bars reach back to the listing there are none before.
      const bool reached =
          known.covered_from <= segment.anchor_ordinal || part.covered_from_ms <= whole.listed_ms;
      if (!reached || run.first >= run.end) continue;
      const std::int64_t anchor_ms = interval.open_time_ms(segment.anchor_ordinal);
      run.anchor = std::max(first_from(whole.bars, anchor_ms), part.begin);
      if (!whole.late.empty()) {
        for (std::size_t k = run.anchor; k < run.end; ++k)
          run.other_closes.push_back(bar_for(segment, interval, known, k).close);
        // Tellings that came too late for this run are nothing to it: the digest must not change with them.
        const auto stored = closes_.begin() + static_cast<std::ptrdiff_t>(run.anchor);
        if (std::equal(run.other_closes.begin(), run.other_closes.end(), stored)) run.other_closes = {};
      }
      add(std::move(run), std::exchange(follows, true));
    }
  }
}

void SweepSeries::add(Run run, bool follows) {
  if (follows && stretches_.back().end == run.first) {
    stretches_.back().end = run.end;
  } else {
    stretches_.push_back({run.first, run.end});
  }
  runs_.push_back(std::move(run));
}

void SweepSeries::drop_unused() {
  std::size_t used = runs_.front().anchor;
  for (const Run& run : runs_) used = std::min(used, run.anchor);
  const auto drop = [used, end = runs_.back().end](auto& values) {
    if (values.empty()) return;
    values.resize(end);
    values.erase(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(used));
  };
  drop(open_ms_);
  drop(opens_);
  drop(closes_);
  drop(sources_);
  for (Run& run : runs_) {
    run.anchor -= used;
    run.first -= used;
    run.end -= used;
  }
  for (Stretch& stretch : stretches_) {
    stretch.begin -= used + runs_.front().first;
    stretch.end -= used + runs_.front().first;
  }
  first_ = runs_.front().first;
}

std::size_t SweepSeries::bars() const {
  std::size_t bars = 0;
  for (const Stretch& stretch : stretches_) bars += stretch.end - stretch.begin;
  return bars;
}

engine::BatchInput SweepSeries::input(const Run& run) const {
  const bool other = !run.other_closes.empty();
  return {other ? std::span<const double>(run.other_closes) : part(closes_, run.anchor, run.end),
          part(sources_, run.anchor, run.end)};
}

EvaluatedBars SweepSeries::evaluated() const {
  std::int64_t span_ms = 0;
  for (const Stretch& stretch : stretches_)
    span_ms += open_ms_[first_ + stretch.end - 1] - open_ms_[first_ + stretch.begin];
  const auto returns = static_cast<double>(bars() - stretches_.size());
  return {part(opens_, first_, closes_.size()), part(closes_, first_, closes_.size()),
          returns * kYearMs / static_cast<double>(span_ms), stretches_};
}

std::uint64_t SweepSeries::digest() const {
  Digest digest;
  for (const std::int64_t open_ms : open_ms_) digest.add(static_cast<std::uint64_t>(open_ms));
  for (const auto* values : {&opens_, &closes_, &sources_}) digest.add(*values);
  for (const Run& run : runs_) {
    for (const std::size_t place : {run.anchor, run.first, run.end}) digest.add(place);
    digest.add(run.other_closes);
  }
  digest.add(first_);
  // Results kept of series with holes were others once; those of all other series still hold.
  for (std::size_t s = 1; s < stretches_.size(); ++s) digest.add(stretches_[s].begin);
  return digest.value();
}

}  // namespace atcd::daemon
