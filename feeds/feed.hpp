#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "feeds/exchange.hpp"

namespace atcd::feeds {

class AddressLimits;

/// A caller's number for one stream (symbol and interval) of one feed.
using StreamIndex = std::uint32_t;

/// How a feed reaches its exchange, and how much of the REST limits it may use.
struct FeedOptions {
  std::string websocket_url;  // scheme://host:port instead of the exchange's own; empty: its own
  std::string rest_url;
  std::string ca_file;      // trusted instead of the system's; empty: the system's
  double rest_share = 0.5;  // of each REST limit, above 0, at most 1
  // Shared with the other feeds of this address; null: this feed has them alone, with rest_share.
  std::shared_ptr<AddressLimits> limits{};
};

enum class Severity : std::uint8_t { debug, info, warning, error };

/// Why a REST request did not bring what it asked for.
enum class RestError : std::uint8_t {
  none,
  network,
  timeout,
  http_status,
  refused_location,
  banned,
  bad_body,
  bad_rows  // some rows of a page are no bars: the others were read
};

/// REST may show a bar as it was before its last trades, but not for longer.
inline constexpr std::int64_t kRestBehindMs = 15'000;

/// A page of REST history, or why there is none. The last row may be of the bar that still runs.
struct HistoryResult {
  RestError error = RestError::none;
  std::string message;              // a sentence, empty when all is well
  std::vector<engine::Bar> rows;    // oldest first, contiguity not promised
  std::int64_t server_time_ms = 0;  // the exchange's clock when it answered, as ExchangeClock believes it; 0:
                                    // unknown
  std::int64_t from_ms = 0;         // open time of the first row that was asked for; 0: not told
  std::vector<std::int64_t> unusable_ms{};  // with bad_rows: open times of those that are left out of `rows`
};

/// The exchange's list of symbols, or why there is none.
struct SymbolsResult {
  RestError error = RestError::none;
  std::string message;
  std::vector<SymbolInfo> symbols;
  std::int64_t server_time_ms = 0;  // the exchange's clock when it answered (Date header); 0: unknown
};

/// Told what a feed sees, on the feed's thread. Calls are made from the feed's io_context only.
class FeedHandler {
 public:
  /// A bar of one of the feed's streams; `received_us`: UTC when the frame was read.
  virtual void on_kline(StreamIndex stream, const Kline& kline, std::int64_t received_us) = 0;
  /// A trade of one of the feed's streams of trades.
  virtual void on_trade(StreamIndex stream, const Trade& trade, std::int64_t received_us) = 0;
  /// The exchange took the subscription on a new connection: from now on no frame is missed while it lives.
  virtual void on_stream_up(StreamIndex stream) = 0;
  /// Of a stream of trades without numbers, which stays up: one may be missing between those told so far and
  /// those told from now on. Another connection tells them now, or a frame could not be understood.
  virtual void on_trades_interrupted(StreamIndex stream) = 0;
  /// The connection that carried the stream is gone and no other carries it: frames may be missed from here
  /// on.
  virtual void on_stream_down(StreamIndex stream, std::string_view reason) = 0;
  /// The exchange refused the subscription.
  virtual void on_stream_refused(StreamIndex stream, std::string_view reason) = 0;
  /// Something for the log: `event` is a short fixed name, `detail` has key=value pairs.
  virtual void on_feed_event(Severity severity, std::string_view event, std::string_view detail) = 0;

 protected:
  ~FeedHandler() = default;
};

/// Why a connection was made: the first of its streams; the one before ended, was to be cut by the exchange,
/// or carried only silent streams.
enum class ConnectReason : std::uint8_t { start, lost, hand_over, stale };
inline constexpr std::array<std::string_view, 4> kConnectReasons = {"start", "lost", "hand_over", "stale"};
static_assert(static_cast<std::size_t>(ConnectReason::stale) + 1 == kConnectReasons.size());

/// Counters of one feed since its start, for logs and metrics. Nothing is dropped uncounted.
struct FeedCounters {
  std::uint64_t connects = 0, disconnects = 0, frames = 0, bytes = 0, klines = 0, trades = 0, ignored = 0,
                malformed = 0, refusals = 0, unknown_streams = 0, rest_requests = 0, rest_errors = 0;
  std::array<std::uint64_t, kConnectReasons.size()> connects_for{};  // of connects, by reason
  std::int64_t last_frame_us = 0;  // when the last frame was read, UTC; 0: none yet
  std::uint64_t passed_over = 0;   // trades without numbers from a connection that is not the one listened to
};

/// All connections and REST requests of one exchange and market: spreads streams over connections, subscribes
/// in batches, reconnects with jittered backoff, hands over before the exchange's cut, keeps within the
/// limits. Lives on one io_context, used from its thread only.
class Feed {
 public:
  Feed(boost::asio::io_context& io, const Exchange& exchange, FeedOptions options, FeedHandler& handler);
  ~Feed();

  /// Streams may be added and removed at any time; others are not touched.
  void add(StreamIndex stream, const StreamName& name);
  void remove(StreamIndex stream);
  /// For a stale stream: subscribes it anew; on a fresh connection where none of this one's tells anything.
  void resubscribe(StreamIndex stream);
  void stop();

  /// Asks for one page of history (at most history_rows_per_request rows; also of an interval that is folded
  /// from others, both feeds/interval_source.hpp); waits its turn within
  /// the limits, lower `priority` first. The callback comes from the io_context, never from inside this call,
  /// and not after stop().
  void fetch_history(const HistoryRequest& request, int priority, std::function<void(HistoryResult)> done);
  /// Asks for the exchange's symbols, with 24 h volumes when `with_volumes`.
  void fetch_symbols(bool with_volumes, std::function<void(SymbolsResult)> done);

  /// While held REST requests only wait.
  void hold_rest(bool held);

  const FeedCounters& counters() const;
  struct Connections {
    std::size_t open = 0, wanted = 0;  // those of a hand-over's second connection not counted
  };
  Connections connections() const;
  /// What the exchange's clock shows at that time of the monotonic one, in UTC milliseconds, by what its
  /// frames and answers tell (feeds/exchange_time.hpp). Empty until it has told its time.
  std::optional<std::int64_t> exchange_ms(std::int64_t monotonic_ms) const;
  /// When that of its connections that is behind the others last gave a sign: a frame, a ping, an answer to a
  /// ping, a connect, or the time of the next connect while that lies ahead. An exchange that is silent or
  /// away does not age it by more than a minute, for then a connection is given up and another tried; only a
  /// connection that nobody reads or replaces any more does. At most `now`; `now` where there is no
  /// connection.
  std::chrono::steady_clock::time_point last_sign(std::chrono::steady_clock::time_point now) const;
  /// How long the queued REST requests will take within the limits.
  std::chrono::milliseconds estimated_rest_time() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atcd::feeds
