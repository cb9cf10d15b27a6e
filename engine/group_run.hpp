#pragma once

#include <type_traits>

#include "engine/group_begin.hpp"
#include "engine/group_end.hpp"

// A group of whole series: columns in, columns out, a tile at a time, by squares that are transposed in
// registers.

namespace atcd::engine::ATCD_KERNEL {
namespace {

#if ATCD_LANES > 1
using BatchValue = Lanes;
#else
using BatchValue = double;
#endif

/// Values up to here can't overflow in a sum over a window; closes from the least on: see tame_side().
constexpr double kTame = 1e290;
constexpr double kLeastTameClose = 1e-250;

/// Bars that go in and out together: what is written to one column is long enough for the processor to see
/// that it is a stream.
constexpr int kTile = 64;

template <class V>
struct Tile {
  V closes[kTile], sources[kTile];
  V layer1[kFamilyCount][kTile], layer2[kFamilyCount][kTile], published[kTile], trend[kTile];
  // Where the tile's bars go in the wanted columns, to be brought near while the bars are computed.
  int runs;
  bool layers;      // whether layers 1 and 2 are wanted
  bool one_column;  // every lane's closes are its sources, which are not read again
  const double* run[(2 * kFamilyCount + 1) * kLanes<V>];
};

template <class V>
inline void find_runs(const BatchColumns* columns, std::int64_t from, Tile<V>& tile) {
  tile.runs = 0;
  tile.layers = false;
  const auto add = [&](const double* column, std::int64_t bars) {
    if (column != nullptr && from + kTile <= bars) tile.run[tile.runs++] = column + from;
  };
  for (int lane = 0; lane < kLanes<V>; ++lane) {
    for (int f = 0; f < kFamilyCount; ++f) {
      tile.layers |= columns[lane].layer1[f] != nullptr || columns[lane].layer2[f] != nullptr;
      add(columns[lane].layer1[f], columns[lane].bars);
      add(columns[lane].layer2[f], columns[lane].bars);
    }
    add(columns[lane].average, columns[lane].bars);
  }
}

/// The runs that fall to bar `at` of the tile, so that all are near when the tile is full.
template <class V>
inline void fetch_runs(const Tile<V>& tile, std::int64_t at) {
  for (int i = static_cast<int>(at); i < tile.runs; i += kTile) {
    for (int k = 0; k <= kTile; k += 8) __builtin_prefetch(tile.run[i] + (k < kTile ? k : kTile - 1), 1);
  }
}

/// The values of the bars from `from` on; behind a series' end its last one again.
template <class V>
inline void read_columns(const BatchColumns* columns, const double* BatchColumns::*column, std::int64_t from,
                         V (&values)[kTile]) {
  for (int at = 0; at < kTile; at += kLanes<V>, from += kLanes<V>) {
    V square[kLanes<V>];
    for (int lane = 0; lane < kLanes<V>; ++lane) {
      const double* const given = columns[lane].*column;
      const std::int64_t last = columns[lane].bars - 1;
      if (from + kLanes<V> - 1 <= last) {
        __builtin_memcpy(&square[lane], given + from, sizeof(V));
        continue;
      }
      for (int k = 0; k < kLanes<V>; ++k) {
        lane_of(square[lane], k) = given[from + k < last ? from + k : last];
      }
    }
    transpose(square);
    for (int k = 0; k < kLanes<V>; ++k) values[at + k] = square[k];
  }
}

/// `to`: of each lane the column's value at the tile's first bar, or null; `bars`: how many follow in it.
template <class T, class V>
inline void write_columns(T* const (&to)[kLanes<V>], const std::int64_t (&bars)[kLanes<V>],
                          const V (&values)[kTile]) {
  for (int at = 0; at < kTile; at += kLanes<V>) {
    V square[kLanes<V>];
    for (int k = 0; k < kLanes<V>; ++k) square[k] = values[at + k];
    transpose(square);
    for (int lane = 0; lane < kLanes<V>; ++lane) {
      if (to[lane] == nullptr) continue;
      if (sizeof(T) == sizeof(double) && at + kLanes<V> <= bars[lane]) {
        __builtin_memcpy(to[lane] + at, &square[lane], sizeof(V));
        continue;
      }
      for (int k = 0; k < kLanes<V> && at + k < bars[lane]; ++k) {
        to[lane][at + k] = static_cast<T>(lane_of(square[lane], k));
      }
    }
  }
}

template <class V>
inline void write_tile(const BatchColumns* columns, std::int64_t from, std::int64_t taken,
                       const Tile<V>& tile) {
  std::int64_t bars[kLanes<V>];
  for (int lane = 0; lane < kLanes<V>; ++lane) {
    const std::int64_t left = columns[lane].bars - from;
    bars[lane] = left < taken ? left : taken;
  }
  const auto write = [&]<class Column>(Column column_of, const V(&values)[kTile]) {
    std::remove_reference_t<decltype(column_of(columns[0]))> to[kLanes<V>];
    bool wanted = false;
    for (int lane = 0; lane < kLanes<V>; ++lane) {
      auto* const column = bars[lane] > 0 ? column_of(columns[lane]) : nullptr;
      to[lane] = column == nullptr ? nullptr : column + from;
      wanted |= column != nullptr;
    }
    if (wanted)
      write_columns<std::remove_pointer_t<std::remove_reference_t<decltype(to[0])>>, V>(to, bars, values);
  };
  for (int f = 0; f < kFamilyCount; ++f) {
    write([f](const BatchColumns& c) { return c.layer1[f]; }, tile.layer1[f]);
    write([f](const BatchColumns& c) { return c.layer2[f]; }, tile.layer2[f]);
  }
  write([](const BatchColumns& c) { return c.average; }, tile.published);
  write([](const BatchColumns& c) { return c.trend; }, tile.trend);
}

/// The columns that only a dump wants.
template <class V>
inline void write_inner(const BatchColumns* columns, double* BatchColumns::*column, std::int64_t bar,
                        V (&values)[kAverageCount]) {
  for (int lane = 0; lane < kLanes<V>; ++lane) {
    const BatchColumns& to = columns[lane];
    if (to.*column == nullptr || bar >= to.bars) continue;
    for (int i = 0; i < kAverageCount; ++i) (to.*column)[i * to.bars + bar] = lane_of(values[i], lane);
  }
}

/// Whether all lie in least .. most; undefined ones do not.
template <class V>
inline bool all_within(const double* values, std::int64_t count, double least, double most) {
  const MaskOf<V> all = V{} == V{};
  MaskOf<V> outside = V{} != V{};
  std::int64_t i = 0;
  for (; i + kLanes<V> <= count; i += kLanes<V>) {
    const V value = load<V>(values + i);
    outside |= ((value >= least) & (value <= most)) ^ all;
  }
  if (any(outside)) return false;
  while (i < count && values[i] >= least && values[i] <= most) ++i;
  return i == count;
}

template <class V>
inline bool is_tame(const BatchColumns& column) {
  return all_within<V>(column.closes, column.bars, kLeastTameClose, kTame) &&
         (column.sources == column.closes || all_within<V>(column.sources, column.bars, -kTame, kTame));
}

/// Rows of raw values: they go on behind one another, and where the last is full those still read go to the
/// front. More rows than these would crowd the first-level cache.
inline std::int64_t raw_rows(const PlanConstants& c) { return 2 * c.longest_root + 8; }

template <class V>
inline std::int64_t window_values(const PlanConstants& c) {
  return 7 * (c.scan_warm + 1) + raw_rows(c) * kLengthCount;
}

template <class V>
std::int64_t scratch_bytes(const PlanConstants& c) {
  return static_cast<std::int64_t>(sizeof(Group<V>) + sizeof(Tile<V>)) +
         window_values<V>(c) * static_cast<std::int64_t>(sizeof(V));
}

template <class V>
inline void begin_layers(Layers<V>& g) {
  const V nothing = broadcast<V>(undefined());
  fill(g.equity, nothing);
  fill(g.layer1, nothing);
  fill(g.layer2, nothing);
  fill(g.layer2_factor, broadcast<V>(1));
  g.unshifted = g.published = g.trend = V{};
  g.bars = 0;
}

template <class V>
inline void begin_group(const PlanConstants& c, Group<V>& g, V* memory, bool wild) {
  const V nothing = broadcast<V>(undefined());
  const auto take = [&memory](std::int64_t count) {
    V* const start = memory;
    memory += count;
    return start;
  };
  g.value_capacity = c.scan_warm + 1;
  g.raw_capacity = c.longest_root;
  g.raw_rows = raw_rows(c);
  const std::int64_t count = window_values<V>(c);
  for (std::int64_t i = 0; i < count; ++i) memory[i] = nothing;
  g.values = take(2 * g.value_capacity);
  g.changes = take(2 * g.value_capacity);
  g.sums = take(g.value_capacity);
  g.weighted = take(g.value_capacity);
  g.noise = take(g.value_capacity);
  g.raws = take(g.raw_rows * kLengthCount);
  g.value_head = 2 * g.value_capacity - 1;
  g.raw_head = g.raw_capacity - 1;
  fill(g.ema, nothing);
  fill(g.dema1, nothing);
  fill(g.dema2, nothing);
  fill(g.kama, c.pine ? V{} : nothing);
  fill(g.average, nothing);
  fill(g.relation, nothing);
  g.close = nothing;
  begin_layers(g);
  g.held_averages = 0;
  for (int i = 0; i < kAverageCount; ++i) {
    g.held[i] = V{} == V{};
    g.state[i] = chosen(c, i) ? V{} : nothing;
    if (chosen(c, i)) g.held_averages |= std::uint64_t{1} << i;
  }
  g.wild = wild;
  g.gapped = 0;
}

/// `tame`: no missing values, and closes within kLeastTameClose .. kTame.
template <bool pine, bool tame, bool some, class V>
[[gnu::always_inline]] inline void finish_bar(const PlanConstants& c, Group<V>& g, double growth, V price) {
  const V r = grown_return<pine>(price, g.close, growth);
  constexpr bool by_sign = tame && kLanes<V> != 8;  // of eight side_or() is one operation
  const bool usual = __builtin_expect(g.bars > c.cutout && no_infinity(r), 1);
  if (g.held_averages != 0 || (tame && !usual)) {
    if constexpr (tame) gather_averages<some>(c, g);
    hold_states<pine>(c, g, price);
  }
  if (!usual) {
    step_unusual_layers<pine, some>(c, g, FollowingStates<false, true, V>{g, price}, r);
  } else if (tame && g.held_averages == 0) {
    step_usual_layers<pine, some>(c, g, FollowingStates<by_sign, !tame, V>{g, price}, r);
  } else {
    step_usual_layers<pine, some>(c, g, FollowingStates<false, true, V>{g, price}, r);
  }
  step_average_signal<pine, some>(c, g);
}

template <bool pine, Known known, bool careful, bool some, class V>
inline void run_averages(const PlanConstants& c, Group<V>& g, V x) {
  if constexpr (known == Known::usual && !careful) {
    const V change = magnitude(x - g.values[g.value_head]);
    UsualParts<V> parts(g);
    parts.scan([&](int i) __attribute__((always_inline)) {
      step_length_of_group<pine, known, careful, some>(c, g, parts, x, change, i);
    });
  } else {
    const bool warm = careful && g.bars < c.warm_bars;
    const std::int64_t unread = warm ? 1 : c.scan_unread, last = warm ? c.scan_warm : c.scan_settled;
    if constexpr (some) {
      scan_for_some(c, g, warm, unread, last);
    } else {
      scan_group<true, true>(g, unread, last);
    }
    if constexpr (careful) {
      step_averages_with_care<pine, some>(c, g, x);
    } else {
      step_averages_of_group<pine, known, careful, some>(c, g, ScannedParts<V>{c, g}, x);
    }
  }
}

template <bool pine, Known known, bool careful, bool some, class V>
inline void run_bar(const PlanConstants& c, Group<V>& g, double growth, const BatchColumns* columns, V price,
                    V x, bool inner) {
  run_averages<pine, known, careful, some>(c, g, x);
  if (inner) {
    if constexpr (!careful) gather_averages<some>(c, g);
    write_inner(columns, &BatchColumns::averages, g.bars, g.average);
  }
  finish_bar<pine, !careful, some>(c, g, growth, price);
  if (inner) {
    write_inner(columns, &BatchColumns::states, g.bars, g.state);
    write_inner(columns, &BatchColumns::equities, g.bars, g.equity);
  }
  commit_group<pine, some>(c, g, price, x);
}

template <bool some, class V>
[[gnu::always_inline]] inline void put_into_tile(const PlanConstants& c, const Layers<V>& g, Tile<V>& tile,
                                                 std::int64_t at) {
  for (int f = 0; f < kFamilyCount && tile.layers; ++f) {
    if (!chosen<some>(c, f * kLengthCount)) continue;
    tile.layer1[f][at] = g.layer1[f];
    tile.layer2[f][at] = g.layer2[f];
  }
  tile.published[at] = g.published;
  tile.trend[at] = g.trend;
}

/// The bars of a tile from `at` up to `end`.
template <bool pine, Known known, bool careful, bool some, class V>
__attribute__((noinline)) void run_bars(const PlanConstants& c, Group<V>& g, const double* growth,
                                        const BatchColumns* columns, Tile<V>& tile, std::int64_t at,
                                        std::int64_t end, bool inner) {
  for (; at < end; ++at) {
    fetch_runs(tile, at);
    const V x = tile.one_column ? tile.closes[at] : tile.sources[at];
    run_bar<pine, known, careful, some>(c, g, growth[g.bars], columns, tile.closes[at], x, inner);
    put_into_tile<some>(c, g, tile, at);
  }
  if constexpr (!careful) {
    if (g.held_averages == 0) gather_averages<some>(c, g);
  }
}

/// How many bars the next tile has: as far as the first lane goes of which it is wanted where it stands.
template <class V>
inline std::int64_t bars_of_tile(const BatchColumns* columns, std::int64_t from, std::int64_t bars) {
  std::int64_t count = bars - from < kTile ? bars - from : kTile;
  for (int lane = 0; lane < kLanes<V>; ++lane) {
    const std::int64_t left = columns[lane].bars - from;
    if (columns[lane].end != nullptr && left > 0 && left < count) count = left;
  }
  return count;
}

template <bool pine, Known known, bool some, class V>
void run_group_of(const PlanConstants& c, Group<V>& g, const double* growth, const BatchColumns* columns,
                  Tile<V>& tile) {
  std::int64_t bars = 0;
  bool inner = false, ends = false;
  tile.one_column = true;
  for (int lane = 0; lane < kLanes<V>; ++lane) {
    bars = columns[lane].bars > bars ? columns[lane].bars : bars;
    inner |= columns[lane].averages != nullptr;
    ends |= columns[lane].end != nullptr;
    tile.one_column &= columns[lane].sources == columns[lane].closes;
  }
  Trends<V> trends;
  while (g.bars < bars) {
    const std::int64_t from = g.bars;
    const std::int64_t end = bars_of_tile<V>(columns, from, bars);
    const std::int64_t careful = g.wild ? end : c.careful_bars - from < end ? c.careful_bars - from : end;
    find_runs(columns, from, tile);
    read_columns(columns, &BatchColumns::closes, from, tile.closes);
    if (!tile.one_column) read_columns(columns, &BatchColumns::sources, from, tile.sources);
    run_bars<pine, Known::nothing, true, some>(c, g, growth, columns, tile, 0, careful, inner);
    run_bars<pine, known, false, some>(c, g, growth, columns, tile, careful > 0 ? careful : 0, end, inner);
    write_tile(columns, from, end, tile);
    if (!ends) continue;
    for (std::int64_t at = 0; at < end; ++at) trends.take(tile.trend[at], from + at);
    leave_ends(c, g, trends, columns);
  }
}

template <bool pine, class V>
void run_group_in(const PlanConstants& c, Group<V>& g, const double* growth, const BatchColumns* columns,
                  Tile<V>& tile) {
  if (!c.all_families) return run_group_of<pine, Known::nothing, true>(c, g, growth, columns, tile);
  if (c.usual_lengths) return run_group_of<pine, Known::usual, false>(c, g, growth, columns, tile);
  if (c.same_lengths) return run_group_of<pine, Known::shared, false>(c, g, growth, columns, tile);
  run_group_of<pine, Known::nothing, false>(c, g, growth, columns, tile);
}

/// Begins the group that lies, with its tile and its windows behind it, in `scratch`.
template <class V>
inline Tile<V>& begin_in(const PlanConstants& c, const BatchColumns* columns, void* scratch) {
  auto* const g = static_cast<Group<V>*>(scratch);
  auto* const tile = reinterpret_cast<Tile<V>*>(g + 1);
  bool wild = false;
  for (int lane = 0; lane < kLanes<V>; ++lane) wild |= !is_tame<V>(columns[lane]);
  begin_group(c, *g, reinterpret_cast<V*>(tile + 1), wild);
  for (int f = 0; f < kFamilyCount; ++f) {
    if (chosen(c, f * kLengthCount)) continue;
    fill(tile->layer1[f], broadcast<V>(undefined()));
    fill(tile->layer2[f], broadcast<V>(undefined()));
  }
  return *tile;
}

template <class V>
void run_group(const PlanConstants& c, const double* growth, const BatchColumns* columns, void* scratch) {
  auto* const g = static_cast<Group<V>*>(scratch);
  auto* const tile = &begin_in<V>(c, columns, scratch);
  c.pine ? run_group_in<true>(c, *g, growth, columns, *tile)
         : run_group_in<false>(c, *g, growth, columns, *tile);
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
