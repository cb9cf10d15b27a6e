#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/bar_archive.hpp"
#include "daemon/bar_doubt.hpp"
#include "daemon/config.hpp"
#include "daemon/conflict.hpp"
#include "daemon/journal.hpp"
#include "daemon/self_audit.hpp"
#include "daemon/signal_series.hpp"
#include "daemon/stored_fold.hpp"
#include "daemon/update_times.hpp"
#include "feeds/feed.hpp"
#include "feeds/fold.hpp"
#include "feeds/series.hpp"
#include "feeds/stream_router.hpp"
#include "feeds/trade_bars.hpp"
#include "state/publisher.hpp"

namespace atcd::daemon {

/// One published series: a profile's view of a market series.
struct Output {
  /// `hash`: config_hash of the profile.
  Output(state::SeriesIndex series_index, const ProfileConfig& profile_config, std::string hash,
         std::shared_ptr<const engine::Plan> plan, const engine::Interval& interval, engine::SeriesId id);

  state::SeriesIndex index;
  ProfileConfig profile;
  std::string config;  // its hash
  engine::SeriesId id;
  std::string name;
  SignalSeries signals;
  feeds::SeriesState state = feeds::SeriesState::ended;  // as last written; ended: not yet
  std::int64_t anchor_ms = 0;                            // of the last published signal
  bool provisional = false;                              // each update of the running bar gives a signal
  std::optional<std::int64_t> waits_for;                 // ordinal: bars from this slot on are being fetched
  bool resumed = false;  // its engine goes on from what the archive had: from a snapshot, or replayed at once
  std::int64_t published_ms = 0;  // close of the newest bar that Redis acknowledged in this run; 0: none
  std::int64_t lag_ms = 0;        // from that close to the acknowledgement
};

/// One symbol and interval of one feed: its bars, and the signals of every profile over them. Wires the
/// feed's frames to the engine to the publisher on one thread; everything else about it happens after that.
class MarketSeries final : public feeds::SeriesHandler,
                           public feeds::StreamListener,
                           public feeds::TradeBarsHandler {
 public:
  struct Context {
    feeds::Feed& feed;
    feeds::StreamRouter& router;
    const feeds::Exchange& exchange;
    state::Publisher& publisher;
    Journal& journal;
    BarArchive& archive;
    UpdateTimes& update_times;
    Replays& replays;
    /// Bars came: prepare() is wanted. Not again before it.
    std::function<void(MarketSeries&)> on_bars;
    /// Its stream is silent: what does the exchange's list say?
    std::function<void()> on_silence;
    /// The feed's series of this symbol and interval; null: there is none.
    std::function<const MarketSeries*(const std::string& symbol, const std::string& interval)> sibling;
  };

  /// `listens_to`: the stream that brings the bars: its own, or that of a shorter interval from which they
  /// are folded, or that of the symbol's trades. `from_ms`: a time inside the first slot whose bar is wanted.
  /// What the archive has is taken up here.
  MarketSeries(Context context, feeds::StreamName name, feeds::StreamName listens_to,
               const engine::Interval& interval, std::int64_t from_ms);
  ~MarketSeries();

  void add_output(std::unique_ptr<Output> output, const feeds::SymbolInfo& symbol);
  void remove_output(state::SeriesIndex index);
  /// What the exchange's list says of the symbol of an output that is there.
  void describe(const Output& output, const feeds::SymbolInfo& symbol);
  const std::vector<std::unique_ptr<Output>>& outputs() const { return outputs_; }
  Output* output(state::SeriesIndex index) const;

  /// Brings to Redis what it lacks of the bars that the archive had, subscribes and asks for history; but
  /// first folds from a shorter interval's history what would need many requests.
  void start();
  /// An engine that no snapshot had, and what it must have taken to stand where the history ends.
  struct MissingEngine {
    MarketSeries* series;
    Output* output;
    std::shared_ptr<ReplayJob> job;
  };
  /// Appends its own: right after the outputs were added, before any bar comes.
  void missing_engines(std::vector<MissingEngine>& missing);
  /// One of these was computed. False where it was not: it is when it is needed.
  bool take_up(const MissingEngine& computed);
  /// Subscribes to nothing any more, and leaves its bars to the archive: the last call.
  void leave();
  FeedSource source() const {
    return listens_to_.kind() == feeds::StreamKind::trades ? FeedSource::trades : FeedSource::klines;
  }
  /// Of the other source: trades instead of klines, or klines instead of trades. The bars that are there
  /// stay; what is missed meanwhile comes over REST.
  void take_bars_from(feeds::StreamName stream);

  // feeds::StreamListener
  void on_kline(const feeds::Kline& kline, std::int64_t received_us) override;
  void on_trade(const feeds::Trade& trade, std::int64_t received_us) override;
  void on_trades_interrupted() override;
  void on_stream_up() override;
  void on_stream_down(std::string_view reason) override;
  void on_stream_refused(std::string_view reason) override;

  void set_listing(feeds::Listing listing);
  /// About once a second.
  void on_timer();
  /// Asks the exchange for recent bars, to compare them with those that were made here. False where there is
  /// nothing to compare.
  bool compare_with_exchange();
  /// A bar may have been corrected, and the exchange's REST shows it by now.
  bool comparison_presses() const;
  /// After the hot path: what can be done before the next bar.
  void prepare();
  /// Forgets bars that no anchor can need any more, once all are published.
  void trim();
  /// Takes up what the archive has of the bars that the output's newest signal is computed from: an engine
  /// that goes on from a snapshot has not needed them.
  void read_archive(const Output& output);
  /// Copies what there is to audit of the output to a subject that was empty before the first call, at most
  /// kCopiedAtOnce bars: no bar waits until years of them are copied. Where bars other than new ones came
  /// since the call before it begins anew.
  enum class Copied : std::uint8_t { some, all, nothing };
  Copied copy_subject(const Output& output, SelfAudit::Subject& subject) const;
  static constexpr std::size_t kCopiedAtOnce = 1024;
  /// Appends the output's engine to the pieces of a snapshot.
  void save(const Output& output, std::string& bytes) const;

  // For the publisher.
  state::HistoryAnswer signals_after(Output& output, std::int64_t after_close_ms, std::size_t limit,
                                     std::vector<state::SignalRecord>& records);
  /// The exchange is asked until its answer proves something; the publisher is told what came of it, or after
  /// some seconds to go on without.
  void check_against_exchange(state::SeriesIndex index, std::int64_t close_ms);

  const feeds::StreamName& name() const { return name_; }
  /// Close of the last bar that it has had; 0: none.
  std::int64_t end_ms() const { return series_.bars().empty() ? 0 : series_.bars().back().close_time_ms; }
  /// No bar that it has had closed before this time.
  std::int64_t first_close_ms() const {
    return series_.bars().empty() ? trimmed_close_ms_
                                  : std::min(trimmed_close_ms_, series_.bars().front().close_time_ms);
  }
  const feeds::Series& series() const { return series_; }
  feeds::SeriesState state_of(const Output& output) const;
  /// Whatever its state is, nothing of it is published: Redis holds another configuration's signals.
  bool stopped(const Output& output) const { return context_.publisher.stopped(output.index); }

  // feeds::TradeBarsHandler
  void on_built(const feeds::Kline& kline, bool whole, std::int64_t received_us) override;

  // feeds::SeriesHandler
  void on_bar(const engine::Bar& bar, std::int64_t received_us) override;
  void on_correction(const engine::Bar& before, const engine::Bar& now, std::int64_t received_us) override;
  void on_conflict(const engine::Bar& used, const engine::Bar& other) override;
  void on_confirmed(const engine::Bar& used) override;
  void on_unproven() override;
  void on_state(feeds::SeriesState state, std::string_view reason) override;
  void on_earlier(std::span<const engine::Bar> bars, std::int64_t covered_from_ms) override;
  void on_covered() override;
  void fetch(std::int64_t from_ms, std::int64_t to_ms, int priority) override;
  void resubscribe() override;
  void ask_listing() override;

 private:
  feeds::Now now() const;
  BarHistory known() const { return {series_.bars(), series_.covered_from(), late_}; }
  /// All that the archive has too.
  BarHistory history();
  state::SignalRecord record(const Output& output, std::size_t index, const AnchoredSignal& computed,
                             std::int64_t received_us) const;
  FoldQuestion fold_question() const;
  void compare_fold(state::StoredBars folded);
  void begin();
  void begin_with(state::StoredBars folded);
  void take(const feeds::Kline& kline, bool whole, std::int64_t received_us);
  static feeds::SeriesRules rules_for(const feeds::Exchange& exchange, const engine::Interval& interval,
                                      const feeds::StreamName& listens_to);
  void make_builder();
  void bars_came();
  void tell_lost_trades();
  /// `before`: what it corrects; null: a bar that has just closed.
  void publish(Output& output, const AnchoredSignal& computed, std::int64_t received_us,
               const engine::Bar* before = nullptr);
  void preview(const engine::Bar& forming, std::int64_t received_us);
  void preview_what_waits();
  void restore();
  std::string_view resume_engine(Output& output, const state::SnapshotEntry& entry);
  void archive(const engine::Bar& bar);
  void confirm_told(const engine::Bar& corrected);
  void told_otherwise(const engine::Bar& used, const engine::Bar& told, const std::string& sentence);
  void ask_again_soon(const engine::Bar& told);
  void ask_again_from(std::int64_t slot);
  void ask_for_last_tellings();
  void ask_again();
  void correct_archived(const engine::Bar& bar);
  bool is_newest(std::int64_t after_close_ms) const;
  bool can_answer() const { return loaded_ || restored_; }
  /// The stream brings no bars of this interval.
  bool made_here() const { return trades_ || fold_; }
  /// Bars are published as they close.
  bool goes_on() const { return loaded_ || alone_; }
  void keep_back();
  void go_on_alone();
  void write_state(Output& output, std::string_view reason);
  bool reach_back(Output& output, std::int64_t ordinal);
  void read_back_to(std::int64_t ordinal);
  void reach_anchor(Output& output);
  void resume_covered();
  void resume(const Output& output);

  // What Redis and we tell differently, in market_series_conflict.cpp.
  /// About one bar of one output.
  struct Question {
    state::SeriesIndex index;
    std::int64_t open_ms;
    std::int64_t held_to_ms;        // monotonic: so long the publisher waits for the answer; 0: it does not
    std::int64_t ask_at_ms;         // monotonic
    int asked = 0;                  // times
    bool asking = false;            // a request is on its way
    std::uint64_t corrections = 0;  // of the bars, when it was made
  };
  void look_at_questions();
  void tell(Level level, const Question& question, const std::string& sentence);
  void ask(Question& question);
  void on_answer(state::SeriesIndex index, std::int64_t open_ms, const feeds::HistoryResult& result);
  void settle(const Question& question, Verdict told, const feeds::HistoryResult& result);

  Context context_;
  feeds::StreamName name_;
  feeds::StreamName listens_to_;
  feeds::Series series_;
  std::optional<feeds::FrameFold> fold_;    // of the bars that the stream brings, or
  std::optional<feeds::TradeBars> trades_;  // of its trades; neither: its bars are taken as they are
  feeds::TradeBarsCounters told_trades_;    // as the log has them
  std::uint64_t late_trades_ = 0;           // for which REST was to be asked
  std::int64_t told_trades_ms_ = 0;         // monotonic
  bool comparing_ = false;                  // the exchange was asked for bars that are here
  BarDoubt doubt_;                          // whether the newest bars are the exchange's
  std::vector<std::unique_ptr<Output>> outputs_;
  std::vector<engine::Bar> scratch_;
  // Callbacks of requests that outlive the series find it gone.
  std::shared_ptr<MarketSeries*> self_;
  std::string archive_name_;
  BarArchive::Handle archived_ = 0;
  state::Instrument instrument_;  // of which the bars are
  std::int64_t from_ms_;
  std::int64_t trimmed_close_ms_ = std::numeric_limits<std::int64_t>::max();  // as first_close_ms()
  std::vector<state::LateBar> late_;            // of the bars, in the order in which they came
  std::optional<std::int64_t> ask_again_from_;  // ordinal of the first that is not confirmed yet
  std::int64_t ask_again_at_ms_ = 0;            // monotonic
  std::uint64_t corrections_ = 0;               // of the bars, in all runs
  struct Forming {
    engine::Bar bar;
    std::int64_t received_us;
  };
  std::optional<Forming> waiting_preview_;  // the newest; the one before it was told just now
  std::int64_t previewed_at_ms_ = 0;        // monotonic
  bool begun_ = false;                      // subscribed: what could be folded is
  bool told_ = false;                       // that bars came
  bool complete_ = false;                   // the archive has nothing more that is wanted
  std::optional<std::int64_t> read_to_;     // ordinal: back to here it was read; before, it is as it was
  bool restored_ = false;  // the archive had bars, or others' bars were folded: history answers for streams
                           // that have begun
  bool loaded_ = false;    // the series was live once: history answers
  // Before that what closes is kept back, to be published as live, but for some seconds only: REST may be
  // away for hours, and what follows the bars of the run before is no less certain than after any other
  // interruption.
  std::int64_t kept_back_since_ms_ = 0;  // monotonic; 0: nothing is
  bool alone_ = false;                   // so long was waited
  std::vector<Question> questions_;
};

}  // namespace atcd::daemon
