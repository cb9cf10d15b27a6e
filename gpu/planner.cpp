#include "gpu/planner.hpp"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <new>
#include <utility>
#include <vector>

#include "engine/dispatch.hpp"

namespace atcd::gpu {
namespace {

using engine::BatchInput;
using engine::BatchOutput;
using engine::Incremental;
using engine::Plan;

constexpr unsigned kMostBatchesSkipped = 64;
/// For the measurement: a batch that fills the device, and one that gives each lane of each thread a series.
constexpr std::size_t kDeviceTrialSeries = 1024;
constexpr std::size_t kLeastProcessorTrialSeries = 128;

Outcome outcome_of(std::string refusal) {
  return {refusal.empty() ? Outcome::Kind::done : Outcome::Kind::refused, std::move(refusal)};
}

/// What the host has not enough of is an outcome too.
template <class Work>
Outcome without_exceptions(Work work) noexcept {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return {Outcome::Kind::out_of_memory, "out of memory"};
  } catch (const std::exception& error) {
    return {Outcome::Kind::failed, error.what()};
  }
}

/// A device that failed may have brought some of them to their end already.
void begin_again(const Plan& plan, std::span<Incremental* const> engines) {
  if (engines.empty()) return;
  const Incremental fresh(std::shared_ptr<const Plan>(std::shared_ptr<void>(), &plan));
  std::vector<std::byte> saved(fresh.saved_bytes());
  fresh.save(saved);
  for (Incremental* const engine : engines) {
    if (engine != nullptr) engine->restore(saved);
  }
}

Outcome measure(BatchDevice& device, const engine::Kernel& kernel, unsigned threads, Costs& costs) {
  Outcome outcome = measure_cost(
      [&](const Plan& plan, std::span<const BatchInput> inputs, std::span<const BatchOutput> outputs) {
        return device.compute(plan, inputs, outputs, {});
      },
      kDeviceTrialSeries, costs.device);
  if (!outcome.done()) return outcome;
  const std::size_t lanes = std::size_t{threads} * static_cast<std::size_t>(kernel.lanes);
  return measure_cost(
      [&](const Plan& plan, std::span<const BatchInput> inputs, std::span<const BatchOutput> outputs) {
        return outcome_of(engine::compute_batches(plan, inputs, outputs, kernel, threads));
      },
      std::max(lanes, kLeastProcessorTrialSeries), costs.processor);
}

}  // namespace

Planner::Planner(const Options& options) : Planner(options, cuda_device()) {}

Planner::Planner(const Options& options, std::unique_ptr<BatchDevice> device)
    : options_(options),
      kernel_(options.kernel != nullptr ? *options.kernel : engine::best_kernel()),
      device_(std::move(device)) {
  if (options_.choice == Choice::processor) {
    lost_ = {Outcome::Kind::no_device, "the processor was asked for"};
    state_ = State::gone;
  } else {
    starter_ = std::thread([this] { start_device(); });
  }
}

Planner::~Planner() {
  if (starter_.joinable()) starter_.join();
}

void Planner::start_device() {
  const Outcome outcome = without_exceptions([this] {
    Outcome started = device_->start();
    if (!started.done() || options_.costs || options_.choice == Choice::device) return started;
    Costs measured;
    started = measure(*device_, kernel_, options_.threads, measured);
    if (started.done()) options_.costs = measured;
    return started;
  });
  if (outcome.done()) {
    state_ = State::ready;
  } else {
    lose(outcome, "the processor computes all batches");
  }
  state_.notify_all();
}

void Planner::lose(Outcome outcome, const char* consequence) {
  lost_ = std::move(outcome);
  if (options_.choice == Choice::automatic) {
    tell("no CUDA device is used: " + lost_.sentence + "; " + consequence);
  }
  state_ = State::gone;
}

void Planner::tell(const std::string& sentence) const {
  if (options_.tell) options_.tell(sentence);
}

Outcome Planner::wait_for_device() {
  state_.wait(State::starting);
  return state_ == State::ready ? Outcome{} : lost_;
}

std::optional<Costs> Planner::costs() const { return state_ == State::ready ? options_.costs : std::nullopt; }

bool Planner::goes_to_device(const BatchSize& size) {
  if (state_ != State::ready || !options_.costs->device_is_faster(size)) return false;
  if (batches_to_skip_ == 0) return true;
  --batches_to_skip_;
  return false;
}

std::optional<Outcome> Planner::by_device(const BatchSize& size, const std::function<Outcome()>& compute) {
  const bool forced = options_.choice == Choice::device;
  if (forced) {
    if (Outcome outcome = wait_for_device(); !outcome.done()) return outcome;
  } else if (!goes_to_device(size)) {
    return std::nullopt;
  }
  Outcome outcome = compute();
  switch (outcome.kind) {
    case Outcome::Kind::done:
      skip_after_failure_ = 1;
      return outcome;
    case Outcome::Kind::refused:
      return outcome;
    case Outcome::Kind::out_of_memory:
      batches_to_skip_ = skip_after_failure_;
      skip_after_failure_ = std::min(2 * skip_after_failure_, kMostBatchesSkipped);
      if (!forced && !std::exchange(told_memory_, true)) {
        tell("the CUDA device has not enough memory: " + outcome.sentence +
             "; the processor computes the batch, and the device is tried again later");
      }
      break;
    case Outcome::Kind::no_device:
    case Outcome::Kind::failed:
      lose(outcome, "the processor computes this batch again, and all after it");
      break;
  }
  if (forced) return outcome;
  return std::nullopt;
}

Outcome Planner::compute(const Plan& plan, std::span<const BatchInput> inputs,
                         std::span<const BatchOutput> outputs, std::span<Incremental* const> engines) {
  return without_exceptions([&] {
    bool tried = false;
    if (auto outcome = by_device(size_of(inputs), [&] {
          tried = true;
          return device_->compute(plan, inputs, outputs, engines);
        }))
      return *outcome;
    if (tried) begin_again(plan, engines);
    return outcome_of(engine::compute_batches(plan, inputs, outputs, kernel_, options_.threads, engines));
  });
}

Outcome Planner::compute_variants(std::span<const Plan* const> plans, std::span<const BatchInput> inputs,
                                  std::span<const BatchOutput> outputs) {
  return without_exceptions([&] {
    // Side by side, as if each plan had series of its own.
    BatchSize size = size_of(inputs);
    size.series *= plans.size();
    size.bars *= plans.size();
    if (auto outcome = by_device(size, [&] { return device_->compute_variants(plans, inputs, outputs); }))
      return *outcome;
    return outcome_of(engine::compute_variants(plans, inputs, outputs, kernel_, options_.threads));
  });
}

}  // namespace atcd::gpu
