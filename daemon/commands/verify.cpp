#include <fnmatch.h>
#include <simdjson.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "daemon/bar_archive.hpp"
#include "daemon/commands/commands.hpp"
#include "daemon/commands/exchange_reader.hpp"
#include "daemon/commands/redis_reader.hpp"
#include "daemon/redis_login.hpp"
#include "daemon/verification.hpp"
#include "engine/interval.hpp"
#include "state/history.hpp"

namespace atcd::daemon {
namespace {

constexpr std::size_t kPage = 1000;  // entries of one reply
constexpr std::chrono::milliseconds kRound{1000};

struct Settings {
  std::string config_path, pattern = "*";
  std::size_t last = 500, sample = 0;
  int seconds = 0;
  bool rest = false, follow = false;
};

/// A series that was published and is in the configuration.
struct Published {
  engine::SeriesId id;
  std::string name;
  const FeedConfig* feed = nullptr;
  const ProfileConfig* profile = nullptr;
  std::string last_id;  // of the newest entry that was verified
};

/// Where bars come from: what the daemon keeps on disk, or the exchange.
class BarSource {
 public:
  virtual ~BarSource() = default;
  /// All closed bars from from_ms on, as far as they can be had. Throws std::runtime_error with a sentence.
  virtual KnownBars bars(const Published& series, std::int64_t from_ms) = 0;
};

class FromHistory final : public BarSource {
 public:
  explicit FromHistory(const std::string& directory)
      : history_(directory + "/history", state::History::Access::read) {}

  KnownBars bars(const Published& series, std::int64_t from_ms) override {
    const feeds::Exchange& exchange = *feeds::find_exchange(series.id.exchange, series.id.market);
    const auto found = history_.find(archive_name(exchange, {series.id.symbol, series.id.interval}));
    if (!found) return {};
    KnownBars known{history_.newest(*found, from_ms), {}, history_.late(*found)};
    history_.read_superseded(*found,
                             [&](const engine::Bar& bar, std::int64_t) { known.superseded.push_back(bar); });
    return known;
  }

 private:
  state::History history_;
};

class FromExchange final : public BarSource {
 public:
  KnownBars bars(const Published& series, std::int64_t from_ms) override {
    auto& reader = readers_[series.feed];
    if (!reader) reader = std::make_unique<ExchangeReader>(*series.feed);
    const feeds::Exchange& exchange = reader->exchange();
    const engine::Interval interval = *engine::Interval::parse(series.id.interval);
    KnownBars known;
    known.current.covered_from_ms = known.current.covered_to_ms = from_ms;
    for (;;) {
      const std::int64_t first = interval.ordinal(known.current.covered_to_ms);
      const std::int64_t last = first + exchange.history_rows_per_request() - 1;
      const feeds::HistoryResult page = reader->history(
          {series.id.symbol, series.id.interval, interval.open_time_ms(first), interval.open_time_ms(last)});
      if (page.error != feeds::RestError::none) throw std::runtime_error(series.name + ": " + page.message);
      // Closed by the exchange's own clock.
      const std::int64_t settled_ms = page.server_time_ms - exchange.settling_time().count();
      for (const engine::Bar& bar : page.rows) {
        if (bar.close_time_ms <= settled_ms) known.current.bars.push_back(bar);
      }
      const std::int64_t page_end_ms = interval.open_time_ms(last + 1);
      known.current.covered_to_ms =
          std::min(page_end_ms, interval.open_time_ms(interval.ordinal(settled_ms)));
      if (page_end_ms > settled_ms) return known;
    }
  }

 private:
  std::map<const FeedConfig*, std::unique_ptr<ExchangeReader>> readers_;
};

class Verify {
 public:
  Verify(const Settings& settings, const Config& config, const RedisLogin& login)
      : settings_(settings), config_(config), redis_(login), keys_(config.redis.prefix + ":1:") {}

