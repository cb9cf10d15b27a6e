#include "daemon/config_checks.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <string_view>

#include "daemon/near_miss.hpp"
#include "engine/series_id.hpp"
#include "feeds/exchange.hpp"
#include "feeds/interval_source.hpp"
#include "feeds/tls.hpp"

namespace atcd::daemon {
namespace {

void check_profiles(ConfigResult& read) {
  std::set<std::string> names;
  const auto& profiles = read.config.profiles;
  for (std::size_t i = 0; i < profiles.size(); ++i) {
    if (names.insert(profiles[i].name).second) continue;
    read.fault("profile[" + std::to_string(i) + "].name",
               "\"" + profiles[i].name + "\" is the name of another profile too");
  }
}

void check_depth(ConfigResult& read, const FeedConfig& feed, const std::string& key,
                 const ProfileConfig& profile) {
  const feeds::Exchange* exchange = feeds::find_exchange(feed.exchange, feed.market);
  if (exchange == nullptr || profile.anchor.fixed_anchor_ms) return;
  const std::int64_t needed = profile.anchor.history_bars + profile.anchor.anchor_period;
  for (const std::string& text : feed.intervals) {
    const auto interval = engine::Interval::parse(text);
    if (!interval) continue;
    const std::int64_t depth = feeds::history_depth(*exchange, *interval);
    if (needed <= depth) continue;
    read.fault(key + ".profiles", "profile \"" + profile.name + "\" needs history_bars + anchor_period = " +
                                      std::to_string(needed) + " bars, but " + feed.exchange + " " +
                                      feed.market + " gives " + std::to_string(depth) + " of " + text +
                                      ": the largest legal values add up to that");
  }
}

/// The profile of that name; null, and told, where there is none.
const ProfileConfig* find_profile(ConfigResult& read, const std::string& key, const std::string& name) {
  const auto& profiles = read.config.profiles;
  const auto found =
      std::find_if(profiles.begin(), profiles.end(), [&](const auto& each) { return each.name == name; });
  if (found != profiles.end()) return &*found;
  std::vector<std::string_view> names;
  names.reserve(profiles.size());
  for (const ProfileConfig& profile : profiles) names.push_back(profile.name);
  read.fault(key + ".profiles",
             "names \"" + name.substr(0, 80) + "\", but there is no such profile" + suggestion(name, names));
  return nullptr;
}

/// What earlier feeds have.
struct Named {
  std::set<std::string> series;
  std::map<std::string, FeedSource> sources;  // of each series of bars
};

void check_series(ConfigResult& read, const FeedConfig& feed, const std::string& key,
                  const std::string& profile, Named& named) {
  for (const std::string& symbol : feed.symbols) {
    for (const std::string& interval : feed.intervals) {
      const engine::SeriesId id{feed.exchange, feed.market, symbol, interval, profile};
      const engine::SeriesId bars{feed.exchange, feed.market, symbol, interval, ""};
      if (named.sources.emplace(bars.name(), feed.source).first->second != feed.source) {
        read.fault(key + ".source", "is another than in the feed before it that has " + symbol.substr(0, 80) +
                                        " " + interval + " too: the bars of all profiles come from one");
      }
      if (named.series.insert(id.name()).second) continue;
      read.fault(key, "has " + id.name().substr(0, 200) + " a second time: a series may be named once");
    }
  }
}

void check_feeds(ConfigResult& read) {
  if (read.config.feeds.empty()) read.fault("feed", "is missing: at least one [[feed]] is needed");
  Named named;
  for (std::size_t i = 0; i < read.config.feeds.size(); ++i) {
    const FeedConfig& feed = read.config.feeds[i];
    const std::string key = "feed[" + std::to_string(i) + "]";
    for (const std::string& name : feed.profiles) {
      const ProfileConfig* profile = find_profile(read, key, name);
      if (profile == nullptr) continue;
      check_depth(read, feed, key, *profile);
      check_series(read, feed, key, name, named);
    }
  }
}

/// The exchange's own addresses, where none are given, are secure.
bool uses_tls(const FeedConfig& feed) {
  const auto secure = [](const std::string& url, std::string_view scheme) {
    return url.empty() || url.starts_with(scheme);
  };
  return secure(feed.websocket_url, "wss:") || secure(feed.rest_url, "https:");
}

}  // namespace

void check_between_tables(ConfigResult& read) {
  check_profiles(read);
  check_feeds(read);
}

void check_feed_files(ConfigResult& read) {
  for (std::size_t i = 0; i < read.config.feeds.size(); ++i) {
    const FeedConfig& feed = read.config.feeds[i];
    if (feed.ca_file.empty() || !uses_tls(feed)) continue;
    try {
      feeds::make_tls_context({feed.ca_file, "", ""});
    } catch (const std::runtime_error& failure) {
      const std::string_view what = failure.what();  // "ca_file "PATH" cannot be read ..."
      read.fault("feed[" + std::to_string(i) + "].ca_file", std::string(what.substr(what.find(' ') + 1)));
    }
  }
}

}  // namespace atcd::daemon
