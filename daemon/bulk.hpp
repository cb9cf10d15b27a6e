#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "daemon/replay_job.hpp"
#include "gpu/planner.hpp"

namespace atcd::daemon {

/// Replays for all workers: those of segments that are about to begin on a thread of its own, so that none
/// holds up a worker's bars; those of a start for the worker that asks, which has nothing else to do. What is
/// asked for while others are computed goes together as one batch.
class Bulk final : public Replays {
 public:
  struct Counters {
    std::uint64_t computed = 0;  // jobs
    std::uint64_t taken_up = 0;  // of these, by who asked; of the others something changed meanwhile
    std::uint64_t refused = 0;   // because too much was under way
  };

  /// The planner outlives this and is used by nobody else.
  explicit Bulk(gpu::Planner& planner);
  /// Ends the thread; what waits is not computed any more.
  ~Bulk();
  Bulk(const Bulk&) = delete;
  Bulk& operator=(const Bulk&) = delete;

  // From any thread.
  bool ask(std::shared_ptr<ReplayJob> job) override;
  /// Off the hot path: wakes the thread where it was asked. It may push aside who wakes it.
  void wake();
  void taken_up() override { taken_up_.fetch_add(1, std::memory_order_relaxed); }
  /// Computes them now, on the planner's threads; waits for it, and for what the planner does just then.
  /// Those that could not be computed are not done afterwards.
  void compute(std::span<const std::shared_ptr<ReplayJob>> jobs);
  Counters counters() const;

  /// Of the jobs that wait or are computed: 24 bytes each.
  static constexpr std::size_t kMostBars = std::size_t{1} << 20;

 private:
  void run();
  bool take(std::vector<std::shared_ptr<ReplayJob>>& jobs);
  void compute_together(const engine::Plan& plan, std::span<ReplayJob* const> jobs);

  gpu::Planner& planner_;
  std::mutex planner_lock_;  // held while it computes

  // Where the threads meet; held for no longer than a job takes to be put down or taken.
  std::mutex lock_;
  std::condition_variable wake_;
  std::vector<std::shared_ptr<ReplayJob>> waiting_;
  std::size_t bars_ = 0;  // of the jobs that wait or are computed
  bool stopping_ = false;

  std::atomic<std::uint64_t> computed_{0}, taken_up_{0}, refused_{0};
  std::thread thread_;  // last: it uses the rest
};

}  // namespace atcd::daemon
