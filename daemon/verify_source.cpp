#include "daemon/verify_source.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "daemon/bar_archive.hpp"

namespace atcd::daemon {
namespace {

constexpr int kTries = 5;

}  // namespace

std::optional<state::History::Series> FromHistory::number_of(const PublishedSeries& series) {
  const feeds::Exchange& exchange = *feeds::find_exchange(series.id.exchange, series.id.market);
  return history_.now().find(archive_name(exchange, {series.id.symbol, series.id.interval}));
}

OtherTellings FromHistory::others(const PublishedSeries& series) {
  const auto found = number_of(series);
  if (!found) return {};
  OtherTellings others{{}, history_.now().late(*found)};
  history_.now().read_superseded(
      *found, [&](const engine::Bar& bar, std::int64_t) { others.superseded.push_back(bar); });
  return others;
}

std::int64_t FromHistory::begins_ms(const PublishedSeries& series) {
  const auto found = number_of(series);
  return found ? history_.now().instrument(*found).value_or(state::Instrument{}).begins_ms() : 0;
}

bool FromHistory::read(const PublishedSeries& series, std::int64_t from_ms, const Take& take) {
  const auto found = number_of(series);
  if (!found) return true;
  const std::int64_t listed_ms = history_.now().instrument(*found).value_or(state::Instrument{}).listed_ms;
  bool first = true;
  return history_.now().read_all(*found, from_ms, [&](state::StoredBars bars) {
    // Where the bars reach back to the listing there are none before.
    if (std::exchange(first, false) && bars.covered_from_ms <= listed_ms)
      bars.covered_from_ms = std::min(bars.covered_from_ms, from_ms);
    take(bars);
  });
}

Verdict settled_verdict(const std::function<bool(Verdict&)>& take,
                        const std::function<void(const Verdict&)>& renew) {
  bool whole = false;
  Verdict before;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    if (attempt > 0) renew(before);
    Verdict verdict;
    whole = take(verdict);
    if (whole && (verdict.difference.empty() || verdict.difference == before.difference)) return verdict;
    before = std::move(verdict);
    if (!whole) before.difference.clear();
  }
  if (!whole) throw std::runtime_error("the history is written to faster than it can be read");
  return before;
}

}  // namespace atcd::daemon
