#include "feeds/series.hpp"

#include <algorithm>
#include <array>

#include "feeds/interval_source.hpp"

namespace atcd::feeds {
namespace {

// Enough for a day of minutes behind a hole; older ones can be had again over REST.
constexpr std::size_t kPendingLimit = 1440;
// What every exchange counts as its cheapest request: our own clock may be behind, so no fewer are asked for.
constexpr std::int64_t kSmallPage = 99;
constexpr int kFailuresBeforeGap = 3;
constexpr int kMostHalvings = 4;
constexpr std::int64_t kFirstRetryMs = 1000;
constexpr std::int64_t kLastRetryMs = 60'000;
constexpr int kMostQuietDoublings = 6;
// No bar is closed so long before its end, by the clock of an answer: clocks behind one address differ, and
// an answer may have taken long (a simulated exchange's clock runs hundreds of times as fast as ours).
constexpr std::int64_t kMostAheadMs = 600'000;

constexpr int kRepairPriority = 0, kCatchUpPriority = 1, kFirstLoadPriority = 2, kBackwardPriority = 3;
// Where a whole feed is silent every series asks: what is known to be missing goes before, first loads have
// their turn.
constexpr int kQuietPriority = kFirstLoadPriority;

constexpr std::array<std::string_view, kSeriesStates> kStateNames = {
    "WARMING", "CATCHING_UP", "LIVE", "STALE", "GAP", "HALTED", "ENDED"};
static_assert(static_cast<std::size_t>(SeriesState::ended) + 1 == kSeriesStates);

std::int64_t look_again_after_ms(const DoubtedPage& page) {
  return std::min(kFirstRetryMs << std::min(page.looks() - 1, 6), kLastRetryMs);
}

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

void Series::on_stream_up(const Now& now) {
  stream_up_ = true;
  caught_up_ = false;
  doubt_request();             // also where it was not down: another subscription
  looked_to_ = empty_to_ = 0;  // what was empty then may have its bars by now
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
  if (rules_.built_here && ordinal < next_) return built_again(bar);
  const bool after_newest = bars_.empty() ? ordinal >= next_ : ordinal > slot_of(bars_.back());
  if (ordinal < next_ && !after_newest) {
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
void Series::built_again(const engine::Bar& bar) {
  ++counters_.duplicates;
  const std::size_t index = index_at(bar.open_time_ms);
  const bool there = index < bars_.size() && bars_[index].open_time_ms == bar.open_time_ms;
  if (there && !same_prices(bars_[index], bar)) ++counters_.built_otherwise;
}

/// `corrects`: the bar outranks one that is here, if that is the newest.
void Series::seen_again(std::int64_t ordinal, const engine::Bar& bar, bool corrects,
                        std::int64_t received_us) {
  const std::size_t index = index_at(bar.open_time_ms);
  if (index == bars_.size() || bars_[index].open_time_ms != bar.open_time_ms) {
    // Trimmed, or a slot that REST showed to be empty: nothing to compare with.
    ++counters_.duplicates;
    return;
  }
  engine::Bar& used = bars_[index];
  if (same_prices(used, bar)) {
    ++counters_.duplicates;
    return;
  }
  const bool newest = index + 1 == bars_.size() && ordinal + 1 == next_;
  if (newest && corrects) {
    ++counters_.corrections;
    const engine::Bar before = used;
    used = bar;
    handler_.on_correction(before, bar, received_us);
    return;
  }
  // What was published outranks a later telling.
  ++counters_.conflicting;
  handler_.on_conflict(used, bar);
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

/// After errors less is asked for at once: a page may be refused for its size, or for what it looks like.
std::int64_t Series::page() const {
  return std::max<std::int64_t>(2, rules_.rows_per_request >> std::min(errors_, kMostHalvings));
}

void Series::request_forward(const Now& now, int priority) {
  if (request_ || now.monotonic_ms < retry_at_ms_) return;
  std::int64_t last = std::max(rules_.interval.ordinal(now.utc_ms) + 1, next_ + kSmallPage - 1);
  if (!pending_.empty()) last = std::max(last, slot_of(pending_.back().bar));
  // After an absence the newest bar is asked for too: it may have been corrected meanwhile.
  const bool again = !caught_up_ && !bars_.empty() && slot_of(bars_.back()) == next_ - 1;
  std::int64_t first = again ? next_ - 1 : next_;
  if (looked_to_ > next_) {
    first = looked_to_;
    if (!pending_.empty()) first = std::min(first, slot_of(pending_.front().bar));
    last = std::max(last, first + kSmallPage - 1);
  }
  last = std::min(last, first + page() - 1);
  request_ = Request{first, last, false, stream_up_};
  handler_.fetch(rules_.interval.open_time_ms(first), rules_.interval.open_time_ms(last), priority);
}

/// A page of the past without a bar in it: a listing that is younger, or a long halt. It is looked at twice,
/// since an empty answer may be a mistake; then the search goes on behind it, and a later row proves that the
/// exchange has no bar there.
void Series::take_empty(const Request& request) {
  if (std::exchange(empty_to_, request.to) < request.to) return;
  looked_to_ = request.to + 1;
}

void Series::request_backward(const Now& now) {
  if (request_ || back_target_ >= covered_from_) return;
  if (now.monotonic_ms < std::max(retry_at_ms_, look_again_at_ms_)) return;
  const std::int64_t first_of_all = first_slot_of_all(rules_.interval);
  if (covered_from_ <= first_of_all) {
    covered_from_ = back_target_;
    return handler_.on_covered();
  }
  const std::int64_t first = std::max({back_target_, covered_from_ - page(), first_of_all});
  request_ = Request{first, covered_from_ - 1, true, false};
  handler_.fetch(rules_.interval.open_time_ms(first), rules_.interval.open_time_ms(covered_from_ - 1),
                 kBackwardPriority);
}

void Series::on_history(const HistoryResult& result, std::int64_t received_us, const Now& now) {
  if (!request_) return;
  const Request request = *request_;
  request_.reset();
  if (result.error != RestError::none) {
    history_failed(result.message, now);
    return;
  }
  errors_ = 0;
  if (request.backward) {
    take_backward(result, request, now);
  } else {
    take_forward(result, request, received_us, now);
    still_quiet(result.server_time_ms, now);
  }
  if (request.backward && !caught_up_ && stream_up_) request_forward(now, kCatchUpPriority);
  request_backward(now);
}

void Series::history_failed(std::string_view why, const Now& now) {
  ++counters_.history_errors;
  ++failures_;
  ++errors_;
  retry_at_ms_ = now.monotonic_ms + std::min(kFirstRetryMs << std::min(failures_ - 1, 6), kLastRetryMs);
  const bool held_up = state_ == SeriesState::catching_up && !pending_.empty();
  if (failures_ >= kFailuresBeforeGap && held_up) set_state(SeriesState::gap, why);
}

/// A later row exists, or the exchange's clock has passed the row's end.
bool Series::is_final(const HistoryResult& result, std::size_t row) const {
  return row + 1 < result.rows.size() ||
         result.server_time_ms >= result.rows[row].close_time_ms + rules_.settling_ms;
}

void Series::compare(const HistoryResult& result, std::int64_t received_us) {
  if (result.error != RestError::none) ++counters_.history_errors;
  for (std::size_t i = 0; i < result.rows.size() && is_final(result, i); ++i) {
    const engine::Bar& row = result.rows[i];
    if (slot_of(row) >= next_) return;
    ++counters_.compared;
    seen_again(slot_of(row), row, true, received_us);
  }
}

void Series::take_forward(const HistoryResult& result, const Request& request, std::int64_t received_us,
                          const Now& now) {
  const auto& interval = rules_.interval;
  const std::int64_t clock_ms = result.server_time_ms, before = next_;
  bool running_row = false;
  if (!beginning_believed(result, request, now)) return;
  // What a frame closed so long before its end REST would not show for ever.
  if (clock_ms != 0) {
    counters_.pending_dropped += std::erase_if(
        pending_, [&](const PendingBar& held) { return held.bar.close_time_ms > clock_ms + kMostAheadMs; });
  }
  for (std::size_t i = 0; i < result.rows.size(); ++i) {
    const engine::Bar& row = result.rows[i];
    const std::int64_t ordinal = slot_of(row);
    if (ordinal > request.to) break;
    const bool final_row = is_final(result, i);
    // The exchange's own row outranks a bar that was built here.
    if (rules_.built_here && final_row) {
      std::erase_if(pending_, [&](const PendingBar& held) { return slot_of(held.bar) == ordinal; });
    }
    skip_to(ordinal);
    if (ordinal < next_) {
      if (ordinal >= request.from && final_row) seen_again(ordinal, row, rules_.built_here, received_us);
      continue;
    }
    if (!final_row) {
      running_row = true;
      break;
    }
    ++counters_.closed_by_history;
    append(row, received_us);
  }
  release_pending();

  const bool past = clock_ms != 0 && request.to < interval.ordinal(clock_ms);
  if (next_ == before && !running_row && past) {
    take_empty(request);
  } else {
    empty_to_ = 0;
  }
  const bool ended_unsettled = running_row && clock_ms != 0 && clock_ms >= interval.open_time_ms(next_ + 1);
  const bool full_page = !result.rows.empty() && slot_of(result.rows.back()) >= request.to;
  const bool more = !running_row && (full_page || past);
  if (ended_unsettled || (!more && !pending_.empty())) {
    // The exchange has not settled the bar yet, or REST lags behind the frames.
    ++failures_;
    const std::int64_t wait_ms = std::max(rules_.settling_ms, kFirstRetryMs);
    retry_at_ms_ = now.monotonic_ms + std::min(wait_ms << std::min(failures_ - 1, 5), kLastRetryMs);
    if (failures_ >= kFailuresBeforeGap && !pending_.empty()) {
      set_state(SeriesState::gap, "REST does not show a bar that lies before later ones");
    }
    return;
  }
  failures_ = 0;
  retry_at_ms_ = 0;
  overdue_since_ms_.reset();
  if (more || !request.after_stream_up) {
    if (more || stream_up_) request_forward(now, stream_up_ ? kCatchUpPriority : kFirstLoadPriority);
    return;
  }
  if (stream_up_) {
    caught_up_ = true;
    set_resting_state(SeriesState::live, "");
  }
}

/// A page with the first bars of all: nothing else says whether there are any before them. As an empty one it
/// is asked for again at once; while the answers differ, seldomer and seldomer.
bool Series::beginning_believed(const HistoryResult& result, const Request& request, const Now& now) {
  if (!bars_.empty() || result.rows.empty()) return true;
  const std::span<const engine::Bar> first(result.rows.data(), 1);
  if (first_page_.believed(rules_.interval, request.from, slot_of(first[0]), first)) return true;
  retry_at_ms_ = first_page_.looks() == 1 ? 0 : now.monotonic_ms + look_again_after_ms(first_page_);
  request_forward(now, stream_up_ ? kCatchUpPriority : kFirstLoadPriority);
  return false;
}

bool Series::believed(const Request& request, std::span<const engine::Bar> bars, const Now& now) {
  if (doubted_.believed(rules_.interval, request.from, request.to, bars)) return true;
  look_again_at_ms_ = now.monotonic_ms + look_again_after_ms(doubted_);
  return false;
}

void Series::take_backward(const HistoryResult& result, const Request& request, const Now& now) {
  if (request.to != covered_from_ - 1) return;  // trimmed meanwhile: it would not adjoin
  std::vector<engine::Bar> earlier;
  for (const engine::Bar& row : result.rows) {
    const std::int64_t ordinal = slot_of(row);
    if (ordinal >= request.from && ordinal <= request.to) earlier.push_back(row);
  }
  failures_ = 0;
  if (!believed(request, earlier, now)) return;
  counters_.closed_by_history += earlier.size();
  counters_.absent_slots += static_cast<std::uint64_t>(request.to - request.from + 1) - earlier.size();
  bars_.insert(bars_.begin(), earlier.begin(), earlier.end());
  const bool all = request.from <= first_slot_of_all(rules_.interval);
  covered_from_ = all ? std::min(request.from, back_target_) : request.from;
  handler_.on_earlier(earlier, rules_.interval.open_time_ms(covered_from_));
  if (covered_from_ <= back_target_) handler_.on_covered();
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
  if (listing_ != Listing::trading) return;  // silence is what a halt sounds like
  ++counters_.stale;
  set_state(SeriesState::stale, "no frame came for longer than the series allows");
  handler_.resubscribe();
}

/// By the clock the bar is over, and for so long nothing has closed it.
bool Series::quiet(const Now& now) {
  const bool over = now.utc_ms >= rules_.interval.open_time_ms(next_ + 1);
  if (rules_.ask_after_ms == 0 || !caught_up_ || !over) return false;
  if (!over_ || over_->slot != next_) over_ = Over{next_, now.monotonic_ms + rules_.ask_after_ms, 0};
  return !request_ && now.monotonic_ms >= over_->ask_at_ms;
}

/// An answer, given at clock_ms, that may have closed it or not. By that clock the bar may still run, and
/// ours is ahead; else REST lags, or has no such bar.
void Series::still_quiet(std::int64_t clock_ms, const Now& now) {
  if (!over_ || over_->slot != next_) return;
  const std::int64_t left_ms = clock_ms == 0 ? 0 : rules_.interval.open_time_ms(next_ + 1) - clock_ms;
  const std::int64_t most_ms = rules_.ask_after_ms << kMostQuietDoublings;
  const std::int64_t wait_ms = left_ms > 0
                                   ? left_ms + rules_.ask_after_ms
                                   : rules_.ask_after_ms << std::min(over_->in_vain++, kMostQuietDoublings);
  over_->ask_at_ms = now.monotonic_ms + std::min(wait_ms, most_ms);
}

void Series::require_from(std::int64_t ordinal, const Now& now) {
  if (ordinal >= covered_from_) {
    handler_.on_covered();
    return;
  }
  back_target_ = std::min(back_target_, ordinal);
  request_backward(now);
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
}

std::size_t Series::index_at(std::int64_t open_time_ms) const {
  const auto at = std::lower_bound(
      bars_.begin(), bars_.end(), open_time_ms,
      [](const engine::Bar& bar, std::int64_t open_ms) { return bar.open_time_ms < open_ms; });
  return static_cast<std::size_t>(at - bars_.begin());
}

}  // namespace atcd::feeds
