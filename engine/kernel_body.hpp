#pragma once

#include "engine/step.hpp"

// The entry points of one kernel: step.hpp for one series at a time and for a batch of ATCD_LANES.

namespace atcd::engine::ATCD_KERNEL {
namespace {

#if ATCD_LANES > 1
using BatchValue = Lanes;
#else
using BatchValue = double;
#endif

template <class V>
inline constexpr int kLanes = static_cast<int>(sizeof(V) / sizeof(double));

template <class V, unsigned long count>
inline void fill(V (&values)[count], V value) {
  for (unsigned long i = 0; i < count; ++i) values[i] = value;
}

template <class V>
void begin(const PlanConstants& c, Block<V>& block, const Windows<V>& windows) {
  const V nothing = broadcast<V>(undefined());
  fill(block.ema, nothing);
  fill(block.dema1, nothing);
  fill(block.dema2, nothing);
  fill(block.kama, c.pine ? V{} : nothing);
  fill(block.relation, nothing);
  fill(block.state, V{});
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
  c.pine ? prepare_step<true>(c, windows, in, w) : prepare_step<false>(c, windows, in, w);
}

void finish_one(const PlanConstants& c, const Block<double>& in, Block<double>& out,
                const Windows<double>& windows, Work<double>& w, double close, double source) {
  c.pine ? finish_step<true>(c, in, out, windows, w, close, source)
         : finish_step<false>(c, in, out, windows, w, close, source);
}

void commit_one(const PlanConstants& c, Block<double>& out, const Windows<double>& windows,
                const Work<double>& w, double source) {
  c.pine ? commit_step<true>(out, windows, w, source) : commit_step<false>(out, windows, w, source);
}

inline void read(const BatchColumns* columns, const double* BatchColumns::*column, std::int64_t bar,
                 double& value) {
  value = (columns->*column)[bar];
}

inline void write(double* column, std::int64_t at, double value, int) { column[at] = value; }

#if ATCD_LANES > 1
inline void read(const BatchColumns* columns, const double* BatchColumns::*column, std::int64_t bar,
                 Lanes& value) {
  for (int lane = 0; lane < ATCD_LANES; ++lane) value[lane] = (columns[lane].*column)[bar];
}

inline void write(double* column, std::int64_t at, Lanes value, int lane) { column[at] = value[lane]; }
#endif

/// The values of one bar into the columns that are wanted.
template <class V>
inline void store_bar(const BatchColumns* columns, std::int64_t bars, std::int64_t bar, const Block<V>& block,
                      const Work<V>& w) {
  for (int lane = 0; lane < kLanes<V>; ++lane) {
    const BatchColumns& to = columns[lane];
    for (int f = 0; f < kFamilyCount; ++f) {
      if (to.layer1[f] != nullptr) write(to.layer1[f], bar, block.layer1[f], lane);
      if (to.layer2[f] != nullptr) write(to.layer2[f], bar, block.layer2[f], lane);
    }
    if (to.average != nullptr) write(to.average, bar, block.published, lane);
    if (to.trend != nullptr) {
      double trend = 0;
      write(&trend, 0, block.trend, lane);
      to.trend[bar] = static_cast<signed char>(trend);
    }
    if (to.averages == nullptr) continue;
    for (int i = 0; i < kAverageCount; ++i) {
      write(to.averages, i * bars + bar, w.average[i], lane);
      write(to.states, i * bars + bar, block.state[i], lane);
      write(to.equities, i * bars + bar, block.equity[i], lane);
    }
  }
}

template <class V>
struct BatchScratch {
  Block<V> block;
  Work<V> work;
};

template <class V>
inline std::int64_t window_values(const PlanConstants& c) {
  return 3 * (c.scan_warm + 1) + 2 * (c.scan_warm + 1) + 2 * c.longest_root * kRawStride<V>;
}

std::int64_t scratch_bytes(const PlanConstants& c) {
  const auto bytes_for = [&c]<class V>(V) {
    return static_cast<std::int64_t>(sizeof(BatchScratch<V>)) +
           window_values<V>(c) * static_cast<std::int64_t>(sizeof(V));
  };
  const std::int64_t one = bytes_for(double{}), lanes = bytes_for(BatchValue{});
  return one > lanes ? one : lanes;
}

template <bool pine, class V>
inline void run_series(const PlanConstants& c, const double* growth, std::int64_t bars,
                       const BatchColumns* columns, void* scratch) {
  auto* const room = static_cast<BatchScratch<V>*>(scratch);
  V* values = reinterpret_cast<V*>(room + 1);
  const auto take = [&values](std::int64_t count) {
    V* const start = values;
    values += count;
    return start;
  };
  Work<V>& w = room->work;
  w.sums = take(c.scan_warm + 1);
  w.weighted = take(c.scan_warm + 1);
  w.noise = take(c.scan_warm + 1);
  Windows<V> windows{};
  windows.value_capacity = c.scan_warm + 1;
  windows.values = take(2 * windows.value_capacity);
  windows.raw_capacity = c.longest_root;
  windows.raws = take(2 * windows.raw_capacity * kRawStride<V>);
  Block<V>& block = room->block;
  begin(c, block, windows);
  for (std::int64_t bar = 0; bar < bars; ++bar) {
    V close, source;
    read(columns, &BatchColumns::closes, bar, close);
    read(columns, &BatchColumns::sources, bar, source);
    w.growth = growth[bar];
    prepare_step<pine>(c, windows, block, w);
    finish_step<pine>(c, block, block, windows, w, close, source);
    commit_step<pine>(block, windows, w, source);
    store_bar(columns, bars, bar, block, w);
  }
}

template <class V>
void run_batch(const PlanConstants& c, const double* growth, std::int64_t bars, const BatchColumns* columns,
               void* scratch) {
  c.pine ? run_series<true, V>(c, growth, bars, columns, scratch)
         : run_series<false, V>(c, growth, bars, columns, scratch);
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL

/// The kernel's row: its name and whether this processor has what it needs.
#define ATCD_KERNEL_ROW(name, supported)                                                                 \
  {                                                                                                      \
    name, supported, ATCD_KERNEL::begin_one, ATCD_KERNEL::prepare_one, ATCD_KERNEL::finish_one,          \
        ATCD_KERNEL::commit_one, ATCD_KERNEL::run_batch<double>, ATCD_LANES, ATCD_KERNEL::scratch_bytes, \
        ATCD_KERNEL::run_batch<ATCD_KERNEL::BatchValue>                                                  \
  }
