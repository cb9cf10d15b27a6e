#pragma once

#include "engine/group.hpp"

// What a group leaves of a series after its last bar, so that an Incremental can go on from there.

namespace atcd::engine::ATCD_KERNEL {
namespace {

/// The bars at which the lanes' trends last changed, and the trends of the last two bars.
template <class V>
struct Trends {
  V since{}, before{}, last{};

  /// The next bar of all lanes.
  void take(V trend, std::int64_t bar) {
    since = select(trend == last, since, broadcast<V>(static_cast<double>(bar)));
    before = last;
    last = trend;
  }
};

template <class Mask>
inline bool holds(const Mask& mask, int lane) {
  if constexpr (sizeof(Mask) == sizeof(bool)) return mask;
  if constexpr (sizeof(Mask) != sizeof(bool)) return mask[lane] != 0;
}

/// The relation that the next bar's would be compared with: a lane that has crossed has not kept it.
template <class V>
inline double last_relation(Group<V>& g, int average, int lane) {
  const bool held = (g.held_averages >> average & 1) != 0 && holds(g.held[average], lane);
  return held ? lane_of(g.relation[average], lane)
              : lane_of(g.close, lane) - lane_of(g.average[average], lane);
}

template <class V>
inline void leave_block(const PlanConstants& c, Group<V>& g, int lane, Block& block) {
  const bool gapped = (g.gapped >> lane & 1U) != 0;
  for (int i = 0; i < kLengthCount; ++i) {
    block.ema[i] = lane_of(g.ema[i], lane);
    // Where all families have the same lengths the first EMA of DEMA is the EMA.
    block.dema1[i] = lane_of(c.all_families && c.same_lengths ? g.ema[i] : g.dema1[i], lane);
    block.dema2[i] = lane_of(g.dema2[i], lane);
    block.kama[i] = lane_of(g.kama[i], lane);
    block.ema_weight[i] = gapped ? g.ema_weight[i][lane] : 1;
    block.dema_weight[i] = gapped ? g.dema_weight[i][lane] : 1;
  }
  for (int average = 0; average < kAverageCount; ++average) {
    const int at = average % kLengthCount * kFamilyRoom + average / kLengthCount;
    block.relation[at] = last_relation(g, average, lane);
    block.state[at] = lane_of(g.state[average], lane);
    block.equity[at] = lane_of(g.equity[average], lane);
  }
  for (int f = 0; f < kFamilyCount; ++f) {
    block.layer1[f] = lane_of(g.layer1[f], lane);
    block.layer2[f] = lane_of(g.layer2[f], lane);
    block.layer2_factor[f] = lane_of(g.layer2_factor[f], lane);
  }
  block.close = lane_of(g.close, lane);
  block.average = lane_of(g.unshifted, lane);
  block.published = lane_of(g.published, lane);
  block.trend = lane_of(g.trend, lane);
  block.gapped = gapped ? 1 : 0;
  block.bars = g.bars;
}

template <class V>
inline void leave_raws(Group<V>& g, int lane, double* raws) {
  for (std::int64_t i = 0; i < kLengthCount; ++i) {
    for (std::int64_t back = g.raw_capacity - 1; back >= 0; --back) {
      *raws++ = lane_of(g.raws[(g.raw_head - back) * kLengthCount + i], lane);
    }
  }
}

/// To those lanes whose last bar was taken.
template <class V>
__attribute__((noinline)) void leave_ends(const PlanConstants& c, Group<V>& g, Trends<V>& trends,
                                          const BatchColumns* columns) {
  for (int lane = 0; lane < kLanes<V>; ++lane) {
    BatchEnd* const end = columns[lane].end;
    if (end == nullptr || columns[lane].bars != g.bars) continue;
    leave_block(c, g, lane, end->block);
    leave_raws(g, lane, end->raws);
    end->trend_since_bar = static_cast<std::int64_t>(lane_of(trends.since, lane));
    end->previous_trend = lane_of(trends.before, lane);
  }
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
