#include "daemon/scan_source.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <utility>

#include "daemon/clock.hpp"
#include "daemon/csv_checks.hpp"
#include "daemon/csv_doubts.hpp"
#include "daemon/signal_series.hpp"
#include "state/live_history.hpp"

namespace atcd::daemon {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBars = 4096;

/// The interval that a name ends with, as in BTCUSDT-1m or binance:spot:BTCUSDT:1m.
std::optional<engine::Interval> interval_of(std::string_view name) {
  return engine::Interval::parse(name.substr(name.find_last_of(":/-_") + 1));
}

std::string check_opens(const CsvBars& bars, std::size_t begin) {
  for (std::size_t i = begin; i < bars.opens.size(); ++i) {
    if (std::isfinite(bars.opens[i]) && bars.opens[i] > 0) continue;
    return "line " + std::to_string(bars.lines[i]) + ": open is no finite number above 0";
  }
  return {};
}

/// Of the segment that a bar belongs to: the first slot that its signal depends on.
class Anchors {
 public:
  Anchors(const ScanOptions::LiveAnchors& live, const ScanSeries& series)
      : rule_(live.rule),
        interval_(*series.interval),
        phase_(engine::anchor_phase(series.name, live.rule.anchor_period)) {}

  /// The rule has no fixed anchor here, so every bar has a segment.
  engine::Segment segment(std::int64_t open_ms) const {
    return *engine::segment_of(rule_, interval_, phase_, interval_.ordinal(open_ms));
  }
  std::int64_t anchor_ms(std::int64_t open_ms) const {
    return interval_.open_time_ms(segment(open_ms).anchor_ordinal);
  }

 private:
  engine::AnchorRule rule_;
  engine::Interval interval_;
  std::int64_t phase_;
};

// ---- CSV files

class CsvReader final : public ScanReader {
 public:
  explicit CsvReader(const ScanOptions& options) : options_(options) {}

  std::string read(const ScanSeries& series, const TakeScanBars& take,
                   const std::function<void()>&) override {
    CsvBarFile file(series.key);
    doubts_.clear();
    return options_.live_anchors ? read_since_anchor(file, series, take) : read_all(file, series, take);
  }

  std::string read_newest(const ScanSeries& series, std::size_t count, CsvBars& bars) override {
    CsvBarFile file(series.key);
    for (bool ended = false; !ended;) {
      const std::size_t begin = bars.size();
      std::string refusal = file.read(kPieceBars, bars);
      if (refusal.empty()) refusal = check_values(bars, begin, options_.parameters.dialect);
      if (!refusal.empty()) return refusal;
      ended = bars.size() - begin < kPieceBars;
      bars.drop(bars.size() - std::min(count, bars.size()));
    }
    return {};
  }

  std::string read_whole(const ScanSeries& series, WholeSeries& whole) override {
    CsvBarFile file(series.key, CsvBarFile::Opens::read);
    CsvBars bars;
    for (bool ended = false; !ended;) {
      bars.drop(bars.size() == 0 ? 0 : bars.size() - 1);  // the next time must come after the last
      const std::size_t begin = bars.size();
      std::string refusal = file.read(kPieceBars, bars);
      if (refusal.empty()) refusal = check_values(bars, begin, options_.parameters.dialect);
      if (refusal.empty()) refusal = check_opens(bars, begin);
      if (refusal.empty() && bars.size() > begin) {
        refusal = options_.live_anchors ? check_times(bars, begin, *series.interval)
                                        : check_order_of_times(bars, begin);
      }
      if (!refusal.empty()) return refusal;
      ended = bars.size() - begin < kPieceBars;
      for (std::size_t i = begin; i < bars.size(); ++i) {
        engine::Bar bar{bars.open_ms[i], 0, 0, 0, 0, bars.closes[i], 0};
        if (!bars.opens.empty()) bar.open = bars.opens[i];
        whole.bars.push_back(bar);
        if (!bars.sources.empty()) whole.sources.push_back(bars.sources[i]);
      }
      whole.opens_known = !bars.opens.empty();
    }
    // What lies before the first bar is not known.
    if (!whole.bars.empty()) whole.parts.push_back({0, whole.bars.front().open_time_ms});
    return {};
  }

