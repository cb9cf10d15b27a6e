#include "daemon/market_load.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "daemon/feed_runner.hpp"
#include "daemon/share.hpp"
#include "daemon/symbols.hpp"
#include "engine/interval.hpp"
#include "feeds/interval_source.hpp"

namespace atcd::daemon {
namespace {

using engine::Interval;

constexpr double kLongWarmUpMs = 3'600'000;
constexpr double kMostOfShare = 0.25;  // for the list of symbols alone

/// The bars of one interval that the deepest of the feed's profiles needs.
std::int64_t deepest(const Config& config, const FeedConfig& feed, const Interval& interval,
                     std::int64_t now_ms) {
  std::int64_t bars = 0;
  for (const ProfileConfig& profile : config.profiles) {
    const engine::AnchorRule& rule = profile.anchor;
    if (std::find(feed.profiles.begin(), feed.profiles.end(), profile.name) == feed.profiles.end()) continue;
    bars = std::max(bars, rule.fixed_anchor_ms
                              ? interval.ordinal(now_ms) - interval.ordinal(*rule.fixed_anchor_ms)
                              : rule.history_bars + rule.anchor_period);
  }
  return bars;
}

/// The feeds that share connections and limits (FeedKey), and what they ask for together.
struct Load {
  const feeds::Exchange* exchange = nullptr;
  std::string key;  // of the first of these feeds
  double rest_share = 0;
  std::int64_t refresh_ms = std::numeric_limits<std::int64_t>::max();
  bool with_volumes = false;
  std::int64_t shortest_ms = std::numeric_limits<std::int64_t>::max();  // of the intervals
  std::string shortest;
  std::set<std::pair<std::string, std::string>> streams;         // symbol, interval of the frames
  std::map<std::pair<std::string, std::string>, double> series;  // symbol, interval: weight of its history
};

void add(Load& load, const Config& config, const FeedConfig& feed, const std::vector<std::string>& symbols,
         std::int64_t now_ms) {
  load.rest_share = std::max(load.rest_share, feed.rest_share);
  load.refresh_ms = std::min(load.refresh_ms, feed.refresh_ms);
  load.with_volumes = load.with_volumes || feed.top > 0;
  std::vector<Interval> intervals;
  for (const std::string& text : feed.intervals) intervals.push_back(*Interval::parse(text));
  for (const Interval& interval : intervals) {
    if (interval.length_ms() < load.shortest_ms) {
      load.shortest_ms = interval.length_ms();
      load.shortest = interval.text();
    }
    const std::string frames =
        feed.source == FeedSource::trades
            ? ""
            : feeds::frames_from(*load.exchange, interval, intervals).value_or(interval).text();
    const double weight =
        feeds::history_weight(*load.exchange, interval, deepest(config, feed, interval, now_ms));
    for (const std::string& symbol : symbols) {
      load.streams.emplace(symbol, frames);
      double& most = load.series[{symbol, interval.text()}];
      most = std::max(most, weight);
    }
  }
}

/// Of all workers: each has connections of its own.
std::size_t connections(const Load& load, std::size_t workers) {
  const std::size_t each = load.exchange->streams_per_connection();
  std::size_t count = 0;
  for (std::size_t worker = 0; worker < workers; ++worker) {
    const Share share{worker, workers};
    const auto streams = static_cast<std::size_t>(
        std::count_if(load.streams.begin(), load.streams.end(), [&](const auto& stream) {
          return share.owns(load.exchange->name(), load.exchange->market(), stream.first);
        }));
    count += (streams + each - 1) / each;
  }
  return count;
}

std::string minutes(double ms) { return std::to_string(std::lround(std::ceil(ms / 60'000))) + " min"; }

std::string percent(double part) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g %%", part * 100);
  return text.data();
}

std::string market_of(const Load& load) {
  return std::string(load.exchange->name()) + " " + std::string(load.exchange->market());
}

/// The limits of one market, as far as they are exceeded.
void judge(const Load& load, std::size_t workers, const ConfigResult& read,
           std::vector<ConfigError>& warnings) {
  const auto warn = [&](const std::string& path, const std::string& message) {
    warnings.push_back({read.line_of(path), path, message});
  };
  const std::size_t needed = connections(load, workers);
  const auto spacing_ms = static_cast<double>(load.exchange->connect_spacing().count());
  const auto bar_ms = static_cast<double>(load.shortest_ms);
  const auto at_once = static_cast<std::size_t>(load.exchange->connects_at_once());
  const double last_ms = static_cast<double>(needed - std::min(needed, at_once)) * spacing_ms;
  if (last_ms > bar_ms) {
    warn(load.key + ".symbols",
         "come to " + std::to_string(load.streams.size()) + " streams on " + std::to_string(needed) +
             " connections to " + market_of(load) + ", which takes " + std::to_string(at_once) +
             " at once and then one every " + std::to_string(static_cast<std::int64_t>(spacing_ms)) +
             " ms of an address: after an interruption " + "the last is up after " + minutes(last_ms) +
             ", longer than a bar of " + load.shortest);
  }
  const feeds::RestLimit limit = load.exchange->rest_limit();
  if (limit.weight == 0) return;
  const double weight_per_ms = limit.weight * load.rest_share / static_cast<double>(limit.window.count());
  const std::string share = "within " + percent(load.rest_share) + " of the " + std::to_string(limit.weight) +
                            " in " + std::to_string(limit.window.count() / 1000) + " s that " +
                            market_of(load) + " grants";
  double warm_up = 0;
  for (const auto& [series, weight] : load.series) warm_up += weight;
  if (warm_up / weight_per_ms > kLongWarmUpMs) {
    warn(load.key + ".rest_share", "makes an empty history of " + std::to_string(load.series.size()) +
                                       " series take " + minutes(warm_up / weight_per_ms) + " " + share +
                                       ": fewer symbols or intervals, or a shorter history, take less");
  }
  const Interval shortest = *Interval::parse(load.shortest);
  const feeds::HistoryRequest one{"", feeds::rows_from(*load.exchange, shortest).value_or(shortest).text(), 0,
                                  0, 0};
  const double one_bar = static_cast<double>(load.series.size()) * load.exchange->history_weight(one);
  if (one_bar / weight_per_ms > bar_ms) {
    warn(load.key + ".rest_share", "makes asking once for each of " + std::to_string(load.series.size()) +
                                       " series take " + minutes(one_bar / weight_per_ms) + " " + share +
                                       ": after an interruption longer than a bar of " + load.shortest);
  }
  const int list = static_cast<int>(workers) * (load.exchange->symbols_weight() +
                                                (load.with_volumes ? load.exchange->volumes_weight() : 0));
  const double part = list / (weight_per_ms * static_cast<double>(load.refresh_ms));
  if (part > kMostOfShare) {
    warn(load.key + ".refresh",
         "makes the list of symbols alone take " + percent(part) + " of what is had " + share);
  }
}

}  // namespace

SymbolLists named_symbols(const Config& config) {
  SymbolLists lists;
  for (const FeedConfig& feed : config.feeds) {
    lists.push_back(has_patterns(feed) ? std::nullopt : std::optional(feed.symbols));
  }
  return lists;
}

double history_weight(const Config& config, const FeedConfig& feed, const feeds::Exchange& exchange,
                      std::int64_t now_ms) {
  double weight = 0;
  for (const std::string& text : feed.intervals) {
    const Interval interval = *Interval::parse(text);
    weight += feeds::history_weight(exchange, interval, deepest(config, feed, interval, now_ms));
  }
  return weight;
}

std::vector<ConfigError> load_warnings(const ConfigResult& read, const SymbolLists& symbols,
                                       std::int64_t now_ms) {
  std::map<FeedKey, Load> loads;
  for (std::size_t i = 0; i < read.config.feeds.size(); ++i) {
    if (!symbols[i]) continue;
    const FeedConfig& feed = read.config.feeds[i];
    Load& load = loads[FeedKey::of(feed)];
    if (load.exchange == nullptr) {
      load.exchange = feeds::find_exchange(feed.exchange, feed.market);
      load.key = "feed[" + std::to_string(i) + "]";
    }
    add(load, read.config, feed, *symbols[i], now_ms);
  }
  std::vector<ConfigError> warnings;
  for (const auto& [key, load] : loads) {
    judge(load, static_cast<std::size_t>(read.config.threads), read, warnings);
  }
  return warnings;
}

}  // namespace atcd::daemon
