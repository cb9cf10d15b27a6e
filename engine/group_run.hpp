#pragma once

#include "engine/group_begin.hpp"

// A group of whole series: columns in, columns out. As many bars as there are lanes go in and out at a time,
// as a square that is transposed in registers.

namespace atcd::engine::ATCD_KERNEL {
namespace {

#if ATCD_LANES > 1
using BatchValue = Lanes;
#else
using BatchValue = double;
#endif

/// Values up to here can't overflow in a sum over a window.
constexpr double kTame = 1e290;

template <class V>
using Square = V[kLanes<V>];  // first by bar, then by lane

template <class V>
struct Staging {
  Square<V> closes, sources;
  Square<V> layer1[kFamilyCount], layer2[kFamilyCount], published, trend;
};

/// The values of the bars from `from` on; behind a series' end its last one again.
template <class V>
inline void read_square(const BatchColumns* columns, const double* BatchColumns::*column, std::int64_t from,
                        Square<V>& square) {
  for (int lane = 0; lane < kLanes<V>; ++lane) {
    const double* const values = columns[lane].*column;
    const std::int64_t bars = columns[lane].bars;
    if (from + kLanes<V> <= bars) {
      __builtin_memcpy(&square[lane], values + from, sizeof(V));
      continue;
    }
    for (int k = 0; k < kLanes<V>; ++k) {
      lane_of(square[lane], k) = values[from + k < bars ? from + k : bars - 1];
    }
  }
  transpose(square);
}

/// One series' part of a transposed square.
template <class T, class V>
inline void write_row(T* column, std::int64_t from, std::int64_t bars, V& row) {
  if (column == nullptr || from >= bars) return;
  if constexpr (sizeof(T) == sizeof(double)) {
    if (from + kLanes<V> <= bars) {
      __builtin_memcpy(column + from, &row, sizeof(V));
      return;
    }
  }
  for (int k = 0; k < kLanes<V> && from + k < bars; ++k) column[from + k] = static_cast<T>(lane_of(row, k));
}

template <class V>
inline void write_squares(const BatchColumns* columns, std::int64_t from, Staging<V>& s) {
  for (int f = 0; f < kFamilyCount; ++f) {
    transpose(s.layer1[f]);
    transpose(s.layer2[f]);
  }
  transpose(s.published);
  transpose(s.trend);
  for (int lane = 0; lane < kLanes<V>; ++lane) {
    const BatchColumns& to = columns[lane];
    for (int f = 0; f < kFamilyCount; ++f) {
      write_row(to.layer1[f], from, to.bars, s.layer1[f][lane]);
      write_row(to.layer2[f], from, to.bars, s.layer2[f][lane]);
    }
    write_row(to.average, from, to.bars, s.published[lane]);
    write_row(to.trend, from, to.bars, s.trend[lane]);
  }
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

template <class V>
inline bool is_tame(const BatchColumns& column) {
  bool tame = true;
  for (std::int64_t i = 0; i < column.bars; ++i) {
    tame &= magnitude(column.closes[i]) <= kTame;  // false where undefined
    tame &= magnitude(column.sources[i]) <= kTame;
  }
  return tame;
}

template <class V>
inline std::int64_t window_values(const PlanConstants& c) {
  return 7 * (c.scan_warm + 1) + (2 * c.longest_root + 1) * kLengthCount;
}

template <class V>
std::int64_t scratch_bytes(const PlanConstants& c) {
  return static_cast<std::int64_t>(sizeof(Group<V>) + sizeof(Staging<V>)) +
         window_values<V>(c) * static_cast<std::int64_t>(sizeof(V));
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
  const std::int64_t count = window_values<V>(c);
  for (std::int64_t i = 0; i < count; ++i) memory[i] = nothing;
  g.values = take(2 * g.value_capacity);
  g.changes = take(2 * g.value_capacity);
  g.sums = take(g.value_capacity);
  g.weighted = take(g.value_capacity);
  g.noise = take(g.value_capacity);
  g.raws = take((2 * g.raw_capacity + 1) * kLengthCount);
  g.value_head = 2 * g.value_capacity - 1;
  g.raw_head = 2 * g.raw_capacity - 1;
  fill(g.ema, nothing);
  fill(g.dema1, nothing);
  fill(g.dema2, nothing);
  fill(g.kama, c.pine ? V{} : nothing);
  fill(g.state, V{});
  fill(g.equity, nothing);
  fill(g.relation, nothing);
  fill(g.layer1, nothing);
  fill(g.layer2, nothing);
  fill(g.layer2_factor, broadcast<V>(1));
  g.close = nothing;
  g.unshifted = g.published = g.trend = V{};
  g.bars = 0;
  g.held_averages = (std::uint64_t{1} << kAverageCount) - 1;
  for (int i = 0; i < kAverageCount; ++i) g.held[i] = V{} == V{};
  g.wild = wild;
  g.gapped = 0;
}

template <bool pine, class V>
inline void finish_bar(const PlanConstants& c, Group<V>& g, double growth, V price) {
  const V r = grown_return<pine>(price, g.close, growth);
  if (g.held_averages != 0) hold_states<pine>(g, price);
  if (g.bars > c.cutout) {
    step_layer2_equities<pine>(c, g, r);
    if (__builtin_expect(no_infinity(r), 1)) {
      step_families<pine, Equity::usual>(c, g, price, r);
    } else {
      step_families<pine, Equity::infinite_return>(c, g, price, r);
    }
  } else {
    begin_layer2_equities(c, g);
    if (g.bars == c.cutout) {
      step_families<pine, Equity::first>(c, g, price, r);
    } else {
      step_families<pine, Equity::undefined>(c, g, price, r);
    }
  }
  step_average_signal<pine>(c, g);
}

template <bool pine, bool shared, bool careful, class V>
inline void run_bar(const PlanConstants& c, Group<V>& g, double growth, const BatchColumns* columns, V price,
                    V x, bool inner) {
  const bool warm = careful && g.bars < c.warm_bars;
  scan_group(g, warm ? 1 : c.scan_unread, warm ? c.scan_warm : c.scan_settled);
  if constexpr (careful) {
    step_averages_with_care<pine>(c, g, x);
  } else {
    step_averages_of_group<pine, shared, false>(c, g, x);
  }
  if (inner) write_inner(columns, &BatchColumns::averages, g.bars, g.average);
  finish_bar<pine>(c, g, growth, price);
  if (inner) {
    write_inner(columns, &BatchColumns::states, g.bars, g.state);
    write_inner(columns, &BatchColumns::equities, g.bars, g.equity);
  }
  commit_group<pine>(g, price, x);
}

template <bool pine, bool shared, bool careful, class V>
void run_square(const PlanConstants& c, Group<V>& g, const double* growth, const BatchColumns* columns,
                Staging<V>& s, bool inner) {
  const std::int64_t from = g.bars;
  read_square<V>(columns, &BatchColumns::closes, from, s.closes);
  read_square<V>(columns, &BatchColumns::sources, from, s.sources);
  for (int k = 0; k < kLanes<V>; ++k) {
    run_bar<pine, shared, careful>(c, g, growth[from + k], columns, s.closes[k], s.sources[k], inner);
    for (int f = 0; f < kFamilyCount; ++f) {
      s.layer1[f][k] = g.layer1[f];
      s.layer2[f][k] = g.layer2[f];
    }
    s.published[k] = g.published;
    s.trend[k] = g.trend;
  }
  write_squares(columns, from, s);
}

template <bool pine, bool shared, class V>
void run_group_of(const PlanConstants& c, Group<V>& g, const double* growth, const BatchColumns* columns,
                  Staging<V>& s) {
  std::int64_t bars = 0;
  bool inner = false;
  for (int lane = 0; lane < kLanes<V>; ++lane) {
    bars = columns[lane].bars > bars ? columns[lane].bars : bars;
    inner |= columns[lane].averages != nullptr;
  }
  while (g.bars < bars) {
    if (g.wild || g.bars < c.careful_bars) {
      run_square<pine, shared, true>(c, g, growth, columns, s, inner);
    } else {
      run_square<pine, shared, false>(c, g, growth, columns, s, inner);
    }
  }
}

template <class V>
void run_group(const PlanConstants& c, const double* growth, const BatchColumns* columns, void* scratch) {
  auto* const g = static_cast<Group<V>*>(scratch);
  auto* const staging = reinterpret_cast<Staging<V>*>(g + 1);
  bool wild = false;
  for (int lane = 0; lane < kLanes<V>; ++lane) wild |= !is_tame<V>(columns[lane]);
  begin_group(c, *g, reinterpret_cast<V*>(staging + 1), wild);
  if (c.pine) {
    c.same_lengths ? run_group_of<true, true>(c, *g, growth, columns, *staging)
                   : run_group_of<true, false>(c, *g, growth, columns, *staging);
  } else {
    c.same_lengths ? run_group_of<false, true>(c, *g, growth, columns, *staging)
                   : run_group_of<false, false>(c, *g, growth, columns, *staging);
  }
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
