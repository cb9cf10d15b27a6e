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

TradeBars::TradeBars(StreamName name, const engine::Interval& interval, const TradeBarsRules& rules,
                     TradeBarsHandler& handler)
    : name_(std::move(name)), interval_(interval), rules_(rules), handler_(handler) {}

void TradeBars::begin_anew() {
  counters_.unproven += open_.empty() ? 0 : static_cast<std::uint64_t>(newest_slot_ - next_ + 1);
  open_.clear();
  gaps_.clear();
  seen_.clear();
  last_price_.reset();
  began_ = false;
  last_id_ = 0;
}

void TradeBars::begin(const Trade& trade, std::int64_t slot, std::int64_t monotonic_ms) {
  next_ = newest_slot_ = slot;
  // The first one may be told long after it was made. Where numbers do not tell what was made in between,
  // only what comes from now on is heard in full.
  const bool numbered = trade.first_id != 0;
  first_slot_ = numbered ? slot : std::max(slot, interval_.ordinal(trade.event_time_ms));
  told_ms_ = monotonic_ms - kBetweenRunningMs;
}

void TradeBars::on_trade(const Trade& trade, std::int64_t received_us, std::int64_t monotonic_ms) {
  close_settled(received_us, monotonic_ms);
  ++counters_.trades;
  const std::int64_t ordinal = interval_.ordinal(trade.time_ms);
  if (!std::exchange(began_, true)) begin(trade, ordinal, monotonic_ms);
  if (!is_new(trade, ordinal)) {
    ++counters_.duplicates;
    return;
  }
  if (ordinal < next_) {
    ++counters_.late;
    return;
  }
  if (trade.off_book) {
    ++counters_.off_book;
    return add_gap({1, 0, ordinal, ordinal});
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
    tell_running(received_us);
  }
  close_settled(received_us, monotonic_ms);
}

void TradeBars::on_timer(std::int64_t received_us, std::int64_t monotonic_ms) {
  close_settled(received_us, monotonic_ms);
}

// ---- numbers

/// False for a trade that was told before.
bool TradeBars::is_new(const Trade& trade, std::int64_t slot) {
  if (trade.first_id != 0) return take_number(trade, slot);
  return trade.identity == 0 || seen_.add(trade.identity, trade.time_ms);
}

bool TradeBars::take_number(const Trade& trade, std::int64_t slot) {
  if (last_id_ != 0 && trade.first_id <= last_id_) return fill_gap(trade, slot);
  if (last_id_ != 0 && trade.first_id > last_id_ + 1) {
    counters_.lost += static_cast<std::uint64_t>(trade.first_id - last_id_ - 1);
    add_gap({last_id_ + 1, trade.first_id - 1, std::min(last_slot_, slot), std::max(newest_slot_, slot)});
  }
  last_id_ = trade.last_id;
  last_slot_ = slot;
  return true;
}

/// One without numbers stands for what can't be decided.
void TradeBars::add_gap(const Gap& gap) {
  gaps_.push_back(gap);
  if (gaps_.size() <= kMostGaps) return;
  Gap& second = gaps_[1];  // the oldest two can't be filled any more
  second = {1, 0, std::min(gaps_[0].from_slot, second.from_slot), std::max(gaps_[0].to_slot, second.to_slot)};
  gaps_.erase(gaps_.begin());
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

/// Gives the bar the form that the exchange gives it; false where it can't be proven to be whole. `before`:
/// the last price before the slot.
bool TradeBars::complete(engine::Bar& bar, std::int64_t slot, const std::optional<LastPrice>& before) const {
  std::int64_t from_slot = slot;
  if (rules_.opens_at_last_close) {
    if (!before) return false;
    bar.open = before->price;
    bar.high = std::max(bar.high, bar.open);
    bar.low = std::min(bar.low, bar.open);
    from_slot = before->slot;
  }
  return slot > first_slot_ && std::none_of(gaps_.begin(), gaps_.end(), [&](const Gap& gap) {
           return gap.from_slot <= slot && from_slot <= gap.to_slot;
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
    const bool settled = monotonic_ms - *open_.front().ended_ms >= rules_.settling_ms;
    if (!settled && open_.size() <= kMostOpen) return;
    close_front(received_us);
  }
}

/// And the slots up to the next one with a trade.
void TradeBars::close_front(std::int64_t received_us) {
  const Slot slot = open_.front();
  open_.pop_front();
  next_ = open_.front().ordinal;  // it ended because of a later one
  const auto before = std::exchange(last_price_, LastPrice{slot.bar.close, slot.ordinal});
  close(slot.bar, slot.ordinal, before, received_us);
  const std::int64_t empty = next_ - slot.ordinal - 1;
  if (empty > kMostEmpty) {
    counters_.unproven += static_cast<std::uint64_t>(empty);
  } else {
    const double price = slot.bar.close;
    for (std::int64_t each = slot.ordinal + 1; each < next_; ++each)
      close({interval_.open_time_ms(each), interval_.open_time_ms(each + 1), price, price, price, price, 0},
            each, last_price_, received_us);
  }
  std::erase_if(gaps_,
                [this](const Gap& gap) { return gap.last < gap.first && gap.to_slot < last_price_->slot; });
}

void TradeBars::close(engine::Bar bar, std::int64_t slot, const std::optional<LastPrice>& before,
                      std::int64_t received_us) {
  if (!complete(bar, slot, before)) {
    ++counters_.unproven;
    return;
  }
  ++counters_.closed;
  if (bar.volume == 0) ++counters_.empty;
  handler_.on_built({name_.symbol, name_.interval, bar, 0, true}, true, received_us);
}

void TradeBars::tell_running(std::int64_t received_us) {
  const Slot& newest = open_.back();
  auto before = last_price_;
  if (open_.size() > 1) {
    const Slot& last = open_[open_.size() - 2];
    before = LastPrice{last.bar.close, last.ordinal};
  }
  engine::Bar bar = newest.bar;
  const bool whole = complete(bar, newest.ordinal, before);
  handler_.on_built({name_.symbol, name_.interval, bar, 0, false}, whole, received_us);
}

}  // namespace atcd::feeds
