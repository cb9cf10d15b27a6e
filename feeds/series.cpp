#include "feeds/series.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "feeds/interval_source.hpp"

namespace atcd::feeds {
namespace {

// Enough for a day of minutes behind a hole; older ones can be had again over REST.
constexpr std::size_t kPendingLimit = 1440;

constexpr std::array<std::string_view, kSeriesStates> kStateNames = {
    "WARMING", "CATCHING_UP", "LIVE", "STALE", "GAP", "HALTED", "ENDED"};
static_assert(static_cast<std::size_t>(SeriesState::ended) + 1 == kSeriesStates);

}  // namespace

std::string_view state_name(SeriesState state) { return kStateNames[static_cast<std::size_t>(state)]; }

Series::Series(const SeriesRules& rules, std::int64_t from_ms, SeriesHandler& handler)
    : rules_(rules),
      handler_(handler),
      covered_from_(rules.interval.ordinal(from_ms)),
      next_(std::max(covered_from_, first_slot_of_all(rules.interval))),
      back_target_(covered_from_) {}

void Series::set_state(SeriesState state, std::string_view reason) {
  if (state == state_) return;
  state_ = state;
  handler_.on_state(state, reason);
}

/// What is known of the market outranks what its silence looks like. Where the feed itself is away only the
/// end of a listing is certain.
void Series::set_resting_state(SeriesState state, std::string_view reason) {
  if (listing_ == Listing::ended)
    return set_state(SeriesState::ended, "the exchange does not list it any more");
  if (listing_ == Listing::halted && stream_up_)
    return set_state(SeriesState::halted, "the exchange has halted its trade");
  set_state(state, reason);
}

/// After a silence: what was silent may have missed something.
void Series::wake(std::string_view reason, const Now& now) {
  caught_up_ = false;
  doubt_request();
  look_anew();
  set_state(SeriesState::catching_up, reason);
  request_forward(now, kCatchUpPriority);
}

void Series::set_listing(Listing listing, const Now& now) {
  if (listing == listing_) return;
  listing_ = listing;
  const bool resting = state_ == SeriesState::halted || state_ == SeriesState::ended;
  if (listing != Listing::trading) {
    if (resting || state_ == SeriesState::live || state_ == SeriesState::stale)
      set_resting_state(SeriesState::stale, "the stream is down");
  } else if (resting) {
    last_frame_ms_ = now.monotonic_ms;
    if (!stream_up_) return set_state(SeriesState::stale, "the stream is down");
    wake("the exchange lists it as trading", now);
    handler_.resubscribe();  // a subscription need not outlive a halt
  }
}

bool Series::restore(std::vector<engine::Bar> bars, std::int64_t covered_from_ms,
                     std::int64_t covered_to_ms) {
  const std::int64_t next = rules_.interval.ordinal(covered_to_ms);
  if (bars.empty() || next < covered_from_) return false;
  bars_ = std::move(bars);
  covered_from_ = rules_.interval.ordinal(covered_from_ms);
  next_ = next;
  back_target_ = covered_from_;
  return true;
}

void Series::restore_earlier(std::span<const engine::Bar> bars, std::int64_t covered_from_ms) {
  bars_.insert(bars_.begin(), bars.begin(), bars.end());
  covered_from_ = std::min(covered_from_, rules_.interval.ordinal(covered_from_ms));
}

void Series::set_rules(const SeriesRules& rules) {
  rules_ = rules;
  pending_.clear();
  over_.reset();
}

void Series::start(const Now& now) { request_forward(now, kFirstLoadPriority); }

/// What was asked before now proves nothing about frames from now on.
void Series::doubt_request() {
  if (request_) request_->after_stream_up = false;
}

/// What was empty, or lacked bars, may have them by now.
void Series::look_anew() {
  looked_to_ = empty_to_ = 0;
  empty_since_ms_.reset();
  disproved_since_ms_.reset();
}

void Series::on_stream_up(const Now& now) {
  stream_up_ = true;
  caught_up_ = false;
  doubt_request();  // also where it was not down: another subscription
  look_anew();
  over_.reset();
  last_frame_ms_ = now.monotonic_ms;
  retry_at_ms_ = 0;
  set_state(SeriesState::catching_up, "the stream is up: asking for what was missed");
  request_forward(now, kCatchUpPriority);
}

void Series::on_stream_down(const Now&, std::string_view reason) {
  stream_up_ = false;
  caught_up_ = false;
  doubt_request();
  overdue_since_ms_.reset();
  set_resting_state(SeriesState::stale, reason);
}

void Series::on_kline(const Kline& kline, std::int64_t received_us, const Now& now) {
  last_frame_ms_ = now.monotonic_ms;
  untraded_ = false;
  const bool silent =
      state_ == SeriesState::stale || state_ == SeriesState::halted || state_ == SeriesState::ended;
  if (silent && stream_up_) {
    listing_ = Listing::trading;  // whatever the list said
    wake("frames come again", now);
  }
  if (kline.closed) {
    close_by_frame(kline.bar, received_us, now);
    return;
  }
  ++counters_.forming;
  const bool successor = slot_of(kline.bar) > next_;
  if (successor && caught_up_ && !overdue_since_ms_) overdue_since_ms_ = now.monotonic_ms;
}

void Series::close_by_frame(const engine::Bar& bar, std::int64_t received_us, const Now& now) {
  const std::int64_t ordinal = slot_of(bar);
  if (rules_.built_here && ordinal < next_) return built_again(bar, received_us);
  const bool after_newest = bars_.empty() ? ordinal >= next_ : ordinal > slot_of(bars_.back());
  if (ordinal < next_ && !after_newest) {
    if (unproven_ == ordinal) unproven_.reset();  // it is the frame's from now on
    seen_again(ordinal, bar, true, received_us);
    return;
  }
  if (waits_for_rest(bar)) {
    hold_back(bar, received_us);
    return request_forward(now, kRepairPriority);
  }
  if (ordinal <= next_) {  // below next_: REST showed no bar there, and nothing later was let through
    ++counters_.closed_by_frame;
    append(bar, received_us);
    release_pending();
    return;
  }
  if (caught_up_) {
    ++counters_.holes;
    counters_.gap_bars += static_cast<std::uint64_t>(ordinal - next_);
    caught_up_ = false;
    set_state(SeriesState::catching_up, "a bar is missing: asking REST for it");
  }
  hold_back(bar, received_us);
  request_forward(now, kRepairPriority);
}

/// REST was earlier than we were.
void Series::built_again(const engine::Bar& bar, std::int64_t received_us) {
  if (unproven_ == slot_of(bar) && bar.volume != 0) {
    seen_again(slot_of(bar), bar, true, received_us);
    return;
  }
  ++counters_.duplicates;
  const std::size_t index = index_at(bar.open_time_ms);
  const bool there = index < bars_.size() && bars_[index].open_time_ms == bar.open_time_ms;
  if (there && !same_prices(bars_[index], bar)) ++counters_.built_otherwise;
}

void Series::row_again(const engine::Bar& row, bool corrects, std::int64_t received_us) {
  if (seen_again(slot_of(row), row, corrects, received_us)) handler_.on_confirmed(row);
}

/// `corrects`: the bar outranks one that is here, if that is the newest. True where one with its prices is.
bool Series::seen_again(std::int64_t ordinal, const engine::Bar& bar, bool corrects,
                        std::int64_t received_us) {
  const std::size_t index = index_at(bar.open_time_ms);
  if (index == bars_.size() || bars_[index].open_time_ms != bar.open_time_ms) {
    // Trimmed, or a slot that REST showed to be empty: nothing to compare with.
    ++counters_.duplicates;
    return false;
  }
  engine::Bar& used = bars_[index];
  if (same_prices(used, bar)) {
    ++counters_.duplicates;
    return true;
  }
  const bool newest = index + 1 == bars_.size() && ordinal + 1 == next_;
  if (newest && corrects) {
    ++counters_.corrections;
    const engine::Bar before = used;
    used = bar;
    handler_.on_correction(before, bar, received_us);
    return false;
  }
  // What was published outranks a later telling.
  ++counters_.conflicting;
  handler_.on_conflict(used, bar);
  return false;
}

void Series::append(const engine::Bar& bar, std::int64_t received_us) {
  next_ = std::max(next_, slot_of(bar) + 1);
  overdue_since_ms_.reset();
  bars_.push_back(bar);
  handler_.on_bar(bars_.back(), received_us);
}

void Series::hold_back(const engine::Bar& bar, std::int64_t received_us) {
  const auto at = std::lower_bound(
      pending_.begin(), pending_.end(), bar.open_time_ms,
      [](const PendingBar& held, std::int64_t open_ms) { return held.bar.open_time_ms < open_ms; });
  if (at != pending_.end() && at->bar.open_time_ms == bar.open_time_ms) {
    ++counters_.duplicates;
    at->bar = bar;
    return;
  }
  pending_.insert(at, {bar, received_us});
  if (pending_.size() > kPendingLimit) {
    ++counters_.pending_dropped;
    pending_.erase(pending_.begin());
  }
}

void Series::release_pending() {
  std::size_t done = 0;
  while (done < pending_.size() && slot_of(pending_[done].bar) <= next_) {
    const PendingBar held = pending_[done];
    if (waits_for_rest(held.bar) && slot_of(held.bar) == next_) break;
    ++done;
    if (slot_of(held.bar) < next_) {
      seen_again(slot_of(held.bar), held.bar, false, held.received_us);
    } else {
      ++counters_.closed_by_frame;
      append(held.bar, held.received_us);
    }
  }
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(done));
}

