#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "daemon/config.hpp"
#include "daemon/journal.hpp"
#include "daemon/market_series.hpp"
#include "daemon/share.hpp"
#include "daemon/symbols.hpp"
#include "daemon/worker_report.hpp"
#include "feeds/address_limits.hpp"
#include "feeds/feed.hpp"
#include "feeds/stream_router.hpp"
#include "state/publisher.hpp"

namespace atcd::daemon {

class Bulk;

/// Which Feed a [[feed]] block runs on: blocks of one exchange, market and address share connections, limits
/// and bars.
struct FeedKey {
  std::string exchange, market, websocket_url, rest_url, ca_file;
  auto operator<=>(const FeedKey&) const = default;
  static FeedKey of(const FeedConfig& config);
};

/// Numbers published series; shared by all feeds of a worker.
class SeriesNumbers {
 public:
  state::SeriesIndex take() { return next_++; }

 private:
  state::SeriesIndex next_ = 0;
};

class FeedRunner;
using FeedRunners = std::map<FeedKey, std::unique_ptr<FeedRunner>>;

/// One Feed with its series: resolves symbols, adds and removes series, hands the feed's news to them.
class FeedRunner final : public feeds::FeedHandler, private feeds::StreamRouter::Streams {
 public:
  struct Context {
    boost::asio::io_context& io;
    state::Publisher& publisher;
    Journal& journal;
    BarArchive& archive;
    SeriesNumbers& numbers;
    feeds::AddressBook& addresses;
    Share share;
    UpdateTimes& update_times;
    Bulk& bulk;
    /// A published series begins and ends: the worker keeps the way from its number to it.
    std::function<void(state::SeriesIndex, MarketSeries*)> on_output;
    /// Bars were closed: prepare() is wanted once the hot path is done.
    std::function<void()> on_work;
    const FeedRunners& feeds;  // the worker's, this one among them
  };

  FeedRunner(const Context& context, const FeedKey& key);
  ~FeedRunner();

  /// The blocks of the configuration that run here, and the profiles they name. Series in none of them are
  /// removed.
  void configure(std::vector<FeedConfig> blocks, std::vector<ProfileConfig> profiles);
  /// Removes every series, also from the catalogue: the configuration has no block that runs here any more.
  /// Returns what was counted.
  FeedReport retire();
  void stop();

  bool has(const feeds::StreamName& name) const { return series_.contains({name.symbol, name.interval}); }

  /// The series are there, as far as they can be without the exchange.
  bool resolved_once() const { return resolved_once_; }
  /// What the patterns of the configuration take is not waited for any more, and what the last run left is
  /// taken up: there are as many series as there will be, but for what is new.
  bool begun() const;
  /// The exchange's list is not waited for, nor is anything still to be taken up from the disk.
  bool settled() const { return resolving_ == 0 && known_.empty(); }
  std::size_t series_count() const { return series_.size(); }
  const feeds::FeedCounters& counters() const { return feed_->counters(); }
  const feeds::Exchange& exchange() const { return exchange_; }
  /// By so many milliseconds the exchange's clock is ahead of ours. Empty: not known.
  std::optional<std::int64_t> clock_offset_ms() const;
  /// As Feed's.
  std::chrono::steady_clock::time_point last_sign(std::chrono::steady_clock::time_point now) const {
    return feed_ ? feed_->last_sign(now) : now;
  }
  FeedReport report() const;

  /// Asks the exchange for what is missing: what is known from earlier runs comes first, without it.
  void fill();
  void on_timer();
  void prepare();

  // feeds::FeedHandler
  void on_kline(feeds::StreamIndex stream, const feeds::Kline& kline, std::int64_t received_us) override;
  void on_trade(feeds::StreamIndex stream, const feeds::Trade& trade, std::int64_t received_us) override;
  void on_trades_interrupted(feeds::StreamIndex stream) override;
  void on_stream_up(feeds::StreamIndex stream) override;
  void on_stream_down(feeds::StreamIndex stream, std::string_view reason) override;
  void on_stream_refused(feeds::StreamIndex stream, std::string_view reason) override;
  void on_feed_event(feeds::Severity severity, std::string_view event, std::string_view detail) override;

