#include "daemon/commands/exchange_check.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <string_view>

#include "daemon/clock.hpp"
#include "daemon/commands/exchange_reader.hpp"
#include "daemon/symbols.hpp"
#include "engine/interval.hpp"
#include "feeds/exchange.hpp"
#include "feeds/interval_source.hpp"

namespace atcd::daemon {
namespace {

/// The bars of one interval that the deepest of the feed's profiles needs.
std::int64_t deepest(const Config& config, const FeedConfig& feed, const std::string& interval_text) {
  const auto interval = engine::Interval::parse(interval_text);
  std::int64_t bars = 0;
  for (const ProfileConfig& profile : config.profiles) {
    const engine::AnchorRule& rule = profile.anchor;
    if (std::find(feed.profiles.begin(), feed.profiles.end(), profile.name) == feed.profiles.end()) continue;
    bars = std::max(bars, rule.fixed_anchor_ms
                              ? interval->ordinal(utc_ms()) - interval->ordinal(*rule.fixed_anchor_ms)
                              : rule.history_bars + rule.anchor_period);
  }
  return bars;
}

/// Minutes to load the bars of so many symbols within our share of the limit.
double warm_up_minutes(const Config& config, const feeds::Exchange& exchange, const FeedConfig& feed,
                       std::size_t symbols) {
  const feeds::RestLimit limit = exchange.rest_limit();
  double weight = 0;
  for (const std::string& interval : feed.intervals) {
    weight +=
        feeds::history_weight(exchange, *engine::Interval::parse(interval), deepest(config, feed, interval));
  }
  const double windows = static_cast<double>(symbols) * weight / (limit.weight * feed.rest_share);
  return limit.weight == 0 ? 0
                           : windows * std::chrono::duration<double, std::ratio<60>>(limit.window).count();
}

void check_feed(const Config& config, const FeedConfig& feed, ExchangeFindings& findings) {
  const std::string name = feed.exchange + " " + feed.market;
  ExchangeReader reader(feed);
  const feeds::Exchange& exchange = reader.exchange();
  const feeds::SymbolsResult listed = reader.symbols(feed.top > 0);
  const std::size_t each = feed.intervals.size() * feed.profiles.size();
  if (listed.error != feeds::RestError::none) {
    findings.errors.push_back(name + ": the list of symbols can't be had: " + listed.message);
    if (!has_patterns(feed)) findings.series += feed.symbols.size() * each;
    return;
  }
  const ResolvedSymbols resolved = resolve_symbols(feed, listed.symbols);
  for (const Unresolved& text : resolved.unresolved) findings.errors.push_back(name + " " + text.reason);
  for (const feeds::SymbolInfo& symbol : resolved.symbols) {
    if (!symbol.trading) findings.facts.push_back(name + ": " + symbol.symbol + " is not trading at present");
  }
  const std::size_t symbols = resolved.symbols.size();
  const auto minutes = static_cast<long>(std::ceil(warm_up_minutes(config, exchange, feed, symbols)));
  findings.series += symbols * each;
  findings.facts.push_back(name + ": " + std::to_string(symbols) + " symbols, " +
                           std::to_string(symbols * each) +
                           " series; with an empty history the warm-up takes " + "at most about " +
                           std::to_string(minutes) + " min within the exchange's limits");
}

}  // namespace

ExchangeFindings check_exchanges(const Config& config) {
  ExchangeFindings findings;
  for (const FeedConfig& feed : config.feeds) {
    try {
      check_feed(config, feed, findings);
    } catch (const std::exception& failure) {  // a URL or a CA file that is of no use
      findings.errors.push_back(feed.exchange + " " + feed.market + ": " + failure.what());
    }
  }
  return findings;
}

}  // namespace atcd::daemon