 private:
  std::string read_all(CsvBarFile& file, const ScanSeries& series, const TakeScanBars& take) {
    bool times_known = series.interval.has_value();
    CsvDoubts doubts;
    CsvBars bars;
    for (bool ended = false; !ended;) {
      bars.drop(bars.size() == 0 ? 0 : bars.size() - 1);  // the next time must come after the last
      const std::size_t begin = bars.size();
      std::string refusal = file.read(kPieceBars, bars);
      if (refusal.empty()) refusal = check_values(bars, begin, options_.parameters.dialect);
      if (refusal.empty() && !bars.open_ms.empty()) refusal = check_order_of_times(bars, begin);
      if (!refusal.empty()) return refusal;
      ended = bars.size() - begin < kPieceBars;
      times_known = times_known && check_times(bars, begin, *series.interval).empty();
      doubts.take(bars, begin);
      std::vector<std::int64_t> doubtful;
      if (!times_known) doubtful.swap(bars.open_ms);
      take(bars, begin);
      if (!times_known) bars.open_ms.swap(doubtful);
    }
    if (times_known) doubt(doubts.running(*series.interval, utc_ms()));
    return {};
  }

  std::string read_since_anchor(CsvBarFile& file, const ScanSeries& series, const TakeScanBars& take) {
    const Anchors anchors(*options_.live_anchors, series);
    CsvDoubts doubts;
    CsvBars bars;
    for (bool ended = false; !ended;) {
      const std::size_t begin = bars.size();
      std::string refusal = file.read(kPieceBars, bars);
      if (refusal.empty()) refusal = check_values(bars, begin, options_.parameters.dialect);
      if (refusal.empty() && bars.size() > begin) refusal = check_times(bars, begin, *series.interval);
      if (!refusal.empty()) return refusal;
      doubts.take(bars, begin);
      ended = bars.size() - begin < kPieceBars;
      if (bars.size() == 0) break;
      const auto first =
          std::lower_bound(bars.open_ms.begin(), bars.open_ms.end(), anchors.anchor_ms(bars.open_ms.back()));
      bars.drop(static_cast<std::size_t>(first - bars.open_ms.begin()));
    }
    take(bars, 0);
    if (bars.size() == 0) return {};
    const std::int64_t anchor_ms = anchors.anchor_ms(doubts.last_open_ms());
    if (doubts.first_open_ms() > anchor_ms) {
      doubt("its bars begin at " + std::to_string(doubts.first_open_ms()) + ", after its anchor at " +
            std::to_string(anchor_ms) +
            ": live publishes another signal, unless nothing was traded between, as with a new listing");
    }
    doubt(doubts.running(*series.interval, utc_ms()));
    return {};
  }

  void doubt(std::string sentence) {
    if (!sentence.empty()) doubts_.push_back(std::move(sentence));
  }

  const ScanOptions& options_;
};

class CsvFiles final : public ScanSource {
 public:
  CsvFiles(const fs::path& directory, const ScanOptions& options) : options_(options) {
    list(directory, "");
    std::sort(series.begin(), series.end(), [](const ScanSeries& a, const ScanSeries& b) {
      return std::tie(a.name, a.key) < std::tie(b.name, b.key);
    });
    const auto same_name = [](const ScanSeries& a, const ScanSeries& b) { return a.name == b.name; };
    for (auto at = series.begin(); (at = std::adjacent_find(at, series.end(), same_name)) != series.end();) {
      refused.push_back((at + 1)->key + ": " + at->key + " is of the same name");
      series.erase(at + 1);
    }
    if (series.empty() && refused.empty()) {
      throw std::runtime_error(
          directory.string() +
          ": there are no files *.csv or *.csv.gz here or below, and no daemon's history");
    }
  }

  std::unique_ptr<ScanReader> reader() const override { return std::make_unique<CsvReader>(options_); }

