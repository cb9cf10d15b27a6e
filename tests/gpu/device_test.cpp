#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/dispatch.hpp"
#include "gpu/batch.hpp"
#include "gpu/planner.hpp"
#include "tests/engine/columns.hpp"
#include "tests/gpu/computers.hpp"

#if defined(ATCD_HAS_CUDA)
#include <cuda_runtime_api.h>
#endif

// What goes wrong with a device comes back as a value, and the next call finds it well again.

namespace atcd::gpu {
namespace {

using trials::Columns;
using trials::Trial;

struct OneSeries {
  explicit OneSeries(std::size_t bars)
      : trial{{}, trials::Maker(bars).prices(bars), {}},
        plan(trial.parameters),
        columns(bars),
        times(trials::close_times(bars)) {}

  Outcome compute(BatchComputer& computer) {
    const engine::BatchInput input{trial.closes, {}, times};
    const engine::BatchOutput output = columns.output();
    return computer.compute(plan, {&input, 1}, {&output, 1}, {});
  }
  std::string difference_from_cpu() const {
    const std::size_t bars = trial.closes.size();
    return difference(trials::by_batch(plan, trial, engine::best_kernel(), bars), columns, bars);
  }

  Trial trial;
  engine::Plan plan;
  Columns columns;
  std::vector<std::int64_t> times;
};

TEST(GpuDeviceTest, WithoutADeviceTheOutcomeSaysSo) {
  if (no_device_because().empty()) GTEST_SKIP() << "there is a device";
  OneSeries series(500);
  BatchComputer computer;
  const Outcome outcome = series.compute(computer);
  EXPECT_EQ(outcome.kind, Outcome::Kind::no_device) << outcome.sentence;
  EXPECT_NE(outcome.sentence, "");
}

TEST(GpuDeviceTest, RefusedInputIsNamedAsOnTheCpu) {
  const engine::Plan plan(engine::Parameters{});
  const std::vector<double> good(40, 100), few(20, 100);
  const std::vector<engine::BatchInput> inputs = {{good, {}, {}}, {few, {}, {}}};
  BatchComputer computer;
  const Outcome outcome = computer.compute(plan, inputs, {}, {});
  if (find_devices().compiled) {
    EXPECT_EQ(outcome.kind, Outcome::Kind::refused);
    EXPECT_EQ(outcome.sentence, "series 1: there are 20 bars, but the longest length outside KAMA needs 34");
  }
}

TEST(GpuDeviceTest, OfSeveralPlansTheFirstThatRefusesIsHeard) {
  engine::Parameters longer;
  longer.cutout = 50;
  const engine::Plan first(engine::Parameters{}), second(longer);
  const std::vector<const engine::Plan*> plans = {&first, &second};
  const std::vector<double> good(40, 100), few(20, 100);
  const std::vector<engine::BatchInput> inputs = {{good, {}, {}}, {few, {}, {}}};
  std::vector<engine::BatchOutput> outputs(plans.size() * inputs.size());
  BatchComputer computer;
  const Outcome outcome = computer.compute_variants(plans, inputs, outputs);
  if (find_devices().compiled) {
    EXPECT_EQ(outcome.kind, Outcome::Kind::refused);
    EXPECT_EQ(outcome.sentence, engine::compute_variants(plans, inputs, outputs, engine::best_kernel()));
  } else {
    EXPECT_EQ(outcome.kind, Outcome::Kind::no_device);
  }
}

TEST(GpuDeviceTest, AnInfiniteCloseIsRefused) {
  ATCD_SKIP_WITHOUT_DEVICE();
  const engine::Plan plan(engine::Parameters{});
  std::vector<double> good(40, 100), bad(40, 100);
  bad[7] = -1;
  const std::vector<engine::BatchInput> inputs = {{good, {}, {}}, {bad, {}, {}}};
  BatchComputer computer;
  const Outcome outcome = computer.compute(plan, inputs, {}, {});
  EXPECT_EQ(outcome.kind, Outcome::Kind::refused);
  EXPECT_EQ(outcome.sentence,
            "series 1: the close of bar 7 is -1, but must be finite and positive, or missing");
}

TEST(GpuDeviceTest, HoweverTheBatchIsSpreadTheBitsAreTheSame) {
  ATCD_SKIP_WITHOUT_DEVICE();
  constexpr std::size_t kSeries = 100;
  std::vector<OneSeries> series;
  for (std::size_t i = 0; i < kSeries; ++i) series.emplace_back(300 + i);
  std::vector<engine::BatchInput> inputs;
  std::vector<engine::BatchOutput> outputs;
  for (OneSeries& one : series) {
    inputs.push_back({one.trial.closes, {}, one.times});
    outputs.push_back(one.columns.output());
  }
  // All in one; a chunk for every series; the least and more than there is of everything.
  constexpr std::int64_t kAll = std::int64_t{1} << 30;
  for (const BatchOptions& options : {BatchOptions{1, 1, 1, kAll, kAll}, BatchOptions{1, 3, 1, 1, 1},
                                      BatchOptions{16, 1, 4, 1, 1}, BatchOptions{5, 2, 2, 1, kAll},
                                      BatchOptions{1'000, 4, 1'000, 1, kAll}, BatchOptions{0, 0, 0, 1, 1}}) {
    BatchComputer computer(options);
    for (int call = 0; call < 2; ++call) {
      for (OneSeries& one : series) one.columns.average.assign(one.times.size(), 0);
      ASSERT_EQ(computer.compute(series.front().plan, inputs, outputs, {}).sentence, "");
      std::size_t chunks = 0;
      for (const WorkerTimes& times : computer.times()) chunks += static_cast<std::size_t>(times.chunks);
      if (options.most_chunk_bytes == 1) {
        EXPECT_EQ(chunks, kSeries);
      }
      for (const OneSeries& one : series) ASSERT_EQ(one.difference_from_cpu(), "") << options.workers;
    }
  }
}

#if defined(ATCD_HAS_CUDA)
/// Takes what memory the device has left.
class Hoard {
 public:
  Hoard() {
    constexpr std::size_t kLeast = std::size_t{1} << 18;
    for (std::size_t bytes = std::size_t{1} << 38; bytes >= kLeast; bytes /= 2) {
      void* block = nullptr;
      while (cudaMalloc(&block, bytes) == cudaSuccess) blocks_.push_back(block);
      cudaGetLastError();
    }
  }
  Hoard(const Hoard&) = delete;
  Hoard& operator=(const Hoard&) = delete;
  ~Hoard() {
    for (void* block : blocks_) cudaFree(block);
  }

