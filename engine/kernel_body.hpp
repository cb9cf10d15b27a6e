#pragma once

#include "engine/group_variants.hpp"
#include "engine/screen_body.hpp"

// The entry points of one kernel: step.hpp for one series at a time and (group_run.hpp, group_variants.hpp)
// for a batch of ATCD_LANES.

namespace atcd::engine::ATCD_KERNEL {
namespace {

void begin_one(const PlanConstants& c, Block& block, const Windows& windows) {
  fill(block.ema, undefined());
  fill(block.dema1, undefined());
  fill(block.dema2, undefined());
  fill(block.kama, c.pine ? 0 : undefined());
  fill(block.relation, 0.0);
  fill(block.state, 1.0);
  for (int i = 0; i < kLengthCount; ++i) {
    for (int f = 0; f < kFamilyCount; ++f) {
      block.relation[i * kFamilyRoom + f] = undefined();
      block.state[i * kFamilyRoom + f] = chosen(c, f * kLengthCount) ? 0 : undefined();
    }
  }
  fill(block.equity, undefined());
  fill(block.layer1, undefined());
  fill(block.layer2, undefined());
  fill(block.layer2_factor, 1.0);
  for (int i = 0; i < kLengthCount; ++i) block.ema_weight[i] = block.dema_weight[i] = 1;
  block.close = undefined();
  block.average = block.published = block.trend = 0;
  block.gapped = 0;
  block.bars = 0;
  block.value_head = 2 * windows.value_capacity - 1;
  block.raw_head = 2 * windows.raw_capacity - 1;
  block.known_usual = 0;
  for (std::int64_t i = 0; i < 2 * windows.value_capacity; ++i) windows.values[i] = undefined();
  for (std::int64_t i = 0; i < 2 * windows.raw_capacity * kRawStride; ++i) windows.raws[i] = undefined();
}

void prepare_one(const PlanConstants& c, const Windows& windows, const Block& in, Work& w) {
  if (c.all_families) {
    c.pine ? prepare_step<true, false>(c, windows, in, w) : prepare_step<false, false>(c, windows, in, w);
  } else {
    c.pine ? prepare_step<true, true>(c, windows, in, w) : prepare_step<false, true>(c, windows, in, w);
  }
}

void finish_one(const PlanConstants& c, const Block& in, Block& out, const Windows& windows, Work& w,
                double close, double source) {
  c.pine ? finish_step<true>(c, in, out, windows, w, close, source)
         : finish_step<false>(c, in, out, windows, w, close, source);
}

void commit_one(const PlanConstants& c, Block& out, const Windows& windows, const Work& w, double source) {
  c.pine ? commit_step<true>(c, out, windows, w, source) : commit_step<false>(c, out, windows, w, source);
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL

/// The kernel's row: its name and whether this processor has what it needs.
#define ATCD_KERNEL_ROW(name, supported)                                                                    \
  {                                                                                                         \
    name, supported, ATCD_KERNEL::begin_one, ATCD_KERNEL::prepare_one, ATCD_KERNEL::finish_one,             \
        ATCD_KERNEL::commit_one, ATCD_LANES, ATCD_KERNEL::scratch_bytes<ATCD_KERNEL::BatchValue>,           \
        ATCD_KERNEL::run_group<ATCD_KERNEL::BatchValue>,                                                    \
        ATCD_KERNEL::variants_scratch_bytes<ATCD_KERNEL::BatchValue>,                                       \
        ATCD_KERNEL::run_variants<ATCD_KERNEL::BatchValue>, ATCD_KERNEL::kFloats, ATCD_KERNEL::screen_group \
  }
