#include <unistd.h>
#include <algorithm>
#include <chrono>
#include <deque>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "daemon/bar_archive.hpp"
#include "daemon/clock.hpp"
#include "daemon/commands/commands.hpp"
#include "daemon/commands/exchange_reader.hpp"
#include "daemon/instruments.hpp"
#include "daemon/symbols.hpp"
#include "daemon/verification.hpp"
#include "engine/interval.hpp"
#include "feeds/doubted_page.hpp"
#include "feeds/interval_source.hpp"
#include "state/history.hpp"

namespace atcd::daemon {
namespace {

constexpr std::size_t kAtOnce = 8;  // series whose pages are asked for at the same time
constexpr int kMostFailures = 3;    // of one series, one after the other
constexpr std::chrono::seconds kLookAgain{1};
constexpr int kMostLooks = 5;  // at a page that is told otherwise each time

/// Loads one series: back to the slot that its signals need, forward to the newest closed bar.
struct Loading {
  std::string symbol, name;
  engine::Interval interval;
  std::optional<state::History::Series> series;  // from its first bar on, or from when the list told of it
  std::int64_t listed_ms = 0;                    // bars that closed by then are another instrument's
  std::int64_t wanted = 0;                       // ordinals: the first slot that is needed,
  std::int64_t low = 0;                          // from here on
  std::int64_t high = 0;                         // to here (exclusive) all is known
  std::int64_t held = 0;                         // to here (exclusive) the history has it: before empty pages
  bool forward_done = false;
  int failures = 0;
  feeds::DoubtedPage doubted;

  bool done() const { return forward_done && low <= wanted; }
};

/// What a series' exchange was asked for. Ordinals.
struct Page {
  bool forward;
  std::int64_t asked, last;  // inclusive
  std::int64_t first;        // from here on all is known when it has come
};

/// All series of one feed.
class FeedWarmer {
 public:
  FeedWarmer(const Config& config, const FeedConfig& feed, state::History& history)
      : config_(config), feed_(feed), history_(history), reader_(feed) {}

  /// False when some series could not be loaded: it was said.
  bool run(const std::vector<std::string>& symbols) {
    for (const feeds::SymbolInfo& symbol : symbols.empty() ? listed() : named(symbols)) {
      for (const std::string& interval : feed_.intervals) add(symbol, interval);
    }
    total_ = waiting_.size();
    while (under_way_ < kAtOnce && begin_next()) {
    }
    if (under_way_ > 0) reader_.run();
    if (isatty(STDERR_FILENO) != 0) std::cerr << "\r\x1b[K";
    std::cout << feed_.exchange << ' ' << feed_.market << ": " << total_ - failed_ << " series, " << bars_
              << " bars loaded\n";
    return failed_ == 0 && unresolved_ == 0;
  }

 private:
  static std::vector<feeds::SymbolInfo> named(const std::vector<std::string>& symbols) {
    std::vector<feeds::SymbolInfo> infos;
    infos.reserve(symbols.size());
    for (const std::string& symbol : symbols) infos.push_back({symbol, "", "", true, 0, 0});
    return infos;
  }

  std::vector<feeds::SymbolInfo> listed() {
    const feeds::SymbolsResult list = reader_.symbols(feed_.top > 0);
    if (list.error != feeds::RestError::none)
      throw std::runtime_error("the list of symbols: " + list.message);
    const ResolvedSymbols resolved = resolve_symbols(feed_, list.symbols);
    for (const Unresolved& each : resolved.unresolved) {
      std::cerr << "atcd: " << feed_.exchange << ' ' << feed_.market << ' ' << each.reason << '\n';
      ++unresolved_;
    }
    return resolved.symbols;
  }

