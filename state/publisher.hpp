#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "state/group_sizes.hpp"
#include "state/latency_histogram.hpp"
#include "state/redis_url.hpp"
#include "state/signal_record.hpp"
#include "state/tls_source.hpp"

namespace atcd::state {

/// A caller's number for one published series.
using SeriesIndex = std::uint32_t;

/// Where signals go, and what every publisher of the daemon has in common.
struct RedisOptions {
  RedisUrl url;
  TlsSource tls;                  // for a URL that asks for it
  std::string prefix = "atc";     // of every key and channel
  std::int64_t keep = 500;        // entries that Redis keeps of each series' stream
  bool adopt = false;             // continue streams that were begun with another configuration
  std::string instance = "main";  // the daemon's name: of its heartbeat and of the states that it tells
  /// Which series of the instance are this publisher's: others are published by another thread of the daemon.
  std::function<bool(std::string_view series)> owns = [](std::string_view) { return true; };
  std::shared_ptr<GroupSizes> group_sizes = std::make_shared<GroupSizes>();  // of all the daemon's publishers
  std::chrono::milliseconds command_timeout{5000};
};

/// What was asked of the past, and what it answers.
enum class HistoryAnswer : std::uint8_t {
  records,  // the records were appended (none: nothing newer exists)
  wait,     // the bars are being fetched: Publisher::resume(series) will be called
  again,    // computing them takes long: to be asked again, behind whatever else is ready
};

/// History is the outbox: the daemon recomputes the signals of closed bars on demand.
class SignalHistory {
 public:
  /// Appends to `records`, in order, at most `limit` signals of the closed bars after `after_close_ms`. With
  /// after_close_ms = 0 (the stream is empty): only the last closed bar. Where bars between can't be had any
  /// more the first record after them has gap_from_ms.
  virtual HistoryAnswer signals_after(SeriesIndex series, std::int64_t after_close_ms, std::size_t limit,
                                      std::vector<SignalRecord>& records) = 0;
  /// Redis has this closed bar with other prices than ours, or we have no such bar. The daemon re-reads it
  /// from the exchange and calls Publisher::answered; where that takes long Publisher::resume in the
  /// meantime.
  virtual void on_different(SeriesIndex series, std::int64_t close_ms) = 0;

 protected:
  ~SignalHistory() = default;
};

/// What PublishHandler is told. Of a connection:
enum class PublishEvent : std::uint8_t {
  connected,
  disconnected,
  refused,         // Redis answered with an error
  instance_taken,  // another daemon beats under this one's name
  moved,           // in a cluster: series are with another server from now on
  // Of a series:
  stopped,     // Redis holds signals of another configuration: nothing is published
  conflict,    // Redis holds something else for one of our bars
  published,   // an entry was added
  same,        // what we have was there already
  behind,      // Redis lacks bars before the one that was sent, or has the one before corrected
  unknown,     // Redis is at this bar or past it, and has no entry of it
  backfilled,  // what Redis lacked has been sent
};

/// Told what happens, for logs and counters; called on the publisher's thread.
class PublishHandler {
 public:
  /// `series` is empty where the event concerns the connection; `detail` has key=value pairs.
  virtual void on_publish_event(PublishEvent event, std::string_view series, std::string_view detail) = 0;
  /// A record was acknowledged: from here on it is in Redis.
  virtual void on_published(SeriesIndex series, std::int64_t close_ms, std::int64_t rev) = 0;

 protected:
  ~PublishHandler() = default;
};

/// Answers of Redis and what else happened, since the start. They belong to the publisher's thread.
struct PublishCounters {
  std::uint64_t added = 0, same = 0, different = 0, behind = 0, unknown = 0, errors = 0, connects = 0,
                disconnects = 0, timeouts = 0, pushes = 0, events_dropped = 0;
  std::uint64_t conflicts = 0;  // Redis and our history differed about a bar; or about the signals of a run
                                // of bars that are the same: once a run
  std::uint64_t repaired = 0;   // of these, settled by what the exchange said
  /// From the frame that closed a bar to the acknowledgement of its signal, outages of Redis included.
  LatencyHistogram close_to_publish;
  LatencyHistogram command;  // from giving a command to the connection to its reply
};

/// Brings every final signal to Redis exactly once and in order (design, section 5). Never waited for:
/// publish() writes into the connection's buffer when the series is level with Redis, else only remembers.
/// A Redis may be one server, the master that Sentinels name, or a cluster: there each server has its own
/// connection, and what happens to one does not hold up the series of the others. Lives on one io_context,
/// used from its thread only.
class Publisher {
 public:
  Publisher(boost::asio::io_context& io, RedisOptions options, SignalHistory& history,
            PublishHandler& handler);
  ~Publisher();

  void start();
  /// Asks to finish: `done` is called when all that is ready was acknowledged, or after `timeout`. The
  /// argument counts the records that Redis has not acknowledged.
  void drain(std::chrono::milliseconds timeout, std::function<void(std::size_t unacknowledged)> done);

  /// `ready`: history can answer for the series; otherwise call resume() when it can.
  void add(SeriesIndex series, PublishedSeries info, bool ready);
  void remove(SeriesIndex series);
  /// Another catalogue entry of a series that was added.
  void describe(const std::string& series_name, const std::string& catalogue_json);
  /// Of a correction history is asked for the signal: it may come without.
  void publish(SeriesIndex series, const SignalRecord& record);
  /// The history now answers for what it had to wait for; or the series goes on without the exchange's
  /// answer.
  void resume(SeriesIndex series);
  /// The exchange has told what on_different() asked about: counts it as repaired, and resumes.
  void answered(SeriesIndex series);
  /// The exchange confirms our bar: where it is the stream's newest and has other prices there, it is sent
  /// again with the correction flag, once.
  void correct(SeriesIndex series, std::int64_t close_ms);

  /// Forming bars: the newest wins, nothing is kept.
  void publish_forming(SeriesIndex series, const SignalRecord& record);

  /// The parameters behind a configuration hash; written on every connect.
  void set_config(const std::string& hash, const std::string& json);
  /// State of a series ("LIVE", ...): written on change and on every connect.
  void set_state(const std::string& series_name, std::string_view state, std::int64_t since_ms,
                 std::string_view reason);
  /// One entry in the events stream; kept (bounded) while Redis is away.
  void event(std::string_view event, std::int64_t at_ms, std::string_view series, std::string_view detail);
  /// Fields of the daemon's heartbeat hash; one publisher of the daemon is given them, every 2 s.
  void heartbeat(const std::vector<std::pair<std::string, std::string>>& fields);
  /// To be called every 2 s: catalogue, configurations, states and events that Redis refused or has lost are
  /// written again.
  void look_after();

  /// Every server that has one of our series.
  bool connected() const;
  const PublishCounters& counters() const;
  /// The stream of every series that history answers for was compared with it, once at least.
  bool settled() const;
  /// Nothing of the series is published: Redis holds signals of another configuration.
  bool stopped(SeriesIndex series) const;
  /// Closed bars that are not acknowledged yet, over all series.
  std::size_t unpublished() const;
  std::size_t unpublished(SeriesIndex series) const;
  /// When the first of them came, UTC in microseconds; later ones of the same series do not count while that
  /// series has any. Empty where none waits.
  std::optional<std::int64_t> oldest_unpublished_us() const;
  /// Events that Redis has not acknowledged yet; at most kMostEvents are kept.
  std::size_t waiting_events() const;
  static constexpr std::size_t kMostEvents = 100'000;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atcd::state