 private:
  void list(const fs::path& folder, const std::string& prefix) {
    std::error_code failure;
    for (fs::directory_iterator at(folder, failure), end; !failure && at != end; at.increment(failure)) {
      std::error_code none;
      const std::string name = at->path().filename().string();
      const bool folder_there = at->is_directory(none), link = at->is_symlink(none);
      if (folder_there && !link) list(at->path(), prefix + name + "/");
      if (folder_there && link) refuse(at->path(), "a link to a folder is not followed");
      for (const std::string_view ending : {".csv", ".csv.gz"}) {
        if (folder_there || name.size() <= ending.size() || !name.ends_with(ending)) continue;
        at->is_regular_file(none) ? add(prefix + name.substr(0, name.size() - ending.size()), at->path())
                                  : refuse(at->path(), "it is no file, or a link to none");
      }
    }
    if (failure) refuse(folder, "cannot be listed: " + failure.message());
  }

  void refuse(const fs::path& path, const std::string& why) { refused.push_back(path.string() + ": " + why); }

  void add(std::string name, const fs::path& path) {
    ScanSeries found{std::move(name), path.string(), std::nullopt};
    if (options_.live_anchors) {
      // Live's name, which its anchors depend on, has no folders before the exchange.
      found.name.erase(0, found.name.rfind('/', found.name.find(':')) + 1);
      std::string error;
      found.name += ":" + options_.live_anchors->profile;
      const auto anchors = parse_live_anchors(found.name, error);
      if (!anchors) return refuse(path, error);
      found.interval = anchors->interval;
    } else {
      found.interval = interval_of(found.name);
    }
    series.push_back(std::move(found));
  }

  const ScanOptions& options_;
};

// ---- a daemon's history

class HistoryReader final : public ScanReader {
 public:
  HistoryReader(std::string directory, std::unique_ptr<state::History> history, const ScanOptions& options)
      : history_(std::move(directory), std::move(history)), options_(options) {}

  std::string read(const ScanSeries& series, const TakeScanBars& take,
                   const std::function<void()>& restart) override {
    return read_unchanged(series, restart, [&](state::History::Series number) {
      doubts_.clear();
      return options_.live_anchors ? read_since_anchor(number, series, take) : read_all(number, take);
    });
  }

  std::string read_newest(const ScanSeries& series, std::size_t count, CsvBars& bars) override {
    const auto restart = [&bars] { bars = {}; };
    return read_unchanged(series, restart, [&](state::History::Series number) {
      const state::StoredBars last = newest_bar(number);
      if (last.bars.empty()) return std::string();
      const engine::Interval& interval = *series.interval;
      const std::int64_t first =
          interval.ordinal(last.bars.back().open_time_ms) - static_cast<std::int64_t>(count);
      for (const engine::Bar& bar : history_.now().newest(number, interval.open_time_ms(first)).bars)
        add(bars, bar);
      return std::string();
    });
  }

  std::string read_whole(const ScanSeries& series, WholeSeries& whole) override {
    const auto restart = [&whole] { whole = {}; };
    return read_unchanged(series, restart, [&](state::History::Series number) {
      std::int64_t covered_to_ms = 0;
      history_.now().read_all(number, 0, [&](const state::StoredBars& stored) {
        if (whole.parts.empty() || stored.covered_from_ms != covered_to_ms)
          whole.parts.push_back({whole.bars.size(), stored.covered_from_ms});
        covered_to_ms = stored.covered_to_ms;
        whole.bars.insert(whole.bars.end(), stored.bars.begin(), stored.bars.end());
      });
      whole.listed_ms = history_.now().instrument(number).value_or(state::Instrument{}).listed_ms;
      whole.late = history_.now().late(number);
      return std::string();
    });
  }

 private:
  std::string read_all(state::History::Series number, const TakeScanBars& take) {
    std::int64_t covered_to_ms = 0;
    history_.now().read_all(number, 0, [&](const state::StoredBars& stored) {
      if (covered_to_ms != 0 && stored.covered_from_ms > covered_to_ms) {
        doubts_ = {"it has holes, the last from " + std::to_string(covered_to_ms) + " to " +
                   std::to_string(stored.covered_from_ms) +
                   ": it is computed as if nothing was traded there"};
      }
      covered_to_ms = stored.covered_to_ms;
      CsvBars bars;
      for (const engine::Bar& bar : stored.bars) add(bars, bar);
      take(bars, 0);
    });
    return {};
  }

