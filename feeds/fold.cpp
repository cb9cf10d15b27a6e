#include "feeds/fold.hpp"

#include <algorithm>

namespace atcd::feeds {
namespace {

/// The slot's bar as it is when all there is of it is `part`.
engine::Bar begin_with(const engine::Bar& part, const engine::Interval& target) {
  engine::Bar bar = part;
  bar.open_time_ms = target.open_time_ms(target.ordinal(part.open_time_ms));
  bar.close_time_ms = target.close_time_ms(part.open_time_ms);
  return bar;
}

}  // namespace

void extend(engine::Bar& bar, const engine::Bar& next) {
  bar.high = std::max(bar.high, next.high);
  bar.low = std::min(bar.low, next.low);
  bar.close = next.close;
  bar.volume += next.volume;
}

std::vector<engine::Bar> fold_rows(std::span<const engine::Bar> rows, const engine::Interval& target) {
  std::vector<engine::Bar> folded;
  for (const engine::Bar& row : rows) {
    if (!folded.empty() && row.open_time_ms < folded.back().close_time_ms) {
      extend(folded.back(), row);
    } else {
      folded.push_back(begin_with(row, target));
    }
  }
  return folded;
}

FrameFold::FrameFold(const engine::Interval& base, const engine::Interval& target)
    : base_(base), target_(target), text_(target.text()) {}

void FrameFold::begin_anew() {
  earlier_.reset();
  last_.reset();
  in_order_ = whole_so_far_ = false;
}

std::optional<Kline> FrameFold::take(const Kline& kline) {
  const std::int64_t part = base_.ordinal(kline.bar.open_time_ms);
  return kline.closed ? take_closed(kline, part) : take_forming(kline, part);
}

std::optional<Kline> FrameFold::take_forming(const Kline& kline, std::int64_t part) {
  if (last_ && part < next_) return std::nullopt;
  const std::int64_t slot = target_.ordinal(kline.bar.open_time_ms);
  whole_so_far_ = follows(part, slot);
  if (!last_ || slot != slot_) return told(kline, begin_with(kline.bar, target_), false);
  engine::Bar bar = parts();
  extend(bar, kline.bar);
  return told(kline, bar, false);
}

std::optional<Kline> FrameFold::take_closed(const Kline& kline, std::int64_t part) {
  const std::int64_t slot = target_.ordinal(kline.bar.open_time_ms);
  const bool again = last_ && part == next_ - 1;
  if (last_ && part < next_ && !again) {
    const bool slot_runs = slot == slot_ && last_->close_time_ms < target_.open_time_ms(slot + 1);
    if (slot_runs) {
      in_order_ = false;
    } else {
      doubt_ = true;
    }
    return std::nullopt;
  }
  const bool ended = kline.bar.close_time_ms == target_.open_time_ms(slot + 1);
  if (again) {
    if (*last_ == kline.bar) return std::nullopt;
    doubt_ |= ended && !in_order_;  // REST may have closed the bar already
  } else {
    in_order_ = follows(part, slot);
    if (last_ && slot == slot_) {
      earlier_ = parts();
    } else {
      earlier_.reset();
    }
    slot_ = slot;
    next_ = part + 1;
  }
  last_ = kline.bar;
  whole_so_far_ = in_order_;
  return told(kline, parts(), ended && in_order_);
}

/// The part is the next one of a slot whose parts so far were closed in order, or its first.
bool FrameFold::follows(std::int64_t part, std::int64_t slot) const {
  if (last_ && slot == slot_) return in_order_ && part == next_;
  return base_.open_time_ms(part) == target_.open_time_ms(slot);
}

engine::Bar FrameFold::parts() const {
  if (!earlier_) return begin_with(*last_, target_);
  engine::Bar bar = *earlier_;
  extend(bar, *last_);
  return bar;
}

std::optional<Kline> FrameFold::told(const Kline& kline, const engine::Bar& bar, bool closed) const {
  return Kline{kline.symbol, text_, bar, kline.event_time_ms, closed};
}

}  // namespace atcd::feeds
