#include "daemon/config.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iostream>

#include "daemon/compute_options.hpp"
#include "daemon/config_checks.hpp"
#include "daemon/http_listen.hpp"
#include "daemon/near_miss.hpp"
#include "daemon/parameter_keys.hpp"
#include "daemon/toml.hpp"
#include "daemon/toml_reader.hpp"
#include "engine/anchor.hpp"
#include "engine/interval.hpp"
#include "feeds/exchange.hpp"
#include "feeds/interval_source.hpp"
#include "feeds/url.hpp"
#include "state/redis_url.hpp"

namespace atcd::daemon {
namespace {

constexpr std::int64_t kMostThreads = 64;
constexpr std::array<std::string_view, 4> kLevels = {"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 2> kFormats = {"logfmt", "json"};
constexpr std::array<std::string_view, 2> kSources = {"klines", "trades"};

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
  return text == nullptr ? std::nullopt : parse_utc_time(text->get());
}

// ---- one function per table

void read_families(TomlReader& reader, std::string_view key,
                   const std::function<void(TomlReader&, std::string_view family, std::size_t index)>& read) {
  reader.table(key, [&](TomlReader& families) {
    for (std::size_t f = 0; f < engine::kFamilies; ++f) read(families, engine::kFamilyNames[f], f);
  });
}

void read_profile(TomlReader& reader, Config& config) {
  ProfileConfig profile;
  engine::Parameters& parameters = profile.parameters;
  reader.name("name", profile.name);
  read_enum(reader, "ma_source", engine::kMaSourceNames, parameters.ma_source);
  for (const ParameterKey& key : kParameterKeys) key.read(reader, key.name, parameters);
  // Before lengths and weights: those of families that are not chosen are not looked at.
  read_chosen_families(reader, parameters);
  read_families(reader, "lengths", [&](TomlReader& families, std::string_view family, std::size_t f) {
    if (!parameters.families[f]) return static_cast<void>(families.node(family, "", ""));
    read_length(families, family, parameters.lengths[f]);
  });
  read_families(reader, "weights", [&](TomlReader& families, std::string_view family, std::size_t f) {
    if (!parameters.families[f]) return static_cast<void>(families.node(family, "", ""));
    read_weight(families, family, parameters.weights[f]);
  });
  reader.integer("history_bars", profile.anchor.history_bars, 1, kMaxBars);
  reader.integer("anchor_period", profile.anchor.anchor_period, 1, kMaxBars);
  const std::string time = "a UTC time such as \"2024-01-01T00:00:00Z\"";
  if (const toml::node* anchor = reader.node("anchor", time, "\"\"")) {
    profile.anchor.fixed_anchor_ms = to_ms(*anchor);
    if (!profile.anchor.fixed_anchor_ms) reader.wrong_type("anchor", time);
  }
  const auto faults = engine::validate(parameters);
  for (const std::string& fault : faults) {  // "decay is 200, but ..."
    const std::string key = fault.substr(0, fault.find(' '));
    reader.fault(key, fault.substr(key.size() + 1));
  }
  if (faults.empty() && !profile.anchor.fixed_anchor_ms) {
    const std::string few = check_history_bars(profile.anchor, parameters);
    if (!few.empty()) reader.fault("history_bars", few);
  }
  config.profiles.push_back(std::move(profile));
}

void check_url(TomlReader& reader, std::string_view key, const std::string& text, std::string_view plain,
               std::string_view secure) {
  if (text.empty()) return;
  std::string ignored;
  const auto url = feeds::Url::parse(text, ignored);
  if (url && (url->scheme == plain || url->scheme == secure)) return;
  // What stands before an @ may be a password.
  const std::string shown =
      text.find('@') == std::string::npos ? "is \"" + text.substr(0, 80) + "\"" : "has an @";
  reader.fault(key, shown + ": it must be " + std::string(secure) + "://HOST[:PORT] or " +
                        std::string(plain) + "://HOST[:PORT]");
}

std::string listed(const std::vector<std::string_view>& names) {
  std::string text;
  for (const std::string_view name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

/// The row that a feed names; null, and told, where there is none.
const feeds::Exchange* read_exchange(TomlReader& reader, FeedConfig& feed) {
  std::vector<std::string_view> names, markets;
  for (std::size_t i = 0; i < feeds::exchange_count(); ++i) {
    const std::string_view name = feeds::exchange_at(i).name();
    if (names.empty() || names.back() != name) names.push_back(name);
  }
  reader.text("exchange", feed.exchange, "one of " + listed(names));
  reader.text("market", feed.market, "one that the exchange has: " + feeds::known_exchanges());
  for (std::size_t i = 0; i < feeds::exchange_count(); ++i) {
    const feeds::Exchange& row = feeds::exchange_at(i);
    if (row.name() == feed.exchange) markets.push_back(row.market());
  }
  if (const auto* exchange = feeds::find_exchange(feed.exchange, feed.market)) return exchange;
  const bool wrong_market = !markets.empty();
  const std::string& wrong = wrong_market ? feed.market : feed.exchange;
  const auto& known = wrong_market ? markets : names;
  reader.fault(
      wrong_market ? "market" : "exchange",
      "is \"" + wrong.substr(0, 80) + "\": it must be one of " + listed(known) + suggestion(wrong, known));
  return nullptr;
}

void read_intervals(TomlReader& reader, const feeds::Exchange* exchange, FeedConfig& feed) {
  reader.texts("intervals", feed.intervals);
  if (feed.intervals.empty()) reader.fault("intervals", "is empty: name intervals, as [\"1m\", \"15m\"]");
  for (const std::string& text : feed.intervals) {
    const auto interval = engine::Interval::parse(text);
    const std::string holds = "holds \"" + text.substr(0, 80) + "\", which ";
    if (!interval) {
      constexpr std::array<std::string_view, 13> kUsual = {"1m", "3m", "5m",  "15m", "30m", "1h", "2h",
                                                           "4h", "6h", "12h", "1d",  "1w",  "1M"};
      reader.fault("intervals", holds + "is no interval such as 1m, 4h or 1d" + suggestion(text, kUsual));
    } else if (exchange != nullptr && !feeds::rows_from(*exchange, *interval)) {
      reader.fault("intervals", holds + feed.exchange + " " + feed.market +
                                    " does not offer and which can't be folded from what it offers: " +
                                    feeds::offered_intervals(*exchange) +
                                    ", and whatever one of them divides");
    }
  }
}

void read_feed(TomlReader& reader, Config& config) {
  FeedConfig feed;
  const feeds::Exchange* exchange = read_exchange(reader, feed);
  reader.texts("symbols", feed.symbols);
  reader.texts("exclude", feed.exclude);
  reader.integer("top", feed.top, 0, 100'000);
  reader.duration_ms("refresh", feed.refresh_ms, 60'000, 30LL * 86'400'000);
  read_intervals(reader, exchange, feed);
  reader.texts("profiles", feed.profiles);
  read_enum(reader, "source", kSources, feed.source);
  reader.boolean("provisional", feed.provisional);
  reader.number("rest_share", feed.rest_share, 0, 1);
  reader.text("websocket_url", feed.websocket_url, "wss://HOST[:PORT] or ws://HOST[:PORT]");
  reader.text("rest_url", feed.rest_url, "https://HOST[:PORT] or http://HOST[:PORT]");
  reader.text("ca_file", feed.ca_file);
  check_url(reader, "websocket_url", feed.websocket_url, "ws", "wss");
  check_url(reader, "rest_url", feed.rest_url, "http", "https");
  if (feed.symbols.empty()) reader.fault("symbols", "is empty: name symbols, or patterns such as \"*USDT\"");
  if (feed.profiles.empty()) reader.fault("profiles", "is empty: name at least one profile");
  config.feeds.push_back(std::move(feed));
}

void read_redis(TomlReader& reader, RedisConfig& redis) {
  reader.text("url", redis.url);
  reader.text("username", redis.username);
  reader.text("password_file", redis.password_file);
  reader.text("ca_file", redis.ca_file);
  reader.text("cert_file", redis.cert_file);
  reader.text("key_file", redis.key_file);
  reader.name("prefix", redis.prefix);
  reader.integer("keep", redis.keep, 1, 1'000'000);
  reader.boolean("adopt", redis.adopt);
  std::string error;
  if (redis.url.find('@') != std::string::npos) {
    reader.fault("url", "holds a user or password: they belong in username and password_file");
  } else if (!state::parse_redis_url(redis.url, error)) {
    reader.fault("url", error);
  }
}

void read_log(TomlReader& reader, LogConfig& log) {
  std::size_t level = 1, format = 0;
  reader.choice("level", kLevels, level);
  reader.choice("format", kFormats, format);
  log.level = kLevels[level];
  log.format = kFormats[format];
}

/// One each: FILE:LINE:COLUMN: kind, key and message.
std::vector<std::string> lines_of(const std::string& path, const std::vector<ConfigError>& findings,
                                  const char* kind) {
  std::vector<std::string> lines;
  for (const ConfigError& each : findings) {
    std::string line = path;
    if (each.line > 0) line += ":" + std::to_string(each.line);
    if (each.column > 0) line += ":" + std::to_string(each.column);
    lines.push_back(line + ": " + kind + each.key + (each.key.empty() ? "" : " ") + each.message);
  }
  return lines;
}

}  // namespace

int ConfigResult::line_of(std::string_view path) const {
  for (;;) {
    const auto key = keys.find(path);
    if (key != keys.end() && key->second.line > 0) return key->second.line;
    const std::size_t end = path.find_last_of('.');
    if (end == std::string_view::npos) return 0;
    path = path.substr(0, end);
  }
}

void ConfigResult::fault(std::string path, std::string message) {
  const int line = line_of(path);
  errors.push_back({line, std::move(path), std::move(message)});
}

ConfigResult parse_config(std::string_view text) {
  ConfigResult result;
  if (text.size() > kLargestConfig) {
    result.fault("", "the file has " + std::to_string(text.size()) + " bytes: at most " +
                         std::to_string(kLargestConfig) + " are read");
    return result;
  }
  toml::table document;
  ConfigError error;
  if (!parse_toml(text, document, error)) {
    result.errors.push_back(error);
    return result;
  }
  Config& config = result.config;
  TomlReader top(document, "", result);
  top.name("instance", config.instance);
  top.integer("threads", config.threads, 1, kMostThreads);
  top.tables("profile", [&](TomlReader& reader) { read_profile(reader, config); });
  top.tables("feed", [&](TomlReader& reader) { read_feed(reader, config); });
  top.table("redis", [&](TomlReader& reader) { read_redis(reader, config.redis); });
  top.table("state", [&](TomlReader& reader) {
    reader.text("directory", config.state_directory);
    if (config.state_directory.empty()) reader.fault("directory", "is \"\": it must be a directory's path");
  });
  top.table("http", [&](TomlReader& reader) {
    reader.text("listen", config.http_listen);
    if (!parse_http_listen(config.http_listen))
      reader.fault("listen",
                   "is \"" + config.http_listen.substr(0, 80) + "\": " + std::string(kHttpListenRule));
  });
  top.table("log", [&](TomlReader& reader) { read_log(reader, config.log); });
  top.finish();
  if (config.profiles.empty()) config.profiles.emplace_back();
  check_between_tables(result);
  std::stable_sort(result.errors.begin(), result.errors.end(),
                   [](const ConfigError& a, const ConfigError& b) { return a.line < b.line; });
  return result;
}

std::vector<ConfigError> check_config(const Config& config) {
  ConfigResult result;
  result.config = config;
  check_between_tables(result);
  return std::move(result.errors);
}

ConfigKeys known_keys() { return parse_config("[[profile]]\n[[feed]]\n").keys; }

ConfigResult load_config(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text;
  // One byte more than is allowed tells that there is too much, whatever the file's size.
  text.resize(kLargestConfig + 1);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.empty() && !file.eof()) {
    ConfigResult result;
    result.fault("", std::string("the file can't be read: ") + std::strerror(errno));
    return result;
  }
  return parse_config(text);
}

ConfigResult load_config_to_run(const std::string& path) {
  ConfigResult result = load_config(path);
  check_authorities(result);
  return result;
}

std::vector<std::string> error_lines(const std::string& path, const ConfigResult& result) {
  return lines_of(path, result.errors, "");
}

void print_errors(const std::string& path, const ConfigResult& result) {
  for (const std::string& line : error_lines(path, result)) std::cerr << line << '\n';
}

void print_warnings(const std::string& path, const std::vector<ConfigError>& warnings) {
  for (const std::string& line : lines_of(path, warnings, "warning: ")) std::cerr << line << '\n';
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
