#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "daemon/replay_job.hpp"
#include "engine/anchor.hpp"
#include "engine/bar.hpp"
#include "engine/incremental.hpp"
#include "engine/interval.hpp"
#include "engine/signal.hpp"
#include "state/history.hpp"

namespace atcd::daemon {

/// The signal of one bar and the bar 0 that it was computed from.
struct AnchoredSignal {
  engine::Signal signal;
  std::int64_t anchor_ms = 0;  // open time of bar 0
};

/// Equal to the last bit, undefined values included.
bool same_bits(const AnchoredSignal& a, const AnchoredSignal& b);

/// The closed bars of a series as one profile sees them: every slot from covered_from on has its bar here or
/// has none at the exchange.
struct BarHistory {
  std::span<const engine::Bar> bars;
  std::int64_t covered_from = 0;  // ordinal
  /// Other tellings of some of them, for segments that begin later than they came.
  std::span<const state::LateBar> late{};
};

/// The bar as a segment sees it: with what the exchange told of it before the segment began.
const engine::Bar& bar_for(const engine::Segment& segment, const engine::Interval& interval,
                           const BarHistory& history, std::size_t index);

/// The signals of one series under one profile, each computed from the anchor of its own bar (design, section
/// 3): a pure function of the bars, whatever order it is asked in. Holds the running engine, and the next
/// segment's engine once its first bar is near. One thread.
class SignalSeries {
 public:
  class Replay;

  SignalSeries(std::shared_ptr<const engine::Plan> plan, const engine::AnchorRule& rule,
               const engine::Interval& interval, std::string_view series_name);

  /// The slot that bar 0 of the bar with this ordinal lies at or after; empty before a fixed anchor.
  std::optional<std::int64_t> anchor_slot(std::int64_t ordinal) const;

  /// The signal of the newest bar. Empty where there is none to publish: history does not reach the anchor,
  /// or fewer bars exist since bar 0 than the indicator accepts. Fixed work, no allocation, except where a
  /// segment begins without having been prepared.
  std::optional<AnchoredSignal> newest(const BarHistory& history);
  /// newest() would have to take so many bars that whatever else is ready should not wait for it: a
  /// walk_to() that comes to the newest bar, and take_over(), do it in pieces.
  bool long_way(const BarHistory& history) const;
  static constexpr std::size_t kLongWay = 4096;  // bars: more than the usual anchors have
  /// The newest bar's content changed: the signal anew. Empty also where that is a long way.
  std::optional<AnchoredSignal> corrected(const BarHistory& history);
  /// An older bar's content changed: everything is computed anew when it is next asked for.
  void forget();
  /// A telling of a bar came that holds from the next segment on: its engine is built anew.
  void forget_next();
  /// Off the hot path, after newest(): prepares the next step and, near its first bar, the next segment. The
  /// bars of that are replayed on another thread where there is one and it answers in time, else here: the
  /// same bits.
  void prepare(const BarHistory& history, Replays* elsewhere = nullptr);
  /// The signal that a forming bar would give if it closed now; the committed state is untouched.
  std::optional<AnchoredSignal> preview(const BarHistory& history, const engine::Bar& forming);

  /// The signal of this bar, where it is the last that the running engine took.
  std::optional<AnchoredSignal> held(const engine::Bar& bar) const;
  /// Brings the running engine to the newest bar.
  void catch_up(const BarHistory& history);
  /// What an engine must have taken for the newest bar to be the next. Null: history does not reach the
  /// anchor, or there is hardly anything to take.
  std::shared_ptr<ReplayJob> replay_to_newest(const BarHistory& history) const;
  /// Goes on from a job of replay_to_newest(), of the same history, to the newest bar. False, and nothing
  /// changed, where the job was not done.
  bool go_on_from(ReplayJob& job, const BarHistory& history);

  /// A walk that has bars[index] near before it. Empty where it is a long way from bar 0: a piece of it was
  /// gone, and this is to be called again behind whatever else is ready. What was gone is kept.
  std::optional<Replay> walk_to(const BarHistory& history, std::size_t index);
  /// Goes on from a walk that has come to the newest bar. False, and nothing changed, where it has not, or
  /// the running engine stands there already.
  bool take_over(Replay& walked, const BarHistory& history);

  /// What the running engine would need to go on after a restart.
  struct Saved {
    std::int64_t anchor_ordinal = 0;
    std::int64_t anchor_ms = 0;
    std::int64_t last_open_ms = 0;
    std::span<const std::byte> engine;
  };
  /// Appends the engine's state to `engine`. Empty where no bar was taken.
  std::optional<Saved> save(std::vector<std::byte>& engine) const;
  /// Goes on from what save() gave under the same plan; `history` holds the last bar that it took, and those
  /// after it are taken. Empty when all is well, else the reason and nothing changed.
  std::string_view restore(const Saved& saved, std::span<const engine::Bar> history);

  /// Too few bars exist since bar 0 for the newest bar to be published.
  bool warming(const BarHistory& history) const;

  /// Walks over past bars in order, apart from the running engine.
  class Replay {
   public:
    explicit Replay(const SignalSeries& series);
    Replay(Replay&& other) noexcept;
    ~Replay();
    /// The signal of bars[index].
    std::optional<AnchoredSignal> at(const BarHistory& history, std::size_t index);
    /// What is behind the signal of the last at().
    engine::Incremental::Inner inner() const;
    /// What at() of that bar, called just before, would have given had the bar been `other`.
    std::optional<AnchoredSignal> instead(const engine::Bar& bar, const engine::Bar& other);

   private:
    friend class SignalSeries;
    struct Run;
    const SignalSeries& series_;
    std::unique_ptr<Run> run_;
  };

  ~SignalSeries();
  SignalSeries(const SignalSeries&) = delete;
  SignalSeries& operator=(const SignalSeries&) = delete;

 private:
  using Run = Replay::Run;

  std::optional<engine::Segment> segment(std::int64_t ordinal) const;
  std::size_t first_bar(const BarHistory& history, const engine::Segment& segment) const;
  std::size_t first_to_take(const Run& run, const engine::Segment& segment, const BarHistory& history,
                            std::size_t index) const;
  bool at_end_of(const Run& run, const engine::Segment& segment, const BarHistory& history,
                 std::size_t index) const;
  /// Brings the run to bars[index], replaying from bar 0 where it is not just before it.
  std::optional<AnchoredSignal> advance(Run& run, const BarHistory& history, std::size_t index) const;
  void replay_before(Run& run, const engine::Segment& segment, const BarHistory& history,
                     std::size_t index) const;
  std::shared_ptr<ReplayJob> job_before(const engine::Segment& segment, const BarHistory& history,
                                        std::size_t index) const;
  std::unique_ptr<Run> run_of(ReplayJob& job) const;
  bool ask(const engine::Segment& coming, const BarHistory& history, Replays& elsewhere);
  std::unique_ptr<Run> answered(const BarHistory& history, Replays& elsewhere);
  void drop_next();

  std::shared_ptr<const engine::Plan> plan_;
  engine::AnchorRule rule_;
  engine::Interval interval_;
  std::int64_t phase_;
  std::unique_ptr<Run> current_;
  std::unique_ptr<Run> next_;
  std::unique_ptr<Run> walked_;  // what walk_to() has gone of a long way
  // For next_, on another thread. Whatever makes its bars others than those of history lets go of it.
  std::shared_ptr<ReplayJob> asked_;
};

}  // namespace atcd::daemon
