#include "daemon/signal_series.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "engine/ma_source.hpp"
#include "engine/plan.hpp"

namespace atcd::daemon {
namespace {

// How many slots before a segment begins its engine is built: time enough on the shortest interval.
constexpr std::int64_t kPrepareAheadSlots = 32;
// So many are left when another thread is waited for no longer: some of them may have no bar.
constexpr std::int64_t kOwnSlots = 8;
// Bars of a long way that are taken in one go: a fraction of a millisecond.
constexpr std::size_t kPiece = 1024;

/// Index of the first bar that opens later.
std::size_t bar_after(std::span<const engine::Bar> bars, std::int64_t open_ms) {
  const auto at =
      std::upper_bound(bars.begin(), bars.end(), open_ms,
                       [](std::int64_t ms, const engine::Bar& bar) { return ms < bar.open_time_ms; });
  return static_cast<std::size_t>(at - bars.begin());
}

std::uint64_t bits(double value) {
  return std::isnan(value) ? ~std::uint64_t{0} : std::bit_cast<std::uint64_t>(value);  // NaN is NaN
}

}  // namespace

bool same_bits(const AnchoredSignal& a, const AnchoredSignal& b) {
  for (std::size_t family = 0; family < engine::kFamilies; ++family) {
    if (bits(a.signal.layer1[family]) != bits(b.signal.layer1[family])) return false;
    if (bits(a.signal.equity[family]) != bits(b.signal.equity[family])) return false;
  }
  return bits(a.signal.average) == bits(b.signal.average) && a.signal.bar_index == b.signal.bar_index &&
         a.signal.trend == b.signal.trend && a.signal.previous_trend == b.signal.previous_trend &&
         a.signal.trend_since_ms == b.signal.trend_since_ms && a.anchor_ms == b.anchor_ms;
}

const engine::Bar& bar_for(const engine::Segment& segment, const engine::Interval& interval,
                           const BarHistory& history, std::size_t index) {
  const engine::Bar* bar = &history.bars[index];
  for (const state::LateBar& late : history.late) {
    if (late.bar.open_time_ms == bar->open_time_ms &&
        interval.ordinal(late.after_ms) <= segment.first_ordinal) {
      bar = &late.bar;
    }
  }
  return *bar;
}

/// An engine that has taken the bars from one segment's bar 0 up to some bar.
struct SignalSeries::Replay::Run {
  explicit Run(const std::shared_ptr<const engine::Plan>& plan) : engine(plan) {}
  Run(const std::shared_ptr<const engine::Plan>& plan, const Run& other)
      : engine(plan), segment(other.segment), anchor_ms(other.anchor_ms), last_open_ms(other.last_open_ms) {
    std::vector<std::byte> state(other.engine.saved_bytes());
    other.engine.save(state);
    engine.restore(state);
  }

