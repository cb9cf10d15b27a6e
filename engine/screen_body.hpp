#pragma once

#include "engine/kernel.hpp"

// The estimate of screen.hpp, as many series at once as fit into a vector of floats. Floats is float or such
// a vector; lane by lane all give the same bits.

namespace atcd::engine::ATCD_KERNEL {
namespace {

#if ATCD_LANES > 1
typedef float Floats __attribute__((vector_size(8 * ATCD_LANES), aligned(4)));
#else
using Floats = float;
#endif

inline constexpr int kFloats = ATCD_LANES > 1 ? 2 * ATCD_LANES : 1;

/// Where a family's average stands, and what follows from it.
struct Screened {
  Floats before{};  // price - average
  Floats state{};
  Floats equity;
};

/// Partial sums of a window by the number of values, the newest included: of the values, of those sums, and
/// of the absolute differences between neighbours.
inline void scan_window(const float* newest, int longest, Floats* sums, Floats* weighted, Floats* noise) {
  Floats sum{}, sums_of_sums{}, differences{};
  Floats value;
  __builtin_memcpy(&value, newest, sizeof value);
  for (std::int64_t j = 1; j <= longest; ++j) {
    Floats older;
    __builtin_memcpy(&older, newest - j * kFloats, sizeof older);
    const Floats change = value - older;
    differences += change < 0.0F ? -change : change;
    sum += value;
    sums_of_sums += sum;
    sums[j] = sum;
    weighted[j] = sums_of_sums;
    noise[j] = differences;
    value = older;
  }
}

inline float triangle_of(int length) {
  const auto count = static_cast<float>(length);
  return count * (count + 1) / 2;
}

inline float alpha_of(int length) { return 2 / (static_cast<float>(length) + 1); }

inline void screen_equity(const ScreenConstants& c, Screened& one, Floats r) {
  const Floats grown = one.equity * c.keep * (1.0F + one.state * r);
  one.equity = grown < 0.25F ? Floats{} + 0.25F : grown;
}

inline void screen_state(Screened& one, Floats relation) {
  const auto falls = (relation < 0.0F) & (one.before >= 0.0F),
             rises = (relation > 0.0F) & (one.before <= 0.0F);
  const Floats down = falls ? Floats{} - 1.0F : one.state;
  one.state = rises ? Floats{} + 1.0F : down;
  one.before = relation;
}

void screen_group(const ScreenConstants& c, const ScreenColumns& columns) {
  const int of_ema = c.length[0], of_hma = c.length[1], of_wma = c.length[2], of_dema = c.length[3],
            of_lsma = c.length[4], of_kama = c.length[5];
  Floats* const sums = reinterpret_cast<Floats*>(columns.sums);
  Floats* const weighted = sums + c.longest + 1;
  Floats* const noise = weighted + c.longest + 1;
  Floats* const raws = reinterpret_cast<Floats*>(columns.raws);
  const float* source = columns.sources + static_cast<std::int64_t>(c.longest + 1) * kFloats;
  const float* close = columns.closes + static_cast<std::int64_t>(c.longest + 1) * kFloats;
  Floats x;
  __builtin_memcpy(&x, source, sizeof x);
  for (int j = 0; j < c.root; ++j) raws[j] = x;
  Floats ema = x, first = x, second = x, kama = x, average{}, published{};
  Screened families[kFamilies];
  for (std::size_t f = 0; f < kFamilies; ++f) families[f].equity = Floats{} + c.start[f];
  const float ema_alpha = alpha_of(of_ema), dema_alpha = alpha_of(of_dema);
  for (std::int64_t i = 0; i < columns.bars; ++i, source += kFloats, close += kFloats) {
    Floats price, price_before;
    __builtin_memcpy(&price, close, sizeof price);
    __builtin_memcpy(&price_before, close - kFloats, sizeof price_before);
    __builtin_memcpy(&x, source, sizeof x);
    scan_window(source, c.longest, sums, weighted, noise);

    ema += ema_alpha * (x - ema);
    first += dema_alpha * (x - first);
    second += dema_alpha * (first - second);
    Floats hull = sums[of_hma] / static_cast<float>(of_hma);
    if (!c.pine) {
      Floats* const raw = raws + c.root + i;
      *raw = 2.0F * weighted[c.half] / triangle_of(c.half) - weighted[of_hma] / triangle_of(of_hma);
      hull = Floats{};
      for (int j = 0; j < c.root; ++j) hull += static_cast<float>(c.root - j) * raw[-j];
      hull = hull / triangle_of(c.root);
    }
    const Floats wma = weighted[of_wma] / triangle_of(of_wma);
    const Floats mean = sums[of_lsma] / static_cast<float>(of_lsma);
    Floats line = 3.0F * (weighted[of_lsma] / triangle_of(of_lsma)) - 2.0F * mean;
    // lts takes the line one bar before the newest.
    if (!c.pine && of_lsma > 1) line -= (line - mean) * 2.0F / (static_cast<float>(of_lsma) - 1);
    Floats oldest;
    __builtin_memcpy(&oldest, source - static_cast<std::int64_t>(of_kama) * kFloats, sizeof oldest);
    const Floats change = x - oldest, moved = change < 0.0F ? -change : change;
    const Floats around = noise[of_kama];
    const Floats ratio = around > 0.0F ? moved / (around > 0.0F ? around : Floats{} + 1.0F) : Floats{};
    const Floats smooth = ratio * (0.666F - 0.064F) + 0.064F;
    kama += smooth * smooth * (x - kama);

    const Floats averages[kFamilies] = {ema, hull, wma, 2.0F * first - second, line, kama};
    const Floats r = price / price_before - 1.0F;
    Floats signed_sum{}, sum{};
    for (std::size_t f = 0; f < kFamilies; ++f) {
      if (!c.chosen[f]) continue;
      Screened& one = families[f];
      screen_equity(c, one, r);
      screen_state(one, price - averages[f]);
      const Floats below = one.state < c.cut_below ? Floats{} - 1.0F : Floats{};
      signed_sum += (one.state > c.cut_above ? Floats{} + 1.0F : below) * one.equity;
      sum += one.equity;
    }
    published = c.strategy_mode ? average : signed_sum / sum;
    average = signed_sum / sum;
  }
  __builtin_memcpy(columns.last, &published, sizeof published);
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
