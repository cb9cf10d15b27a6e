// How a series of a long interval begins where the history of a shorter one has its bars: fewer requests, the
// same bars. Only a series of which nothing is stored does: what was stored goes as far as the shorter one's
// history, and what was missed since then is the exchange's to tell. Bars that are folded have the
// exchange's prices to the bit; their volume, which no signal depends on, may differ in its last bits.
#include <algorithm>
#include <string>
#include <utility>

#include "daemon/clock.hpp"
#include "daemon/instruments.hpp"
#include "daemon/market_series.hpp"
#include "feeds/interval_source.hpp"

namespace atcd::daemon {
namespace {

// What every exchange counts as its cheapest request.
constexpr std::int64_t kComparedBars = 99;
constexpr int kFirstLoadPriority = 2;  // as Series asks for its first history

bool same_bar(const engine::Bar& a, const engine::Bar& b) {
  return a.open_time_ms == b.open_time_ms && same_prices(a, b);
}

}  // namespace

void MarketSeries::start() {
  FoldQuestion question = fold_question();
  if (question.sources.empty()) return begin();
  context_.archive.folds().ask(std::move(question), [self = self_](state::StoredBars folded) {
    if (*self != nullptr) (*self)->compare_fold(std::move(folded));
  });
}

/// Without sources: there is nothing to ask. Trades make bars of their own, which are not to be history.
FoldQuestion MarketSeries::fold_question() const {
  const engine::Interval& interval = series_.interval();
  FoldQuestion question{{},
                        interval,
                        interval.ordinal(from_ms_),
                        interval.ordinal(now().utc_ms),
                        feeds::history_rows_per_request(context_.exchange, interval)};
  if (restored_ || trades_) return question;
  for (const engine::Interval& part : feeds::usual_parts_of(interval)) {
    const std::string name = archive_name(context_.exchange, {name_.symbol, part.text()});
    if (!context_.archive.knows(name)) continue;
    const auto instrument = context_.archive.instrument(name);
    if (instrument && !other_instrument(*instrument, symbol_info(name_.symbol, instrument_)).empty())
      continue;
    const MarketSeries* running = context_.sibling(name_.symbol, part.text());
    if (running != nullptr && running->trades_) continue;
    question.sources.push_back({name, part, running ? running->late_ : std::vector<state::LateBar>{}});
  }
  return question;
}

/// The exchange may have corrected the one interval and not the other, or have told us otherwise than it
/// tells now: before anything is computed from them the newest are held against its own. One that differs,
/// and all are asked for.
void MarketSeries::compare_fold(state::StoredBars folded) {
  if (folded.bars.empty() || trades_) return begin();  // its source may have become another meanwhile
  const std::int64_t most =
      std::min(kComparedBars, feeds::history_rows_per_request(context_.exchange, series_.interval()));
  const auto count = std::min(static_cast<std::size_t>(most), folded.bars.size());
  const std::int64_t from_ms = folded.bars[folded.bars.size() - count].open_time_ms;
  const feeds::HistoryRequest request{name_.symbol, name_.interval, from_ms, folded.bars.back().open_time_ms};
  context_.feed.fetch_history(
      request, kFirstLoadPriority,
      [self = self_, count, folded = std::move(folded)](const feeds::HistoryResult& result) mutable {
        if (*self == nullptr) return;
        const bool same =
            result.error == feeds::RestError::none && !(*self)->trades_ &&
            std::equal(result.rows.begin(), result.rows.end(),
                       folded.bars.end() - static_cast<std::ptrdiff_t>(count), folded.bars.end(), same_bar);
        if (same) return (*self)->begin_with(std::move(folded));
        (*self)->context_.journal.log(Level::warning, "fold_refused", (*self)->archive_name_,
                                      result.error == feeds::RestError::none
                                          ? "the exchange tells other bars than those of the shorter "
                                            "interval add up to: it is asked for all"
                                          : result.message);
        (*self)->begin();
      });
}

void MarketSeries::begin() {
  begun_ = true;
  context_.router.listen(*this, listens_to_);
  series_.start(now());
}

/// What is missing still is asked for once the stream is up: an answer from before proves nothing.
void MarketSeries::begin_with(state::StoredBars folded) {
  context_.journal.log(Level::info, "folded", archive_name_, "bars=" + std::to_string(folded.bars.size()));
  context_.archive.writer().insert(archived_, folded.bars, folded.covered_from_ms, folded.covered_to_ms);
  restored_ = series_.restore(std::move(folded.bars), folded.covered_from_ms, folded.covered_to_ms);
  begun_ = true;
  context_.router.listen(*this, listens_to_);
}

}  // namespace atcd::daemon
