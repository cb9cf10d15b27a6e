// Where a market series' bars come from: frames that are bars, frames of their parts, trades; and what is
// made here is compared with the exchange's.
#include <algorithm>
#include <string>
#include <utility>

#include "daemon/clock.hpp"
#include "daemon/market_series.hpp"
#include "engine/anchor.hpp"
#include "feeds/interval_source.hpp"

namespace atcd::daemon {
namespace {

// What every exchange counts as its cheapest request.
constexpr std::int64_t kComparedBars = 99;
constexpr int kComparePriority = 4;  // behind all that Series asks for
constexpr std::int64_t kBetweenTradeReportsMs = 60'000;
// A kline stream sends at least its closing frame every interval, whatever the market does.
constexpr std::int64_t kStaleGraceMs = 60'000;
// Nobody has to trade: only much longer silence than the slots' is a reason to subscribe anew.
constexpr std::int64_t kTradesStaleGraceMs = 600'000;
constexpr std::int64_t kQuietGraceMs = 10'000;
// A part that closes so long after the present is an error of the exchange.
constexpr std::int64_t kMostAheadMs = 60'000;
// Where a whole feed falls silent its series do not ask in the same second.
constexpr std::uint64_t kQuietSpreadMs = 10'000;
// Bars that follow those of an earlier run wait for REST so long.
constexpr std::int64_t kLongestAwaitedMs = 10'000;

}  // namespace

feeds::SeriesRules MarketSeries::rules_for(const feeds::Exchange& exchange, const engine::Interval& interval,
                                           const feeds::StreamName& listens_to) {
  feeds::SeriesRules rules{interval};
  rules.settling_ms = exchange.settling_time().count();
  rules.rows_per_request = feeds::history_rows_per_request(exchange, interval);
  rules.ask_after_ms = rules.settling_ms + kQuietGraceMs;
  if (listens_to.kind() == feeds::StreamKind::klines) {
    rules.ask_after_ms += static_cast<std::int64_t>(engine::fnv1a_64(listens_to.symbol) % kQuietSpreadMs);
    rules.stale_after_ms = 2 * engine::Interval::parse(listens_to.interval)->length_ms() + kStaleGraceMs;
    return rules;
  }
  rules.built_here = true;
  rules.overdue_after_ms += rules.settling_ms;  // a bar that is over settles before it is closed
  rules.stale_after_ms = 2 * interval.length_ms() + kTradesStaleGraceMs;
  return rules;
}

/// Of bars, where the stream does not bring them as they are.
void MarketSeries::make_builder() {
  fold_.reset();
  trades_.reset();
  told_trades_ = {};
  const engine::Interval& interval = series_.interval();
  if (listens_to_.kind() == feeds::StreamKind::trades) {
    const feeds::Exchange& exchange = context_.exchange;
    const feeds::TradeBarsRules rules{exchange.settling_time().count(), exchange.opens_at_last_close()};
    trades_.emplace(name_, interval, rules, *this);
  } else if (listens_to_ != name_) {
    fold_.emplace(*engine::Interval::parse(listens_to_.interval), interval);
  }
}

void MarketSeries::take_bars_from(feeds::StreamName stream) {
  context_.router.leave(*this, listens_to_);
  const bool trades = stream.kind() == feeds::StreamKind::trades;
  const std::string_view reason = trades ? "its bars are built from trades from now on"
                                         : "its bars are the exchange's klines from now on";
  listens_to_ = std::move(stream);
  make_builder();
  series_.set_rules(rules_for(context_.exchange, series_.interval(), listens_to_));
  series_.on_stream_down(now(), reason);
  for (const auto& output : outputs_) context_.journal.event(Level::info, "source", output->name, reason);
  if (begun_) context_.router.listen(*this, listens_to_);
}

/// By the exchange's clock, as far as it is known: ours may be set at any time.
feeds::Now MarketSeries::now() const {
  const std::int64_t passed_ms = monotonic_ms();
  const auto exchange_ms = context_.feed.exchange_ms(passed_ms);
  return {passed_ms, exchange_ms ? *exchange_ms : utc_ms()};
}

void MarketSeries::resubscribe() { context_.router.resubscribe(listens_to_); }

void MarketSeries::ask_listing() { context_.on_silence(); }

void MarketSeries::on_kline(const feeds::Kline& kline, std::int64_t received_us) {
  if (!fold_) return take(kline, true, received_us);
  if (const auto folded = fold_->take(kline)) take(*folded, fold_->whole(), received_us);
  if (!fold_->take_doubt()) return;
  // Its bar may still wait behind a hole.
  const std::int64_t slot = series_.interval().ordinal(kline.bar.open_time_ms);
  doubt_.raise(monotonic_ms(), std::max(series_.next(), slot + 1));
}

void MarketSeries::on_trade(const feeds::Trade& trade, std::int64_t received_us) {
  if (trades_) trades_->on_trade(trade, received_us, monotonic_ms());
}

void MarketSeries::on_built(const feeds::Kline& kline, bool whole, std::int64_t received_us) {
  take(kline, whole, received_us);
}

/// `whole`: a running bar has all that was traded since its beginning.
void MarketSeries::take(const feeds::Kline& kline, bool whole, std::int64_t received_us) {
  series_.on_kline(kline, received_us, now());
  if (whole && !kline.closed) preview(kline.bar, received_us);
}

void MarketSeries::on_trades_interrupted() {
  if (trades_) trades_->begin_anew();
}

void MarketSeries::on_stream_up() {
  if (trades_) trades_->begin_anew();
  // A part from the future keeps out all that come before it.
  if (fold_ && fold_->end_ms() > now().utc_ms + kMostAheadMs) fold_->begin_anew();
  series_.on_stream_up(now());
}

void MarketSeries::on_stream_down(std::string_view reason) {
  if (trades_) trades_->begin_anew();
  series_.on_stream_down(now(), reason);
}

void MarketSeries::on_stream_refused(std::string_view reason) {
  for (const auto& output : outputs_) {
    context_.journal.event(Level::error, "subscription_refused", output->name, reason);
  }
  on_stream_down(reason);
}

void MarketSeries::set_listing(feeds::Listing listing) { series_.set_listing(listing, now()); }

void MarketSeries::on_timer() {
  look_at_questions();
  if (!begun_) return;
  if (trades_) {
    trades_->on_timer(utc_us(), monotonic_ms());
    tell_lost_trades();
  }
  series_.on_timer(now());
  ask_again();
  go_on_alone();
  preview_what_waits();
}

void MarketSeries::keep_back() {
  if (!loaded_ && restored_ && kept_back_since_ms_ == 0) kept_back_since_ms_ = monotonic_ms();
}

/// REST has not answered for long: what closed meanwhile is published, and what closes from now on.
void MarketSeries::go_on_alone() {
  if (goes_on() || kept_back_since_ms_ == 0 || monotonic_ms() - kept_back_since_ms_ < kLongestAwaitedMs)
    return;
  alone_ = true;
  context_.journal.log(Level::warning, "alone", name_.symbol + " " + name_.interval,
                       "REST has not answered yet: what closes is published without it");
  for (const auto& output : outputs_) resume(*output);
}

void MarketSeries::tell_lost_trades() {
  const feeds::TradeBarsCounters& counted = trades_->counters();
  // Their bars were closed as whole, and published: REST tells what they should have been.
  if (std::exchange(late_trades_, counted.late) != counted.late) doubt_.raise(monotonic_ms(), series_.next());
  if (counted.late == told_trades_.late && counted.lost == told_trades_.lost &&
      counted.off_book == told_trades_.off_book)
    return;
  if (const std::int64_t at = monotonic_ms(); at - told_trades_ms_ >= kBetweenTradeReportsMs) {
    told_trades_ms_ = at;
    told_trades_ = counted;
    context_.journal.log(Level::warning, "trades", name_.symbol + " " + name_.interval,
                         "late=" + std::to_string(counted.late) + " lost=" + std::to_string(counted.lost) +
                             " off_book=" + std::to_string(counted.off_book) +
                             " since the start: REST decides about their bars");
  }
}

void MarketSeries::on_unproven() { doubt_.raise(monotonic_ms(), series_.next()); }

bool MarketSeries::comparison_presses() const { return !comparing_ && doubt_.due(monotonic_ms()); }

bool MarketSeries::compare_with_exchange() {
  const bool doubted = doubt_.due(monotonic_ms());
  if (comparing_ || series_.bars().empty() || (!trades_ && !doubted)) return false;
  const auto& interval = series_.interval();
  // Of a bar that has just closed REST may show less than what was told or built of its trades.
  const std::int64_t proven = interval.ordinal(now().utc_ms - kRestBehindMs);
  const std::int64_t next = doubted ? doubt_.take(monotonic_ms(), proven) : std::min(series_.next(), proven);
  const std::int64_t most =
      std::min(kComparedBars, feeds::history_rows_per_request(context_.exchange, interval));
  // What is told by frames may differ from REST for good: there only what the doubt can be about.
  const std::int64_t doubtful_ms = interval.open_time_ms(next) - 2 * BarDoubt::kAskAgainAfterMs;
  const std::int64_t wanted =
      made_here() ? next - most : std::max(next - most, interval.ordinal(doubtful_ms));
  const std::int64_t first = std::max(series_.covered_from(), wanted);
  if (first >= next) return false;  // none of them is held any more
  const feeds::HistoryRequest request{name_.symbol, name_.interval, interval.open_time_ms(first),
                                      interval.open_time_ms(next - 1), 0};
  comparing_ = true;
  const auto compare = [self = self_, doubted, next](const feeds::HistoryResult& result) {
    if (*self == nullptr) return;
    MarketSeries& series = **self;
    series.comparing_ = false;
    series.series_.compare(result, series.made_here(), utc_us());
    if (!doubted) return;
    const bool well = result.error == feeds::RestError::none && result.server_time_ms != 0;
    series.doubt_.answered(monotonic_ms(), next, well, series.series_.next());
  };
  context_.feed.fetch_history(request, kComparePriority, compare);
  return true;
}

}  // namespace atcd::daemon
