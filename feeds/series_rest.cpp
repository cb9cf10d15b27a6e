// What a series asks of REST, and what it makes of the answers.
#include <algorithm>
#include <utility>

#include "feeds/interval_source.hpp"
#include "feeds/series.hpp"

namespace atcd::feeds {
namespace {

// What every exchange counts as its cheapest request: our own clock may be behind, so no fewer are asked for.
constexpr std::int64_t kSmallPage = 99;
constexpr int kFailuresBeforeGap = 3;
constexpr int kMostHalvings = 4;
constexpr std::int64_t kFirstRetryMs = 1000;
constexpr std::int64_t kLastRetryMs = 60'000;
// An exchange in trouble says the same twice at once: so long after its first answer without a bar another
// one is believed.
constexpr std::int64_t kDoubtMs = 10'000;
// An exchange that has taken a bar back never shows it again: so long answers without it are errors.
constexpr std::int64_t kDisprovedMs = 60'000;
// Nor does it mend a row that is no bar, if it has not by then.
constexpr std::int64_t kUnusableMs = 60'000;
constexpr int kMostQuietDoublings = 6;
// No bar is closed so long before its end, by the clock of an answer: clocks behind one address differ, and
// an answer may have taken long (a simulated exchange's clock runs hundreds of times as fast as ours).
constexpr std::int64_t kMostAheadMs = 600'000;

/// Of answers in a row that brought nothing.
std::int64_t retry_after_ms(int times) {
  return std::min(kFirstRetryMs << std::min(times - 1, 6), kLastRetryMs);
}

/// A later row exists, or so much time has passed that the bar's last trades are in it.
bool is_proven(const HistoryResult& result, std::size_t row) {
  return row + 1 < result.rows.size() ||
         result.server_time_ms >= result.rows[row].close_time_ms + kRestBehindMs;
}

}  // namespace

/// After errors less is asked for at once: a page may be refused for its size, or for what it looks like.
std::int64_t Series::page() const {
  return std::max<std::int64_t>(2, rules_.rows_per_request >> std::min(errors_, kMostHalvings));
}

void Series::request_forward(const Now& now, int priority) {
  if (request_ || now.monotonic_ms < retry_at_ms_) return;
  // After an absence the newest bar is asked for too: it may have been corrected meanwhile.
  const bool again = !caught_up_ && !bars_.empty() && slot_of(bars_.back()) == next_ - 1;
  std::int64_t first = again ? next_ - 1 : next_;
  if (looked_to_ > next_) {
    first = looked_to_;
    if (!pending_.empty()) first = std::min(first, slot_of(pending_.front().bar));
  }
  std::int64_t last = std::max(rules_.interval.ordinal(now.utc_ms) + 1, first + kSmallPage - 1);
  if (!pending_.empty()) last = std::max(last, slot_of(pending_.back().bar));
  last = std::min(last, first + page() - 1);
  request_ = Request{first, last, false, stream_up_};
  handler_.fetch(rules_.interval.open_time_ms(first), rules_.interval.open_time_ms(last), priority);
}

/// A page of the past without a bar in it: a listing that is younger, or a long halt. It is looked at twice,
/// the first of several only after a while, since an empty answer may be a mistake; then the search goes on
/// behind it, and a later row proves that the exchange has no bar there. When to ask again.
std::int64_t Series::take_empty(const Request& request, const Now& now) {
  if (!empty_since_ms_) empty_since_ms_ = now.monotonic_ms;
  const bool again = std::exchange(empty_to_, request.to) >= request.to;
  if (again && now.monotonic_ms - *empty_since_ms_ >= kDoubtMs) looked_to_ = request.to + 1;
  return *empty_since_ms_ + kDoubtMs;
}

void Series::request_backward(const Now& now) {
  if (request_ || past_ || back_target_ >= covered_from_) return;
  if (now.monotonic_ms < std::max(retry_at_ms_, look_again_at_ms_)) return;
  const std::int64_t first_of_all = first_slot_of_all(rules_.interval);
  if (covered_from_ <= first_of_all) {
    covered_from_ = back_target_;
    return handler_.on_covered();
  }
  const std::int64_t first = std::max({back_target_, covered_from_ - page(), first_of_all});
  past_ = Request{first, covered_from_ - 1, true, false};
  handler_.fetch(rules_.interval.open_time_ms(first), rules_.interval.open_time_ms(covered_from_ - 1),
                 kBackwardPriority);
}

void Series::on_history(const HistoryResult& result, std::int64_t received_us, const Now& now) {
  const auto is_answer = [&](const std::optional<Request>& to) {
    return to && (result.from_ms == 0 || result.from_ms == rules_.interval.open_time_ms(to->from));
  };
  std::optional<Request>& answered = is_answer(request_) ? request_ : past_;
  if (!is_answer(answered)) return;
  const Request request = *answered;
  answered.reset();
  if (failed(result, request, now)) {
    // In smaller pages rows that are no bars would stand among fewer others.
    if (result.error != RestError::bad_rows) ++errors_;
    return history_failed(result.message, request, now);
  }
  if (!request.backward && disproved(result, request, now)) {
    ++errors_;
    return history_failed("REST's answer lacks a bar that we have", request, now);
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

/// A page of the past that is refused again and again is no reason to wait with what is missing now.
void Series::history_failed(std::string_view why, const Request& request, const Now& now) {
  ++counters_.history_errors;
  if (request.backward) {
    look_again_at_ms_ = now.monotonic_ms + retry_after_ms(++past_failures_);
    return;
  }
  retry_at_ms_ = now.monotonic_ms + retry_after_ms(++failures_);
  const bool held_up = state_ == SeriesState::catching_up && !pending_.empty();
  if (failures_ < kFailuresBeforeGap) return;
  if (held_up) return set_state(SeriesState::gap, why);
  // REST refuses what the exchange has ended: there is nothing to catch up with.
  if (state_ == SeriesState::catching_up && listing_ != Listing::trading)
    set_resting_state(SeriesState::stale, why);
}

/// A later row exists, or the exchange's clock has passed the row's end.
bool Series::is_final(const HistoryResult& result, std::size_t row) const {
  return row + 1 < result.rows.size() ||
         result.server_time_ms >= result.rows[row].close_time_ms + rules_.settling_ms;
}

void Series::compare(const HistoryResult& result, bool corrects, std::int64_t received_us) {
  if (result.error != RestError::none) ++counters_.history_errors;
  for (std::size_t i = 0; i < result.rows.size() && is_proven(result, i); ++i) {
    const engine::Bar& row = result.rows[i];
    if (slot_of(row) >= next_) return;
    ++counters_.compared;
    row_again(row, corrects || unproven_ == slot_of(row), received_us);
  }
}

/// It says nothing against the bar that is here, but is no reason to believe in it.
void Series::row_unproven(const engine::Bar& row) {
  const std::size_t index = index_at(row.open_time_ms);
  const bool there = index < bars_.size() && bars_[index].open_time_ms == row.open_time_ms;
  if (there && !same_prices(bars_[index], row)) return handler_.on_unproven();
  ++counters_.duplicates;
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
    const bool final_row = is_final(result, i), proven = final_row && is_proven(result, i);
    // The exchange's own row outranks a bar that was built here.
    if (rules_.built_here && proven) {
      std::erase_if(pending_, [&](const PendingBar& held) { return slot_of(held.bar) == ordinal; });
    }
    skip_to(ordinal);
    if (ordinal < next_) {
      if (ordinal < request.from || !final_row) continue;
      if (proven) {
        row_again(row, rules_.built_here || unproven_ == ordinal, received_us);
      } else {
        row_unproven(row);
      }
      continue;
    }
    if (!final_row) {
      running_row = true;
      break;
    }
    ++counters_.closed_by_history;
    rows_follow_ = i + 1 < result.rows.size() && is_final(result, i + 1);
    append(row, received_us);
    rows_follow_ = false;
    untraded_ = row.volume == 0;
    if (proven || untraded_) continue;
    unproven_ = ordinal;
    handler_.on_unproven();
  }
  release_pending();

  const bool past = clock_ms != 0 && request.to < interval.ordinal(clock_ms);
  const bool empty = next_ == before && !running_row && past;
  if (!empty) {
    empty_to_ = 0;
    empty_since_ms_.reset();
  }
  const bool ended_unsettled = running_row && clock_ms != 0 && clock_ms >= interval.open_time_ms(next_ + 1);
  const bool full_page = !result.rows.empty() && slot_of(result.rows.back()) >= request.to;
  // A page is asked for to beyond the present. Where its last row seems to run, in another slot than by our
  // time, one of the two times lags, as after a machine has slept: more may have closed.
  const bool time_lags = full_page && next_ != before && next_ != interval.ordinal(now.utc_ms);
  const bool more = running_row ? time_lags : full_page || past;
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
  retry_at_ms_ = empty ? take_empty(request, now) : 0;
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

/// Rows that are no bars are asked for again until the same ones have been told for long: from then on it is
/// as if the exchange had no bars there, or the series would be silent for as long as it tells them. The
/// running one may be none yet: it keeps nothing back.
bool Series::failed(const HistoryResult& result, const Request& request, const Now& now) {
  if (result.error != RestError::bad_rows) return result.error != RestError::none;
  std::vector<std::int64_t> over = result.unusable_ms;
  std::erase_if(over, [&](std::int64_t open_ms) {
    const bool runs =
        result.server_time_ms != 0 && result.server_time_ms < rules_.interval.close_time_ms(open_ms);
    return runs && !result.rows.empty();
  });
  if (over.empty()) return false;
  Unusable& told = request.backward ? past_unusable_ : unusable_;
  if (over != told.open_ms) told = {std::move(over), now.monotonic_ms};
  if (now.monotonic_ms - told.since_ms < kUnusableMs) return true;
  counters_.left_out += told.open_ms.size();
  return false;
}

/// An answer without a bar that we have, though that was asked for too, lacks others as well: a later row in
/// it proves nothing about them, nor does it prove that there is none.
bool Series::disproved(const HistoryResult& result, const Request& request, const Now& now) {
  if (request.from >= next_) return false;
  if (!result.rows.empty() && slot_of(result.rows.front()) <= request.from) {
    disproved_since_ms_.reset();
    return false;
  }
  if (!disproved_since_ms_) disproved_since_ms_ = now.monotonic_ms;
  const bool is_error = now.monotonic_ms - *disproved_since_ms_ < kDisprovedMs;
  counters_.disproved += is_error ? 1 : 0;
  return is_error;
}

/// A page that lacks its first bars, and nothing else says whether there are any: a listing, the end of a
/// halt or a mistake. It is looked at twice, as an empty one is, and in smaller pages: an exchange that cuts
/// them short tells another first row then.
bool Series::beginning_believed(const HistoryResult& result, const Request& request, const Now& now) {
  if (result.rows.empty()) return true;
  const std::pair told(request.from, slot_of(result.rows.front()));
  const bool again = std::exchange(beginning_, told) == told;
  if (told.second <= request.from) return true;
  if (!empty_since_ms_) empty_since_ms_ = now.monotonic_ms;
  const std::int64_t believed_at_ms = *empty_since_ms_ + kDoubtMs;
  if (again && now.monotonic_ms >= believed_at_ms) return true;
  errors_ = ++failures_;
  retry_at_ms_ = std::max(now.monotonic_ms + retry_after_ms(failures_), believed_at_ms);
  over_.reset();  // rows are there: it was not asked in vain
  return false;
}

/// Of several doubted pages the first is believed only after a while.
bool Series::believed(const Request& request, std::span<const engine::Bar> bars, const Now& now) {
  const bool whole =
      !bars.empty() && slot_of(bars.front()) == request.from && slot_of(bars.back()) == request.to;
  if (doubted_.believed(rules_.interval, request.from, request.to, bars)) {
    if (whole || request.from <= back_target_) lacking_since_ms_.reset();
    return true;
  }
  if (!lacking_since_ms_) lacking_since_ms_ = now.monotonic_ms;
  look_again_at_ms_ =
      std::max(now.monotonic_ms + retry_after_ms(doubted_.looks()), *lacking_since_ms_ + kDoubtMs);
  return false;
}

void Series::take_backward(const HistoryResult& result, const Request& request, const Now& now) {
  if (request.to != covered_from_ - 1) return;  // trimmed meanwhile: it would not adjoin
  std::vector<engine::Bar> earlier;
  for (const engine::Bar& row : result.rows) {
    const std::int64_t ordinal = slot_of(row);
    if (ordinal >= request.from && ordinal <= request.to) earlier.push_back(row);
  }
  past_failures_ = 0;
  if (!believed(request, earlier, now)) return;
  counters_.closed_by_history += earlier.size();
  counters_.absent_slots += static_cast<std::uint64_t>(request.to - request.from + 1) - earlier.size();
  bars_.insert(bars_.begin(), earlier.begin(), earlier.end());
  const bool all = request.from <= first_slot_of_all(rules_.interval);
  covered_from_ = all ? std::min(request.from, back_target_) : request.from;
  handler_.on_earlier(earlier, rules_.interval.open_time_ms(covered_from_));
  if (covered_from_ <= back_target_) handler_.on_covered();
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

}  // namespace atcd::feeds
