#include "daemon/feed_runner.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <unordered_map>
#include <utility>

#include "daemon/bulk.hpp"
#include "daemon/clock.hpp"
#include "engine/plan.hpp"
#include "feeds/exchange.hpp"
#include "feeds/interval_source.hpp"

namespace atcd::daemon {
namespace {

constexpr std::chrono::seconds kFirstRetry{2};
constexpr int kLongestRetryDoublings = 5;
constexpr std::chrono::minutes kBetweenLists{1};
constexpr std::int64_t kTicksPerComparison = 60;
constexpr std::int64_t kTicksPerTrim = 10;

Level level_of(feeds::Severity severity) {
  switch (severity) {
    case feeds::Severity::debug:
      return Level::debug;
    case feeds::Severity::info:
      return Level::info;
    case feeds::Severity::warning:
      return Level::warning;
    case feeds::Severity::error:
      break;
  }
  return Level::error;
}

}  // namespace

FeedKey FeedKey::of(const FeedConfig& config) {
  return {config.exchange, config.market, config.websocket_url, config.rest_url, config.ca_file};
}

FeedRunner::FeedRunner(const Context& context, const FeedKey& key)
    : context_(context),
      key_(key),
      exchange_(*feeds::find_exchange(key.exchange, key.market)),
      refresh_timer_(context.io),
      self_(std::make_shared<FeedRunner*>(this)) {}

FeedRunner::~FeedRunner() { *self_ = nullptr; }

void FeedRunner::stop() {
  *self_ = nullptr;
  refresh_timer_.cancel();
  if (feed_) feed_->stop();
}

void FeedRunner::configure(std::vector<FeedConfig> blocks, std::vector<ProfileConfig> profiles) {
  blocks_ = std::move(blocks);
  profiles_ = std::move(profiles);
  refresh_ = std::chrono::hours(24);
  for (const FeedConfig& block : blocks_)
    refresh_ = std::min(refresh_, std::chrono::milliseconds(block.refresh_ms));
  feeds::FeedOptions options{key_.websocket_url, key_.rest_url, key_.ca_file, 0};
  for (const FeedConfig& block : blocks_) options.rest_share = std::max(options.rest_share, block.rest_share);
  options.limits =
      context_.addresses.limits(key_.rest_url.empty() ? std::string(exchange_.rest_url()) : key_.rest_url,
                                exchange_.rest_limit(), options.rest_share);
  list_awaited_at_ = std::chrono::steady_clock::now();
  if (!feed_) {
    feed_ = std::make_unique<feeds::Feed>(context_.io, exchange_, options, *this);
    return begin_with_known();
  }
  // A start that has still to take up some goes on with those of the new configuration; the list is asked for
  // after that.
  const bool starting = !known_.empty();
  known_.clear();
  refused_.clear();
  remove_unwanted({}, false, false);
  if (starting) find_known();
  if (list_ == List::missing) list_ = List::awaited;
  if (known_.empty()) resolve();
}

FeedReport FeedRunner::retire() {
  known_.clear();
  blocks_.clear();
  remove_unwanted({}, false, false);
  stop();
  return report();
}

// ---- which series there are

/// Somebody's stream is silent: the list tells a halt from a dead feed. Not over and over, nor while one is
/// waited for: those that pile up while REST is paused would go before all else afterwards.
void FeedRunner::ask_for_list() {
  if (resolving_ == 0 && std::chrono::steady_clock::now() - resolved_at_ >= kBetweenLists) resolve();
}

bool FeedRunner::wants_volumes() const {
  return std::any_of(blocks_.begin(), blocks_.end(), [](const FeedConfig& block) { return block.top > 0; });
}

void FeedRunner::resolve() {
  resolved_at_ = std::chrono::steady_clock::now();
  ++resolving_;
  feed_->fetch_symbols(wants_volumes(),
                       [this, volumes = wants_volumes()](const feeds::SymbolsResult& result) {
                         // Of one without, where a reload has named a `top` since, any would be the largest:
                         // another is on its way.
                         if (volumes || !wants_volumes()) resolved(result);
                         --resolving_;
                       });
}

void FeedRunner::resolved(const feeds::SymbolsResult& result) {
  const bool listed = result.error == feeds::RestError::none;
  if (listed) {
    list_ = List::known;
    known_.clear();
  } else {
    context_.journal.event(Level::warning, "symbols_failed", "", result.message);
  }
  std::vector<Wanted> outputs = wanted(result, listed);
  // Where the exchange lists nothing that is asked for nobody is known to have left its list.
  const bool leavers_known = !outputs.empty();
  std::erase_if(outputs, [this](const Wanted& each) { return !owns(each.symbol.symbol); });
  apply(outputs, listed, result.server_time_ms);
  if (listed && !result.symbols.empty()) {
    remove_unwanted(outputs, true, leavers_known);
    tell_listing(result.symbols);
  }
  resolved_once_ = true;
  std::chrono::milliseconds wait = kFirstRetry * (1 << std::min(failed_resolutions_, kLongestRetryDoublings));
  if (listed) {
    failed_resolutions_ = 0;
    wait = refresh_;
  } else {
    ++failed_resolutions_;
  }
  refresh_timer_.expires_after(wait);
  // It may have expired before it is cancelled.
  refresh_timer_.async_wait([self = self_](const boost::system::error_code& error) {
    if (!error && *self != nullptr) (*self)->resolve();
  });
}

void FeedRunner::tell_listing(std::span<const feeds::SymbolInfo> symbols) {
  std::unordered_map<std::string_view, bool> trading;
  for (const feeds::SymbolInfo& symbol : symbols) trading[symbol.symbol] = symbol.trading;
  for (const auto& [name, series] : series_) {
    const auto found = trading.find(name.first);
    series->set_listing(found == trading.end() ? feeds::Listing::ended
                        : found->second        ? feeds::Listing::trading
                                               : feeds::Listing::halted);
  }
}

std::vector<FeedRunner::Wanted> FeedRunner::wanted(const feeds::SymbolsResult& result, bool listed) {
  std::vector<Wanted> outputs;
  for (const FeedConfig& block : blocks_) {
    ResolvedSymbols symbols;
    if (listed) {
      symbols = resolve_symbols(block, result.symbols);
      tell_unresolved(symbols.unresolved);
    } else if (!has_patterns(block) || list_ == List::missing) {
      symbols = resolve_without_list(block);
    }
    const bool only_last_run = !listed && has_patterns(block);
    const auto want = [&](const feeds::SymbolInfo& symbol, bool only_running) {
      for (const std::string& interval : block.intervals) {
        for (const ProfileConfig& profile : profiles_) {
          const auto& names = block.profiles;
          if (std::find(names.begin(), names.end(), profile.name) == names.end()) continue;
          Wanted output{&block, &profile, symbol, interval};
          if ((!only_running || runs(output)) && (!only_last_run || ran_last(output)))
            outputs.push_back(std::move(output));
        }
      }
    };
    for (const feeds::SymbolInfo& symbol : symbols.symbols) want(symbol, false);
    // What runs is not ended by another instrument that came to be called the same.
    for (const Unresolved& each : symbols.unresolved) {
      for (const feeds::SymbolInfo& symbol : each.instruments) want(symbol, true);
    }
  }
  return outputs;
}

void FeedRunner::apply(std::span<const Wanted> wanted_outputs, bool listed, std::int64_t exchange_time_ms) {
  std::set<std::string> names;
  std::map<const ProfileConfig*, std::string> hashes;
  for (const ProfileConfig& profile : profiles_) hashes[&profile] = config_hash(profile);
  for (const Wanted& each : wanted_outputs) {
    engine::SeriesId id = id_of(each);
    const std::string name = id.name();
    if (!names.insert(name).second) continue;
    leaving_.erase(name);
    if (refuse(each)) continue;
    if (listed) check_instrument(each);
    if (listed) check_beginning(each, exchange_time_ms);
    const std::string& hash = hashes.at(each.profile);
    const auto found = series_.find({each.symbol.symbol, each.interval});
    if (found != series_.end()) {
      if (found->second->source() != each.block->source)
        found->second->take_bars_from(listens_to(each, found->second->series().interval()));
      const auto& outputs = found->second->outputs();
      const auto same = std::find_if(outputs.begin(), outputs.end(),
                                     [&](const auto& output) { return output->name == name; });
      if (same != outputs.end()) {
        if ((*same)->config == hash) {
          (*same)->provisional = each.block->provisional;
          if (listed) found->second->describe(**same, each.symbol);
          continue;
        }
        // Other parameters under the same name: another series of signals.
        context_.on_output((*same)->index, nullptr);
        found->second->remove_output((*same)->index);
      }
    }
    auto& plan = plans_[hash];
    if (!plan) {
      plan = std::make_shared<const engine::Plan>(each.profile->parameters);
      context_.publisher.set_config(hash, config_json(*each.profile));
    }
    MarketSeries& series = series_for(each, exchange_time_ms);
    const state::SeriesIndex index = context_.numbers.take();
    context_.on_output(index, &series);
    auto output =
        std::make_unique<Output>(index, *each.profile, hash, plan, series.series().interval(), std::move(id));
    output->provisional = each.block->provisional;
    series.add_output(std::move(output), each.symbol);
    // A start says how many it has taken up; it does not name each of thousands.
    context_.journal.event(known_.empty() ? Level::info : Level::debug, "added", name, "");
  }
  for (MarketSeries* series : std::exchange(unstarted_, {})) series->start();
}

MarketSeries& FeedRunner::series_for(const Wanted& output, std::int64_t exchange_time_ms) {
  auto& series = series_[{output.symbol.symbol, output.interval}];
  if (series) return *series;
  const engine::Interval interval = *engine::Interval::parse(output.interval);
  // The oldest anchor that the bar before the present one may have; other needs reach back later.
  // Without the exchange's clock ours is taken: it may be years behind, but no bar that is held is from the
  // future.
  const std::int64_t held_to_ms =
      context_.archive.end_ms(archive_name(exchange_, {output.symbol.symbol, output.interval}));
  const std::int64_t clock_ms = exchange_time_ms != 0 ? exchange_time_ms : std::max(utc_ms(), held_to_ms);
  const engine::AnchorRule& rule = output.profile->anchor;
  const std::int64_t slots_back = rule.fixed_anchor_ms ? 2 : rule.history_bars + rule.anchor_period + 2;
  std::int64_t from_ms = interval.open_time_ms(interval.ordinal(clock_ms) - slots_back);
  // Where that is yet to come it is no other profile's, and the series none that a wrong clock began.
  if (rule.fixed_anchor_ms) from_ms = std::min(from_ms, *rule.fixed_anchor_ms);
  const MarketSeries::Context context{*feed_,
                                      router_,
                                      exchange_,
                                      context_.publisher,
                                      context_.journal,
                                      context_.archive,
                                      context_.update_times,
                                      context_.bulk,
                                      [this](MarketSeries& each) { bar_came(each); },
                                      [this] { ask_for_list(); },
                                      [this](const std::string& symbol, const std::string& each) {
                                        const auto found = series_.find({symbol, each});
                                        return found == series_.end() ? nullptr : found->second.get();
                                      }};
  series = std::make_unique<MarketSeries>(context, feeds::StreamName{output.symbol.symbol, output.interval},
                                          listens_to(output, interval), interval, from_ms);
  unstarted_.push_back(series.get());
  return *series;
}

/// The stream whose frames give the series its bars.
feeds::StreamName FeedRunner::listens_to(const Wanted& output, const engine::Interval& interval) const {
  if (output.block->source == FeedSource::trades) return {output.symbol.symbol, ""};
  std::vector<engine::Interval> subscribed;
  for (const FeedConfig& block : blocks_) {
    if (block.source == FeedSource::trades) continue;
    if (!may_have(block, output.symbol)) continue;
    for (const std::string& each : block.intervals) subscribed.push_back(*engine::Interval::parse(each));
  }
  return {output.symbol.symbol, feeds::frames_from(exchange_, interval, subscribed)->text()};
}

engine::SeriesId FeedRunner::id_of(const Wanted& output) const {
  return {key_.exchange, key_.market, output.symbol.symbol, output.interval, output.profile->name};
}

/// Who leaves the configuration goes at once, also while the exchange's list can't be had; who leaves that
/// runs one more period. Those that get other parameters are exchanged once it is there.
void FeedRunner::remove_unwanted(std::span<const Wanted> wanted_outputs, bool listed, bool leavers_known) {
  std::set<std::string> wanted_names;
  for (const Wanted& each : wanted_outputs) wanted_names.insert(id_of(each).name());
  std::vector<std::pair<MarketSeries*, Output*>> gone;
  for (const auto& [key, series] : series_) {
    for (const auto& output : series->outputs()) {
      if (wanted_names.contains(output->name)) continue;
      if (!asked_for(*series, *output, listed)) {
        gone.emplace_back(series.get(), output.get());
        continue;
      }
      if (!leavers_known) continue;
      const auto now = std::chrono::steady_clock::now();
      const auto [since, left_now] = leaving_.try_emplace(output->name, now);
      if (now - since->second >= refresh_) {
        gone.emplace_back(series.get(), output.get());
      } else if (left_now) {
        context_.journal.event(Level::warning, "leaving", output->name, "not in the list any more");
      }
    }
  }
  for (const auto& [series, output] : gone) {
    const std::string name = output->name;
    leaving_.erase(name);
    context_.on_output(output->index, nullptr);
    series->remove_output(output->index);
    context_.journal.event(Level::info, "removed", name, "");
    if (!series->outputs().empty()) continue;
    end(*series);
  }
}

// ---- news from the feed

void FeedRunner::on_kline(feeds::StreamIndex stream, const feeds::Kline& kline, std::int64_t received_us) {
  count_lag(kline.event_time_ms, received_us);
  router_.on_kline(stream, kline, received_us);
}

void FeedRunner::on_trade(feeds::StreamIndex stream, const feeds::Trade& trade, std::int64_t received_us) {
  count_lag(trade.event_time_ms, received_us);
  router_.on_trade(stream, trade, received_us);
}

void FeedRunner::on_trades_interrupted(feeds::StreamIndex stream) { router_.on_trades_interrupted(stream); }

void FeedRunner::on_stream_up(feeds::StreamIndex stream) { router_.on_stream_up(stream); }

void FeedRunner::on_stream_down(feeds::StreamIndex stream, std::string_view reason) {
  router_.on_stream_down(stream, reason);
}

void FeedRunner::on_stream_refused(feeds::StreamIndex stream, std::string_view reason) {
  router_.on_stream_refused(stream, reason);
}

void FeedRunner::bar_came(MarketSeries& series) {
  dirty_.push_back(&series);
  if (dirty_.size() == 1) context_.on_work();
}

void FeedRunner::on_feed_event(feeds::Severity severity, std::string_view event, std::string_view detail) {
  context_.journal.log(level_of(severity), event, key_.exchange + ":" + key_.market, detail);
}

void FeedRunner::on_timer() {
  for (const auto& [name, series] : series_) series->on_timer();
  const std::size_t freed =
      std::erase_if(refused_, [this](const auto& each) { return other_holder(each.second) == nullptr; });
  if (freed > 0 && resolving_ == 0) resolve();
  go_on_without_list();
  compare_next(++ticks_ % kTicksPerComparison == 0);
  if (ticks_ % kTicksPerTrim == 0) trim();
}

/// Of the series whose bars we make ourselves the next in turn is compared with the exchange's: one a second
/// of those where it presses, and one a minute whichever it is.
void FeedRunner::compare_next(bool whoever) {
  auto next = series_.upper_bound(compared_);
  for (std::size_t i = 0; i < series_.size(); ++i, ++next) {
    if (next == series_.end()) next = series_.begin();
    if (!whoever && !next->second->comparison_presses()) continue;
    if (!next->second->compare_with_exchange()) continue;
    compared_ = next->first;
    return;
  }
}

void FeedRunner::prepare() {
  const std::vector<MarketSeries*> work = std::exchange(dirty_, {});
  for (MarketSeries* series : work) series->prepare();
}

std::optional<std::int64_t> FeedRunner::clock_offset_ms() const {
  const auto exchange_ms = feed_ ? feed_->exchange_ms(monotonic_ms()) : std::nullopt;
  return exchange_ms ? std::optional(*exchange_ms - utc_ms()) : std::nullopt;
}

void FeedRunner::trim() {
  for (const auto& [name, series] : series_) series->trim();
  context_.archive.trim(monotonic_ms());
  for (const std::string& problem : context_.archive.take_problems())
    context_.journal.event(Level::error, "history", "", problem);
}

}  // namespace atcd::daemon