  /// What the list tells of the symbol is remembered; where that is another instrument than the history is
  /// of, it begins anew. The time before which the exchange has no bar of it.
  std::int64_t settle_instrument(const std::string& name, const feeds::SymbolInfo& symbol) {
    const auto series = history_.find(name);
    const auto known = series ? history_.instrument(*series) : std::nullopt;
    if (symbol.base.empty()) return known ? known->listed_ms : 0;  // there was no list
    const std::int64_t first_close_ms = series ? history_.first_close_ms(*series).value_or(0) : 0;
    const std::string change = known ? other_instrument(*known, symbol, first_close_ms) : "";
    const auto held = series ? history_.newest(*series, utc_ms()) : state::StoredBars{};
    if (!change.empty() && !held.bars.empty()) {
      state::Instrument now = known_now(symbol.listed_ms > 0 ? std::nullopt : known, symbol);
      now.replaced_ms = held.bars.back().close_time_ms;
      must(history_.begin_anew(name, now, utc_ms()).has_value());
      std::cerr << "atcd: " << name << ": another instrument has this symbol (" << change
                << "): what was held is set aside\n";
      return now.listed_ms;
    }
    const state::Instrument now = known_now(known, symbol);
    const auto kept = history_.add(name);
    must(kept && history_.set_instrument(*kept, now));
    return now.listed_ms;
  }

  void add(const feeds::SymbolInfo& info, const std::string& interval_text) {
    const std::string& symbol = info.symbol;
    const engine::Interval interval = *engine::Interval::parse(interval_text);
    std::int64_t from_ms = utc_ms();
    for (const ProfileConfig& profile : config_.profiles) {
      const auto& used = feed_.profiles;
      if (std::find(used.begin(), used.end(), profile.name) == used.end()) continue;
      const engine::SeriesId id{feed_.exchange, feed_.market, symbol, interval_text, profile.name};
      from_ms = std::min(from_ms, earliest_open_ms(profile, id, utc_ms()));
    }
    auto loading = std::make_unique<Loading>(Loading{symbol, "", interval, {}, 0, 0, 0, 0, 0, false, 0, {}});
    loading->name = archive_name(reader_.exchange(), {symbol, interval_text});
    loading->wanted = interval.ordinal(from_ms);
    loading->listed_ms = settle_instrument(loading->name, info);
    waiting_.push_back(std::move(loading));
  }

  bool begin_next() {
    if (waiting_.empty()) return false;
    std::shared_ptr<Loading> next = std::move(waiting_.front());
    waiting_.pop_front();
    next->low = next->high = next->wanted;
    next->series = history_.find(next->name);
    if (next->series) {
      const state::StoredBars held =
          history_.newest(*next->series, next->interval.open_time_ms(next->wanted));
      if (!held.bars.empty()) {
        next->low = next->interval.ordinal(held.covered_from_ms);
        if (next->low <= feeds::first_slot_of_all(next->interval))
          next->low = std::min(next->low, next->wanted);
        next->high = next->interval.ordinal(held.covered_to_ms);
      }
    }
    next->held = next->high;
    ++under_way_;
    ask(next);
    return true;
  }

  void ask(const std::shared_ptr<Loading>& series) {
    const std::int64_t rows = feeds::history_rows_per_request(reader_.exchange(), series->interval);
    const bool forward = !series->forward_done;
    const std::int64_t first_of_all = feeds::first_slot_of_all(series->interval);
    std::int64_t first = forward ? series->high : std::max(series->wanted, series->low - rows);
    const std::int64_t asked = std::max(first, first_of_all);
    const std::int64_t last = forward ? asked + rows - 1 : series->low - 1;
    if (!forward && asked == first_of_all) first = series->wanted;  // before it nothing is
    const Page page{forward, asked, last, first};
    reader_.ask({series->symbol, series->interval.text(), series->interval.open_time_ms(asked),
                 series->interval.open_time_ms(last)},
                [this, series, page](feeds::HistoryResult told) {
                  std::erase_if(told.rows, [&](const engine::Bar& row) {
                    return row.close_time_ms <= series->listed_ms;
                  });
                  take(series, page, std::move(told));
                });
  }

  void take(const std::shared_ptr<Loading>& series, const Page& page, feeds::HistoryResult told) {
    if (told.error == feeds::RestError::none && told.server_time_ms == 0) {
      told.error = feeds::RestError::bad_body;
      told.message = "the answer says no time (header Date), without which no bar is known to have closed";
    }
    if (told.error != feeds::RestError::none) {
      return ++series->failures < kMostFailures ? ask(series) : fail(*series, told.message);
    }
    series->failures = 0;
    if (!believed(*series, page, told)) {
      if (series->doubted.looks() >= kMostLooks)
        return fail(*series, "each answer tells other bars of the same time");
      return reader_.later(kLookAgain, [this, series] { ask(series); });
    }
    page.forward ? take_forward(*series, page.last, told) : take_backward(*series, page.first, told);
    series->done() ? finish() : ask(series);
  }

