#pragma once

#include "engine/group_run.hpp"
#include "engine/screen_body.hpp"

// The entry points of one kernel: step.hpp for one series at a time and (group_run.hpp) for a batch of
// ATCD_LANES.

namespace atcd::engine::ATCD_KERNEL {
namespace {

template <class V>
void begin(const PlanConstants& c, Block<V>& block, const Windows<V>& windows) {
  const V nothing = broadcast<V>(undefined());
  fill(block.ema, nothing);
  fill(block.dema1, nothing);
  fill(block.dema2, nothing);
  fill(block.kama, c.pine ? V{} : nothing);
  fill(block.relation, nothing);
  fill(block.state, V{});
  for (int i = 0; i < kAverageCount; ++i) {
    if (!chosen(c, i)) block.state[i] = nothing;
  }
  fill(block.equity, nothing);
  fill(block.layer1, nothing);
  fill(block.layer2, nothing);
  fill(block.layer2_factor, broadcast<V>(1));
  for (int i = 0; i < kLengthCount; ++i) block.ema_weight[i] = block.dema_weight[i] = 1;
  block.close = nothing;
  block.average = block.published = block.trend = V{};
  block.gapped = 0;
  block.bars = 0;
  block.value_head = 2 * windows.value_capacity - 1;
  block.raw_head = 2 * windows.raw_capacity - 1;
  for (std::int64_t i = 0; i < 2 * windows.value_capacity; ++i) windows.values[i] = nothing;
  for (std::int64_t i = 0; i < 2 * windows.raw_capacity * kRawStride<V>; ++i) windows.raws[i] = nothing;
}

void begin_one(const PlanConstants& c, Block<double>& block, const Windows<double>& windows) {
  begin(c, block, windows);
}

void prepare_one(const PlanConstants& c, const Windows<double>& windows, const Block<double>& in,
                 Work<double>& w) {
  if (c.all_families) {
    c.pine ? prepare_step<true, false>(c, windows, in, w) : prepare_step<false, false>(c, windows, in, w);
  } else {
    c.pine ? prepare_step<true, true>(c, windows, in, w) : prepare_step<false, true>(c, windows, in, w);
  }
}

void finish_one(const PlanConstants& c, const Block<double>& in, Block<double>& out,
                const Windows<double>& windows, Work<double>& w, double close, double source) {
  if (c.all_families) {
    c.pine ? finish_step<true, false>(c, in, out, windows, w, close, source)
           : finish_step<false, false>(c, in, out, windows, w, close, source);
  } else {
    c.pine ? finish_step<true, true>(c, in, out, windows, w, close, source)
           : finish_step<false, true>(c, in, out, windows, w, close, source);
  }
}

void commit_one(const PlanConstants& c, Block<double>& out, const Windows<double>& windows,
                const Work<double>& w, double source) {
  c.pine ? commit_step<true>(c, out, windows, w, source) : commit_step<false>(c, out, windows, w, source);
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL

/// The kernel's row: its name and whether this processor has what it needs.
#define ATCD_KERNEL_ROW(name, supported)                                                                 \
  {                                                                                                      \
    name, supported, ATCD_KERNEL::begin_one, ATCD_KERNEL::prepare_one, ATCD_KERNEL::finish_one,          \
        ATCD_KERNEL::commit_one, ATCD_LANES, ATCD_KERNEL::scratch_bytes<ATCD_KERNEL::BatchValue>,        \
        ATCD_KERNEL::run_group<ATCD_KERNEL::BatchValue>, ATCD_KERNEL::kFloats, ATCD_KERNEL::screen_group \
  }
