#include "daemon/bulk.hpp"

#include <pthread.h>

#include <chrono>
#include <exception>
#include <map>
#include <string_view>
#include <utility>

#include "daemon/log.hpp"
#include "engine/batch.hpp"

namespace atcd::daemon {
namespace {

// From the first job to its batch: other workers' bars close at the same time, and what they ask for goes
// together.
constexpr std::chrono::milliseconds kGathering{10};

engine::BatchInput input_of(const ReplayJob& job) { return {job.closes, job.sources, job.close_times_ms}; }

}  // namespace

Bulk::Bulk(gpu::Planner& planner) : planner_(planner), thread_([this] { run(); }) {}

Bulk::~Bulk() {
  {
    const std::lock_guard held(lock_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

bool Bulk::ask(std::shared_ptr<ReplayJob> job) {
  const std::size_t bars = job->closes.size();
  const std::lock_guard held(lock_);
  // One that is larger than all that may be there is taken where it is alone.
  if (bars_ > 0 && bars_ + bars > kMostBars) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  waiting_.push_back(std::move(job));
  bars_ += bars;
  return true;
}

void Bulk::wake() {
  {
    const std::lock_guard held(lock_);
    if (waiting_.empty()) return;
  }
  wake_.notify_one();
}

Bulk::Counters Bulk::counters() const { return {computed_.load(), taken_up_.load(), refused_.load()}; }

void Bulk::run() {
  pthread_setname_np(pthread_self(), "bulk");
  std::vector<std::shared_ptr<ReplayJob>> jobs;
  while (take(jobs)) {
    std::size_t bars = 0;
    for (const auto& job : jobs) bars += job->closes.size();
    compute(jobs);
    jobs.clear();
    const std::lock_guard held(lock_);
    bars_ -= bars;
  }
}

/// All that wait, once there are some. False: the end.
bool Bulk::take(std::vector<std::shared_ptr<ReplayJob>>& jobs) {
  std::unique_lock held(lock_);
  wake_.wait(held, [this] { return stopping_ || !waiting_.empty(); });
  wake_.wait_for(held, kGathering, [this] { return stopping_; });
  jobs.swap(waiting_);
  return !stopping_;
}

/// What fails is computed by who asked, as if nobody had been asked.
void Bulk::compute(std::span<const std::shared_ptr<ReplayJob>> jobs) {
  try {
    std::map<const engine::Plan*, std::vector<ReplayJob*>> by_plan;
    for (const auto& job : jobs) {
      // One that can't be computed must not spoil the others' batch.
      if (engine::check_batch(*job->plan, input_of(*job)).empty())
        by_plan[job->plan.get()].push_back(job.get());
    }
    const std::lock_guard held(planner_lock_);
    for (const auto& [plan, together] : by_plan) compute_together(*plan, together);
  } catch (const std::exception& failure) {
    log_event(Level::warning, "bulk", {{"detail", std::string_view(failure.what())}});
  }
}

void Bulk::compute_together(const engine::Plan& plan, std::span<ReplayJob* const> jobs) {
  std::vector<engine::BatchInput> inputs;
  std::vector<engine::Incremental*> engines;
  for (ReplayJob* job : jobs) {
    inputs.push_back(input_of(*job));
    engines.push_back(&job->engine.emplace(job->plan));
  }
  const gpu::Outcome outcome = planner_.compute(plan, inputs, {}, engines);
  if (!outcome.done()) {
    log_event(Level::warning, "bulk", {{"detail", outcome.sentence}});
    return;
  }
  for (ReplayJob* job : jobs) {
    job->closes = {};
    job->sources = {};
    job->close_times_ms = {};
    job->done.store(true, std::memory_order_release);
  }
  computed_.fetch_add(jobs.size(), std::memory_order_relaxed);
}

}  // namespace atcd::daemon
