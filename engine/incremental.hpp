#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "engine/bar.hpp"
#include "engine/parameters.hpp"
#include "engine/signal.hpp"

namespace atcd::engine {

class Plan;       // engine/plan.hpp: parameters compiled to constants, immutable, shared by many series
struct Kernel;    // engine/kernel.hpp: the definition compiled for one instruction set
struct Standing;  // engine/standing.hpp: where a series stands after a bar

/// One series, bar by bar: fixed work and no allocation per bar. One thread at a time.
/// The bits equal those of the batch functions over the same bars (tests/engine/paths_test.cpp).
class Incremental {
 public:
  explicit Incremental(std::shared_ptr<const Plan> plan);  // with the fastest kernel of this processor
  Incremental(std::shared_ptr<const Plan> plan, const Kernel& kernel);
  ~Incremental();
  Incremental(Incremental&&) noexcept;
  Incremental& operator=(Incremental&&) noexcept;

  /// Takes the next closed bar. Times are passed through to trend_since_ms and not interpreted.
  Signal update(const Bar& bar);
  /// As update, with the MA source given apart (offline use); NaN is a missing value.
  Signal update(double close, double ma_source, std::int64_t close_time_ms);
  /// Does now what the next update or preview can do without the newest price. Optional: they call it
  /// themselves when it was not called.
  void prepare();
  /// The signal of a forming bar; the committed state is untouched.
  Signal preview(const Bar& bar);
  /// Takes back the last update, once: false when there is none to take back.
  bool step_back();

  /// The signal of the last bar taken; meaningless before the first.
  Signal last() const;

  /// The form of saved states: another one can't be restored.
  static constexpr std::uint32_t kSavedVersion = 4;
  /// Of a saved state under this plan.
  std::size_t saved_bytes() const;
  /// All that the bars taken so far left, in saved_bytes() bytes: the same whichever path took them, but for
  /// which undefined value an undefined one is, and the same bits whichever kernel goes on from them. What
  /// step_back() needs is not among them.
  void save(std::span<std::byte> to) const;
  /// Goes on from a saved state of the same plan, byte order and kSavedVersion. False, and nothing changed,
  /// where the bytes can't be one.
  bool restore(std::span<const std::byte> saved);

  /// Goes on from where a batch of the same plan ended, computed elsewhere.
  void resume(const Standing& standing);

  /// Bars taken and not taken back.
  std::int64_t bars() const;
  const Plan& plan() const;

  /// The 54 averages of the last bar taken (by family and length), their crossing states and equities.
  struct Inner {
    std::array<double, kAverages> averages;
    std::array<double, kAverages> states;
    std::array<double, kAverages> equities;
  };
  /// Of the last update, when asked right after it: a preview or a step back leaves other averages here.
  Inner inner() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace atcd::engine
