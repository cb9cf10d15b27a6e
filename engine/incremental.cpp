#include "engine/incremental.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

#include "engine/dispatch.hpp"
#include "engine/kernel.hpp"
#include "engine/ma_source.hpp"
#include "engine/plan.hpp"
#include "engine/standing.hpp"

namespace atcd::engine {
namespace {

constexpr std::align_val_t kLine{64};
constexpr std::int64_t kMostSavedBars = std::int64_t{1} << 40;

struct FreeLines {
  void operator()(double* values) const { ::operator delete(values, kLine); }
};
using Values = std::unique_ptr<double[], FreeLines>;

Values allocate(std::int64_t count) {
  return Values(
      static_cast<double*>(::operator new(static_cast<std::size_t>(count) * sizeof(double), kLine)));
}

/// What a block holds of the families that are not computed.
void copy_unchosen(const PlanConstants& c, const Block& from, Block& to) {
  const auto copy = [](const auto& values, auto& into) { std::copy_n(values, kLengthsPerFamily, into); };
  for (std::size_t f = 0; f < kFamilies; ++f) {
    if ((c.families >> f & 1) != 0) continue;
    for (std::size_t at = f; at < kRowsRoom; at += kFamilyRoom) {
      to.relation[at] = from.relation[at];
      to.state[at] = from.state[at];
      to.equity[at] = from.equity[at];
    }
    to.layer1[f] = from.layer1[f];
    to.layer2[f] = from.layer2[f];
    to.layer2_factor[f] = from.layer2_factor[f];
    const auto family = static_cast<Family>(f);
    if (family == Family::ema) {
      copy(from.ema, to.ema);
      copy(from.ema_weight, to.ema_weight);
    }
    if (family == Family::dema) {
      copy(from.dema1, to.dema1);
      copy(from.dema2, to.dema2);
      copy(from.dema_weight, to.dema_weight);
    }
    if (family == Family::kama) copy(from.kama, to.kama);
  }
}

/// A block and what of a bar's result only the caller of the kernel knows.
struct Moment {
  Block block;
  std::int64_t trend_since_ms = 0;
  double previous_trend = 0;
};

/// Where a window's head is after so many bars; and the lower place of the value so many before it.
std::int64_t head_after(std::int64_t bars, std::int64_t capacity) {
  return capacity + (bars + capacity - 1) % capacity;
}
std::int64_t slot_before(std::int64_t head, std::int64_t back, std::int64_t capacity) {
  return (head - back) % capacity;
}

bool hull_is_chosen(const PlanConstants& c) {
  return (c.families >> static_cast<unsigned>(Family::hma) & 1) != 0;
}

/// Clears what kernels leave where nobody reads, so that saved bytes do not tell how they came about.
void clear_unread(Block& block) {
  const auto behind = [](auto& values, int count, double value) {
    std::fill(values + count, std::end(values), value);
  };
  for (int row = 0; row < kRowsRoom; row += kFamilyRoom) {
    for (int f = row + kFamilyCount; f < row + kFamilyRoom; ++f) {
      block.relation[f] = block.equity[f] = 0;
      block.state[f] = 1;
    }
  }
  for (auto* values : {&block.layer1, &block.layer2, &block.layer2_factor}) behind(*values, kFamilyCount, 0);
  if (block.gapped == 0) {
    behind(block.ema_weight, 0, 1);
    behind(block.dema_weight, 0, 1);
  }
  constexpr std::size_t kUsed = offsetof(Block, known_usual);
  std::memset(reinterpret_cast<std::byte*>(&block) + kUsed, 0, sizeof block - kUsed);
}

Signal signal_of(const Moment& moment) {
  Signal signal;
  std::copy_n(moment.block.layer1, kFamilies, signal.layer1.begin());
  std::copy_n(moment.block.layer2, kFamilies, signal.equity.begin());
  signal.average = moment.block.published;
  signal.bar_index = moment.block.bars - 1;
  signal.trend_since_ms = moment.trend_since_ms;
  signal.trend = static_cast<std::int8_t>(moment.block.trend);
  signal.previous_trend = static_cast<std::int8_t>(moment.previous_trend);
  return signal;
}

}  // namespace

/// Three moments take turns: the last bar's, the one before it, and the one that the next bar is written to.
/// So taking a bar and taking it back are changes of index, and a preview has a place of its own.
struct Incremental::State {
  State(std::shared_ptr<const Plan> shared_plan, const Kernel& chosen)
      : plan(std::move(shared_plan)), constants(plan->constants()), kernel(chosen) {
    const std::int64_t scanned = constants.scan_warm + 1;
    const std::int64_t raws = 2 * constants.longest_root * kRawStride;
    memory = allocate(5 * scanned + raws + PlanConstants::kRoom);
    double* next = memory.get();
    const auto take = [&next](std::int64_t count) { return std::exchange(next, next + count); };
    windows = {take(2 * scanned), scanned, take(raws), constants.longest_root};
    work.sums = take(scanned);
    work.weighted = take(scanned);
    work.noise = take(scanned);
    // What lies between and behind the members is saved too.
    std::memset(static_cast<void*>(moments), 0, sizeof moments);
    for (Moment& moment : moments) kernel.begin(constants, moment.block, windows);
    for (auto& family : work.average) std::fill_n(family, kLengthCount, std::nan(""));
  }

