#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace atcd::daemon {

enum class Side : std::uint8_t { both, long_only, short_only };
/// Where what a bar's signal says is done: at the open or at the close of the next bar.
enum class Fill : std::uint8_t { next_open, next_close };

struct EvaluationOptions {
  Side side = Side::both;
  Fill fill = Fill::next_open;
  // Of what is bought or sold, in basis points of its value, each time.
  double fee_bp = 10;
  double slippage_bp = 0;  // buying costs so much more than the price, selling brings so much less
};

/// What trading one series by its trend would have come to. Undefined values are NaN.
struct Evaluation {
  double gain = 0;          // 0.1: a tenth more than at the begin; -1: all is lost
  double max_drawdown = 0;  // 0 to 1: the largest fall from a peak, of the peak, at closes
  double sharpe = 0;        // of the bars' returns, a year; NaN where they do not differ
  double turnover = 0;      // what was bought and sold, in times of the equity then
  double exposure = 0;      // the part of bars that close with a position, but for a stretch's first
  std::int64_t trades = 0;  // positions that were opened
};

/// Bars that follow one another, from `begin` to `end` (exclusive), one at least.
struct Stretch {
  std::size_t begin = 0, end = 0;
};

/// The bars of one series that are evaluated, oldest first. Prices are finite and positive.
struct EvaluatedBars {
  std::span<const double> opens;  // empty: only the closes are known
  std::span<const double> closes;
  double bars_per_year = 0;
  std::span<const Stretch> stretches{};  // those that count, in order, each for itself; empty: all as one
};

/// Trades with the whole equity: a trend above 0 is held long, one below 0 short, 0 not at all. trend[t] is
/// known at the close of bar t and acted on in bar t+1 at the option's price, so no result depends on a price
/// that came before the decision or on a trend that came after it. A position is opened with the equity of
/// that moment, its fee included, and left as it is until the trend changes; the last is valued at the last
/// close, not closed. So is the last of every stretch: the next one begins with what it was worth and without
/// a position, and what the price did between is nobody's gain. Where an equity falls to nothing, all is lost
/// and nothing more is done. The same operations in the same order always: the same bits.
Evaluation evaluate(std::span<const std::int8_t> trend, const EvaluatedBars& bars,
                    const EvaluationOptions& options);

}  // namespace atcd::daemon
