#pragma once

#include "engine/group_run.hpp"

// A group under several plans that have the same averages. Crossing states depend on nothing but them, so the
// first pass over the bars leaves, for each, a bit an average: one vector holds all 54 of all lanes. Then the
// layers of each plan are a pass over those, which fit into the nearest caches however long the series are.

namespace atcd::engine::ATCD_KERNEL {
namespace {

/// A word of 64 bits for each lane.
#if ATCD_LANES > 1
typedef std::uint64_t BatchWords __attribute__((vector_size(8 * ATCD_LANES)));
#else
using BatchWords = std::uint64_t;
#endif

constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;
constexpr std::uint64_t kOneBits = 0x3ff0'0000'0000'0000;  // of 1.0
constexpr int kFirstBit = 64 - kAverageCount;              // from the highest on

/// What all plans share of one bar. Bits lie from the first average, the highest, to the last.
template <class V>
struct SharedBar {
  V bar_return;
  BatchWords against;  // state -1
  BatchWords none;     // state 0
};

/// The word with one bit more at its lower end.
template <class Mask>
inline BatchWords with_bit(BatchWords word, Mask mask) {
  if constexpr (sizeof(Mask) == sizeof(bool)) return word + word + (mask ? 1 : 0);
  if constexpr (sizeof(Mask) != sizeof(bool)) return word + word - __builtin_bit_cast(BatchWords, mask);
}

/// States as the first pass has left them. `all`: every average has a state that is not 0.
template <bool all, class V>
struct GivenStates {
  const SharedBar<V>& bar_before;
  const SharedBar<V>& bar;

  static V read(const SharedBar<V>& from, int average) {
    const int shift = kFirstBit + average;
    BatchWords state = ((from.against << shift) & kSignBit) | kOneBits;
    if constexpr (!all) state &= ((from.none << shift) >> 63) - 1;
    return __builtin_bit_cast(V, state);
  }
  V before(int average) const { return read(bar_before, average); }
  V next(int average, V) const { return read(bar, average); }
};

template <class V>
std::int64_t variants_scratch_bytes(const PlanConstants& c, std::int64_t bars) {
  return scratch_bytes<V>(c) + (bars + 1) * static_cast<std::int64_t>(sizeof(SharedBar<V>));
}

/// One bar for all plans: with care, as that goes for every bar and is done once.
template <bool pine, class V>
inline void share_bar(const PlanConstants& c, Group<V>& g, V price, V x, SharedBar<V>& shared) {
  run_averages<pine, Known::nothing, true, true>(c, g, x);
  if (g.held_averages != 0) hold_states<pine>(c, g, price);
  shared = SharedBar<V>{return_of(price, g.close), {}, {}};
  for (int i = 0; i < kAverageCount; ++i) {
    const V state = side_or(g.state[i], price - g.average[i]);
    g.state[i] = state;
    shared.against = with_bit(shared.against, state < 0.0);
    shared.none = with_bit(shared.none, state == 0.0);
  }
  commit_group<pine, true>(c, g, price, x);
}

template <bool pine, class V>
__attribute__((noinline)) void share_bars(const PlanConstants& c, Group<V>& g, const BatchColumns* columns,
                                          Tile<V>& tile, std::int64_t bars, SharedBar<V>* shared) {
  for (std::int64_t from = 0; from < bars; from += kTile) {
    read_columns(columns, &BatchColumns::closes, from, tile.closes);
    read_columns(columns, &BatchColumns::sources, from, tile.sources);
    for (std::int64_t at = 0; at < kTile && from + at < bars; ++at) {
      share_bar<pine>(c, g, tile.closes[at], tile.sources[at], *shared++);
    }
  }
}

template <bool pine, bool some, class V>
[[gnu::always_inline]] inline void run_variant_bar(const PlanConstants& c, Layers<V>& g, double growth,
                                                   const SharedBar<V>* bar) {
  const V r = grown<pine>(bar->bar_return, growth);
  const GivenStates<false, V> states{bar[-1], *bar};
  if (__builtin_expect(g.bars <= c.cutout || !no_infinity(r), 0)) {
    step_unusual_layers<pine, some>(c, g, states, r);
  } else if (any((bar[-1].none | bar->none) != 0)) {
    step_usual_layers<pine, some>(c, g, states, r);
  } else {
    step_usual_layers<pine, some>(c, g, GivenStates<true, V>{bar[-1], *bar}, r);
  }
  step_average_signal<pine, some>(c, g);
  ++g.bars;
}

/// All bars under one plan.
template <bool pine, bool some, class V>
__attribute__((noinline)) void run_variant(const BatchVariant& variant, Layers<V>& g, std::int64_t bars,
                                           const SharedBar<V>* shared, Tile<V>& tile) {
  const PlanConstants& c = *variant.plan;
  begin_layers(g);
  for (std::int64_t from = 0; from < bars; from += kTile) {
    const std::int64_t count = bars - from < kTile ? bars - from : kTile;
    find_runs(variant.columns, from, tile);
    for (std::int64_t at = 0; at < count; ++at) {
      fetch_runs(tile, at);
      run_variant_bar<pine, some>(c, g, variant.growth[from + at], shared + from + at);
      put_into_tile<some>(c, g, tile, at);
    }
    write_tile(variant.columns, from, count, tile);
  }
}

template <bool pine, class V>
void run_variants_in(const BatchVariant* variants, std::int64_t count, Group<V>& g, Tile<V>& tile) {
  const PlanConstants& c = *variants[0].plan;
  std::int64_t bars = 0;
  for (int lane = 0; lane < kLanes<V>; ++lane) {
    const std::int64_t of_lane = variants[0].columns[lane].bars;
    bars = of_lane > bars ? of_lane : bars;
  }
  V* const behind = reinterpret_cast<V*>(&tile + 1) + window_values<V>(c);
  auto* const shared = reinterpret_cast<SharedBar<V>*>(behind) + 1;
  shared[-1] = SharedBar<V>{};  // nothing of it counts
  share_bars<pine>(c, g, variants[0].columns, tile, bars, shared);
  for (std::int64_t i = 0; i < count; ++i) {
    if (c.all_families) {
      run_variant<pine, false, V>(variants[i], g, bars, shared, tile);
    } else {
      run_variant<pine, true, V>(variants[i], g, bars, shared, tile);
    }
  }
}

template <class V>
void run_variants(const BatchVariant* variants, std::int64_t count, void* scratch) {
  const PlanConstants& c = *variants[0].plan;
  auto* const g = static_cast<Group<V>*>(scratch);
  Tile<V>& tile = begin_in<V>(c, variants[0].columns, scratch);
  c.pine ? run_variants_in<true>(variants, count, *g, tile)
         : run_variants_in<false>(variants, count, *g, tile);
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
