#pragma once

#include <utility>

#include "engine/averages.hpp"
#include "engine/usual_lengths.hpp"

// What a bar of one series needs of the values before it: the scan, and the partial sums at the lengths.

namespace atcd::engine::ATCD_KERNEL {
namespace {

/// The default's.
struct UsualLengths {
  constexpr UsualLengths() {
    for (int i = 0; i < kLengthCount; ++i) {
      at[i] = usual_length(Spread::medium, i);
      root[i] = usual_root(Spread::medium, i);
    }
    longest = usual_longest(Spread::medium);
  }
  int at[kLengthCount] = {}, root[kLengthCount] = {};
  int longest = 0;
};
constexpr UsualLengths kUsual;

/// Visits the values `from` .. `to` before the next bar; keeps the partial sums where they may be read.
template <bool keep>
inline void visit(const double* newest, std::int64_t from, std::int64_t to, ScanSums<double>& s, Work& w) {
  for (std::int64_t j = from; j <= to; ++j) {
    visit_value(s, newest[1 - j]);
    if constexpr (keep) {
      w.sums[j] = s.sum;
      w.weighted[j] = s.weighted;
      w.noise[j - 1] = s.noise;
    }
  }
}

/// One scan backward from the value before the newest.
inline void scan(const PlanConstants& c, const Windows& windows, const Block& in, Work& w) {
  const double* newest = windows.values + in.value_head;
  const bool warm = in.bars < c.warm_bars;
  const std::int64_t unread = warm ? 0 : c.scan_unread;
  w.sums[0] = w.weighted[0] = w.noise[0] = 0;
  ScanSums<double> sums{0, 0, 0, newest[0]};
  visit<false>(newest, 1, unread, sums, w);
  visit<true>(newest, unread + 1, warm ? c.scan_warm : c.scan_settled, sums, w);
}

/// The outer Hull averages over their raw values, each as far back as its own length goes.
inline void scan_raws(const PlanConstants& c, const Windows& windows, const Block& in, Work& w) {
  const double* newest = windows.raws + in.raw_head * kRawStride;
  over_lengths([&](auto strip, int i) {
    using T = decltype(strip);
    T sum{}, weighted{};
    for (std::int64_t j = 1; j < c.longest_root; ++j) {
      sum += load<T>(newest - (j - 1) * kRawStride + i);
      weighted = select(static_cast<double>(j) < load<T>(c.root_count + i), weighted + sum, weighted);
    }
    store(w.root_part + i, weighted);
  });
}

inline void read_off(const double* scan, const PlanConstants::Places& places, double* parts) {
  over_lengths(
      [&](auto strip, int i) { store(parts + i, pick<decltype(strip)>(scan, places.at + i, places.least)); });
}

/// Where all families have the same lengths a usual bar has Hull's and LSMA's parts in common with the WMA's
/// (in pine Hull's with LSMA's).
inline bool shares_parts(const PlanConstants& c, const Work& w) { return w.usual && c.same_lengths; }

/// Gives each family its own after all.
template <bool pine>
inline void stop_sharing_parts(Work& w) {
  for (int i = 0; i < kLengthCount; ++i) {
    w.hma_part[i] = pine ? w.lsma_sum[i] : w.wma_part[i];
    w.lsma_part[i] = w.wma_part[i];
  }
}

/// `some`: not all families are computed; what the scans do not reach is not read.
template <bool pine, bool some>
inline void scan_and_read_off(const PlanConstants& c, const Windows& windows, const Block& in, Work& w) {
  scan(c, windows, in, w);
  const bool apart = !shares_parts(c, w);
  if (chosen<some>(c, kHma)) {
    if (apart) read_off(pine ? w.sums : w.weighted, c.hma_before, w.hma_part);
    if constexpr (!pine) {
      scan_raws(c, windows, in, w);
      read_off(w.weighted, c.half_before, w.half_part);
    }
  }
  if (chosen<some>(c, kWma)) read_off(w.weighted, c.wma_before, w.wma_part);
  if (chosen<some>(c, kLsma)) {
    if (apart) read_off(w.weighted, c.lsma_before, w.lsma_part);
    read_off(w.sums, c.lsma_before, w.lsma_sum);
  }
  if (chosen<some>(c, kKama)) {
    read_off(windows.values + in.value_head, c.kama_oldest, w.kama_oldest);
    read_off(w.noise, c.kama_before, w.kama_noise);
  }
}

/// The j-th value before the next bar, at the usual lengths: the sums go where they are read.
template <int j>
[[gnu::always_inline]] inline void visit_usual(ScanSums<double>& s, const double* newest, Work& w) {
  visit_value(s, newest[1 - j]);
#pragma GCC unroll 9
  for (int i = 0; i < kLengthCount; ++i) {
    if (kUsual.at[i] / 2 - 1 == j) w.half_part[i] = s.weighted;
    if (kUsual.at[i] == j) w.kama_noise[i] = s.noise;
    if (kUsual.at[i] - 1 != j) continue;
    w.lsma_sum[i] = s.sum;
    w.wma_part[i] = s.weighted;
  }
}

template <int... j>
[[gnu::always_inline]] inline void visit_usual(const double* newest, Work& w,
                                               std::integer_sequence<int, j...>) {
  ScanSums<double> sums{0, 0, 0, newest[0]};
  (visit_usual<j + 1>(sums, newest, w), ...);
}

/// scan() of a usual bar at the usual lengths, without a loop and with nothing to read off.
inline void scan_usual(const Windows& windows, const Block& in, Work& w) {
  visit_usual(windows.values + in.value_head, w, std::make_integer_sequence<int, kUsual.longest>{});
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
