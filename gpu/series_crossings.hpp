#pragma once

#include "gpu/series_memory.hpp"

// Crossing states: an average a lane. Those of a tile are two words.

namespace atcd::gpu::ATCD_KERNEL {
namespace {

/// At which bars the price is not above the average, and where not below: an undefined average is in neither.
struct Sides {
  Bars not_above, not_below;
};

/// Of a whole tile.
ATC_DEVICE inline Sides compare_with_price(const Work32& w, const double* average) {
  // The sign of price - average is how they compare (crossing.hpp), unless they are equal or undefined.
  const double* const closes = w.tile.closes;
  Bars below = 0;
  bool untold = false;
  ATC_ROLLED_TILE
  for (int from = 0; from < kTileBars; from += kAtATime) {
    double price[kAtATime];
    read_bars(closes + from, price);
    ATC_UNROLL
    for (int k = 0; k < kAtATime; ++k) {
      const double relation = price[k] - average[from + k];
      below = below << 1 | upper_bits(relation) >> 31;
      untold |= !(relation < 0.0) & !(relation > 0.0);
    }
  }
  below = reversed(below);
  if (!untold) return {below, ~below};
  Sides sides{0, 0};
  ATC_ROLLED
  for (int t = 0; t < kTileBars; ++t) {
    if (closes[t] <= average[t]) sides.not_above |= Bars{1} << t;
    if (closes[t] >= average[t]) sides.not_below |= Bars{1} << t;
  }
  return sides;
}

/// The crossing states of an average over the tile.
template <bool pine>
ATC_DEVICE inline Crossings find_crossings(const Work32& w, const double* average, double& relation_before,
                                           int state) {
  Sides sides = compare_with_price(w, average);
  sides.not_above &= w.all_bars();  // behind them lie older values
  sides.not_below &= w.all_bars();
  const Bars above = sides.not_below & ~sides.not_above, below = sides.not_above & ~sides.not_below;
  const Bars known = sides.not_above | sides.not_below;
  Bars was_not_above = sides.not_above, was_not_below = sides.not_below;
  if (pine) {  // what was remembered over undefined bars
    was_not_above = held(sides.not_above, above, relation_before <= 0);
    was_not_below = held(sides.not_below, below, relation_before >= 0);
  }
  const Bars up = above & next_bars(was_not_above, relation_before <= 0);
  const Bars down = below & next_bars(was_not_below, relation_before >= 0);
  const int last = !pine ? w.span.count - 1 : known != 0 ? latest(known) : -1;
  if (last >= 0) relation_before = w.tile.closes[last] - average[last];
  return {held(up, down, state > 0), held(down, up, state < 0)};
}

/// Those of the pass's average, found from its row.
template <bool pine, int pass>
ATC_DEVICE inline Crossings cross(const Work32& w, int id, Lane& lane) {
  return find_crossings<pine>(w, w.row(id), lane.relation[pass], lane.state[pass]);
}

}  // namespace
}  // namespace atcd::gpu::ATCD_KERNEL
