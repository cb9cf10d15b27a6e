#include "daemon/config_checks.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "daemon/near_miss.hpp"
#include "daemon/symbols.hpp"
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

/// What one feed's texts say of symbols that are named outright. What only the exchange's list could tell, as
/// whether a common symbol is one of the exchange's own, is left out.
class Takes {
 public:
  explicit Takes(const FeedConfig& feed) : feed_(feed) {
    for (const std::string& text : feed.symbols) {
      if (text.find('*') == std::string::npos) {
        outright_.insert(text);
      } else {
        patterns_.push_back(text);
      }
    }
  }

  const std::set<std::string_view>& outright() const { return outright_; }
  bool has(std::string_view symbol) const {
    const auto called = [&](std::string_view text) {
      return is_common(text) == is_common(symbol) && matches(text, symbol);
    };
    const auto excluded = [&](std::string_view text) {
      return is_common(text) != is_common(symbol) || matches(text, symbol);
    };
    return feed_.top == 0 &&
           (outright_.contains(symbol) || std::any_of(patterns_.begin(), patterns_.end(), called)) &&
           std::none_of(feed_.exclude.begin(), feed_.exclude.end(), excluded);
  }

 private:
  const FeedConfig& feed_;
  std::set<std::string_view> outright_;
  std::vector<std::string_view> patterns_;
};

/// Feeds of one address share what both have; of two addresses each would publish it.
void check_addresses(ConfigResult& read, const std::vector<Takes>& takes, std::size_t at) {
  const FeedConfig& feed = read.config.feeds[at];
  for (std::size_t i = 0; i < at; ++i) {
    const FeedConfig& other = read.config.feeds[i];
    const std::string interval = interval_apart(feed, other);
    if (interval.empty()) continue;
    for (const auto* names : {&takes[at].outright(), &takes[i].outright()}) {
      const auto both = std::find_if(names->begin(), names->end(), [&](std::string_view symbol) {
        return takes[at].has(symbol) && takes[i].has(symbol);
      });
      if (both == names->end()) continue;
      read.fault("feed[" + std::to_string(at) + "]",
                 "has " + std::string(both->substr(0, 80)) + " " + interval + ", as feed[" +
                     std::to_string(i) + "] has, which is of another websocket_url, rest_url or ca_file: " +
                     "the bars of a series come from one; exclude it in one of them");
      break;
    }
  }
}

void check_feeds(ConfigResult& read) {
  if (read.config.feeds.empty()) read.fault("feed", "is missing: at least one [[feed]] is needed");
  Named named;
  const auto& feeds = read.config.feeds;
  const std::vector<Takes> takes(feeds.begin(), feeds.end());
  for (std::size_t i = 0; i < read.config.feeds.size(); ++i) {
    const FeedConfig& feed = read.config.feeds[i];
    const std::string key = "feed[" + std::to_string(i) + "]";
    for (const std::string& name : feed.profiles) {
      const ProfileConfig* profile = find_profile(read, key, name);
      if (profile == nullptr) continue;
      check_depth(read, feed, key, *profile);
      check_series(read, feed, key, name, named);
    }
    check_addresses(read, takes, i);
  }
}

}  // namespace

void check_between_tables(ConfigResult& read) {
  check_profiles(read);
  check_feeds(read);
}

std::string interval_apart(const FeedConfig& feed, const FeedConfig& other) {
  const bool one_address = feed.websocket_url == other.websocket_url && feed.rest_url == other.rest_url &&
                           feed.ca_file == other.ca_file;
  if (feed.exchange != other.exchange || feed.market != other.market || one_address) return {};
  const auto both = std::find_first_of(feed.intervals.begin(), feed.intervals.end(), other.intervals.begin(),
                                       other.intervals.end());
  return both == feed.intervals.end() ? "" : *both;
}

std::string what_stays(const Config& running, const Config& read) {
  std::string keys;
  const auto look = [&keys](const char* key, bool same) {
    if (!same) keys += (keys.empty() ? "" : ", ") + std::string(key);
  };
  look("instance", read.instance == running.instance);
  look("threads", read.threads == running.threads);
  look("redis", read.redis == running.redis);
  look("state", read.state_directory == running.state_directory);
  look("http", read.http_listen == running.http_listen);
  look("log", read.log == running.log);
  return keys.empty() ? keys : "what only a restart changes stays as it was: " + keys;
}

void check_authorities(ConfigResult& read) {
  for (std::size_t i = 0; i < read.config.feeds.size(); ++i) {
    const FeedConfig& feed = read.config.feeds[i];
    const bool plain = feed.websocket_url.starts_with("ws://") && feed.rest_url.starts_with("http://");
    if (feed.ca_file.empty() || plain) continue;
    try {
      feeds::make_tls_context({feed.ca_file, "", ""});
    } catch (const std::runtime_error& failure) {
      const std::string message = failure.what();  // it begins with the key
      read.fault("feed[" + std::to_string(i) + "].ca_file", message.substr(message.find(' ') + 1));
    }
  }
}

}  // namespace atcd::daemon
