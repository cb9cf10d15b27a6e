#include "daemon/worker_questions.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <iterator>
#include <set>
#include <string_view>
#include <utility>

namespace atcd::daemon {
namespace {

constexpr std::size_t kRowsAtOnce = 16;
constexpr std::size_t kNamesAtOnce = 256;
constexpr std::size_t kSavedAtOnce = 32;
constexpr std::chrono::milliseconds kSettledLook{20};
constexpr std::chrono::seconds kLongestCompare{5};  // a stream that Redis refuses is compared never

SeriesRow row_of(const MarketSeries& series, const Output& output) {
  SeriesRow row;
  row.name = output.name;
  row.state = series.stopped(output) ? feeds::SeriesState::halted : output.state;
  row.published_ms = output.published_ms;
  row.lag_ms = output.lag_ms;
  const auto bars = series.series().bars();
  if (bars.empty()) return row;
  row.close_ms = bars.back().close_time_ms;
  row.close = bars.back().close;
  if (const auto held = output.signals.held(bars.back())) {
    row.average = held->signal.average;
    row.trend = held->signal.trend;
    row.trend_since_ms = held->signal.trend_since_ms;
  }
  return row;
}

struct RowsAsked {
  SeriesRows found;
  state::SeriesIndex first;
  std::size_t limit;
  std::function<void(SeriesRows)> done;
};

void collect_rows(const WorkerView& view, const std::shared_ptr<RowsAsked>& asked) {
  auto next = view.outputs.lower_bound(asked->first);
  for (std::size_t looked = 0; next != view.outputs.end() && looked < kRowsAtOnce; ++next, ++looked) {
    if (asked->found.rows.size() == asked->limit) break;
    if (const Output* output = next->second->output(next->first))
      asked->found.rows.push_back(row_of(*next->second, *output));
  }
  const bool end = next == view.outputs.end();
  if (end || asked->found.rows.size() == asked->limit) {
    asked->found.more = !end;
    asked->found.next = end ? 0 : next->first;
    return asked->done(std::move(asked->found));
  }
  asked->first = next->first;
  boost::asio::post(view.io, [&view, asked] { collect_rows(view, asked); });
}

using Subject = SelfAudit::Subject;

void copy_subject(const WorkerView& view, state::SeriesIndex index, std::shared_ptr<Subject> subject,
                  std::function<void(std::optional<Subject>)> done) {
  const auto found = view.outputs.find(index);
  const Output* output = found == view.outputs.end() ? nullptr : found->second->output(index);
  const auto copied =
      output == nullptr ? MarketSeries::Copied::nothing : found->second->copy_subject(*output, *subject);
  if (copied == MarketSeries::Copied::nothing) return done(std::nullopt);
  if (copied == MarketSeries::Copied::all) return done(std::move(*subject));
  boost::asio::post(view.io, [&view, index, subject = std::move(subject), done = std::move(done)]() mutable {
    copy_subject(view, index, std::move(subject), std::move(done));
  });
}

void look_for_subject(
    const WorkerView& view, state::SeriesIndex first, const std::string& name,
    std::function<void(std::optional<SelfAudit::Subject>, std::optional<feeds::SeriesState>)> done) {
  auto next = view.outputs.lower_bound(first);
  for (std::size_t looked = 0; next != view.outputs.end() && looked < kNamesAtOnce; ++next, ++looked) {
    const Output* output = next->second->output(next->first);
    if (output == nullptr || output->name != name) continue;
    next->second->read_archive(*output);
    return ask_subject(view, next->first,
                       [done = std::move(done), state = next->second->state_of(*output)](
                           std::optional<Subject> subject) { done(std::move(subject), state); });
  }
  if (next == view.outputs.end()) return done(std::nullopt, std::nullopt);
  boost::asio::post(view.io, [&view, at = next->first, name, done = std::move(done)]() mutable {
    look_for_subject(view, at, name, std::move(done));
  });
}

void note(Changes& changes, std::string_view event, std::string_view series, std::string_view detail) {
  if (event == "added") changes.added.emplace_back(series);
  if (event == "removed") changes.removed.emplace_back(series);
  if (event == "unknown_symbol" || event == "ambiguous_symbol" || event == "series_refused")
    changes.problems.emplace_back(detail);
  if (event == "symbols_failed")
    changes.problems.push_back("the exchange's list of symbols can't be had: " + std::string(detail));
}

bool settled(const WorkerView& view) {
  return std::all_of(view.runners.begin(), view.runners.end(),
                     [](const auto& entry) { return entry.second->settled(); });
}

/// Whether Redis takes them is known: a Redis that is away is told elsewhere.
bool compared(const WorkerView& view) { return !view.publisher.connected() || view.publisher.settled(); }

void count_stopped(const WorkerView& view, Changes& changes) {
  const std::set<std::string_view> added(changes.added.begin(), changes.added.end());
  for (const auto& [index, series] : view.outputs) {
    const Output* output = series->output(index);
    if (output != nullptr && added.contains(output->name) && series->stopped(*output)) ++changes.stopped;
  }
}

void look_whether_settled(const WorkerView& view, const std::shared_ptr<boost::asio::steady_timer>& timer,
                          std::chrono::steady_clock::time_point end, const std::shared_ptr<Changes>& changes,
                          std::function<void()> done) {
  const auto now = std::chrono::steady_clock::now();
  changes->settled = settled(view);
  if (changes->settled) end = std::min(end, now + kLongestCompare);
  if ((changes->settled && compared(view)) || now >= end) {
    view.journal.listen(nullptr);
    count_stopped(view, *changes);
    return done();
  }
  timer->expires_after(kSettledLook);
  timer->async_wait(
      [&view, timer, end, changes, done = std::move(done)](const boost::system::error_code& error) mutable {
        if (!error) look_whether_settled(view, timer, end, changes, std::move(done));
      });
}

void save_one(const MarketSeries& series, state::SeriesIndex index, std::string& bytes) {
  if (const Output* output = series.output(index)) series.save(*output, bytes);
}

void save_some(const WorkerView& view, std::vector<state::SeriesIndex> left, std::vector<std::string> entries,
               std::function<void(std::vector<std::string>)> done) {
  std::string& piece = entries.emplace_back();
  for (std::size_t i = 0; i < kSavedAtOnce && !left.empty(); ++i) {
    const auto found = view.outputs.find(left.back());
    if (found != view.outputs.end()) save_one(*found->second, left.back(), piece);
    left.pop_back();
  }
  if (left.empty()) return done(std::move(entries));
  boost::asio::post(view.io, [&view, left = std::move(left), entries = std::move(entries),
                              done = std::move(done)]() mutable {
    save_some(view, std::move(left), std::move(entries), std::move(done));
  });
}

}  // namespace

void ask_rows(const WorkerView& view, state::SeriesIndex first, std::size_t limit,
              std::function<void(SeriesRows)> done) {
  const auto asked = std::make_shared<RowsAsked>(RowsAsked{{}, first, limit, std::move(done)});
  asked->found.rows.reserve(std::min(limit, view.outputs.size()));
  collect_rows(view, asked);
}

std::vector<FeedRow> feed_rows(const WorkerView& view) {
  std::vector<FeedRow> rows;
  for (const auto& [key, runner] : view.runners)
    rows.push_back({key.exchange + ":" + key.market, runner->series_count(), runner->counters()});
  return rows;
}

void ask_subject(
    const WorkerView& view, const std::string& series,
    std::function<void(std::optional<SelfAudit::Subject>, std::optional<feeds::SeriesState>)> done) {
  look_for_subject(view, 0, series, std::move(done));
}

void ask_subject(const WorkerView& view, state::SeriesIndex series,
                 std::function<void(std::optional<SelfAudit::Subject>)> done) {
  copy_subject(view, series, std::make_shared<Subject>(), std::move(done));
}

void watch_changes(const WorkerView& view, const std::shared_ptr<Changes>& changes) {
  view.journal.listen([changes](std::string_view event, std::string_view series, std::string_view detail) {
    note(*changes, event, series, detail);
  });
}

void await_changes(const WorkerView& view, std::chrono::milliseconds longest,
                   const std::shared_ptr<Changes>& changes, std::function<void()> done) {
  look_whether_settled(view, std::make_shared<boost::asio::steady_timer>(view.io),
                       std::chrono::steady_clock::now() + longest, changes, std::move(done));
}

Changes all_of(const std::vector<std::shared_ptr<Changes>>& each) {
  Changes all;
  for (const auto& changes : each) {
    std::move(changes->added.begin(), changes->added.end(), std::back_inserter(all.added));
    std::move(changes->removed.begin(), changes->removed.end(), std::back_inserter(all.removed));
    std::move(changes->problems.begin(), changes->problems.end(), std::back_inserter(all.problems));
    all.settled = all.settled && changes->settled;
    all.stopped += changes->stopped;
  }
  for (auto* list : {&all.added, &all.removed, &all.problems}) {
    std::sort(list->begin(), list->end());
    list->erase(std::unique(list->begin(), list->end()), list->end());
  }
  if (all.stopped > 0) {
    all.problems.push_back(std::to_string(all.stopped) + " of " + std::to_string(all.added.size()) +
                           " series that were added are stopped: Redis holds signals of another "
                           "configuration; give the profile its former parameters or another name, or set "
                           "adopt = true in [redis] and restart");
  }
  return all;
}

std::vector<std::string> entries_of(const WorkerView& view) {
  std::vector<std::string> entries;
  for (const auto& [index, series] : view.outputs) save_one(*series, index, entries.emplace_back());
  return entries;
}

void ask_entries(const WorkerView& view, std::function<void(std::vector<std::string>)> done) {
  std::vector<state::SeriesIndex> all;
  all.reserve(view.outputs.size());
  for (const auto& [index, series] : view.outputs) all.push_back(index);
  save_some(view, std::move(all), {}, std::move(done));
}

}  // namespace atcd::daemon
