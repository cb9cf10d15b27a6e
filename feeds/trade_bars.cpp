#include "feeds/trade_bars.hpp"

#include <algorithm>
#include <utility>

namespace atcd::feeds {
namespace {

constexpr std::int64_t kBetweenRunningMs = 250;  // two tellings of the running bar
// What no real stream of trades reaches; whatever one tells, memory stays bounded.
constexpr std::size_t kMostOpen = 1000;
constexpr std::int64_t kMostEmpty = 1000;
constexpr std::size_t kMostGaps = 64;

/// Numbers tell the order where there are some.
std::int64_t place_of(const Trade& trade) { return trade.first_id != 0 ? trade.first_id : trade.time_ms; }

}  // namespace

TradeBars::TradeBars(StreamName name, const engine::Interval& interval, std::int64_t settling_ms,
                     TradeBarsHandler& handler)
    : name_(std::move(name)), interval_(interval), settling_ms_(settling_ms), handler_(handler) {}

void TradeBars::begin_anew() {
  counters_.unproven += open_.empty() ? 0 : static_cast<std::uint64_t>(newest_slot_ - next_ + 1);
  open_.clear();
  gaps_.clear();
  began_ = false;
  last_id_ = 0;
}

void TradeBars::on_trade(const Trade& trade, std::int64_t received_us, std::int64_t monotonic_ms) {
  close_settled(received_us, monotonic_ms);
  ++counters_.trades;
  const std::int64_t ordinal = interval_.ordinal(trade.time_ms);
  if (!std::exchange(began_, true)) {
    first_slot_ = next_ = newest_slot_ = ordinal;
    told_ms_ = monotonic_ms - kBetweenRunningMs;
  }
  if (!take_number(trade, ordinal)) {
    ++counters_.duplicates;
    return;
  }
  if (ordinal < next_) {
    ++counters_.late;
    return;
  }
  const bool later = ordinal > newest_slot_;
  newest_slot_ = std::max(newest_slot_, ordinal);
  Slot& slot = slot_at(ordinal, trade, monotonic_ms);
  engine::Bar& bar = slot.bar;
  bar.high = std::max(bar.high, trade.price);
  bar.low = std::min(bar.low, trade.price);
  if (const std::int64_t place = place_of(trade); place >= slot.last) {
    bar.close = trade.price;
    slot.last = place;
  } else if (place < slot.first) {
    bar.open = trade.price;
    slot.first = place;
  }
  bar.volume += trade.quantity;
  if (ordinal == newest_slot_ && (later || monotonic_ms - told_ms_ >= kBetweenRunningMs)) {
    told_ms_ = monotonic_ms;
    tell(bar, false, proven(ordinal), received_us);
  }
  close_settled(received_us, monotonic_ms);
}

void TradeBars::on_timer(std::int64_t received_us, std::int64_t monotonic_ms) {
  close_settled(received_us, monotonic_ms);
}

// ---- numbers

/// False for a trade that was told before.
bool TradeBars::take_number(const Trade& trade, std::int64_t slot) {
  if (trade.first_id == 0) return true;
  if (last_id_ != 0 && trade.first_id <= last_id_) return fill_gap(trade, slot);
  if (last_id_ != 0 && trade.first_id > last_id_ + 1) {
    counters_.lost += static_cast<std::uint64_t>(trade.first_id - last_id_ - 1);
    gaps_.push_back(
        {last_id_ + 1, trade.first_id - 1, std::min(last_slot_, slot), std::max(newest_slot_, slot)});
    if (gaps_.size() > kMostGaps) {  // the oldest two can't be filled any more
      Gap& second = gaps_[1];
      second = {1, 0, std::min(gaps_[0].from_slot, second.from_slot),
                std::max(gaps_[0].to_slot, second.to_slot)};
      gaps_.erase(gaps_.begin());
    }
  }
  last_id_ = trade.last_id;
  last_slot_ = slot;
  return true;
}

bool TradeBars::fill_gap(const Trade& trade, std::int64_t slot) {
  const auto gap = std::find_if(gaps_.begin(), gaps_.end(), [&](const Gap& each) {
    return each.first <= trade.first_id && trade.last_id <= each.last;
  });
  if (gap == gaps_.end()) return false;
  counters_.lost -= static_cast<std::uint64_t>(trade.last_id - trade.first_id + 1);
  const Gap before{gap->first, trade.first_id - 1, std::min(gap->from_slot, slot),
                   std::max(gap->from_slot, slot)};
  const Gap after{trade.last_id + 1, gap->last, std::min(slot, gap->to_slot), std::max(slot, gap->to_slot)};
  auto at = gaps_.erase(gap);
  if (after.first <= after.last) at = gaps_.insert(at, after);
  if (before.first <= before.last) gaps_.insert(at, before);
  return true;
}

bool TradeBars::proven(std::int64_t slot) const {
  return slot > first_slot_ && std::none_of(gaps_.begin(), gaps_.end(), [slot](const Gap& gap) {
           return gap.from_slot <= slot && slot <= gap.to_slot;
         });
}

// ---- slots

TradeBars::Slot& TradeBars::slot_at(std::int64_t ordinal, const Trade& trade, std::int64_t monotonic_ms) {
  auto at = std::lower_bound(open_.begin(), open_.end(), ordinal,
                             [](const Slot& slot, std::int64_t wanted) { return slot.ordinal < wanted; });
  if (at != open_.end() && at->ordinal == ordinal) return *at;
  for (auto earlier = open_.begin(); earlier != at; ++earlier) {
    if (!earlier->ended_ms) earlier->ended_ms = monotonic_ms;
  }
  Slot slot{ordinal,
            {interval_.open_time_ms(ordinal), interval_.open_time_ms(ordinal + 1), trade.price, trade.price,
             trade.price, trade.price, 0},
            place_of(trade),
            place_of(trade),
            {}};
  if (at != open_.end()) slot.ended_ms = monotonic_ms;
  return *open_.insert(at, slot);
}

void TradeBars::close_settled(std::int64_t received_us, std::int64_t monotonic_ms) {
  while (!open_.empty() && open_.front().ended_ms) {
    const bool settled = monotonic_ms - *open_.front().ended_ms >= settling_ms_;
    if (!settled && open_.size() <= kMostOpen) return;
    close_front(received_us);
  }
}

/// And the slots up to the next one with a trade.
void TradeBars::close_front(std::int64_t received_us) {
  const Slot slot = open_.front();
  open_.pop_front();
  next_ = open_.front().ordinal;  // it ended because of a later one
  const std::int64_t empty = next_ - slot.ordinal - 1;
  if (proven(slot.ordinal)) {
    ++counters_.closed;
    tell(slot.bar, true, true, received_us);
  } else {
    ++counters_.unproven;
  }
  if (empty > kMostEmpty) {
    counters_.unproven += static_cast<std::uint64_t>(empty);
  } else {
    const double price = slot.bar.close;
    for (std::int64_t each = slot.ordinal + 1; each < next_; ++each) {
      if (!proven(each)) {
        ++counters_.unproven;
        continue;
      }
      ++counters_.closed;
      ++counters_.empty;
      tell({interval_.open_time_ms(each), interval_.open_time_ms(each + 1), price, price, price, price, 0},
           true, true, received_us);
    }
  }
  std::erase_if(gaps_, [this](const Gap& gap) { return gap.last < gap.first && gap.to_slot < next_; });
}

void TradeBars::tell(const engine::Bar& bar, bool closed, bool whole, std::int64_t received_us) {
  handler_.on_built({name_.symbol, name_.interval, bar, 0, closed}, whole, received_us);
}

}  // namespace atcd::feeds
