#include "daemon/evaluation.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace atcd::daemon {
namespace {

int wanted_side(int trend, Side side) {
  if (trend > 0) return side == Side::short_only ? 0 : 1;
  if (trend < 0) return side == Side::long_only ? 0 : -1;
  return 0;
}

/// Money and a quantity of the symbol, below 0 where it was sold short.
class Account {
 public:
  explicit Account(const EvaluationOptions& options)
      : fee_(options.fee_bp / 10'000), slippage_(options.slippage_bp / 10'000) {}

  double equity(double price) const { return money_ + quantity_ * price; }
  double turnover() const { return turnover_; }

  /// From the present side to another. False: nothing is left to trade with.
  bool turn(int side, double price) {
    if (quantity_ != 0) {
      const double before = equity(price);
      if (!(before > 0)) return false;
      const double value = std::abs(quantity_) * price_of(quantity_ < 0, price);
      turnover_ += value / before;
      money_ += (quantity_ < 0 ? -value : value) - value * fee_;
      quantity_ = 0;
    }
    if (!(money_ > 0)) return false;
    if (side != 0) {
      const double value = money_ / (1 + fee_);  // the fee comes out of the equity too
      turnover_ += value / money_;
      quantity_ = side * (value / price_of(side > 0, price));
      money_ = side > 0 ? 0 : money_ + value - value * fee_;
    }
    return true;
  }
  /// Ends a position without a trade: what it is worth at this price is money.
  void settle(double price) {
    money_ = equity(price);
    quantity_ = 0;
  }

 private:
  double price_of(bool buying, double price) const {
    return buying ? price * (1 + slippage_) : price * (1 - slippage_);
  }

  double fee_, slippage_;
  double money_ = 1, quantity_ = 0;
  double turnover_ = 0;
};

/// Sums over the bars' returns.
class Returns {
 public:
  void add(double equity) {
    const double change = equity / equity_ - 1;
    equity_ = equity;
    sum_ += change;
    squares_ += change * change;
    peak_ = std::max(peak_, equity);
    // Only where it may be the deepest yet is it worth a division.
    if (equity < peak_ * (1 - drawdown_)) drawdown_ = 1 - equity / peak_;
  }

  double equity() const { return equity_; }
  double drawdown() const { return drawdown_; }
  double sharpe(double count, double bars_per_year) const {
    const double mean = sum_ / count;
    const double variance = (squares_ - sum_ * mean) / (count - 1);
    if (!(variance > 0)) return std::numeric_limits<double>::quiet_NaN();
    return mean / std::sqrt(variance) * std::sqrt(bars_per_year);
  }

 private:
  double equity_ = 1, peak_ = 1, drawdown_ = 0;
  double sum_ = 0, squares_ = 0;
};

/// Bars that a return belongs to: of each stretch all but the first.
std::size_t returns_of(std::span<const Stretch> stretches) {
  std::size_t count = 0;
  for (const Stretch& stretch : stretches) count += stretch.end - stretch.begin - 1;
  return count;
}

}  // namespace

Evaluation evaluate(std::span<const std::int8_t> trend, const EvaluatedBars& bars,
                    const EvaluationOptions& options) {
  Evaluation result;
  Account account(options);
  Returns returns;
  const std::span<const double> fills = options.fill == Fill::next_open ? bars.opens : bars.closes;
  const Stretch all{0, bars.closes.size()};
  const std::span<const Stretch> stretches =
      bars.stretches.empty() ? std::span<const Stretch>(&all, 1) : bars.stretches;
  std::size_t held = 0;
  bool left = true;  // something to trade with
  for (std::size_t s = 0; left && s < stretches.size(); ++s) {
    const std::size_t end = stretches[s].end;
    int side = 0;
    for (std::size_t i = stretches[s].begin + 1; i < end; ++i) {
      const int wanted = wanted_side(trend[i - 1], options.side);
      bool lost = false;
      if (wanted != side) {
        lost = !account.turn(wanted, fills[i]);
        if (!lost && wanted != 0) ++result.trades;
        side = wanted;
      }
      const double equity = lost ? 0 : account.equity(bars.closes[i]);
      returns.add(std::max(equity, 0.0));
      held += side != 0 && !lost ? 1 : 0;
      left = equity > 0;
      if (!left) break;
    }
    account.settle(bars.closes[end - 1]);
  }
  const auto count = static_cast<double>(returns_of(stretches));
  result.gain = returns.equity() - 1;
  result.max_drawdown = returns.drawdown();
  result.sharpe = returns.sharpe(count, bars.bars_per_year);
  result.turnover = account.turnover();
  result.exposure = static_cast<double>(held) / count;
  return result;
}

}  // namespace atcd::daemon