  Moment& current() { return moments[current_at]; }
  const Moment& current() const { return moments[current_at]; }
  /// Of `memory`, what the windows take; behind them lies what prepare() makes.
  std::size_t window_bytes() const {
    return static_cast<std::size_t>(2 * windows.value_capacity + 2 * windows.raw_capacity * kRawStride) *
           sizeof(double);
  }
  Moment& scratch() { return moments[(current_at + 1) % 3]; }
  Moment& before() { return moments[(current_at + 2) % 3]; }

  void prepare() {
    if (prepared) return;
    const Block& block = current().block;
    work.growth = plan->growth(block.bars);
    kernel.prepare(constants, windows, block, work);
    prepared = true;
  }

  /// The moment after one more bar, into scratch().
  void finish(double close, double source, std::int64_t close_time_ms) {
    prepare();
    const Moment& from = current();
    Moment& to = scratch();
    kernel.finish(constants, from.block, to.block, windows, work, close, source);
    to.previous_trend = from.block.trend;
    const bool continues = from.block.bars > 0 && to.block.trend == from.block.trend;
    to.trend_since_ms = continues ? from.trend_since_ms : close_time_ms;
  }

  std::shared_ptr<const Plan> plan;
  const PlanConstants& constants;
  const Kernel& kernel;
  Values memory;
  Windows windows{};
  Work work{};
  Moment moments[3];
  unsigned current_at = 0;
  bool prepared = false;
  bool can_step_back = false;
};

Incremental::Incremental(std::shared_ptr<const Plan> plan) : Incremental(std::move(plan), best_kernel()) {}
Incremental::Incremental(std::shared_ptr<const Plan> plan, const Kernel& kernel)
    : state_(std::make_unique<State>(std::move(plan), kernel)) {}
Incremental::~Incremental() = default;
Incremental::Incremental(Incremental&&) noexcept = default;
Incremental& Incremental::operator=(Incremental&&) noexcept = default;

Signal Incremental::update(const Bar& bar) {
  return update(bar.close, ma_source_of(bar, state_->plan->parameters().ma_source), bar.close_time_ms);
}

Signal Incremental::update(double close, double ma_source, std::int64_t close_time_ms) {
  State& state = *state_;
  state.finish(close, ma_source, close_time_ms);
  Moment& taken = state.scratch();
  state.kernel.commit(state.constants, taken.block, state.windows, state.work, ma_source);
  state.current_at = (state.current_at + 1) % 3;
  state.prepared = false;
  state.can_step_back = true;
  return signal_of(taken);
}

void Incremental::prepare() { state_->prepare(); }

Signal Incremental::preview(const Bar& bar) {
  State& state = *state_;
  state.finish(bar.close, ma_source_of(bar, state.plan->parameters().ma_source), bar.close_time_ms);
  return signal_of(state.scratch());
}

bool Incremental::step_back() {
  State& state = *state_;
  if (!state.can_step_back) return false;
  state.current_at = (state.current_at + 2) % 3;
  state.prepared = false;
  state.can_step_back = false;
  return true;
}

Signal Incremental::last() const { return signal_of(state_->current()); }

static_assert(std::is_trivially_copyable_v<Moment>);

std::size_t Incremental::saved_bytes() const { return sizeof(Moment) + state_->window_bytes(); }

void Incremental::save(std::span<std::byte> to) const {
  Moment moment;
  std::memcpy(&moment, &state_->current(), sizeof moment);
  clear_unread(moment.block);
  std::memcpy(to.data(), &moment, sizeof moment);
  std::memcpy(to.data() + sizeof(Moment), state_->memory.get(), state_->window_bytes());
}

bool Incremental::restore(std::span<const std::byte> saved) {
  State& state = *state_;
  if (saved.size() != saved_bytes()) return false;
  Moment moment;
  std::memcpy(&moment, saved.data(), sizeof moment);
  const Windows& windows = state.windows;
  const auto in_window = [](std::int64_t head, std::int64_t capacity) {
    return head >= capacity && head < 2 * capacity;
  };
  const auto is_trend = [](double value) { return value == -1 || value == 0 || value == 1; };
  if (moment.block.bars < 0 || moment.block.bars > kMostSavedBars || !is_trend(moment.block.trend) ||
      !is_trend(moment.previous_trend) || (moment.block.gapped != 0 && moment.block.gapped != 1) ||
      !in_window(moment.block.value_head, windows.value_capacity) ||
      !in_window(moment.block.raw_head, windows.raw_capacity)) {
    return false;
  }
  state.current_at = 0;
  moment.block.known_usual = 0;
  std::memcpy(&state.current(), &moment, sizeof moment);
  std::memcpy(state.memory.get(), saved.data() + sizeof moment, state.window_bytes());
  state.prepared = false;
  state.can_step_back = false;
  return true;
}

void Incremental::resume(const Standing& standing) {
  State& state = *state_;
  state.current_at = 0;
  state.prepared = false;
  state.can_step_back = false;
  Moment& moment = state.current();
  const Windows& windows = state.windows;
  state.kernel.begin(state.constants, moment.block, windows);
  const Block begun = moment.block;
  moment.block = standing.block;
  moment.trend_since_ms = standing.trend_since_ms;
  moment.previous_trend = standing.previous_trend;
  copy_unchosen(state.constants, begun, moment.block);
  // The heads are where they would be had they moved bar by bar.
  const bool moves = !state.constants.pine && hull_is_chosen(state.constants);
  const std::int64_t value_head = head_after(standing.block.bars, windows.value_capacity);
  const std::int64_t raw_head =
      moves ? head_after(standing.block.bars, windows.raw_capacity) : begun.raw_head;
  moment.block.value_head = value_head;
  moment.block.raw_head = raw_head;
  moment.block.known_usual = 0;
  for (int row = 0; row < kRowsRoom; row += kFamilyRoom) {
    std::fill(moment.block.state + row + kFamilyCount, moment.block.state + row + kFamilyRoom, 1.0);
  }
  const auto given = static_cast<std::int64_t>(standing.sources.size());
  for (std::int64_t back = 0; back < std::min(given, windows.value_capacity); ++back) {
    double* const value = windows.values + slot_before(value_head, back, windows.value_capacity);
    value[0] = value[windows.value_capacity] = standing.sources[static_cast<std::size_t>(given - 1 - back)];
  }
  const std::int64_t raws = moves ? static_cast<std::int64_t>(standing.raws.size()) / kLengthCount : 0;
  for (std::int64_t back = 0; back < std::min(raws, windows.raw_capacity); ++back) {
    double* const lower = windows.raws + slot_before(raw_head, back, windows.raw_capacity) * kRawStride;
    double* const upper = lower + windows.raw_capacity * kRawStride;
    for (std::int64_t i = 0; i < kLengthCount; ++i) {
      lower[i] = upper[i] = standing.raws[static_cast<std::size_t>((i + 1) * raws - 1 - back)];
    }
  }
}

std::int64_t Incremental::bars() const { return state_->current().block.bars; }
const Plan& Incremental::plan() const { return *state_->plan; }

Incremental::Inner Incremental::inner() const {
  const Block& block = state_->current().block;
  Inner inner{};
  for (std::size_t f = 0; f < kFamilies; ++f) {
    for (std::size_t i = 0; i < kLengthsPerFamily; ++i) {
      const std::size_t to = f * kLengthsPerFamily + i, from = i * kFamilyRoom + f;
      inner.averages[to] = state_->work.average[f][i];
      inner.states[to] = block.state[from];
      inner.equities[to] = block.equity[from];
    }
  }
  return inner;
}

}  // namespace atcd::engine
