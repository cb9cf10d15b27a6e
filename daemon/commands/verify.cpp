#include <fnmatch.h>
#include <simdjson.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/commands/commands.hpp"
#include "daemon/commands/exchange_reader.hpp"
#include "daemon/commands/redis_reader.hpp"
#include "daemon/redis_login.hpp"
#include "daemon/verification.hpp"
#include "daemon/verify_source.hpp"
#include "engine/interval.hpp"
#include "feeds/interval_source.hpp"

namespace atcd::daemon {
namespace {

constexpr std::size_t kPage = 1000;  // entries of one reply
constexpr std::string_view kPageText = "1000";
constexpr std::chrono::milliseconds kRound{1000};

struct Settings {
  std::string config_path, pattern = "*";
  std::size_t last = 500, sample = 0;
  int seconds = 0;
  bool rest = false, follow = false;
};

class FromExchange final : public BarSource {
 public:
  /// Only what is on disk tells that a symbol was another's before, and which bar was used where the exchange
  /// told another later: of that alone it is asked, where it is there.
  explicit FromExchange(std::string directory) : directory_(std::move(directory)) { renew(); }

  OtherTellings others(const PublishedSeries& series) override {
    return held_ ? held_->others(series) : OtherTellings{};
  }

  std::int64_t begins_ms(const PublishedSeries& series) override {
    return std::max(listed_ms(series), held_ ? held_->begins_ms(series) : 0);
  }

  bool read(const PublishedSeries& series, std::int64_t from_ms, const Take& take) override {
    std::map<std::int64_t, engine::Bar> used;
    if (!read_used(series, used)) return false;
    ExchangeReader& reader = *market(series).reader;
    const feeds::Exchange& exchange = reader.exchange();
    const std::int64_t begins_ms = listed_ms(series);
    const engine::Interval interval = *engine::Interval::parse(series.id.interval);
    for (std::int64_t page_ms = from_ms;;) {
      const std::int64_t first = std::max(interval.ordinal(page_ms), feeds::first_slot_of_all(interval));
      const std::int64_t last = first + feeds::history_rows_per_request(exchange, interval) - 1;
      const feeds::HistoryResult page = reader.history(
          {series.id.symbol, series.id.interval, interval.open_time_ms(first), interval.open_time_ms(last)});
      if (page.error != feeds::RestError::none) throw std::runtime_error(series.name + ": " + page.message);
      // Closed by the exchange's own clock.
      const std::int64_t settled_ms = page.server_time_ms - exchange.settling_time().count();
      const std::int64_t page_end_ms = interval.open_time_ms(last + 1);
      state::StoredBars bars{
          {}, page_ms, std::min(page_end_ms, interval.open_time_ms(interval.ordinal(settled_ms)))};
      for (const engine::Bar& bar : page.rows) {
        if (bar.close_time_ms <= begins_ms || bar.close_time_ms > settled_ms) continue;
        const auto other = used.find(bar.open_time_ms);
        bars.bars.push_back(other == used.end() ? bar : other->second);
      }
      if (bars.covered_to_ms > bars.covered_from_ms) take(bars);
      if (page_end_ms > settled_ms) return true;
      page_ms = page_end_ms;
    }
  }

  void renew() override {
    if (held_) return held_->renew();
    try {
      held_.emplace(directory_);
    } catch (const std::runtime_error&) {
    }
  }
  std::vector<std::string> problems() const override {
    return held_ ? held_->problems() : std::vector<std::string>();
  }

 private:
  struct Market {
    std::unique_ptr<ExchangeReader> reader;
    std::map<std::string, std::int64_t> listed_ms;  // by symbol, where the exchange says it
  };

  /// The bars of which the exchange told others too late, as they were used.
  bool read_used(const PublishedSeries& series, std::map<std::int64_t, engine::Bar>& used) {
    const auto late = others(series).late;
    if (late.empty()) return true;
    std::set<std::int64_t> wanted;
    for (const state::LateBar& other : late) wanted.insert(other.bar.open_time_ms);
    return held_->read(series, *wanted.begin(), [&](const state::StoredBars& bars) {
      for (const engine::Bar& bar : bars.bars) {
        if (wanted.contains(bar.open_time_ms)) used[bar.open_time_ms] = bar;
      }
    });
  }

  std::int64_t listed_ms(const PublishedSeries& series) { return market(series).listed_ms[series.id.symbol]; }

  Market& market(const PublishedSeries& series) {
    Market& market = markets_[series.feed];
    if (market.reader) return market;
    market.reader = std::make_unique<ExchangeReader>(*series.feed);
    const feeds::SymbolsResult list = market.reader->symbols(false);
    if (list.error != feeds::RestError::none)
      throw std::runtime_error("the list of symbols: " + list.message);
    for (const feeds::SymbolInfo& symbol : list.symbols) market.listed_ms[symbol.symbol] = symbol.listed_ms;
    return market;
  }

  std::string directory_;
  std::map<const FeedConfig*, Market> markets_;
  std::optional<FromHistory> held_;
};

/// The newest entries of one stream, a page at a time, oldest first.
class EntryPages {
 public:
  /// Asks Redis; throws std::runtime_error with a sentence.
  using Ask = std::function<void(std::initializer_list<std::string_view>,
                                 const std::function<void(const state::Reply&)>&)>;

  EntryPages(std::string key, Ask ask) : key_(std::move(key)), ask_(std::move(ask)) {}

  /// Begins with the entry of this ID.
  void begin_at(const std::string& id) { fetch({"XRANGE", key_, id, "+", "COUNT", kPageText}); }

