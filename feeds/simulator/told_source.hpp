#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "feeds/simulator/faults.hpp"
#include "feeds/simulator/source.hpp"

namespace atcd::feeds::simulator {

/// A source as REST tells it while something is wrong: without delisted symbols; where it is stale without
/// the newest closed bar and the running one; where it is unsettled with another close of the newest closed
/// bar and without the running one; where it is halved without the older half of what is asked for; of a
/// replaced symbol the list says something else. Lives no longer than its arguments.
class ToldSource final : public Source {
 public:
  ToldSource(const Source& source, const Faults& faults, RestFault::How how) : source_(source), how_(how) {
    for (std::size_t i = 0; i < source.symbols().size(); ++i) {
      if (faults.delisted.contains(source.symbols()[i].symbol)) continue;
      MarketSymbol& told = symbols_.emplace_back(source.symbols()[i]);
      if (const auto found = faults.replaced.find(told.symbol); found != faults.replaced.end()) {
        told.listed_ms = found->second.listed_ms;
        told.contract_size = found->second.contract_size;
      }
      numbers_.push_back(i);
    }
  }

  const std::vector<MarketSymbol>& symbols() const override { return symbols_; }
  std::optional<std::size_t> find(std::string_view symbol) const override {
    const auto found = source_.find(symbol);
    const auto at = found ? std::find(numbers_.begin(), numbers_.end(), *found) : numbers_.end();
    if (at == numbers_.end()) return std::nullopt;
    return static_cast<std::size_t>(at - numbers_.begin());
  }
  bool trading(std::size_t symbol, std::int64_t now_ms) const override {
    return source_.trading(numbers_[symbol], now_ms);
  }
  std::vector<Kline> klines(const KlineQuery& query) const override {
    KlineQuery asked = query;
    asked.symbol = numbers_[query.symbol];
    const auto& interval = query.interval;
    const std::int64_t newest_closed_ms = interval.open_time_ms(interval.ordinal(query.now_ms) - 1);
    if (how_ == RestFault::How::stale) asked.to_ms = std::min(query.to_ms, newest_closed_ms - 1);
    if (how_ == RestFault::How::unsettled) asked.to_ms = std::min(query.to_ms, newest_closed_ms);
    std::vector<Kline> rows = source_.klines(asked);
    if (how_ == RestFault::How::halved)
      rows.erase(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(rows.size() / 2));
    if (how_ != RestFault::How::unsettled) return rows;
    if (!rows.empty() && rows.back().bar.open_time_ms == newest_closed_ms)
      rows.back().bar.close = rows.back().bar.open;
    return rows;
  }

 private:
  const Source& source_;
  RestFault::How how_;
  std::vector<MarketSymbol> symbols_;
  std::vector<std::size_t> numbers_;  // those of the source
};

}  // namespace atcd::feeds::simulator
