#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/anchor.hpp"
#include "engine/incremental.hpp"
#include "engine/plan.hpp"

namespace atcd::daemon {

/// The bars of one segment from bar 0 on, as it sees them, and the engine that has taken them: built on
/// another thread than the one that asks. Who asks may let go of it at any time, before the answer or after
/// it: so an answer that does not hold any more is never looked at. Threads meet in `done` alone.
struct ReplayJob {
  // The question: the asker's until it asks, then not changed but by whoever answers.
  std::shared_ptr<const engine::Plan> plan;
  engine::Segment segment{};
  std::int64_t anchor_ms = 0;     // open time of bar 0
  std::int64_t last_open_ms = 0;  // of the last bar
  std::vector<double> closes;     // at least Plan::minimum_bars()
  std::vector<double> sources;    // MA source, as many; empty: the closes
  std::vector<std::int64_t> close_times_ms;

  // The answer: the asker's once `done` says so, which it may never do.
  std::optional<engine::Incremental> engine;  // stands after the last bar
  std::atomic<bool> done{false};
};

/// Answers jobs on another thread. Any thread may ask.
class Replays {
 public:
  /// Never waits. False, and nothing happens, where too much is under way.
  virtual bool ask(std::shared_ptr<ReplayJob> job) = 0;
  /// An answer was taken up: for the counters.
  virtual void taken_up() = 0;

 protected:
  ~Replays() = default;
};

}  // namespace atcd::daemon