  std::string read_since_anchor(state::History::Series number, const ScanSeries& series,
                                const TakeScanBars& take) {
    const Anchors anchors(*options_.live_anchors, series);
    const state::StoredBars newest = newest_bar(number);
    if (newest.bars.empty()) return "there are no bars, but at least one is needed";
    const engine::Segment segment = anchors.segment(newest.bars.back().open_time_ms);
    const std::int64_t anchor_ms = series.interval->open_time_ms(segment.anchor_ordinal);
    const state::StoredBars stored = history_.now().newest(number, anchor_ms);
    const std::int64_t listed_ms = history_.now().instrument(number).value_or(state::Instrument{}).listed_ms;
    // Where the bars reach back to the listing there are none before.
    if (stored.covered_from_ms > anchor_ms && stored.covered_from_ms > listed_ms) {
      return "its bars begin at " + std::to_string(stored.covered_from_ms) + ", after its anchor at " +
             std::to_string(anchor_ms) + ": live publishes nothing of it";
    }
    const auto late = history_.now().late(number);
    const BarHistory known{stored.bars, series.interval->ordinal(stored.covered_from_ms), late};
    CsvBars bars;
    for (std::size_t i = 0; i < stored.bars.size(); ++i) {
      if (stored.bars[i].open_time_ms >= anchor_ms) add(bars, bar_for(segment, *series.interval, known, i));
    }
    take(bars, 0);
    return {};
  }

  /// The bar that was written last, and perhaps some before it.
  state::StoredBars newest_bar(state::History::Series number) {
    state::StoredBars newest = history_.now().latest(number, 1);
    if (newest.bars.empty()) newest = history_.now().newest(number, newest.covered_from_ms - 1);
    return newest;
  }

  /// Again where the daemon has written so much meanwhile that the newest bars lie elsewhere.
  std::string read_unchanged(const ScanSeries& series, const std::function<void()>& restart,
                             const std::function<std::string(state::History::Series)>& read) {
    std::string refusal;
    const bool settled = history_.read([&](state::History& history) {
      const auto number = history.find(series.key);
      refusal = number ? "" : "the daemon has set it aside meanwhile";
      if (!number) return true;
      const std::size_t problems = history.problems().size();
      refusal = read(*number);
      if (!history.tail_unchanged(*number)) return restart(), false;
      const auto& all = history.problems();
      if (refusal.empty() && all.size() > problems) refusal = all.back();
      return true;
    });
    return settled ? refusal : "it is written to faster than it can be read";
  }

  static void add(CsvBars& bars, const engine::Bar& bar) {
    bars.closes.push_back(bar.close);
    bars.open_ms.push_back(bar.open_time_ms);
  }

  state::LiveHistory history_;
  const ScanOptions& options_;
};

class HistorySource final : public ScanSource {
 public:
  HistorySource(std::string directory, const ScanOptions& options)
      : directory_(std::move(directory)),
        history_(directory_, state::History::Access::read),
        options_(options) {
    refused = history_.problems();
    for (const std::string& name : history_.names()) {
      const auto interval = interval_of(name);
      // What was set aside has another ending.
      if (!interval) continue;
      series.push_back(
          {options.live_anchors ? name + ":" + options.live_anchors->profile : name, name, interval});
    }
    std::sort(series.begin(), series.end(),
              [](const ScanSeries& a, const ScanSeries& b) { return a.name < b.name; });
    if (series.empty() && refused.empty())
      throw std::runtime_error(directory_ + ": this history has no series");
  }

  std::unique_ptr<ScanReader> reader() const override {
    return std::make_unique<HistoryReader>(directory_, std::make_unique<state::History>(history_), options_);
  }

 private:
  std::string directory_;
  state::History history_;
  const ScanOptions& options_;
};

bool is_history(const fs::path& directory) {
  std::error_code none;
  return fs::is_regular_file(directory / "names", none) && fs::is_regular_file(directory / "tails", none);
}

}  // namespace

std::unique_ptr<ScanSource> open_scan_source(const std::string& directory, const ScanOptions& options) {
  const fs::path path(directory);
  std::error_code none;
  if (!fs::is_directory(path, none)) throw std::runtime_error(directory + ": is no directory");
  for (const fs::path& history : {path / "history", path}) {
    if (is_history(history)) return std::make_unique<HistorySource>(history.string(), options);
  }
  return std::make_unique<CsvFiles>(path, options);
}

}  // namespace atcd::daemon
