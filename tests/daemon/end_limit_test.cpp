#include "daemon/end_limit.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <semaphore>
#include <thread>

#include "daemon/bulk.hpp"

namespace atcd::daemon {
namespace {

/// Its driver never comes back.
class HangingDevice final : public gpu::BatchDevice {
 public:
  explicit HangingDevice(std::atomic<bool>& hangs) : hangs_(hangs) {}
  gpu::Outcome start() override { return {}; }
  gpu::Outcome compute(const engine::Plan&, std::span<const engine::BatchInput>,
                       std::span<const engine::BatchOutput>, std::span<engine::Incremental* const>) override {
    hangs_ = true;
    never_.acquire();
    return {};
  }
  gpu::Outcome compute_variants(std::span<const engine::Plan* const>, std::span<const engine::BatchInput>,
                                std::span<const engine::BatchOutput>) override {
    return {};
  }

 private:
  std::atomic<bool>& hangs_;
  std::binary_semaphore never_{0};
};

void end_while_the_driver_hangs() {
  std::atomic<bool> hangs = false;
  gpu::Planner::Options options;
  options.choice = gpu::Choice::device;
  gpu::Planner planner(options, std::make_unique<HangingDevice>(hangs));
  Bulk bulk(planner);
  const EndLimit limit(std::chrono::milliseconds(10));
  auto job = std::make_shared<ReplayJob>();
  job->plan = std::make_shared<const engine::Plan>(engine::Parameters{});
  for (std::int64_t i = 0; i < 100; ++i) {
    job->closes.push_back(100);
    job->close_times_ms.push_back(60'000 * i);
  }
  bulk.ask(job);
  bulk.wake();
  while (!hangs) std::this_thread::yield();
}

TEST(EndLimitDeathTest, ADriverThatHangsDoesNotKeepTheProcess) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(end_while_the_driver_hangs(), testing::ExitedWithCode(EXIT_SUCCESS), "");
}

}  // namespace
}  // namespace atcd::daemon