  int run() {
    std::vector<Published> all = published();
    if (all.empty()) throw std::runtime_error("no series of this configuration is in Redis' catalogue");
    if (settings_.sample != 0 && settings_.sample < all.size()) {
      std::shuffle(all.begin(), all.end(), std::mt19937_64(std::random_device{}()));
      all.resize(settings_.sample);
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(settings_.seconds);
    for (;;) {
      if (!round(all)) return kFailed;
      const bool timed_out = settings_.seconds > 0 && std::chrono::steady_clock::now() >= end;
      if (!settings_.follow || timed_out) break;
      redis_.wait(kRound);
    }
    std::cout << total_.equal << " signals of " << all.size() << " series are equal to the last bit";
    if (total_.unknown != 0) std::cout << ", " << total_.unknown << " could not be recomputed";
    if (total_.too_new != 0)
      std::cout << ", " << total_.too_new << " series have a newer bar than is known here";
    std::cout << '\n';
    if (total_.equal == 0) std::cerr << "atcd: nothing was verified\n";
    return total_.equal == 0 ? kFailed : kDone;
  }

 private:
  /// False when there is a difference: it was printed.
  bool round(std::vector<Published>& all) {
    const auto source = bar_source();
    total_.too_new = 0;
    std::size_t done = 0;
    for (Published& series : all) {
      if (isatty(STDERR_FILENO) != 0)
        std::cerr << '\r' << ++done << " of " << all.size() << "\x1b[K" << std::flush;
      const std::vector<PublishedEntry> entries = entries_of(series);
      if (entries.empty()) continue;
      const Verdict verdict = verify(*series.profile, series.id, bars_for(*source, series, entries), entries);
      if (!verdict.difference.empty()) {
        std::cout << series.name << ": " << verdict.difference << '\n';
        return false;
      }
      count(series, entries, verdict);
    }
    if (isatty(STDERR_FILENO) != 0) std::cerr << "\r\x1b[K";
    return true;
  }

  void count(Published& series, const std::vector<PublishedEntry>& entries, const Verdict& verdict) {
    const bool again = entries.front().id == series.last_id;  // it was counted in the round before
    const std::size_t counted = verdict.equal + verdict.unknown;
    total_.equal += verdict.equal - (again && verdict.equal != 0 ? 1U : 0U);
    total_.unknown += verdict.unknown - (again && verdict.equal == 0 && verdict.unknown != 0 ? 1U : 0U);
    total_.too_new += verdict.too_new;
    if (counted != 0) series.last_id = entries[counted - 1].id;
  }

  std::unique_ptr<BarSource> bar_source() const {
    if (settings_.rest) return std::make_unique<FromExchange>();
    return std::make_unique<FromHistory>(config_.state_directory);
  }

  static KnownBars bars_for(BarSource& source, const Published& series,
                            const std::vector<PublishedEntry>& entries) {
    const auto open = entries.front().fields.find("open_ms");
    const std::int64_t open_ms = open == entries.front().fields.end() ? 0 : std::atoll(open->second.c_str());
    return source.bars(series, earliest_open_ms(*series.profile, series.id, open_ms));
  }

  std::vector<Published> published() {
    std::vector<Published> found;
    const std::string catalogue = keys_ + "catalogue";
    ask(catalogue, {"HGETALL", catalogue}, [&](const state::Reply& reply) {
      for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
        const std::string name(reply.elements[i].text);
        if (fnmatch(settings_.pattern.c_str(), name.c_str(), FNM_NOESCAPE) != 0) continue;
        if (auto series = configured(reply.elements[i + 1].text)) found.push_back(std::move(*series));
      }
    });
    return found;
  }