 private:
  struct Wanted {  // one output that the configuration asks for
    const FeedConfig* block;
    const ProfileConfig* profile;
    feeds::SymbolInfo symbol;
    std::string interval;
  };

  bool owns(std::string_view symbol) const { return context_.share.owns(key_.exchange, key_.market, symbol); }
  void begin_with_known();
  void find_known();
  void begin_with_some();
  void go_on_without_list();
  void replay_missing(std::span<const Wanted> begun);
  void ask_for_list();
  bool wants_volumes() const;
  void resolve();
  void tell_listing(std::span<const feeds::SymbolInfo> symbols);
  void resolved(const feeds::SymbolsResult& result);
  std::vector<Wanted> wanted(const feeds::SymbolsResult& result, bool listed);
  ResolvedSymbols resolve_without_list(const FeedConfig& block) const;
  void tell_unresolved(std::span<const Unresolved> unresolved);
  bool runs(const Wanted& output) const;
  FeedRunner* other_holder(const feeds::StreamName& name) const;
  bool refuse(const Wanted& output);
  bool ran_last(const Wanted& output) const;
  bool asked_for(const MarketSeries& series, const Output& output, bool as_it_is) const;
  void check_instrument(const Wanted& output);
  void check_beginning(const Wanted& output, std::int64_t exchange_time_ms);
  void end(MarketSeries& series);
  void apply(std::span<const Wanted> wanted_outputs, bool listed, std::int64_t exchange_time_ms);
  MarketSeries& series_for(const Wanted& output, std::int64_t exchange_time_ms);
  feeds::StreamName listens_to(const Wanted& output, const engine::Interval& interval) const;
  engine::SeriesId id_of(const Wanted& output) const;
  void remove_unwanted(std::span<const Wanted> wanted_outputs, bool listed, bool leavers_known);
  void bar_came(MarketSeries& series);
  void compare_next(bool whoever);
  void trim();
  void count_lag(std::int64_t event_time_ms, std::int64_t received_us);

  // feeds::StreamRouter::Streams
  void add(feeds::StreamIndex stream, const feeds::StreamName& name) override { feed_->add(stream, name); }
  void remove(feeds::StreamIndex stream) override { feed_->remove(stream); }
  void resubscribe(feeds::StreamIndex stream) override { feed_->resubscribe(stream); }

  Context context_;
  FeedKey key_;
  const feeds::Exchange& exchange_;
  std::unique_ptr<feeds::Feed> feed_;
  std::vector<FeedConfig> blocks_;
  std::vector<ProfileConfig> profiles_;
  std::map<std::string, std::shared_ptr<const engine::Plan>> plans_;  // by configuration hash
  feeds::StreamRouter router_{*this};
  std::map<std::pair<std::string, std::string>, std::unique_ptr<MarketSeries>> series_;  // symbol, interval
  std::map<std::string, std::chrono::steady_clock::time_point> leaving_;  // not in the list any more, since
  std::vector<Wanted> known_;                         // what the start takes up from the disk; empty: it has
  std::size_t begun_known_ = 0;                       // of these
  std::size_t replayed_ = 0;                          // engines that no snapshot had, at the start
  std::map<std::string, feeds::StreamName> refused_;  // by their names: series that another feed has
  std::vector<MarketSeries*> unstarted_;              // made, but not subscribed yet
  std::vector<MarketSeries*> dirty_;                  // bars came; to be prepared for the next
  std::pair<std::string, std::string> compared_;      // the series that was compared last
  std::int64_t ticks_ = 0;
  state::LatencyHistogram event_lag_;
  FeedReport ended_;  // what series that went had counted
  boost::asio::steady_timer refresh_timer_;
  std::chrono::milliseconds refresh_ = std::chrono::hours(24);  // of the list
  std::chrono::steady_clock::time_point resolved_at_{};
  /// Of the exchange: waited for since the configuration was read, done without, or there.
  enum class List : std::uint8_t { awaited, missing, known };
  List list_ = List::awaited;
  std::chrono::steady_clock::time_point list_awaited_at_{};
  bool resolved_once_ = false;
  int failed_resolutions_ = 0;
  int resolving_ = 0;                  // lists that were asked for
  std::shared_ptr<FeedRunner*> self_;  // null once stopped: what was posted, and the timer, look here
};

}  // namespace atcd::daemon