/// A row exists at this slot, so the exchange has no bar in those before it but for what frames have told.
/// And a frame that marked the bar itself closed is better evidence than a row that may have been read just
/// before.
void Series::skip_to(std::int64_t ordinal) {
  const auto skip = [&](std::int64_t slot) {
    counters_.absent_slots += static_cast<std::uint64_t>(std::max<std::int64_t>(0, slot - next_));
    next_ = std::max(next_, slot);
  };
  // A row exists, but none where nothing was traded.
  counters_.built_otherwise += std::erase_if(pending_, [&](const PendingBar& held) {
    return waits_for_rest(held.bar) && slot_of(held.bar) < ordinal;
  });
  while (!pending_.empty() && slot_of(pending_.front().bar) <= ordinal) {
    if (waits_for_rest(pending_.front().bar)) break;
    skip(slot_of(pending_.front().bar));
    release_pending();
  }
  skip(ordinal);
}

void Series::on_timer(const Now& now) {
  const bool overdue = overdue_since_ms_ && now.monotonic_ms - *overdue_since_ms_ >= rules_.overdue_after_ms;
  const bool unfinished = (!caught_up_ && (stream_up_ || bars_.empty())) || (stream_up_ && has_pending());
  if (overdue || unfinished) {
    request_forward(now, overdue ? kRepairPriority : kCatchUpPriority);
  } else if (quiet(now)) {
    request_forward(now, kQuietPriority);
  }
  request_backward(now);
  if (!stream_up_ || now.monotonic_ms - last_frame_ms_ < rules_.stale_after_ms) return;
  last_frame_ms_ = now.monotonic_ms;  // the next complaint comes after another period
  handler_.ask_listing();
  if (listing_ != Listing::trading) return;     // silence is what a halt sounds like
  if (std::exchange(untraded_, false)) return;  // and where nobody trades some exchanges send nothing
  ++counters_.stale;
  set_state(SeriesState::stale, "no frame came for longer than the series allows");
  handler_.resubscribe();
}

