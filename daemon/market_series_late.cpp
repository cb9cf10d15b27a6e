// What the exchange tells of bars that were used already. It holds from the next run on, also for whoever
// begins later and hears of nothing else: so the last telling counts, and REST is asked once more before it
// does.
#include <algorithm>
#include <string>

#include "daemon/clock.hpp"
#include "daemon/late_tellings.hpp"
#include "daemon/market_series.hpp"
#include "feeds/interval_source.hpp"

namespace atcd::daemon {
namespace {

constexpr std::int64_t kAskedAgainWithinSlots = 64;  // where REST is not away for longer
constexpr std::int64_t kMostAskedAgain = 99;         // what every exchange counts as its cheapest request
constexpr int kAskAgainPriority = 4;                 // behind all that Series asks for

}  // namespace

void MarketSeries::on_conflict(const engine::Bar& used, const engine::Bar& other) {
  told_otherwise(used, other,
                 "a bar that was used already came again with " + prices(other) + " instead of " +
                     prices(used) + "; what was published stays, the next run takes the new one");
}

void MarketSeries::on_confirmed(const engine::Bar& used) {
  if (late_.empty()) return;
  told_otherwise(used, used,
                 "a bar that came again otherwise is told with " + prices(used) +
                     " once more, as it was used: the next run takes it so too");
}

/// What was told of it before this, its last word, holds for no run any more.
void MarketSeries::confirm_told(const engine::Bar& corrected) {
  const bool told = std::any_of(late_.begin(), late_.end(), [&](const state::LateBar& late) {
    return late.bar.open_time_ms == corrected.open_time_ms;
  });
  if (!told) return;
  told_otherwise(corrected, corrected,
                 "a bar that came again otherwise was corrected since, to " + prices(corrected) +
                     ": the next run takes it so too");
}

/// Than the last time: REST says the same again and again.
void MarketSeries::told_otherwise(const engine::Bar& used, const engine::Bar& told,
                                  const std::string& sentence) {
  if (!is_news(late_, used, told)) return;
  const state::LateBar late{told, series_.interval().open_time_ms(series_.next())};
  late_.push_back(late);
  context_.archive.writer().keep_late(archived_, late);
  for (const auto& output : outputs_) {
    output->signals.forget_next();
    context_.journal.event(Level::warning, "late_correction", output->name,
                           about_bar(used.close_time_ms, sentence));
  }
  ask_again_soon(told);
}

void MarketSeries::ask_again_soon(const engine::Bar& told) {
  ask_again_from(series_.interval().ordinal(told.open_time_ms));
}

void MarketSeries::ask_again_from(std::int64_t slot) {
  ask_again_from_ = std::min(ask_again_from_.value_or(slot), slot);
  ask_again_at_ms_ = monotonic_ms() + kRestBehindMs;
}

/// Of an earlier run, or of before a reload: whether they were asked for once more is not written down. Long
/// before its end they were.
void MarketSeries::ask_for_last_tellings() {
  if (late_.empty()) return;
  if (series_.next() - series_.interval().ordinal(late_.back().after_ms) > kAskedAgainWithinSlots) return;
  for (const state::LateBar& late : late_) {
    if (late.after_ms == late_.back().after_ms) ask_again_soon(late.bar);
  }
}

/// Until what is told is what was told before. Of these bars alone: where REST and the frames of an exchange
/// differ for good, each answer would else be a reason to ask for the next bars.
void MarketSeries::ask_again() {
  if (!ask_again_from_ || comparing_ || monotonic_ms() < ask_again_at_ms_) return;
  // Not the newest: frames outrank REST as long as no other bar follows.
  const engine::Interval& interval = series_.interval();
  const std::int64_t most =
      std::min(kMostAskedAgain, feeds::history_rows_per_request(context_.exchange, interval));
  const std::int64_t from = *ask_again_from_, to = std::min(from + most, series_.next() - 1) - 1;
  if (to < from) return;
  const feeds::HistoryRequest request{name_.symbol, name_.interval, interval.open_time_ms(from),
                                      interval.open_time_ms(to), 0};
  comparing_ = true;
  ask_again_from_.reset();  // what is told from now on is for another request
  const auto compare = [self = self_, from, to](const feeds::HistoryResult& result) {
    if (*self == nullptr) return;
    MarketSeries& series = **self;
    series.comparing_ = false;
    if (result.error != feeds::RestError::none) {
      series.ask_again_from(from);
    } else {
      for (const state::LateBar& late : series.late_) {  // more than one request has room for
        const std::int64_t slot = series.series_.interval().ordinal(late.bar.open_time_ms);
        if (slot > to) series.ask_again_from(slot);
      }
    }
    feeds::HistoryResult of_these = result;
    std::erase_if(of_these.rows, [&series](const engine::Bar& row) {
      return std::none_of(series.late_.begin(), series.late_.end(), [&row](const state::LateBar& late) {
        return late.bar.open_time_ms == row.open_time_ms;
      });
    });
    series.series_.compare(of_these, false, utc_us());
  };
  context_.feed.fetch_history(request, kAskAgainPriority, compare);
}

}  // namespace atcd::daemon