 private:
  std::vector<void*> blocks_;
};

TEST(GpuDeviceTest, OutOfMemoryIsAnOutcomeAndTheNextCallIsWellAgain) {
  ATCD_SKIP_WITHOUT_DEVICE();
  OneSeries series(4'000);  // all columns: 5.6 MB
  BatchComputer computer;
  {
    const Hoard hoard;
    const Outcome outcome = series.compute(computer);
    EXPECT_EQ(outcome.kind, Outcome::Kind::out_of_memory) << outcome.sentence;
    EXPECT_NE(outcome.sentence, "");
    const std::vector<const engine::Plan*> plans(50, &series.plan);  // averages: 1.6 MB
    std::vector<double> averages(plans.size() * series.trial.closes.size());
    std::vector<engine::BatchOutput> outputs(plans.size());
    for (std::size_t v = 0; v < plans.size(); ++v) {
      outputs[v].average = std::span(averages).subspan(v * 4'000, 4'000);
    }
    const engine::BatchInput input{series.trial.closes, {}, {}};
    EXPECT_EQ(computer.compute_variants(plans, {&input, 1}, outputs).kind, Outcome::Kind::out_of_memory);
  }
  ASSERT_EQ(series.compute(computer).sentence, "");
  EXPECT_EQ(series.difference_from_cpu(), "");
}

/// The first CUDA device, and how its calls ended.
class WatchedDevice final : public BatchDevice {
 public:
  explicit WatchedDevice(std::vector<Outcome::Kind>& ends) : ends_(ends) {}
  Outcome start() override { return device_->start(); }
  Outcome compute(const engine::Plan& plan, std::span<const engine::BatchInput> inputs,
                  std::span<const engine::BatchOutput> outputs,
                  std::span<engine::Incremental* const> engines) override {
    Outcome outcome = device_->compute(plan, inputs, outputs, engines);
    ends_.push_back(outcome.kind);
    return outcome;
  }
  Outcome compute_variants(std::span<const engine::Plan* const> plans,
                           std::span<const engine::BatchInput> inputs,
                           std::span<const engine::BatchOutput> outputs) override {
    return device_->compute_variants(plans, inputs, outputs);
  }

 private:
  std::unique_ptr<BatchDevice> device_ = cuda_device();
  std::vector<Outcome::Kind>& ends_;
};

TEST(GpuDeviceTest, ThePlannerGoesOnWithTheProcessorWhileTheDeviceHasNoMemory) {
  ATCD_SKIP_WITHOUT_DEVICE();
  std::vector<Outcome::Kind> ends;
  std::vector<std::string> told;
  Planner::Options options;
  options.costs = Costs{{0, 0, 0}, {1, 0, 0}};  // the device is always worth it
  options.tell = [&told](std::string_view sentence) { told.emplace_back(sentence); };
  Planner planner(options, std::make_unique<WatchedDevice>(ends));
  ASSERT_EQ(planner.wait_for_device().sentence, "");
  const auto compute = [&planner] {
    OneSeries series(4'000);
    const engine::BatchInput input{series.trial.closes, {}, series.times};
    const engine::BatchOutput output = series.columns.output();
    EXPECT_EQ(planner.compute(series.plan, {&input, 1}, {&output, 1}, {}).sentence, "");
    EXPECT_EQ(series.difference_from_cpu(), "");
  };
  {
    const Hoard hoard;
    compute();
  }
  compute();  // goes past the device
  compute();
  EXPECT_EQ(ends, (std::vector{Outcome::Kind::out_of_memory, Outcome::Kind::done}));
  EXPECT_EQ(told.size(), 1U);
}

TEST(GpuDeviceTest, ThePlannerMeasuresTheDevice) {
  ATCD_SKIP_WITHOUT_DEVICE();
  Planner planner(Planner::Options{});
  ASSERT_EQ(planner.wait_for_device().sentence, "");
  ASSERT_TRUE(planner.costs());
  EXPECT_GT(planner.costs()->device.step_ns, 0);
  EXPECT_GT(planner.costs()->device.bar_ns, 0);
}
#endif

}  // namespace
}  // namespace atcd::gpu
