// How a start takes up what earlier runs left, before the exchange is asked for anything.
#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <set>
#include <utility>

#include "daemon/bulk.hpp"
#include "daemon/feed_runner.hpp"

namespace atcd::daemon {
namespace {

// Answers of Redis wait so long as these take, and its first signal needs several.
constexpr std::size_t kKnownAtOnce = 32;
// Of these in one go: a worker that computes for seconds looks dead. The rest is replayed when it is asked
// for.
constexpr std::size_t kMostBatches = 4;
// A list that comes at all is there by then.
constexpr std::chrono::seconds kLongestAwaitedList{10};

}  // namespace

/// A start does not wait for the exchange's list where symbols are named outright and an earlier run knew
/// them.
void FeedRunner::begin_with_known() {
  find_known();
  if (known_.empty()) return resolve();
  feed_->hold_rest(true);
  begin_with_some();
}

/// What runs already may be among it: it is passed over when its turn comes.
void FeedRunner::find_known() {
  begun_known_ = 0;
  known_ = wanted({}, false);
  std::erase_if(known_, [this](const Wanted& each) {
    return !owns(each.symbol.symbol) ||
           !context_.archive.has_bars(archive_name(exchange_, {each.symbol.symbol, each.interval}));
  });
}

bool FeedRunner::begun() const {
  const bool awaits_list =
      list_ == List::awaited && std::any_of(blocks_.begin(), blocks_.end(), has_patterns);
  return !awaits_list && known_.empty();
}

/// What a pattern takes only the list tells, and the exchange may shut an address out for days: then those
/// go on that ran until the end of the run before. Once the list is there it decides.
void FeedRunner::go_on_without_list() {
  if (begun() || !known_.empty()) return;
  if (std::chrono::steady_clock::now() - list_awaited_at_ < kLongestAwaitedList) return;
  list_ = List::missing;
  find_known();
  if (known_.empty()) return;
  context_.journal.event(Level::warning, "symbols_failed", "",
                         "the exchange's list is awaited still: what its patterns had in the run before this "
                         "one goes on without it");
  begin_with_some();
}

void FeedRunner::fill() { feed_->hold_rest(false); }

/// Some at a time: Redis is busy with the first while the next are taken up from the disk.
void FeedRunner::begin_with_some() {
  const std::size_t end = std::min(begun_known_ + kKnownAtOnce, known_.size());
  const auto these = std::span(known_).subspan(begun_known_, end - begun_known_);
  begun_known_ = end;
  apply(these, false, 0);
  replay_missing(these);
  if (end < known_.size()) {
    boost::asio::post(context_.io, [self = self_] {
      if (*self != nullptr && !(*self)->known_.empty()) (*self)->begin_with_some();
    });
    return;
  }
  known_.clear();
  resolved_once_ = true;
  std::size_t count = 0, resumed = 0;
  for (const auto& [name, series] : series_) {
    for (const auto& output : series->outputs()) {
      ++count;
      resumed += output->resumed ? 1U : 0U;
    }
  }
  context_.journal.log(Level::info, "restored", key_.exchange + ":" + key_.market,
                       "series=" + std::to_string(count) + " engines=" + std::to_string(resumed - replayed_) +
                           " replayed=" + std::to_string(replayed_));
  if (list_ == List::awaited) resolve();
}

/// Engines that no snapshot had, of the series that just began: as few batches as memory allows, on all
/// processors, before anybody asks for their signals one by one.
void FeedRunner::replay_missing(std::span<const Wanted> begun) {
  std::set<MarketSeries*> begun_series;
  for (const Wanted& each : begun) {
    if (const auto found = series_.find({each.symbol.symbol, each.interval}); found != series_.end())
      begun_series.insert(found->second.get());
  }
  std::vector<MarketSeries::MissingEngine> missing;
  std::vector<std::shared_ptr<ReplayJob>> jobs;
  std::size_t bars = 0, batches = 0;
  const auto replay = [&] {
    context_.bulk.compute(jobs);
    for (const MarketSeries::MissingEngine& each : missing) {
      if (!each.series->take_up(each)) continue;
      ++replayed_;
      context_.bulk.taken_up();
    }
    missing.clear();
    jobs.clear();
    bars = 0;
    ++batches;
  };
  for (MarketSeries* series : begun_series) {
    if (batches == kMostBatches) return;
    series->missing_engines(missing);
    for (std::size_t i = jobs.size(); i < missing.size(); ++i) {
      bars += missing[i].job->closes.size();
      jobs.push_back(missing[i].job);
    }
    if (bars >= Bulk::kMostBars) replay();
  }
  if (!jobs.empty()) replay();
}

}  // namespace atcd::daemon