  /// What a page that is short leaves out would be known to be empty for ever. Of the one that ends with the
  /// bars of now only what lies before its first bar: what it lacks at its end is asked for later.
  bool believed(Loading& series, const Page& page, const feeds::HistoryResult& told) const {
    std::span<const engine::Bar> bars(told.rows);
    std::int64_t last = page.last;
    if (series.interval.open_time_ms(last + 1) > settled_ms(told)) {
      if (bars.empty()) return true;
      bars = bars.first(1);
      last = series.interval.ordinal(bars[0].open_time_ms);
    }
    return series.doubted.believed(series.interval, page.asked, last, bars);
  }

  /// What closed by then is final.
  std::int64_t settled_ms(const feeds::HistoryResult& told) const {
    return told.server_time_ms - reader_.exchange().settling_time().count();
  }

  void fail(const Loading& series, const std::string& why) {
    std::cerr << "atcd: " << series.name << ": " << why << '\n';
    ++failed_;
    finish();
  }

  void take_forward(Loading& series, std::int64_t last, const feeds::HistoryResult& page) {
    const std::int64_t settled_ms = this->settled_ms(page);
    std::int64_t covered_ms = series.interval.open_time_ms(series.held);
    for (const engine::Bar& bar : page.rows) {
      if (bar.open_time_ms < covered_ms || bar.close_time_ms > settled_ms) continue;
      if (!series.series) series.series = history_.add(series.name);
      must(series.series && history_.append(*series.series, bar, covered_ms));
      covered_ms = bar.close_time_ms;
      ++bars_;
    }
    series.forward_done = series.interval.open_time_ms(last + 1) > settled_ms;
    series.held = series.interval.ordinal(covered_ms);
    series.high = last + 1;
  }

  void take_backward(Loading& series, std::int64_t first, const feeds::HistoryResult& page) {
    must(history_.insert(*series.series, page.rows, series.interval.open_time_ms(first),
                         series.interval.open_time_ms(series.low)));
    bars_ += page.rows.size();
    series.low = first;
  }

  void finish() {
    --under_way_;
    ++done_;
    if (isatty(STDERR_FILENO) != 0) {
      std::cerr << '\r' << done_ << " of " << total_ << " series, " << bars_ << " bars\x1b[K" << std::flush;
    }
    if (!begin_next() && under_way_ == 0) reader_.stop();
  }

  void must(bool written) const {
    if (!written) throw std::runtime_error(history_.error());
  }

  const Config& config_;
  const FeedConfig& feed_;
  state::History& history_;
  ExchangeReader reader_;
  std::deque<std::unique_ptr<Loading>> waiting_;
  std::size_t under_way_ = 0, done_ = 0, total_ = 0, failed_ = 0, bars_ = 0;
  std::size_t unresolved_ = 0;  // symbols of the configuration, which no series is of
};

int warm(const std::string& path, const std::vector<std::string>& symbols) {
  const ConfigResult result = load_config(path);
  print_errors(path, result);
  if (!result.errors.empty()) return kBadUsage;
  try {
    state::History history(result.config.state_directory + "/history", state::History::Access::write);
    bool all = true;
    for (const FeedConfig& feed : result.config.feeds) {
      all = FeedWarmer(result.config, feed, history).run(symbols) && all;
    }
    if (!history.sync()) throw std::runtime_error(history.error());
    return all ? kDone : kFailed;
  } catch (const std::exception& failure) {
    std::cerr << "atcd: " << failure.what() << '\n';
    return kFailed;
  }
}

}  // namespace

void add_warm_command(CLI::App& app, int& status) {
  auto* command = app.add_subcommand(
      "warm", "Loads the bars that a configuration's series need into its history, before the daemon runs");
  struct Typed {
    std::string path;
    std::vector<std::string> symbols;
  };
  auto typed = std::make_shared<Typed>();
  command->add_option("--config", typed->path, "The configuration file")->required()->type_name("FILE");
  command->add_option("SYMBOL", typed->symbols, "Native symbols, on every feed [those of the configuration]");
  command->callback([typed, &status] { status = warm(typed->path, typed->symbols); });
}

}  // namespace atcd::daemon
