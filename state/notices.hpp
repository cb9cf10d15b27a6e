#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "state/publisher.hpp"
#include "state/redis_nodes.hpp"

namespace atcd::state {

/// What Redis is told beside the signals: catalogue, configurations, states, events and the heartbeat. All
/// but the heartbeat is kept here and written again on every connect and whenever it is found missing. Part
/// of the publisher, on its thread.
class Notices {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  /// `on_missing` is called when keys that were written are gone from Redis.
  Notices(RedisNodes& nodes, const RedisOptions& options, PublishCounters& counters, PublishHandler& handler,
          std::function<void()> on_missing);

  /// What this server holds is written again.
  void on_ready(RedisNode& node);

  void add_series(const std::string& name, const std::string& catalogue_json);
  /// Another catalogue entry of a series that was added.
  void describe(const std::string& name, const std::string& catalogue_json);
  /// Where several of one name were added, as while a reload moves it from one feed to another, it stays
  /// until the last of them is removed.
  void remove_series(const std::string& name);
  void set_config(const std::string& hash, const std::string& json);
  void set_state(const std::string& name, std::string_view state, std::int64_t since_ms,
                 std::string_view reason);
  /// The series is not published: whatever state it has, Redis says HALTED with this reason. "" ends it.
  void set_stop_reason(const std::string& name, const std::string& reason);
  void event(std::string_view event, std::int64_t at_ms, std::string_view series, std::string_view detail);
  void heartbeat(const Fields& fields);
  /// As Publisher's.
  void look_after();
  /// Also those that were sent and came to nothing; but where Redis refused, only one until it takes that.
  void send_all_events();

  /// No event waits for Redis.
  bool idle() const { return events_.empty(); }
  std::size_t waiting_events() const { return events_.size(); }

 private:
  struct State {
    std::string state;
    std::int64_t since_ms = 0;
    std::string reason;
    std::string stop_reason;
  };
  struct Event {
    std::uint64_t number = 0;
    bool sent = false;
    std::string event, series, detail;
    std::int64_t at_ms = 0;
  };
  using Pairs = std::vector<std::pair<std::string_view, std::string_view>>;

  using Identity = std::array<std::string, 3>;  // of who beats

  static Identity identity_of(const Fields& beat);
  static std::string json_of(const State& state);

  bool send(const std::string& key, std::span<const std::string_view> arguments,
            RedisConnection::Callback callback);
  bool send(const std::string& key, std::initializer_list<std::string_view> arguments,
            RedisConnection::Callback callback) {
    return send(key, std::span(arguments.begin(), arguments.size()), std::move(callback));
  }
  void write_catalogue();
  void write_configs();
  void write_states();
  void write_all();
  void write_hash(const std::string& key, const Pairs& pairs);
  void write_state(const std::string& name, const State& state);
  void forget(const std::string& name);
  void drop_strangers(const Reply& fields);
  void send_events();
  std::deque<Event>::iterator find_event(std::uint64_t number);
  void on_event_reply(std::uint64_t number, const Reply* reply);
  void look_for_missing();
  void look_for(const std::string& key, const std::string& field, void (Notices::*write)());
  void look_for_entries();
  void look_who_beats();
  void on_error(std::string_view what, std::string_view error);
  RedisConnection::Callback checked(const char* what);

  RedisNodes& nodes_;
  PublishCounters& counters_;
  PublishHandler& handler_;
  std::function<void()> on_missing_;
  std::function<bool(std::string_view)> owns_;
  std::string catalogue_key_, configs_key_, state_key_, events_key_, daemon_key_;
  std::string instance_;
  std::map<std::string, std::size_t> added_;  // so often, and not removed again
  std::map<std::string, std::string> catalogue_;
  std::map<std::string, std::string> configs_;
  std::map<std::string, State> states_;
  std::set<std::string> gone_;  // removed here, perhaps not yet in Redis
  std::string looked_at_;       // the series whose entry was looked for last
  std::deque<Event> events_;
  std::uint64_t next_event_ = 1;
  std::uint64_t first_unsent_ = 1;  // those before were sent, unless an error or a lost connection undid it
  bool events_refused_ = false;     // for now: one is tried at a time
  std::uint64_t tried_event_ = 0;   // that one, while its answer is awaited
  std::set<std::string> told_;      // errors named since the connection was made
  bool incomplete_ = false;         // something could not be written
  std::optional<Identity> beaten_;  // our last beat since the connection was made: what is there is ours
};

}  // namespace atcd::state