  /// Begins so many entries before the end: goes back page by page, of which only the last is kept.
  void begin_before_end(std::size_t count) {
    for (std::string before = "+"; count > 0; before = "(" + page_.back().id) {
      const std::string wanted = std::to_string(std::min(kPage, count));
      std::vector<PublishedEntry> kept = std::move(page_);
      fetch({"XREVRANGE", key_, before, "-", "COUNT", wanted});
      if (page_.empty()) {
        page_ = std::move(kept);
        break;
      }
      count -= page_.size();
    }
    std::reverse(page_.begin(), page_.end());
  }

  const std::vector<PublishedEntry>& first() const { return page_; }

  std::vector<PublishedEntry> next() {
    if (page_.empty() && !last_id_.empty()) {
      const std::string after = "(" + last_id_;
      fetch({"XRANGE", key_, after, "+", "COUNT", kPageText});
    }
    last_id_ = page_.empty() ? "" : page_.back().id;
    return std::exchange(page_, {});
  }

 private:
  void fetch(std::initializer_list<std::string_view> words) {
    page_.clear();
    ask_(words, [this](const state::Reply& reply) {
      for (const state::Reply& each : reply.elements) page_.push_back(entry_of(each));
    });
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

  std::string key_;
  Ask ask_;
  std::vector<PublishedEntry> page_;
  std::string last_id_;  // of the page that was given last; empty: there was none, or it was the end
};

class Verify {
 public:
  Verify(const Settings& settings, const Config& config, const RedisLogin& login)
      : settings_(settings), config_(config), redis_(login), keys_(config.redis.prefix + ":1:") {}

  int run() {
    std::vector<PublishedSeries> all = published();
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
    for (const std::string& problem : problems_) std::cerr << "atcd: " << problem << '\n';
    if (total_.equal == 0) std::cerr << "atcd: nothing was verified\n";
    return total_.equal == 0 ? kFailed : kDone;
  }

 private:
  /// False when there is a difference: it was printed.
  bool round(std::vector<PublishedSeries>& all) {
    // One for all rounds: it knows what it may ask of an exchange, and has its list.
    if (source_ == nullptr) {
      source_ = bar_source();
    } else {
      source_->renew();
    }
    total_.too_new = 0;
    std::size_t done = 0;
    for (PublishedSeries& series : all) {
      if (isatty(STDERR_FILENO) != 0)
        std::cerr << '\r' << ++done << " of " << all.size() << "\x1b[K" << std::flush;
      const Verdict verdict = verdict_of(*source_, series);
      if (!verdict.difference.empty()) {
        std::cout << series.name << ": " << verdict.difference << '\n';
        return false;
      }
      total_.equal += verdict.equal;
      total_.unknown += verdict.unknown;
      total_.too_new += verdict.too_new;
      if (!verdict.last_id.empty()) series.last_id = verdict.last_id;
    }
    for (std::string& problem : source_->problems()) problems_.insert(std::move(problem));
    if (isatty(STDERR_FILENO) != 0) std::cerr << "\r\x1b[K";
    return true;
  }

  /// Of the newest entries, or, in later rounds, of those from the last verified one on.
  Verdict verdict_of(BarSource& source, const PublishedSeries& series) {
    return settled_verdict([&](Verdict& verdict) { return compare(source, series, verdict); },
                           [&](const Verdict& before) {
                             if (!before.difference.empty()) redis_.wait(kRound);
                             source.renew();
                           });
  }

  /// False where bars changed while they were read.
  bool compare(BarSource& source, const PublishedSeries& series, Verdict& verdict) {
    const std::string key =
        keys_ + "{" + series.id.group() + "}:stream:" + engine::percent_encode(series.id.symbol);
    EntryPages pages(key, [&](auto words, const auto& take) { ask(key, words, take); });
    series.last_id.empty() ? pages.begin_before_end(settings_.last) : pages.begin_at(series.last_id);
    const auto& first = pages.first();
    if (first.empty() || (first.size() == 1 && first[0].id == series.last_id)) return true;
    const std::int64_t from_ms =
        earliest_open_ms(*series.profile, series.id, first[0].number("open_ms").value_or(0));
    Verification verification(
        *series.profile, series.id, source.others(series), [&] { return pages.next(); }, series.last_id,
        source.begins_ms(series));
    const bool whole =
        source.read(series, from_ms, [&](const state::StoredBars& bars) { verification.take(bars); });
    verdict = verification.finish();
    return whole;
  }

  std::unique_ptr<BarSource> bar_source() const {
    if (settings_.rest) return std::make_unique<FromExchange>(config_.state_directory);
    return std::make_unique<FromHistory>(config_.state_directory);
  }

  std::vector<PublishedSeries> published() {
    std::vector<PublishedSeries> found;
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

  std::optional<PublishedSeries> configured(std::string_view json) const {
    simdjson::dom::parser parser;
    const auto entry = parser.parse(json.data(), json.size());
    const auto text = [&](const char* name) {
      std::string_view value;
      return entry[name].get(value) == simdjson::SUCCESS ? std::string(value) : std::string();
    };
    PublishedSeries series;
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

  void ask(const std::string& key, std::initializer_list<std::string_view> words,
           const std::function<void(const state::Reply&)>& take) {
    if (!redis_.ask(key, words, take)) throw std::runtime_error("Redis: " + redis_.error());
  }

  const Settings& settings_;
  const Config& config_;
  RedisReader redis_;
  std::string keys_;
  std::unique_ptr<BarSource> source_;
  Verdict total_;
  std::set<std::string> problems_;  // of all rounds
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
