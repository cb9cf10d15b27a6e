#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/feed_runner.hpp"
#include "daemon/journal.hpp"
#include "daemon/market_series.hpp"
#include "daemon/self_audit.hpp"
#include "daemon/series_rows.hpp"
#include "state/publisher.hpp"

namespace atcd::daemon {

/// What a question may look at on the worker's thread.
struct WorkerView {
  boost::asio::io_context& io;
  Journal& journal;
  const std::map<state::SeriesIndex, MarketSeries*>& outputs;
  const FeedRunners& runners;
  const state::Publisher& publisher;
};

// Questions, to be put with Worker::ask(). They are answered on the worker's thread, some series at a time,
// behind whatever else is ready to run: bars and signals go first.

/// At most `limit` series from the number `first` on.
void ask_rows(const WorkerView& view, state::SeriesIndex first, std::size_t limit,
              std::function<void(SeriesRows)> done);
std::vector<FeedRow> feed_rows(const WorkerView& view);
/// What the newest signal of the series is computed from, empty where there is no signal yet; and its state,
/// empty where there is none of this name.
void ask_subject(
    const WorkerView& view, const std::string& series,
    std::function<void(std::optional<SelfAudit::Subject>, std::optional<feeds::SeriesState>)> done);
/// The same by the series' number, of the bars that are held in memory.
void ask_subject(const WorkerView& view, state::SeriesIndex series,
                 std::function<void(std::optional<SelfAudit::Subject>)> done);

/// From now on `changes` collects what is added, removed and refused.
void watch_changes(const WorkerView& view, const std::shared_ptr<Changes>& changes);
/// Ends the collecting, and calls `done`, when no list of an exchange is waited for any more, nor what Redis
/// holds of the series that were added, or after so long.
void await_changes(const WorkerView& view, std::chrono::milliseconds longest,
                   const std::shared_ptr<Changes>& changes, std::function<void()> done);

/// Of all workers, each thing once: workers tell the same of one exchange.
Changes all_of(const std::vector<std::shared_ptr<Changes>>& each);

/// The entries of all engines for a snapshot.
void ask_entries(const WorkerView& view, std::function<void(std::vector<std::string>)> done);
/// The same at once.
std::vector<std::string> entries_of(const WorkerView& view);

}  // namespace atcd::daemon
