#include "daemon/config.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <limits>
#include <map>
#include <set>

#include "daemon/catalogue.hpp"
#include "daemon/http_listen.hpp"
#include "daemon/toml.hpp"
#include "daemon/toml_reader.hpp"
#include "engine/plan.hpp"
#include "feeds/exchange.hpp"
#include "feeds/interval_source.hpp"
#include "state/redis_url.hpp"

namespace atcd::daemon {
namespace {

constexpr std::size_t kMaxFileBytes = 1U << 20;
constexpr std::int64_t kMaxBars = 1'000'000;
constexpr std::int64_t kMostThreads = 64;
constexpr std::array<std::string_view, 4> kLevels = {"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 2> kFormats = {"logfmt", "json"};
constexpr std::array<std::string_view, 2> kSources = {"klines", "trades"};

/// Where things were said, for checks between tables.
struct Reading {
  ConfigResult result;
  std::vector<int> profile_lines;
  std::vector<int> feed_lines;

  void fault(int line, std::string key, std::string message) {
    result.errors.push_back({line, std::move(key), std::move(message)});
  }
};

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

constexpr std::string_view kNameRule = "it must have 1 to 64 of the characters a-z A-Z 0-9 . _ -";

template <typename Enum, std::size_t N>
void read_enum(TomlReader& reader, std::string_view key, const std::array<std::string_view, N>& names,
               Enum& value) {
  auto index = static_cast<std::size_t>(value);
  reader.choice(key, names, index);
  value = static_cast<Enum>(index);
}

std::optional<std::int64_t> to_ms(const toml::node& node) {
  if (const auto* written = node.as_date_time()) {
    const toml::date_time& when = written->get();
    using namespace std::chrono;
    const year_month_day date{year{when.date.year}, month{when.date.month}, day{when.date.day}};
    if (!date.ok()) return std::nullopt;
    const auto offset = minutes{when.offset ? when.offset->minutes : 0};
    const auto time = sys_days{date} + hours{when.time.hour} + minutes{when.time.minute} +
                      seconds{when.time.second} - offset;
    return duration_cast<milliseconds>(time.time_since_epoch()).count();
  }
  const auto* text = node.as_string();
  if (text == nullptr) return std::nullopt;
  unsigned y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0;
  char rest = 0;
  const int fields =
      std::sscanf(text->get().c_str(), "%4u-%2u-%2uT%2u:%2u:%2uZ%c", &y, &mo, &d, &h, &mi, &s, &rest);
  using namespace std::chrono;
  const year_month_day date{year{static_cast<int>(y)}, month{mo}, day{d}};
  if (fields != 6 || text->get().size() != 20 || !date.ok() || h > 23 || mi > 59 || s > 59)
    return std::nullopt;
  return duration_cast<milliseconds>(
             (sys_days{date} + hours{h} + minutes{mi} + seconds{s}).time_since_epoch())
      .count();
}

// ---- one function per table
// -----------------------------------------------------------------------------------------

void read_families(TomlReader& reader, std::string_view key,
                   const std::function<void(TomlReader&, std::string_view family, std::size_t index)>& read) {
  reader.table(key, [&](TomlReader& families) {
    for (std::size_t f = 0; f < engine::kFamilies; ++f) read(families, engine::kFamilyNames[f], f);
  });
}

/// Before lengths and weights: those of families that are not chosen are not looked at.
void read_chosen_families(TomlReader& reader, engine::Parameters& parameters) {
  std::vector<std::string> names(engine::kFamilyNames.begin(), engine::kFamilyNames.end());
  reader.texts("families", names);
  const std::string fault = engine::choose_families(names, parameters);
  if (!fault.empty()) reader.fault("families", fault);
}

void read_profile(TomlReader& reader, Reading& reading) {
  ProfileConfig profile;
  engine::Parameters& parameters = profile.parameters;
  reader.text("name", profile.name);
  if (!is_name(profile.name))
    reader.fault("name", "is \"" + profile.name.substr(0, 80) + "\": " + std::string(kNameRule));
  read_enum(reader, "dialect", engine::kDialectNames, parameters.dialect);
  read_enum(reader, "robustness", engine::kRobustnessNames, parameters.robustness);
  read_enum(reader, "ma_source", engine::kMaSourceNames, parameters.ma_source);
  read_chosen_families(reader, parameters);
  read_families(reader, "lengths", [&](TomlReader& families, std::string_view family, std::size_t f) {
    if (!parameters.families[f]) return static_cast<void>(families.node(family));
    std::int64_t length = parameters.lengths[f];
    families.integer(family, length, 1, 512);
    parameters.lengths[f] = static_cast<int>(length);
  });
  read_families(reader, "weights", [&](TomlReader& families, std::string_view family, std::size_t f) {
    if (!parameters.families[f]) return static_cast<void>(families.node(family));
    families.number(family, parameters.weights[f], 0, std::numeric_limits<double>::max());
  });
  reader.any_number("lambda", parameters.lambda);
  reader.any_number("decay", parameters.decay);
  reader.integer("cutout", parameters.cutout, 0, kMaxBars);
  reader.any_number("long_threshold", parameters.long_threshold);
  reader.any_number("short_threshold", parameters.short_threshold);
  reader.boolean("strategy_mode", parameters.strategy_mode);
  reader.integer("history_bars", profile.anchor.history_bars, 1, kMaxBars);
  reader.integer("anchor_period", profile.anchor.anchor_period, 1, kMaxBars);
  if (const toml::node* anchor = reader.node("anchor")) {
    profile.anchor.fixed_anchor_ms = to_ms(*anchor);
    if (!profile.anchor.fixed_anchor_ms)
      reader.fault("anchor", "must be a UTC time such as \"2024-01-01T00:00:00Z\"");
  }
  const auto faults = engine::validate(parameters);
  for (const std::string& fault : faults) reader.fault("", fault);
  if (faults.empty() && !profile.anchor.fixed_anchor_ms) {
    const std::int64_t least = engine::Plan(parameters).minimum_bars();
    if (profile.anchor.history_bars < least) {
      reader.fault("history_bars", "is " + std::to_string(profile.anchor.history_bars) +
                                       ": these lengths and cutout need at least " + std::to_string(least));
    }
  }
  reading.profile_lines.push_back(reader.line(""));
  reading.result.config.profiles.push_back(std::move(profile));
}

void check_url(TomlReader& reader, std::string_view key, const std::string& url, std::string_view plain,
               std::string_view secure) {
  if (url.empty()) return;
  const bool known =
      url.starts_with(std::string(plain) + "://") || url.starts_with(std::string(secure) + "://");
  if (!known) {
    reader.fault(key, "is \"" + url.substr(0, 80) + "\": it must be " + std::string(secure) +
                          "://HOST[:PORT] or " + std::string(plain) + "://HOST[:PORT]");
  }
}

void read_feed(TomlReader& reader, Reading& reading) {
  FeedConfig feed;
  reader.text("exchange", feed.exchange);
  reader.text("market", feed.market);
  reader.texts("symbols", feed.symbols);
  reader.texts("exclude", feed.exclude);
  reader.integer("top", feed.top, 0, 100'000);
  reader.duration_ms("refresh", feed.refresh_ms, 60'000, 30LL * 86'400'000);
  reader.texts("intervals", feed.intervals);
  reader.texts("profiles", feed.profiles);
  read_enum(reader, "source", kSources, feed.source);
  reader.boolean("provisional", feed.provisional);
  reader.number("rest_share", feed.rest_share, 0, 1);
  reader.text("websocket_url", feed.websocket_url);
  reader.text("rest_url", feed.rest_url);
  reader.text("ca_file", feed.ca_file);
  check_url(reader, "websocket_url", feed.websocket_url, "ws", "wss");
  check_url(reader, "rest_url", feed.rest_url, "http", "https");
  if (feed.symbols.empty()) reader.fault("symbols", "is empty: name symbols, or patterns such as \"*USDT\"");
  if (feed.intervals.empty()) reader.fault("intervals", "is empty: name intervals, as [\"1m\", \"15m\"]");
  if (feed.profiles.empty()) reader.fault("profiles", "is empty: name at least one profile");
  const feeds::Exchange* exchange = feeds::find_exchange(feed.exchange, feed.market);
  if (exchange == nullptr) {
    reader.fault("exchange", "\"" + feed.exchange.substr(0, 80) + "\" with market \"" +
                                 feed.market.substr(0, 80) + "\" is not known; known are " +
                                 feeds::known_exchanges());
  }
  for (const std::string& text : feed.intervals) {
    const auto interval = engine::Interval::parse(text);
    const std::string holds = "holds \"" + text.substr(0, 80) + "\", which ";
    if (!interval) {
      reader.fault("intervals", holds + "is no interval such as 1m, 4h or 1d");
    } else if (exchange != nullptr && !feeds::rows_from(*exchange, *interval)) {
      reader.fault("intervals", holds + feed.exchange + " " + feed.market +
                                    " does not offer and which can't be folded from what it offers: " +
                                    feeds::offered_intervals(*exchange) +
                                    ", and whatever one of them divides");
    }
  }
  reading.feed_lines.push_back(reader.line(""));
  reading.result.config.feeds.push_back(std::move(feed));
}

void read_redis(TomlReader& reader, RedisConfig& redis) {
  reader.text("url", redis.url);
  reader.text("username", redis.username);
  reader.text("password_file", redis.password_file);
  reader.text("ca_file", redis.ca_file);
  reader.text("cert_file", redis.cert_file);
  reader.text("key_file", redis.key_file);
  reader.text("prefix", redis.prefix);
  reader.integer("keep", redis.keep, 1, 1'000'000);
  reader.boolean("adopt", redis.adopt);
  std::string error;
  if (redis.url.find('@') != std::string::npos) {
    reader.fault("url", "holds a user or password: they belong in username and password_file");
  } else if (!state::parse_redis_url(redis.url, error)) {
    reader.fault("url", error);
  }
  if (!is_name(redis.prefix))
    reader.fault("prefix", "is \"" + redis.prefix.substr(0, 80) + "\": " + std::string(kNameRule));
}

void read_log(TomlReader& reader, LogConfig& log) {
  std::size_t level = 1, format = 0;
  reader.choice("level", kLevels, level);
  reader.choice("format", kFormats, format);
  log.level = kLevels[level];
  log.format = kFormats[format];
}

// ---- checks between tables
// ------------------------------------------------------------------------------------------

void check_profiles(Reading& reading) {
  std::set<std::string> names;
  const auto& profiles = reading.result.config.profiles;
  for (std::size_t i = 0; i < profiles.size(); ++i) {
    if (!names.insert(profiles[i].name).second) {
      reading.fault(reading.profile_lines[i], "profile[" + std::to_string(i) + "].name",
                    "\"" + profiles[i].name + "\" is the name of another profile too");
    }
  }
}

void check_depth(Reading& reading, std::size_t feed_index, const ProfileConfig& profile) {
  const FeedConfig& feed = reading.result.config.feeds[feed_index];
  const feeds::Exchange* exchange = feeds::find_exchange(feed.exchange, feed.market);
  if (exchange == nullptr || profile.anchor.fixed_anchor_ms) return;
  const std::int64_t needed = profile.anchor.history_bars + profile.anchor.anchor_period;
  for (const std::string& text : feed.intervals) {
    const auto interval = engine::Interval::parse(text);
    if (!interval) continue;
    const std::int64_t depth = feeds::history_depth(*exchange, *interval);
    if (needed <= depth) continue;
    reading.fault(reading.feed_lines[feed_index], "feed[" + std::to_string(feed_index) + "].profiles",
                  "profile \"" + profile.name + "\" needs history_bars + anchor_period = " +
                      std::to_string(needed) + " bars, but " + feed.exchange + " " + feed.market + " gives " +
                      std::to_string(depth) + " of " + text + ": the largest legal values add up to that");
  }
}

void check_feeds(Reading& reading) {
  const Config& config = reading.result.config;
  std::map<std::string, std::size_t> first_feed;  // of each series
  std::map<std::string, FeedSource> sources;      // of each series of bars
  for (std::size_t i = 0; i < config.feeds.size(); ++i) {
    const FeedConfig& feed = config.feeds[i];
    const std::string key = "feed[" + std::to_string(i) + "]";
    for (const std::string& name : feed.profiles) {
      const auto profile = std::find_if(config.profiles.begin(), config.profiles.end(),
                                        [&](const ProfileConfig& each) { return each.name == name; });
      if (profile == config.profiles.end()) {
        reading.fault(reading.feed_lines[i], key + ".profiles",
                      "names \"" + name.substr(0, 80) + "\", but there is no such profile");
        continue;
      }
      check_depth(reading, i, *profile);
      for (const std::string& symbol : feed.symbols) {
        for (const std::string& interval : feed.intervals) {
          const engine::SeriesId id{feed.exchange, feed.market, symbol, interval, name};
          const engine::SeriesId bars{feed.exchange, feed.market, symbol, interval, ""};
          const FeedSource source = sources.emplace(bars.name(), feed.source).first->second;
          if (source != feed.source) {
            reading.fault(reading.feed_lines[i], key + ".source",
                          "is another than in the feed before it that has " + symbol.substr(0, 80) + " " +
                              interval + " too: the bars of all profiles come from one");
          }
          if (first_feed.emplace(id.name(), i).second) continue;
          reading.fault(reading.feed_lines[i], key,
                        "has " + id.name().substr(0, 200) + " a second time: a series may be named once");
        }
      }
    }
  }
}

}  // namespace

ConfigResult parse_config(std::string_view text) {
  Reading reading;
  if (text.size() > kMaxFileBytes) {
    reading.fault(0, "",
                  "the file has " + std::to_string(text.size()) + " bytes: at most " +
                      std::to_string(kMaxFileBytes) + " are read");
    return reading.result;
  }
  toml::table document;
  ConfigError error;
  if (!parse_toml(text, document, error)) {
    reading.result.errors.push_back(error);
    return reading.result;
  }
  Config& config = reading.result.config;
  TomlReader top(document, "", reading.result.errors);
  top.text("instance", config.instance);
  if (!is_name(config.instance))
    top.fault("instance", "is \"" + config.instance.substr(0, 80) + "\": " + std::string(kNameRule));
  top.integer("threads", config.threads, 1, kMostThreads);
  top.tables("profile", [&](TomlReader& reader) { read_profile(reader, reading); });
  top.tables("feed", [&](TomlReader& reader) { read_feed(reader, reading); });
  top.table("redis", [&](TomlReader& reader) { read_redis(reader, config.redis); });
  top.table("state", [&](TomlReader& reader) { reader.text("directory", config.state_directory); });
  top.table("http", [&](TomlReader& reader) {
    reader.text("listen", config.http_listen);
    if (!parse_http_listen(config.http_listen))
      reader.fault("listen",
                   "is \"" + config.http_listen.substr(0, 80) + "\": " + std::string(kHttpListenRule));
  });
  top.table("log", [&](TomlReader& reader) { read_log(reader, config.log); });
  top.finish();
  if (config.profiles.empty()) {
    config.profiles.emplace_back();
    reading.profile_lines.push_back(0);
  }
  if (config.feeds.empty()) reading.fault(0, "feed", "is missing: at least one [[feed]] is needed");
  check_profiles(reading);
  check_feeds(reading);
  std::stable_sort(reading.result.errors.begin(), reading.result.errors.end(),
                   [](const ConfigError& a, const ConfigError& b) { return a.line < b.line; });
  return std::move(reading.result);
}

ConfigResult load_config(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  // One byte more than is allowed tells that there is too much, whatever the file's size.
  text.resize(kMaxFileBytes + 1);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.empty() && !file.eof()) {
    ConfigResult result;
    result.errors.push_back({0, "", "the file can't be read"});
    return result;
  }
  return parse_config(text);
}

void print_errors(const std::string& path, const ConfigResult& result) {
  for (const ConfigError& error : result.errors) {
    std::cerr << path;
    if (error.line > 0) std::cerr << ':' << error.line;
    std::cerr << ": " << error.key << (error.key.empty() ? "" : " ") << error.message << '\n';
  }
}

std::string config_json(const ProfileConfig& profile) {
  std::string json = "{\"parameters\":" + engine::canonical_json(profile.parameters);
  if (profile.anchor.fixed_anchor_ms) {
    return json + ",\"anchor_ms\":" + std::to_string(*profile.anchor.fixed_anchor_ms) + "}";
  }
  return json + ",\"history_bars\":" + std::to_string(profile.anchor.history_bars) +
         ",\"anchor_period\":" + std::to_string(profile.anchor.anchor_period) + "}";
}

std::string config_hash(const ProfileConfig& profile) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::uint64_t hash = engine::fnv1a_64(config_json(profile));
  std::string text(16, '0');
  for (std::size_t i = text.size(); i-- > 0; hash >>= 4) text[i] = kHex[hash & 15];
  return text;
}

}  // namespace atcd::daemon
