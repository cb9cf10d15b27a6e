#include "state/notices.hpp"

#include <algorithm>
#include <array>

namespace atcd::state {
namespace {

constexpr std::string_view kEventsKept = "100000";  // in Redis
constexpr std::string_view kHeartbeatTtlMs = "10000";
constexpr std::size_t kPairsPerCommand = 200;
constexpr std::size_t kEntriesAtOnce = 100;  // of the catalogue, each time it is looked after
constexpr std::array<std::string_view, 3> kIdentity = {"host", "pid", "started_ms"};  // of a heartbeat

}  // namespace

Notices::Notices(RedisNodes& nodes, const RedisOptions& options, PublishCounters& counters,
                 PublishHandler& handler, std::function<void()> on_missing)
    : nodes_(nodes),
      counters_(counters),
      handler_(handler),
      on_missing_(std::move(on_missing)),
      owns_(options.owns),
      instance_(options.instance) {
  const std::string start = options.prefix + ":1:";
  const std::string instance = engine::percent_encode(options.instance);
  catalogue_key_ = start + "catalogue";
  configs_key_ = start + "configs";
  state_key_ = start + "state:" + instance;
  events_key_ = start + "events";
  daemon_key_ = start + "daemon:" + instance;
}

bool Notices::send(const std::string& key, std::span<const std::string_view> arguments,
                   RedisConnection::Callback callback) {
  RedisConnection* connection = nodes_.serving(key);
  return connection != nullptr && connection->send(arguments, std::move(callback));
}

void Notices::on_ready(RedisNode& node) {
  const auto here = [&](const std::string& key) { return nodes_.serving(key) == &node.connection(); };
  told_.clear();
  if (here(daemon_key_)) beaten_.reset();
  if (here(configs_key_)) write_configs();
  if (here(catalogue_key_)) write_catalogue();
  if (here(state_key_)) {
    write_states();
    // What an earlier run of this instance said about series that this run does not have.
    send(state_key_, {"HKEYS", state_key_}, [this](const Reply* reply) {
      if (reply == nullptr) return;
      reply->is_error() ? on_error("HKEYS", reply->text) : drop_strangers(*reply);
    });
  }
  if (here(events_key_)) send_all_events();
}

void Notices::write_all() {
  incomplete_ = false;
  write_configs();
  write_catalogue();
  write_states();
}

void Notices::write_configs() {
  Pairs pairs;
  for (const auto& [hash, json] : configs_) pairs.emplace_back(hash, json);
  write_hash(configs_key_, pairs);
}

void Notices::write_catalogue() {
  Pairs pairs;
  for (const auto& [name, json] : catalogue_) pairs.emplace_back(name, json);
  write_hash(catalogue_key_, pairs);
  for (const std::string& name : std::set<std::string>(gone_)) forget(name);
}

void Notices::write_states() {
  std::vector<std::string> texts;
  texts.reserve(states_.size());
  Pairs pairs;
  for (const auto& [name, state] : states_) pairs.emplace_back(name, texts.emplace_back(json_of(state)));
  write_hash(state_key_, pairs);
}

void Notices::write_hash(const std::string& key, const Pairs& pairs) {
  if (nodes_.serving(key) == nullptr) return;  // on_ready() writes it
  std::vector<std::string_view> arguments;
  for (std::size_t i = 0; i < pairs.size();) {
    arguments.assign({"HSET", key});
    for (const std::size_t end = std::min(pairs.size(), i + kPairsPerCommand); i < end; ++i) {
      arguments.push_back(pairs[i].first);
      arguments.push_back(pairs[i].second);
    }
    if (!send(key, arguments, checked("HSET"))) incomplete_ = true;
  }
}

void Notices::add_series(const std::string& name, const std::string& catalogue_json) {
  ++added_[name];
  describe(name, catalogue_json);
}

void Notices::describe(const std::string& name, const std::string& catalogue_json) {
  gone_.erase(name);
  std::string& json = catalogue_[name];
  if (json == catalogue_json) return;
  json = catalogue_json;
  write_hash(catalogue_key_, {{name, catalogue_json}});
}

void Notices::remove_series(const std::string& name) {
  if (const auto added = added_.find(name); added != added_.end()) {
    if (--added->second > 0) return;
    added_.erase(added);
  }
  catalogue_.erase(name);
  states_.erase(name);
  gone_.insert(name);
  forget(name);
}

void Notices::forget(const std::string& name) {
  send(state_key_, {"HDEL", state_key_, name}, checked("HDEL"));
  send(catalogue_key_, {"HDEL", catalogue_key_, name}, [this, name](const Reply* reply) {
    if (reply == nullptr) return;
    if (reply->is_error()) return on_error("HDEL", reply->text);
    gone_.erase(name);
  });
}

void Notices::drop_strangers(const Reply& fields) {
  for (const Reply& field : fields.elements) {
    if (owns_(field.text) && !states_.contains(std::string(field.text))) {
      send(state_key_, {"HDEL", state_key_, field.text}, checked("HDEL"));
    }
  }
}

void Notices::set_config(const std::string& hash, const std::string& json) {
  configs_[hash] = json;
  write_hash(configs_key_, {{hash, json}});
}

std::string Notices::json_of(const State& state) {
  const bool stopped = !state.stop_reason.empty();
  std::string json = "{\"state\":";
  append_json_string(json, stopped ? "HALTED" : std::string_view(state.state));
  json.append(",\"since_ms\":").append(std::to_string(state.since_ms)).append(",\"reason\":");
  append_json_string(json, stopped ? state.stop_reason : state.reason);
  return json + "}";
}

void Notices::write_state(const std::string& name, const State& state) {
  if (!state.state.empty()) write_hash(state_key_, {{name, json_of(state)}});
}

void Notices::set_state(const std::string& name, std::string_view state, std::int64_t since_ms,
                        std::string_view reason) {
  State& entry = states_[name];
  entry.state = state;
  entry.since_ms = since_ms;
  entry.reason = reason;
  write_state(name, entry);
}

void Notices::set_stop_reason(const std::string& name, const std::string& reason) {
  const auto found = states_.find(name);
  if (found == states_.end() && reason.empty()) return;
  State& entry = found == states_.end() ? states_[name] : found->second;
  if (entry.stop_reason == reason) return;
  entry.stop_reason = reason;
  if (entry.state.empty()) entry.state = "WARMING";  // nobody has said anything yet
  write_state(name, entry);
}

void Notices::event(std::string_view event, std::int64_t at_ms, std::string_view series,
                    std::string_view detail) {
  if (events_.size() >= Publisher::kMostEvents) {
    events_.pop_front();
    ++counters_.events_dropped;
  }
  events_.push_back(
      {next_event_++, false, std::string(event), std::string(series), std::string(detail), at_ms});
  if (!events_refused_) send_events();
}

void Notices::send_all_events() {
  if (tried_event_ != 0) return;
  first_unsent_ = 0;
  send_events();
}

/// The first from this number on.
std::deque<Notices::Event>::iterator Notices::find_event(std::uint64_t number) {
  return std::lower_bound(events_.begin(), events_.end(), number,
                          [](const Event& event, std::uint64_t wanted) { return event.number < wanted; });
}

void Notices::send_events() {
  for (auto first = find_event(first_unsent_); first != events_.end(); ++first) {
    first_unsent_ = first->number;
    if (first->sent) continue;
    const std::string at = std::to_string(first->at_ms);
    first->sent = send(events_key_,
                       {"XADD", events_key_, "MAXLEN", "~", kEventsKept, "*", "event", first->event, "at_ms",
                        at, "instance", instance_, "series", first->series, "detail", first->detail},
                       [this, number = first->number](const Reply* reply) { on_event_reply(number, reply); });
    if (!first->sent) return;
    if (events_refused_) {
      tried_event_ = first->number;
      return;
    }
  }
  first_unsent_ = next_event_;
}

void Notices::on_event_reply(std::uint64_t number, const Reply* reply) {
  const bool tried = number == tried_event_;
  if (tried) tried_event_ = 0;
  auto found = find_event(number);
  if (found != events_.end() && found->number != number) found = events_.end();
  if (reply == nullptr) {  // kept: it goes again after the next connect
    if (found != events_.end()) found->sent = false;
    return;
  }
  if (reply->is_error()) {
    on_error("XADD events", reply->text);
    const ErrorKind kind = error_kind(reply->text);
    if (kind == ErrorKind::retryable || kind == ErrorKind::reroute) {
      events_refused_ = true;
      if (found != events_.end()) found->sent = false;
      return;
    }
    if (found != events_.end()) ++counters_.events_dropped;
  }
  if (found != events_.end()) events_.erase(found);
  if (!tried) return;
  events_refused_ = false;
  send_all_events();
}

void Notices::heartbeat(const Fields& fields) {
  look_who_beats();
  std::vector<std::string_view> arguments = {"HSET", daemon_key_};
  for (const auto& [name, value] : fields) {
    arguments.push_back(name);
    arguments.push_back(value);
  }
  RedisConnection* connection = nodes_.serving(daemon_key_);
  if (connection == nullptr || !connection->can_send()) return;
  const auto write = [connection](std::span<const std::string_view> command, RedisConnection::Callback done) {
    append_command(connection->output(), command);
    connection->committed(std::move(done));
  };
  const std::array<std::string_view, 1> begin = {"MULTI"}, end = {"EXEC"};
  const std::array<std::string_view, 3> expire = {"PEXPIRE", daemon_key_, kHeartbeatTtlMs};
  // Together, or a beat whose sender dies in between would be there for ever; and whole, however full the
  // output is by then: without its end everything that follows would wait for that of the next beat.
  write(begin, checked("MULTI"));
  write(arguments, checked("HSET"));
  write(expire, checked("PEXPIRE"));
  write(end, [this, ours = identity_of(fields)](const Reply* reply) {
    if (reply == nullptr || reply->is_error()) {
      beaten_.reset();
    } else {
      beaten_ = ours;
    }
    checked("EXEC")(reply);
  });
}

Notices::Identity Notices::identity_of(const Fields& beat) {
  Identity identity;
  for (std::size_t i = 0; i < identity.size(); ++i) {
    const auto found = std::find_if(beat.begin(), beat.end(),
                                    [i](const auto& field) { return field.first == kIdentity[i]; });
    if (found != beat.end()) identity[i] = found->second;
  }
  return identity;
}

/// Where our last beat is not what is there, two daemons have one name: each overwrites what the other says
/// of its series, and bots believe that a dead one lives. That beat's words count: the host may have got
/// another name since.
void Notices::look_who_beats() {
  if (!beaten_) return;  // it may be that of an earlier run
  send(daemon_key_, {"HMGET", daemon_key_, kIdentity[0], kIdentity[1], kIdentity[2]},
       [this](const Reply* reply) {
         if (reply == nullptr || !beaten_) return;
         if (reply->is_error()) return on_error("HMGET", reply->text);
         if (reply->elements.size() != beaten_->size() || reply->elements[0].type == ReplyType::nil) return;
         const bool same =
             std::equal(beaten_->begin(), beaten_->end(), reply->elements.begin(),
                        [](const std::string& own, const Reply& there) { return own == there.text; });
         if (same || !told_.insert(daemon_key_).second) return;
         std::string detail = "on host ";
         detail.append(reply->elements[0].text).append(", pid ").append(reply->elements[1].text);
         detail.append(" another daemon beats as instance ")
             .append(instance_)
             .append(": each needs a name of its own");
         handler_.on_publish_event(PublishEvent::instance_taken, "", detail);
       });
}

void Notices::look_after() {
  if (incomplete_) write_all();
  send_all_events();
  look_for_missing();
}

void Notices::look_for_missing() {
  if (incomplete_) return;
  if (!catalogue_.empty()) look_for(catalogue_key_, catalogue_.begin()->first, &Notices::write_catalogue);
  if (!configs_.empty()) look_for(configs_key_, configs_.begin()->first, &Notices::write_configs);
  if (!states_.empty()) look_for(state_key_, states_.begin()->first, &Notices::write_states);
  look_for_entries();
}

/// A field of our own: the key may be there with what others wrote.
void Notices::look_for(const std::string& key, const std::string& field, void (Notices::*write)()) {
  send(key, {"HMGET", key, field}, [this, write](const Reply* reply) {
    if (reply == nullptr) return;
    if (reply->is_error()) return on_error("HMGET", reply->text);
    if (reply->elements.empty() || reply->elements[0].type != ReplyType::nil) return;
    (this->*write)();
    on_missing_();
  });
}

/// Another instance that gives up a series takes its entry out of the catalogue, which is everybody's. The
/// next ones in turn.
void Notices::look_for_entries() {
  std::vector<std::string> names;
  auto next = catalogue_.upper_bound(looked_at_);
  if (next == catalogue_.end()) next = catalogue_.begin();
  for (; next != catalogue_.end() && names.size() < kEntriesAtOnce; ++next) names.push_back(next->first);
  if (names.empty()) return;
  looked_at_ = names.back();
  std::vector<std::string_view> arguments = {"HMGET", catalogue_key_};
  arguments.insert(arguments.end(), names.begin(), names.end());
  send(catalogue_key_, arguments, [this, names = std::move(names)](const Reply* reply) {
    if (reply == nullptr) return;
    if (reply->is_error()) return on_error("HMGET", reply->text);
    Pairs missing;
    for (std::size_t i = 0; i < std::min(names.size(), reply->elements.size()); ++i) {
      const auto entry = catalogue_.find(names[i]);
      if (reply->elements[i].type == ReplyType::nil && entry != catalogue_.end())
        missing.emplace_back(entry->first, entry->second);
    }
    write_hash(catalogue_key_, missing);
  });
}

RedisConnection::Callback Notices::checked(const char* what) {
  return [this, what](const Reply* reply) {
    if (reply == nullptr) return;
    if (reply->is_error()) return on_error(what, reply->text);
    for (const Reply& inner : reply->elements) {  // of EXEC
      if (inner.is_error()) on_error(what, inner.text);
    }
  };
}

void Notices::on_error(std::string_view what, std::string_view error) {
  incomplete_ = true;
  const bool elsewhere = error_kind(error) == ErrorKind::reroute;  // who publishes there tells it
  if (elsewhere || error.starts_with("CLUSTERDOWN")) nodes_.look_again();
  ++counters_.errors;
  if (elsewhere || !told_.insert(std::string(what) + std::string(error.substr(0, error.find(' ')))).second)
    return;
  std::string detail = "command=\"";
  detail.append(what).append("\" error=\"").append(error).append("\"");
  handler_.on_publish_event(PublishEvent::refused, "", detail);
}

}  // namespace atcd::state
