#include "daemon/commands/exchange_check.hpp"

#include <cmath>
#include <exception>
#include <optional>
#include <set>

#include "daemon/clock.hpp"
#include "daemon/commands/exchange_reader.hpp"
#include "daemon/config_checks.hpp"
#include "daemon/market_load.hpp"
#include "daemon/symbols.hpp"
#include "feeds/exchange.hpp"

namespace atcd::daemon {
namespace {

/// Minutes to load the bars of so many symbols within our share of the limit.
double warm_up_minutes(const Config& config, const feeds::Exchange& exchange, const FeedConfig& feed,
                       std::size_t symbols) {
  const feeds::RestLimit limit = exchange.rest_limit();
  const double weight = history_weight(config, feed, exchange, utc_ms());
  const double windows = static_cast<double>(symbols) * weight / (limit.weight * feed.rest_share);
  return limit.weight == 0 ? 0
                           : windows * std::chrono::duration<double, std::ratio<60>>(limit.window).count();
}

void check_feed(const Config& config, const FeedConfig& feed, ExchangeFindings& findings,
                std::optional<std::vector<std::string>>& list) {
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
  list.emplace();
  for (const feeds::SymbolInfo& symbol : resolved.symbols) list->push_back(symbol.symbol);
  const auto minutes = static_cast<long>(std::ceil(warm_up_minutes(config, exchange, feed, symbols)));
  findings.series += symbols * each;
  findings.facts.push_back(name + ": " + std::to_string(symbols) + " symbols, " +
                           std::to_string(symbols * each) +
                           " series; with an empty history the warm-up takes " + "at most about " +
                           std::to_string(minutes) + " min within the exchange's limits");
}

/// What the texts alone do not tell: that symbols of two addresses are the same.
void look_for_shared(const Config& config, ExchangeFindings& findings) {
  for (std::size_t i = 0; i < config.feeds.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const std::string interval = interval_apart(config.feeds[i], config.feeds[j]);
      if (interval.empty() || !findings.symbols[i] || !findings.symbols[j]) continue;
      const std::set<std::string> others(findings.symbols[j]->begin(), findings.symbols[j]->end());
      const auto both = std::find_if(findings.symbols[i]->begin(), findings.symbols[i]->end(),
                                     [&](const std::string& symbol) { return others.contains(symbol); });
      if (both == findings.symbols[i]->end()) continue;
      findings.errors.push_back("feed[" + std::to_string(i) + "] has " + *both + " " + interval +
                                ", as feed[" + std::to_string(j) +
                                "] has, from another address: exclude it in one of them");
    }
  }
}

}  // namespace

ExchangeFindings check_exchanges(const Config& config) {
  ExchangeFindings findings;
  findings.symbols = named_symbols(config);
  for (std::size_t i = 0; i < config.feeds.size(); ++i) {
    const FeedConfig& feed = config.feeds[i];
    try {
      check_feed(config, feed, findings, findings.symbols[i]);
    } catch (const std::exception& failure) {  // a URL or a CA file that is of no use
      findings.errors.push_back(feed.exchange + " " + feed.market + ": " + failure.what());
    }
  }
  look_for_shared(config, findings);
  return findings;
}

}  // namespace atcd::daemon