  std::optional<Published> configured(std::string_view json) const {
    simdjson::dom::parser parser;
    const auto entry = parser.parse(json.data(), json.size());
    const auto text = [&](const char* name) {
      std::string_view value;
      return entry[name].get(value) == simdjson::SUCCESS ? std::string(value) : std::string();
    };
    Published series;
    series.id = {text("exchange"), text("market"), text("symbol"), text("interval"), text("profile")};
    series.name = series.id.name();
    for (const FeedConfig& feed : config_.feeds) {
      const auto has = [](const std::vector<std::string>& list, const std::string& one) {
        return std::find(list.begin(), list.end(), one) != list.end();
      };
      if (feed.exchange == series.id.exchange && feed.market == series.id.market &&
          has(feed.intervals, series.id.interval) && has(feed.profiles, series.id.profile)) {
        series.feed = &feed;
      }
    }
    for (const ProfileConfig& profile : config_.profiles) {
      if (profile.name == series.id.profile) series.profile = &profile;
    }
    if (series.feed == nullptr || series.profile == nullptr) return std::nullopt;
    return series;
  }

  /// The newest entries, or, in later rounds, those from the last verified one on; oldest first.
  std::vector<PublishedEntry> entries_of(const Published& series) {
    const std::string key =
        keys_ + "{" + series.id.group() + "}:stream:" + engine::percent_encode(series.id.symbol);
    std::vector<PublishedEntry> entries;
    const auto take = [&](const state::Reply& reply) {
      for (const state::Reply& each : reply.elements) entries.push_back(entry_of(each));
    };
    if (!series.last_id.empty()) {
      ask(key, {"XRANGE", key, series.last_id, "+", "COUNT", std::to_string(kPage)}, take);
      return entries;
    }
    std::string before = "+";
    while (entries.size() < settings_.last) {
      const std::size_t had = entries.size();
      const std::string count = std::to_string(std::min(kPage, settings_.last - had));
      ask(key, {"XREVRANGE", key, before, "-", "COUNT", count}, take);
      if (entries.size() == had) break;
      before = "(" + entries.back().id;
    }
    std::reverse(entries.begin(), entries.end());
    return entries;
  }

  static PublishedEntry entry_of(const state::Reply& reply) {
    PublishedEntry entry;
    if (reply.elements.size() != 2) return entry;
    entry.id = reply.elements[0].text;
    const auto fields = reply.elements[1].elements;
    for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
      entry.fields[std::string(fields[i].text)] = std::string(fields[i + 1].text);
    }
    return entry;
  }

  void ask(const std::string& key, std::initializer_list<std::string_view> words,
           const std::function<void(const state::Reply&)>& take) {
    if (!redis_.ask(key, words, take)) throw std::runtime_error("Redis: " + redis_.error());
  }

  const Settings& settings_;
  const Config& config_;
  RedisReader redis_;
  std::string keys_;
  Verdict total_;
};

int run_verify(const Settings& settings) {
  const ConfigResult result = load_config(settings.config_path);
  print_errors(settings.config_path, result);
  if (!result.errors.empty()) return kBadUsage;
  std::string error;
  const auto login = redis_login(result.config.redis, error);
  if (!login) {
    std::cerr << settings.config_path << ": " << error << '\n';
    return kBadUsage;
  }
  try {
    return Verify(settings, result.config, *login).run();
  } catch (const std::exception& failure) {
    std::cerr << "atcd: " << failure.what() << '\n';
    return kFailed;
  }
}

}  // namespace

void add_verify_command(CLI::App& app, int& status) {
  auto* command =
      app.add_subcommand("verify",
                         "Recomputes published signals and compares them to the last bit; ends with 1 "
                         "and the first difference");
  auto settings = std::make_shared<Settings>();
  command->add_option("--config", settings->config_path, "The configuration file")
      ->required()
      ->type_name("FILE");
  command->add_option("PATTERN", settings->pattern, "Series to verify, as in binance:spot:BTC*:1m:* [all]");
  command->add_option("--last", settings->last, "Newest signals of each series [500]")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}));
  command->add_option("--sample", settings->sample, "Only so many series, chosen by chance [all]");
  command->add_flag("--rest", settings->rest, "Take the bars from the exchange, not from the history");
  command->add_flag("--follow", settings->follow, "Go on with signals as they come");
  command->add_option("--seconds", settings->seconds, "With --follow: end after so long [until Ctrl-C]");
  command->callback([settings, &status] { status = run_verify(*settings); });
}

}  // namespace atcd::daemon
