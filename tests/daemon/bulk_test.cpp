#include "daemon/bulk.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <thread>

#include "daemon/signal_series.hpp"

namespace atcd::daemon {
namespace {

const engine::Interval kMinute(1, engine::Interval::Unit::minute);
constexpr std::int64_t kFirstSlot = 28'000'000;

std::shared_ptr<const engine::Plan> plan_of(int length) {
  engine::Parameters parameters;
  parameters.lengths.fill(length);
  return std::make_shared<const engine::Plan>(parameters);
}

std::vector<engine::Bar> walk(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<engine::Bar> bars;
  double price = 100;
  for (std::size_t i = 0; i < count; ++i) {
    price *= 1 + (static_cast<double>(random() % 2001) - 1000) * 1e-5;
    const std::int64_t open_ms = kMinute.open_time_ms(kFirstSlot + static_cast<std::int64_t>(i));
    bars.push_back({open_ms, open_ms + 60'000, price, price, price, price, 1});
  }
  return bars;
}

std::shared_ptr<ReplayJob> job_of(const std::shared_ptr<const engine::Plan>& plan,
                                  std::span<const engine::Bar> bars) {
  auto job = std::make_shared<ReplayJob>();
  job->plan = plan;
  for (const engine::Bar& bar : bars) {
    job->closes.push_back(bar.close);
    job->close_times_ms.push_back(bar.close_time_ms);
  }
  return job;
}

bool stands_after(ReplayJob& job, std::span<const engine::Bar> bars) {
  engine::Incremental engine(job.plan);
  for (const engine::Bar& bar : bars) engine.update(bar);
  return same_bits({engine.last(), 0}, {job.engine->last(), 0}) &&
         same_bits({engine.update(bars[0]), 0}, {job.engine->update(bars[0]), 0});
}

void await(const ReplayJob& job) {
  while (!job.done.load(std::memory_order_acquire)) std::this_thread::yield();
}

TEST(Bulk, JobsOfSeveralPlansGiveTheEnginesOfTheirBars) {
  gpu::Planner planner({nullptr, 2});
  Bulk bulk(planner);
  const std::vector<std::shared_ptr<const engine::Plan>> plans = {plan_of(12), plan_of(20)};
  std::vector<std::vector<engine::Bar>> bars;
  std::vector<std::shared_ptr<ReplayJob>> now, later;
  for (std::uint32_t i = 0; i < 21; ++i) {
    bars.push_back(walk(60 + 9 * i, i));
    now.push_back(job_of(plans[i % 2], bars[i]));
    later.push_back(job_of(plans[i % 2], bars[i]));
    ASSERT_TRUE(bulk.ask(later[i]));
  }
  bulk.wake();
  bulk.compute(now);
  for (std::size_t i = 0; i < bars.size(); ++i) {
    ASSERT_TRUE(now[i]->done);
    EXPECT_TRUE(stands_after(*now[i], bars[i])) << i;
    await(*later[i]);
    EXPECT_TRUE(stands_after(*later[i], bars[i])) << i;
  }
}

TEST(Bulk, AJobThatCanNotBeComputedLeavesTheOthersOfItsBatchAlone) {
  gpu::Planner planner({nullptr, 1});
  Bulk bulk(planner);
  const auto plan = plan_of(12);
  const auto bars = walk(80, 3);
  const std::vector<std::shared_ptr<ReplayJob>> jobs = {job_of(plan, bars), job_of(plan, bars),
                                                        job_of(plan, std::span(bars).first(5))};
  jobs[0]->closes[7] = INFINITY;
  bulk.compute(jobs);
  EXPECT_FALSE(jobs[0]->done);
  ASSERT_TRUE(jobs[1]->done);
  EXPECT_TRUE(stands_after(*jobs[1], bars));
  EXPECT_FALSE(jobs[2]->done);
  EXPECT_EQ(bulk.counters().computed, 1U);
}

TEST(Bulk, EndsWhateverWaits) {
  const auto plan = plan_of(12);
  const auto bars = walk(300, 3);
  for (int round = 0; round < 20; ++round) {
    gpu::Planner planner({nullptr, 1});
    Bulk bulk(planner);
    for (int i = 0; i < round; ++i) ASSERT_TRUE(bulk.ask(job_of(plan, bars)));
    if (round % 2 == 0) bulk.wake();
  }
}

/// Sees to it that some answers are there at once and others when they come.
class Watched final : public Replays {
 public:
  explicit Watched(Bulk& bulk) : bulk_(bulk) {}
  bool ask(std::shared_ptr<ReplayJob> job) override {
    if (!bulk_.ask(job)) return false;
    bulk_.wake();
    last = std::move(job);
    return true;
  }
  void taken_up() override { bulk_.taken_up(); }
  std::shared_ptr<ReplayJob> last;

 private:
  Bulk& bulk_;
};

TEST(Bulk, WorkersThatAskItGetTheSignalsOfThoseThatDoNot) {
  gpu::Planner planner({nullptr, 2});
  Bulk bulk(planner);
  const auto plan = plan_of(12);
  const engine::AnchorRule rule{60, 40, {}};
  const auto work = [&](std::uint32_t worker) {
    Watched watched(bulk);
    for (std::uint32_t each = 0; each < 6; ++each) {
      const auto bars = walk(400, 10 * worker + each);
      const std::string name = "series " + std::to_string(10 * worker + each);
      SignalSeries with(plan, rule, kMinute, name), without(plan, rule, kMinute, name);
      for (std::size_t i = 120; i < bars.size(); ++i) {
        const BarHistory known{std::span(bars).first(i + 1), kFirstSlot};
        const auto one = with.newest(known), other = without.newest(known);
        ASSERT_TRUE(one && other && same_bits(*one, *other)) << name << " " << i;
        if (i % 50 == 0) with.forget_next();
        with.prepare(known, &watched);
        without.prepare(known);
        if (i % 3 == 0 && watched.last) await(*watched.last);
      }
    }
  };
  std::vector<std::thread> others;
  for (std::uint32_t worker = 1; worker < 3; ++worker) others.emplace_back(work, worker);
  work(0);
  for (std::thread& each : others) each.join();
  EXPECT_GT(bulk.counters().taken_up, 18U);
  EXPECT_GE(bulk.counters().computed, bulk.counters().taken_up);
  EXPECT_EQ(bulk.counters().refused, 0U);
}

}  // namespace
}  // namespace atcd::daemon