  engine::Incremental engine;
  std::optional<engine::Segment> segment;  // empty: nothing taken yet
  std::int64_t anchor_ms = 0;
  std::int64_t last_open_ms = 0;  // of the last bar taken
};

SignalSeries::Replay::Replay(const SignalSeries& series)
    : series_(series), run_(std::make_unique<Run>(series.plan_)) {}
SignalSeries::Replay::Replay(Replay&&) noexcept = default;
SignalSeries::Replay::~Replay() = default;

std::optional<AnchoredSignal> SignalSeries::Replay::at(const BarHistory& history, std::size_t index) {
  return series_.advance(*run_, history, index);
}

engine::Incremental::Inner SignalSeries::Replay::inner() const { return run_->engine.inner(); }

std::optional<AnchoredSignal> SignalSeries::Replay::instead(const engine::Bar& bar,
                                                            const engine::Bar& other) {
  Run& run = *run_;
  if (!run.segment || run.last_open_ms != bar.open_time_ms || !run.engine.step_back()) return std::nullopt;
  const engine::Signal signal = run.engine.update(other);
  const bool enough = run.engine.bars() >= series_.plan_->minimum_bars();
  run.engine.step_back();
  run.engine.update(bar);
  if (!enough) return std::nullopt;
  return AnchoredSignal{signal, run.anchor_ms};
}

SignalSeries::SignalSeries(std::shared_ptr<const engine::Plan> plan, const engine::AnchorRule& rule,
                           const engine::Interval& interval, std::string_view series_name)
    : plan_(std::move(plan)),
      rule_(rule),
      interval_(interval),
      phase_(engine::anchor_phase(series_name, rule.anchor_period)),
      current_(std::make_unique<Run>(plan_)) {}
SignalSeries::~SignalSeries() = default;

std::optional<engine::Segment> SignalSeries::segment(std::int64_t ordinal) const {
  return engine::segment_of(rule_, interval_, phase_, ordinal);
}

std::optional<std::int64_t> SignalSeries::anchor_slot(std::int64_t ordinal) const {
  const auto found = segment(ordinal);
  if (!found) return std::nullopt;
  return found->anchor_ordinal;
}

std::size_t SignalSeries::first_bar(const BarHistory& history, const engine::Segment& segment) const {
  const std::int64_t anchor_open_ms = interval_.open_time_ms(segment.anchor_ordinal);
  const auto at =
      std::lower_bound(history.bars.begin(), history.bars.end(), anchor_open_ms,
                       [](const engine::Bar& bar, std::int64_t ms) { return bar.open_time_ms < ms; });
  return static_cast<std::size_t>(at - history.bars.begin());
}

bool SignalSeries::at_end_of(const Run& run, const engine::Segment& segment, const BarHistory& history,
                             std::size_t index) const {
  return run.segment == segment && index > 0 && run.last_open_ms == history.bars[index - 1].open_time_ms;
}

void SignalSeries::replay_before(Run& run, const engine::Segment& segment, const BarHistory& history,
                                 std::size_t index) const {
  std::size_t first = bar_after(history.bars, run.last_open_ms);
  if (run.segment != segment || first > index) {
    first = first_bar(history, segment);
    run.engine = engine::Incremental(plan_);
    run.segment = segment;
    run.anchor_ms = history.bars[first].open_time_ms;
  }
  for (std::size_t i = first; i < index; ++i) {
    run.engine.update(bar_for(segment, interval_, history, i));
    run.last_open_ms = history.bars[i].open_time_ms;
  }
}

std::optional<AnchoredSignal> SignalSeries::advance(Run& run, const BarHistory& history,
                                                    std::size_t index) const {
  const engine::Bar& bar = history.bars[index];
  const auto wanted = segment(interval_.ordinal(bar.open_time_ms));
  if (!wanted) return std::nullopt;
  if (!at_end_of(run, *wanted, history, index)) {
    if (history.covered_from > wanted->anchor_ordinal) return std::nullopt;
    replay_before(run, *wanted, history, index);
  }
  const engine::Signal signal = run.engine.update(bar);
  run.last_open_ms = bar.open_time_ms;
  if (run.engine.bars() < plan_->minimum_bars()) return std::nullopt;
  return AnchoredSignal{signal, run.anchor_ms};
}

std::optional<AnchoredSignal> SignalSeries::newest(const BarHistory& history) {
  const std::size_t index = history.bars.size() - 1;
  if (next_) {
    const auto wanted = segment(interval_.ordinal(history.bars[index].open_time_ms));
    if (wanted && at_end_of(*next_, *wanted, history, index)) {
      std::swap(current_, next_);
      drop_next();
    }
  }
  return advance(*current_, history, index);
}

/// Index of the first bar that the run lacks to stand before bars[index].
std::size_t SignalSeries::first_to_take(const Run& run, const engine::Segment& segment,
                                        const BarHistory& history, std::size_t index) const {
  const std::size_t next = bar_after(history.bars, run.last_open_ms);
  return run.segment != segment || next > index ? first_bar(history, segment) : next;
}

bool SignalSeries::long_way(const BarHistory& history) const {
  const std::size_t index = history.bars.size() - 1;
  if (current_->segment && index > 0 && current_->last_open_ms == history.bars[index - 1].open_time_ms)
    return false;
  const auto wanted = segment(interval_.ordinal(history.bars[index].open_time_ms));
  if (!wanted || history.covered_from > wanted->anchor_ordinal) return false;
  return index - first_to_take(*current_, *wanted, history, index) > kLongWay;
}

std::optional<SignalSeries::Replay> SignalSeries::walk_to(const BarHistory& history, std::size_t index) {
  Replay replay(*this);
  const auto wanted = segment(interval_.ordinal(history.bars[index].open_time_ms));
  const bool reached = wanted && history.covered_from <= wanted->anchor_ordinal;
  if (!reached || index - first_bar(history, *wanted) <= kLongWay) return replay;
  if (!walked_) walked_ = std::make_unique<Run>(plan_);
  const std::size_t first = first_to_take(*walked_, *wanted, history, index);
  if (index - first > kPiece) {
    replay_before(*walked_, *wanted, history, first + kPiece);
    return std::nullopt;
  }
  replay.run_ = std::make_unique<Run>(plan_, *walked_);
  return replay;
}

std::optional<AnchoredSignal> SignalSeries::corrected(const BarHistory& history) {
  const std::size_t index = history.bars.size() - 1;
  drop_next();
  if (current_->segment && current_->last_open_ms == history.bars[index].open_time_ms && index > 0 &&
      current_->engine.step_back()) {
    current_->last_open_ms = history.bars[index - 1].open_time_ms;
  } else {
    current_->segment.reset();
    if (long_way(history)) return std::nullopt;
  }
  return advance(*current_, history, index);
}

void SignalSeries::forget() {
  current_->segment.reset();
  walked_.reset();
  drop_next();
}

void SignalSeries::forget_next() { drop_next(); }

void SignalSeries::drop_next() {
  next_.reset();
  asked_.reset();
}

void SignalSeries::prepare(const BarHistory& history, Replays* elsewhere) {
  current_->engine.prepare();
  if (history.bars.empty()) return;
  const std::int64_t ordinal = interval_.ordinal(history.bars.back().open_time_ms);
  const auto present = segment(ordinal);
  if (asked_ && asked_->segment.first_ordinal <= ordinal) asked_.reset();  // it has begun without it
  if (!present || rule_.fixed_anchor_ms || present->end_ordinal - ordinal > kPrepareAheadSlots) return;
  const auto coming = segment(present->end_ordinal);
  if (history.covered_from > coming->anchor_ordinal || first_bar(history, *coming) == history.bars.size())
    return;
  if (next_ && next_->segment != coming) next_.reset();
  if (!next_ && elsewhere != nullptr) {
    next_ = answered(history, *elsewhere);
    const bool time_left = present->end_ordinal - ordinal > kOwnSlots;
    if (!next_ && time_left && (asked_ || ask(*coming, history, *elsewhere))) return;
  }
  asked_.reset();
  if (!next_) next_ = std::make_unique<Run>(plan_);
  replay_before(*next_, *coming, history, history.bars.size());
  next_->engine.prepare();
}

bool SignalSeries::ask(const engine::Segment& coming, const BarHistory& history, Replays& elsewhere) {
  auto job = job_before(coming, history, history.bars.size());
  if (!job || !elsewhere.ask(job)) return false;
  asked_ = std::move(job);
  return true;
}

/// The engine that was asked for. Null: nobody was asked, or it is not there yet.
std::unique_ptr<SignalSeries::Run> SignalSeries::answered(const BarHistory& history, Replays& elsewhere) {
  if (!asked_ || !asked_->done.load(std::memory_order_acquire)) return nullptr;
  const auto job = std::exchange(asked_, nullptr);
  const std::size_t after = bar_after(history.bars, job->last_open_ms);
  if (after == 0 || history.bars[after - 1].open_time_ms != job->last_open_ms) return nullptr;
  elsewhere.taken_up();
  return run_of(*job);
}

/// The segment's bars up to bars[index], without it. Null where they are so few that the batch refuses them.
std::shared_ptr<ReplayJob> SignalSeries::job_before(const engine::Segment& segment, const BarHistory& history,
                                                    std::size_t index) const {
  const std::size_t first = first_bar(history, segment);
  if (static_cast<std::int64_t>(index) - static_cast<std::int64_t>(first) < plan_->minimum_bars())
    return nullptr;
  auto job = std::make_shared<ReplayJob>();
  job->plan = plan_;
  job->segment = segment;
  job->anchor_ms = history.bars[first].open_time_ms;
  job->last_open_ms = history.bars[index - 1].open_time_ms;
  const engine::MaSource source = plan_->parameters().ma_source;
  job->closes.reserve(index - first);
  job->close_times_ms.reserve(index - first);
  if (source != engine::MaSource::close) job->sources.reserve(index - first);
  for (std::size_t i = first; i < index; ++i) {
    const engine::Bar& bar = bar_for(segment, interval_, history, i);
    job->closes.push_back(bar.close);
    job->close_times_ms.push_back(bar.close_time_ms);
    if (source != engine::MaSource::close) job->sources.push_back(engine::ma_source_of(bar, source));
  }
  return job;
}

std::unique_ptr<SignalSeries::Run> SignalSeries::run_of(ReplayJob& job) const {
  auto run = std::make_unique<Run>(plan_);
  run->engine = std::move(*job.engine);
  run->segment = job.segment;
  run->anchor_ms = job.anchor_ms;
  run->last_open_ms = job.last_open_ms;
  return run;
}

std::shared_ptr<ReplayJob> SignalSeries::replay_to_newest(const BarHistory& history) const {
  if (history.bars.empty()) return nullptr;
  const auto wanted = segment(interval_.ordinal(history.bars.back().open_time_ms));
  if (!wanted || history.covered_from > wanted->anchor_ordinal) return nullptr;
  return job_before(*wanted, history, history.bars.size() - 1);
}

bool SignalSeries::go_on_from(ReplayJob& job, const BarHistory& history) {
  if (!job.done.load(std::memory_order_acquire)) return false;
  current_ = run_of(job);
  newest(history);
  return true;
}

bool SignalSeries::take_over(Replay& walked, const BarHistory& history) {
  const auto stands_at_newest = [&history](const Run& run) {
    return run.segment && run.last_open_ms == history.bars.back().open_time_ms;
  };
  if (!stands_at_newest(*walked.run_) || stands_at_newest(*current_)) return false;
  std::swap(current_, walked.run_);
  current_->engine.prepare();
  return true;
}

std::optional<AnchoredSignal> SignalSeries::preview(const BarHistory& history, const engine::Bar& forming) {
  const auto wanted = segment(interval_.ordinal(forming.open_time_ms));
  if (!wanted) return std::nullopt;
  Run* run = nullptr;
  if (at_end_of(*current_, *wanted, history, history.bars.size())) run = current_.get();
  if (next_ && at_end_of(*next_, *wanted, history, history.bars.size())) run = next_.get();
  if (run == nullptr || run->engine.bars() + 1 < plan_->minimum_bars()) return std::nullopt;
  return AnchoredSignal{run->engine.preview(forming), run->anchor_ms};
}

std::optional<AnchoredSignal> SignalSeries::held(const engine::Bar& bar) const {
  if (!current_->segment || current_->last_open_ms != bar.open_time_ms ||
      current_->engine.bars() < plan_->minimum_bars()) {
    return std::nullopt;
  }
  return AnchoredSignal{current_->engine.last(), current_->anchor_ms};
}

void SignalSeries::catch_up(const BarHistory& history) {
  if (history.bars.empty()) return;
  const bool at_newest = current_->segment && current_->last_open_ms == history.bars.back().open_time_ms &&
                         current_->segment == segment(interval_.ordinal(history.bars.back().open_time_ms));
  if (!at_newest) newest(history);
}

std::optional<SignalSeries::Saved> SignalSeries::save(std::vector<std::byte>& engine) const {
  if (!current_->segment || current_->engine.bars() == 0) return std::nullopt;
  const std::size_t begin = engine.size();
  engine.resize(begin + current_->engine.saved_bytes());
  current_->engine.save(std::span(engine).subspan(begin));
  return Saved{current_->segment->anchor_ordinal, current_->anchor_ms, current_->last_open_ms,
               std::span(engine).subspan(begin)};
}

std::string_view SignalSeries::restore(const Saved& saved, std::span<const engine::Bar> history) {
  const auto present = segment(interval_.ordinal(saved.last_open_ms));
  if (!present || present->anchor_ordinal != saved.anchor_ordinal) return "it has another anchor";
  auto run = std::make_unique<Run>(plan_);
  if (!run->engine.restore(saved.engine)) return "its engine's state is not one of this version";
  run->segment = present;
  run->anchor_ms = saved.anchor_ms;
  run->last_open_ms = saved.last_open_ms;
  for (std::size_t i = bar_after(history, saved.last_open_ms); i < history.size(); ++i) {
    if (segment(interval_.ordinal(history[i].open_time_ms)) != present) return "its segment has ended since";
    run->engine.update(history[i]);
    run->last_open_ms = history[i].open_time_ms;
  }
  current_ = std::move(run);
  return "";
}

bool SignalSeries::warming(const BarHistory& history) const {
  if (history.bars.empty()) return true;
  const auto present = segment(interval_.ordinal(history.bars.back().open_time_ms));
  if (!present) return true;
  const std::size_t first = first_bar(history, *present);
  return static_cast<std::int64_t>(history.bars.size() - first) < plan_->minimum_bars();
}

}  // namespace atcd::daemon