bool Series::replace(const engine::Bar& bar) {
  const std::size_t index = index_at(bar.open_time_ms);
  if (index == bars_.size() || bars_[index].open_time_ms != bar.open_time_ms) return false;
  bars_[index] = bar;
  return true;
}

bool Series::insert(const engine::Bar& bar) {
  const std::size_t index = index_at(bar.open_time_ms);
  const bool between = slot_of(bar) >= covered_from_ && index < bars_.size();
  if (!between || bars_[index].open_time_ms == bar.open_time_ms) return false;
  ++counters_.closed_by_history;
  bars_.insert(bars_.begin() + static_cast<std::ptrdiff_t>(index), bar);
  return true;
}

void Series::trim(std::size_t keep) {
  // In steps of a quarter, so that the cost per bar stays small.
  if (bars_.size() <= keep + keep / 4) return;
  bars_.erase(bars_.begin(), bars_.end() - static_cast<std::ptrdiff_t>(keep));
  covered_from_ = slot_of(bars_.front());
  back_target_ = covered_from_;
  doubted_.forget();
  lacking_since_ms_.reset();
}

std::size_t Series::index_at(std::int64_t open_time_ms) const {
  const auto at = std::lower_bound(
      bars_.begin(), bars_.end(), open_time_ms,
      [](const engine::Bar& bar, std::int64_t open_ms) { return bar.open_time_ms < open_ms; });
  return static_cast<std::size_t>(at - bars_.begin());
}

}  // namespace atcd::feeds
