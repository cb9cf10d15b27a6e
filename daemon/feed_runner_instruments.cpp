// What the symbols of the configuration name, and what becomes of a series whose name another instrument has
// now, or that a wrong clock began.
#include <algorithm>

#include "daemon/clock.hpp"
#include "daemon/feed_runner.hpp"
#include "daemon/instruments.hpp"

namespace atcd::daemon {

/// Symbols that are named outright need no list to begin with, common ones and those of patterns where an
/// earlier list was remembered. What is wrong with the others, and which are the largest, only a list can
/// tell.
ResolvedSymbols FeedRunner::resolve_without_list(const FeedConfig& block) const {
  FeedConfig of_any_size = block;
  of_any_size.top = 0;
  ResolvedSymbols resolved = resolve_symbols(of_any_size, context_.archive.known_symbols(exchange_));
  for (const Unresolved& each : resolved.unresolved) {
    if (!is_common(each.text)) resolved.symbols.push_back({each.text, "", "", true, 0, 0});
  }
  resolved.unresolved.clear();
  return resolved;
}

void FeedRunner::tell_unresolved(std::span<const Unresolved> unresolved) {
  for (const Unresolved& each : unresolved) {
    if (!owns(each.text)) continue;
    const bool unknown = each.instruments.empty();
    context_.journal.event(Level::error, unknown ? "unknown_symbol" : "ambiguous_symbol", "",
                           key_.exchange + " " + key_.market + " " + each.reason +
                               (unknown ? ": it is left out until the list is resolved again"
                                        : ": none of them is begun, what runs goes on"));
  }
}

bool FeedRunner::runs(const Wanted& output) const {
  const auto found = series_.find({output.symbol.symbol, output.interval});
  if (found == series_.end()) return false;
  const auto& outputs = found->second->outputs();
  const std::string name = id_of(output).name();
  return std::any_of(outputs.begin(), outputs.end(), [&](const auto& each) { return each->name == name; });
}

/// At the end of the run before this one, as its snapshot tells.
bool FeedRunner::ran_last(const Wanted& output) const {
  return context_.archive.engine_of(id_of(output).name()).has_value();
}

/// Whether the configuration asks for the output, if only the exchange's list has its symbol. `as_it_is`:
/// with these parameters.
bool FeedRunner::asked_for(const MarketSeries& series, const Output& output, bool as_it_is) const {
  const auto profile = std::find_if(profiles_.begin(), profiles_.end(), [&](const ProfileConfig& each) {
    return each.name == output.profile.name && (!as_it_is || config_hash(each) == output.config);
  });
  if (profile == profiles_.end()) return false;
  const auto known = context_.archive.instrument(archive_name(exchange_, series.name()));
  const feeds::SymbolInfo info = symbol_info(series.name().symbol, known.value_or(state::Instrument{}));
  const auto has = [](const std::vector<std::string>& texts, const std::string& text) {
    return std::find(texts.begin(), texts.end(), text) != texts.end();
  };
  return std::any_of(blocks_.begin(), blocks_.end(), [&](const FeedConfig& block) {
    return has(block.intervals, series.name().interval) && has(block.profiles, profile->name) &&
           may_have(block, info);
  });
}

/// The feed of the same market and another address that has the series; null: there is none.
FeedRunner* FeedRunner::other_holder(const feeds::StreamName& name) const {
  for (const auto& [key, feed] : context_.feeds) {
    if (&feed->exchange_ == &exchange_ && feed.get() != this && feed->has(name)) return feed.get();
  }
  return nullptr;
}

/// Of two feeds of one market that have a series each would write its bars and publish it. What they have in
/// common may only show in the exchange's list: who began first keeps it, and the other waits for it.
bool FeedRunner::refuse(const Wanted& output) {
  const feeds::StreamName name{output.symbol.symbol, output.interval};
  if (other_holder(name) == nullptr) return false;
  const std::string series = id_of(output).name();
  if (!refused_.emplace(series, name).second) return true;
  context_.journal.event(Level::error, "series_refused", series,
                         key_.exchange + " " + key_.market + " already has " + name.symbol + " " +
                             name.interval + " from another websocket_url, rest_url or ca_file: " +
                             "the bars of a series come from one; exclude it in one of the feeds");
  return true;
}

/// Before the series is made, or goes on: are its bars those of the instrument that the list has under the
/// name?
void FeedRunner::check_instrument(const Wanted& output) {
  const std::string name = archive_name(exchange_, {output.symbol.symbol, output.interval});
  const auto known = context_.archive.instrument(name);
  const auto running = series_.find({output.symbol.symbol, output.interval});
  std::int64_t first_close_ms = 0;
  if (known && known->listed_ms != output.symbol.listed_ms) {
    first_close_ms = context_.archive.first_close_ms(name);
    if (running != series_.end())
      first_close_ms = std::min(first_close_ms, running->second->first_close_ms());
  }
  const std::string change = known ? other_instrument(*known, output.symbol, first_close_ms) : "";
  std::int64_t end_ms = context_.archive.end_ms(name);
  if (running != series_.end()) end_ms = std::max(end_ms, running->second->end_ms());
  // Without a bar nothing was begun that could be another's.
  if (change.empty() || end_ms == 0)
    return context_.archive.set_instrument(name, known_now(known, output.symbol));

  const bool told_all = output.symbol.listed_ms > 0;
  state::Instrument now = known_now(told_all ? std::nullopt : known, output.symbol);
  now.replaced_ms = end_ms;
  const std::string detail = "the exchange has another instrument under this symbol (" + change +
                             "): its history until " + std::to_string(end_ms) +
                             " is set aside, a new one begins";
  if (running == series_.end()) {
    context_.journal.event(Level::warning, "new_history", id_of(output).name(), detail);
  } else {
    for (const auto& each : running->second->outputs())
      context_.journal.event(Level::warning, "new_history", each->name, detail);
    end(*running->second);
  }
  context_.archive.begin_anew(name, now, utc_ms());
}

/// A series that began by our own clock while that was ahead waits for bars of the future, and takes no
/// other.
void FeedRunner::check_beginning(const Wanted& output, std::int64_t exchange_time_ms) {
  const auto running = series_.find({output.symbol.symbol, output.interval});
  if (running == series_.end() || exchange_time_ms == 0) return;
  const feeds::Series& bars = running->second->series();
  if (!bars.bars().empty() || bars.interval().open_time_ms(bars.next()) <= exchange_time_ms) return;
  for (const auto& each : running->second->outputs())
    context_.journal.log(Level::warning, "clock", each->name,
                         "it was begun by our clock, which is ahead of the exchange's: it begins anew");
  end(*running->second);
}

void FeedRunner::end(MarketSeries& series) {
  while (!series.outputs().empty()) {
    const state::SeriesIndex index = series.outputs().back()->index;
    context_.on_output(index, nullptr);
    series.remove_output(index);
  }
  series.leave();
  ended_.add(series.series().counters());
  std::erase(dirty_, &series);
  std::erase(unstarted_, &series);
  series_.erase({series.name().symbol, series.name().interval});
}

}  // namespace atcd::daemon
