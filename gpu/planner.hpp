#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>

#include "engine/batch.hpp"
#include "engine/kernel.hpp"
#include "gpu/batch.hpp"
#include "gpu/batch_device.hpp"
#include "gpu/costs.hpp"

namespace atcd::gpu {

/// Who computes.
enum class Choice : std::uint8_t {
  automatic,  // the device what it computes faster, as measured; never fails because of it
  processor,  // the device is left alone
  device,     // all of it; where the device fails the outcome says so
};

/// Has batches computed where that is fastest: by the engine's kernel on some threads, or by a CUDA device
/// where there is one. The same bits either way.
///
/// The device starts on a thread of the planner's own, which ends with it; until it is ready, and its costs
/// and the processor's are measured (some ten milliseconds of both, once), all batches go to the processor.
/// What goes wrong with a device is told once. That batch, all of it, is computed by the processor. A device
/// that does not start, or is lost, is not tried again; one without enough memory is, after 1 batch that it
/// would have had, then after 2, 4 and so on up to 64, until one succeeds.
///
/// One call at a time, of any thread; calls never throw, the constructor may.
class Planner {
 public:
  struct Options {
    const engine::Kernel* kernel = nullptr;  // null: the fastest of this processor
    unsigned threads = 1;                    // for the engine's way, the caller's among them
    Choice choice = Choice::automatic;
    // Told why the device is not used, in a sentence: at most once that it can't be used any more and at most
    // once that it had not enough memory. On the thread of a call or the planner's own, never on two at once;
    // must not throw. With Choice::device the outcomes say it instead.
    std::function<void(std::string_view sentence)> tell{};
    std::optional<Costs> costs{};  // measured where they are not given
  };
  /// With the first CUDA device.
  explicit Planner(const Options& options);
  Planner(const Options& options, std::unique_ptr<BatchDevice> device);
  /// Waits for a device that is starting.
  ~Planner();
  Planner(const Planner&) = delete;
  Planner& operator=(const Planner&) = delete;

  /// As engine::compute_batches, but unless it is done what was written is unspecified. The engines must not
  /// have taken any bars. With Choice::device all outcomes are possible, else done, refused, and out of
  /// memory or failed because of the host.
  Outcome compute(const engine::Plan& plan, std::span<const engine::BatchInput> inputs,
                  std::span<const engine::BatchOutput> outputs,
                  std::span<engine::Incremental* const> engines);

  /// As engine::compute_variants; otherwise as compute(). Each plan's series count for where they go.
  Outcome compute_variants(std::span<const engine::Plan* const> plans,
                           std::span<const engine::BatchInput> inputs,
                           std::span<const engine::BatchOutput> outputs);

  /// Waits until the device has started: done, or why it can't be used (any more).
  Outcome wait_for_device();
  /// Where the device's share of the work begins; empty while that is not known.
  std::optional<Costs> costs() const;

 private:
  enum class State : std::uint8_t { starting, ready, gone };

  void start_device();
  void lose(Outcome outcome, const char* consequence);
  void tell(const std::string& sentence) const;
  bool goes_to_device(const BatchSize& size);
  /// Empty: the processor must compute it.
  std::optional<Outcome> by_device(const BatchSize& size, const std::function<Outcome()>& compute);

  Options options_;
  const engine::Kernel& kernel_;
  std::unique_ptr<BatchDevice> device_;
  // What start_device() writes of the following is read once the state says ready or gone.
  std::atomic<State> state_ = State::starting;
  Outcome lost_;  // why it is gone
  bool told_memory_ = false;
  unsigned batches_to_skip_ = 0, skip_after_failure_ = 1;  // after one that found not enough memory
  std::thread starter_;
};

}  // namespace atcd::gpu
