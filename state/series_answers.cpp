// What Redis answers, and what follows from it for the series.
#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <charconv>
#include <cstdio>
#include <limits>
#include <optional>
#include <utility>

#include "state/series_sender.hpp"

namespace atcd::state {
namespace {

constexpr std::int64_t kFirstBackoffMs = 50;
constexpr std::int64_t kLongestBackoffMs = 5000;

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::int64_t utc_us() {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

std::int64_t utc_ms() { return utc_us() / 1000; }

/// NaN, which equals nothing, where it is not a number.
double price(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  return whole ? value : std::numeric_limits<double>::quiet_NaN();
}

std::string_view field_of(const Reply& fields, std::string_view name) {
  for (std::size_t i = 0; i + 1 < fields.elements.size(); i += 2) {
    if (fields.elements[i].text == name) return fields.elements[i + 1].text;
  }
  return {};
}

}  // namespace

// ---- the head

void SeriesSender::on_head(SeriesIndex series, std::uint32_t generation, const Reply* reply) {
  --heads_in_flight_;
  SeriesCursor* cursor = find(series, generation);
  if (cursor != nullptr) {
    --cursor->heads_in_flight;
    // Only the newest question counts, and only if no error came in between.
    if (reply != nullptr && cursor->heads_in_flight == 0 && cursor->phase == Phase::reading) {
      // Redis refuses this function wherever it takes no writes: it is neither full nor busy any more. But a
      // right may lack that only a write shows.
      if (!reply->is_error() && !forbidden_) careful_ = false;
      if (reply->is_error()) {
        ++parts_.counters.errors;
        on_failure(series, *cursor, reply->text);
      } else if (!reply->elements.empty()) {
        begin_at(series, *cursor, *reply);
      } else if (reply->type != ReplyType::array) {
        on_failure(series, *cursor, "the answer with the stream's newest entry is not understood");
      } else {
        end_stop(*cursor);
        cursor->other_config = false;
        cursor->begins = true;
        cursor->own_ms = 0;
        // A stream that was lost goes on from the newest bar that is known to have been in it: whoever read
        // up to there misses nothing.
        cursor->stand_at(cursor->acknowledged_ms == 0 ? 0 : cursor->acknowledged_ms - 1);
        cursor->phase = Phase::paging;
        want_turn(series, *cursor);
      }
    }
  }
  schedule_turns();
}

void SeriesSender::begin_at(SeriesIndex series, SeriesCursor& cursor, const Reply& entry) {
  if (entry.elements.size() != 2) return on_failure(series, cursor, "the stream's newest entry is malformed");
  const std::string_view id = entry.elements[0].text;
  const auto dash = id.find('-');
  const auto head_ms = number(id.substr(0, dash));
  const auto rev = dash == std::string_view::npos ? std::nullopt : number(id.substr(dash + 1));
  if (!head_ms || *head_ms <= 0 || !rev)
    return on_failure(series, cursor, "the stream's newest ID is not a time and a revision");
  const std::string_view config = field_of(entry.elements[1], "config");
  cursor.other_config = config != cursor.info.config;
  if (cursor.other_config && !parts_.options.adopt) return stop(cursor, config);
  end_stop(cursor);
  cursor.known_head_ms = std::max(cursor.known_head_ms, *head_ms);
  if (cursor.told_head_ms <= *head_ms) cursor.told_head_ms = 0;
  cursor.begins = false;
  cursor.own_ms = 0;
  cursor.stand_at(*head_ms, rev);
  cursor.head_rev = *rev;
  const auto price_of = [&entry](std::string_view name) { return price(field_of(entry.elements[1], name)); };
  cursor.head_bar.open = price_of("open");
  cursor.head_bar.high = price_of("high");
  cursor.head_bar.low = price_of("low");
  cursor.head_bar.close = price_of("close");
  cursor.head_content =
      content_of([&entry](std::string_view name) { return field_of(entry.elements[1], name); });
  cursor.phase = Phase::checking;
  want_turn(series, cursor);
}

/// The head as it was read has the content that we have for its bar.
void SeriesSender::says_the_same(SeriesIndex series, SeriesCursor& cursor, std::int64_t head_ms) {
  ++parts_.counters.same;
  count_delays_to(cursor, head_ms);
  cursor.acknowledged_ms = std::max(cursor.acknowledged_ms, head_ms);
  if (head_ms >= cursor.newest_ms) cursor.remembered = 0;
  tell(PublishEvent::same, cursor,
       "close_ms=" + std::to_string(head_ms) + " rev=" + std::to_string(cursor.head_rev) + " source=head");
  parts_.handler.on_published(series, head_ms, cursor.head_rev);
}

void SeriesSender::stop(SeriesCursor& cursor, std::string_view their_config) {
  cursor.settle(Phase::stopped);
  const std::string theirs = their_config.empty() ? "none" : std::string(their_config);
  if (std::exchange(cursor.stopped_for, theirs) == theirs) return;
  tell(PublishEvent::stopped, cursor,
       "config=" + cursor.info.config + " head_config=" + theirs +
           ": the profile has other parameters than before; adopt = true in [redis] and a restart continue "
           "it");
  const std::string sentence = "stopped: Redis holds signals of configuration " + theirs + ", ours is " +
                               cursor.info.config + "; adopt = true in [redis] continues them";
  parts_.notices.event("stopped", utc_ms(), cursor.text.name(), sentence);
  parts_.notices.set_stop_reason(cursor.text.name(), sentence);
}

/// The stream holds nothing of another configuration, or nothing at all any more.
void SeriesSender::end_stop(SeriesCursor& cursor) {
  if (cursor.stopped_for.empty()) return;
  cursor.stopped_for.clear();
  parts_.notices.set_stop_reason(cursor.text.name(), "");
}

void SeriesSender::back_to_head(SeriesIndex series, SeriesCursor& cursor) {
  ++cursor.epoch;
  cursor.phase = Phase::wants_head;
  want_turn(series, cursor);
}

// ---- answers of the function

void SeriesSender::on_answer(SeriesIndex series, std::uint32_t generation, const Reply* reply) {
  --in_flight_;
  if (SeriesCursor* cursor = find(series, generation)) {
    const InFlight sent = cursor->in_flight.pop();
    if (reply == nullptr) return;
    if (!reply->is_error()) {
      act_on(series, *cursor, sent, *reply);
    } else {
      ++parts_.counters.errors;
      if (sent.epoch == cursor->epoch) on_failure(series, *cursor, reply->text);
    }
  }
  schedule_turns();
}

void SeriesSender::act_on(SeriesIndex series, SeriesCursor& cursor, const InFlight& sent,
                          const Reply& reply) {
  const bool formed = reply.elements.size() == 2;
  const std::string_view answer = formed ? reply.elements[0].text : std::string_view{};
  const auto value = formed ? number(reply.elements[1].text) : std::nullopt;
  const bool current = sent.epoch == cursor.epoch;
  if (value && (answer == "added" || answer == "same")) {
    acknowledged(series, cursor, sent, answer, *value);
    if (current) go_on(series, cursor, sent);
    return;
  }
  if (!current) return;
  if (value && answer == "different") {
    // The head, which has its prices, is compared next. A bar that is no longer the head's: a correction of
    // it has come too late, and where it is known that our signals differ nothing is asked.
    if (!sent.correction && sent.anchor_ms != cursor.stands_ms) cursor.doubt_ms = sent.close_ms;
    if (!cursor.begins) return back_to_head(series, cursor);
    // The stream has lost its entries, and remembers the newest, which is this one: it goes on after that.
    cursor.told_head_ms = std::max(cursor.told_head_ms, sent.close_ms);
    return cursor.failures++ == 0 ? back_to_head(series, cursor) : retry_later(series, cursor);
  }
  const bool behind = answer == "behind";
  if (!value || (!behind && answer != "unknown")) {
    return on_failure(series, cursor, "the function's answer is not understood");
  }
  ++(behind ? parts_.counters.behind : parts_.counters.unknown);
  tell(behind ? PublishEvent::behind : PublishEvent::unknown, cursor,
       "close_ms=" + std::to_string(sent.close_ms) + " head_ms=" + std::to_string(*value));
  cursor.told_head_ms = *value;
  // The first time the head may just have moved; a second time there is nothing to be gained by haste.
  cursor.failures++ == 0 ? back_to_head(series, cursor) : retry_later(series, cursor);
}

void SeriesSender::acknowledged(SeriesIndex series, SeriesCursor& cursor, const InFlight& sent,
                                std::string_view answer, std::int64_t rev) {
  const bool added = answer == "added";
  ++(added ? parts_.counters.added : parts_.counters.same);
  if (added && sent.source == Source::live) ++parts_.counters.pushes;
  if (added) cursor.yields = false;
  cursor.begins = false;
  // What was sent before an error, or before a newer one came, proves nothing about that.
  if (sent.correction && sent.epoch == cursor.epoch) cursor.end_correction(sent.close_ms);
  if (sent.close_ms == cursor.position_ms && sent.epoch == cursor.epoch) cursor.position_rev = rev;
  if (!sent.check) {
    cursor.failures = 0;
    if (sent.close_ms > cursor.acknowledged_ms) count_delay(cursor, sent.close_ms);
  }
  careful_ = false;
  pauses_ = 0;
  told_.clear();
  cursor.acknowledged_ms = std::max(cursor.acknowledged_ms, sent.close_ms);
  if (sent.close_ms >= cursor.newest_ms) {
    cursor.remembered = 0;
  } else if (!sent.check && sent.close_ms >= cursor.first_remembered_ms && cursor.remembered > 1) {
    --cursor.remembered;
  }
  if (added && sent.source == Source::backfill) ++cursor.backfilled;
  std::array<char, 96> detail;
  const auto source = source_name(sent.source);
  const int length = std::snprintf(detail.data(), detail.size(), "close_ms=%lld rev=%lld source=%.*s",
                                   static_cast<long long>(sent.close_ms), static_cast<long long>(rev),
                                   static_cast<int>(source.size()), source.data());
  tell(added ? PublishEvent::published : PublishEvent::same, cursor,
       {detail.data(), static_cast<std::size_t>(length)});
  parts_.handler.on_published(series, sent.close_ms, rev);
}

/// Of the bars that wait only the first's time of arrival is kept: the others came one after the other as
/// they closed.
void SeriesSender::count_delay(const SeriesCursor& cursor, std::int64_t close_ms) {
  if (cursor.remembered == 0 || close_ms < cursor.first_remembered_ms) return;
  const std::int64_t came_us = cursor.first_remembered_us + (close_ms - cursor.first_remembered_ms) * 1000;
  parts_.counters.close_to_publish.add(std::chrono::microseconds(utc_us() - came_us));
}

/// What was on its way when a connection was lost may have arrived all the same: the head tells.
void SeriesSender::count_delays_to(SeriesCursor& cursor, std::int64_t head_ms) {
  const auto waiting = static_cast<std::int64_t>(cursor.remembered);
  if (waiting == 0) return;
  const bool some_arrived = cursor.acknowledged_ms >= cursor.first_remembered_ms;
  const std::int64_t from_ms = some_arrived ? cursor.acknowledged_ms : cursor.first_remembered_ms;
  const std::int64_t steps = some_arrived ? waiting : waiting - 1;
  const std::int64_t apart_ms = steps > 0 ? (cursor.newest_ms - from_ms) / steps : 0;
  for (std::int64_t step = some_arrived ? 1 : 0; step <= steps && from_ms + step * apart_ms <= head_ms;
       ++step) {
    count_delay(cursor, from_ms + step * apart_ms);
    if (cursor.remembered > 1) --cursor.remembered;  // the last goes with the newest bar
  }
}

void SeriesSender::go_on(SeriesIndex series, SeriesCursor& cursor, const InFlight& sent) {
  if (sent.check && cursor.phase == Phase::checking) {
    cursor.phase = Phase::paging;
    want_turn(series, cursor);
  } else if (cursor.phase == Phase::paging && cursor.page_was_full && cursor.in_flight.empty()) {
    want_turn(series, cursor);
  } else if (cursor.phase == Phase::level && cursor.in_flight.empty() && cursor.backfilled > 0) {
    const auto count = std::exchange(cursor.backfilled, 0);
    tell(PublishEvent::backfilled, cursor,
         "count=" + std::to_string(count) + " to_ms=" + std::to_string(cursor.position_ms));
  }
}

void SeriesSender::conflict(SeriesIndex series, SeriesCursor& cursor, std::int64_t close_ms,
                            std::string_view detail) {
  ++cursor.epoch;
  ++parts_.counters.conflicts;
  cursor.settle(Phase::conflict);
  cursor.conflict_ms = std::max(cursor.conflict_ms, close_ms);
  std::string text = "close_ms=" + std::to_string(close_ms) + " ";
  tell(PublishEvent::conflict, cursor, text.append(detail));
  parts_.history.on_different(series, close_ms);
}

// ---- errors

void SeriesSender::on_failure(SeriesIndex series, SeriesCursor& cursor, std::string_view error) {
  if (error.find("Function not found") != std::string_view::npos) {
    const bool first = std::exchange(ready_, false);  // of all that were on their way: it is loaded once
    back_to_head(series, cursor);
    if (first) parts_.on_function_missing();
    return;
  }
  if (error.starts_with("CLUSTERDOWN")) parts_.nodes.look_again();  // the others may know who serves it
  switch (error_kind(error)) {
    case ErrorKind::retryable:
      // Some of this series' keys are on their way to another server, or nobody serves its slot: no reason to
      // hold up the others.
      if (error.starts_with("TRYAGAIN") || error.starts_with("CLUSTERDOWN Hash slot")) {
        if (!error.starts_with("TRYAGAIN")) refuse("", error);
        ++cursor.failures;
        return retry_later(series, cursor);
      }
      [[fallthrough]];
    case ErrorKind::configuration:
      refuse("", error);
      forbidden_ = error_kind(error) == ErrorKind::configuration;
      pause_all();
      return back_to_head(series, cursor);
    case ErrorKind::reroute:
      ++cursor.epoch;
      cursor.phase = Phase::wants_head;
      return parts_.on_redirected(series, cursor.generation, error);
    case ErrorKind::other:
      refuse(cursor.text.name(), error);
      ++cursor.failures;
      return retry_later(series, cursor);
  }
}

void SeriesSender::refuse(std::string_view series, std::string_view error) {
  // Once a series and kind of error, until something succeeds.
  const std::string_view kind = error.substr(0, error.find(' '));
  if (!told_.insert(std::string(series) + " " + std::string(kind)).second) return;
  std::string detail = "error=\"";
  detail.append(error).append("\"");
  parts_.handler.on_publish_event(PublishEvent::refused, series, detail);
}

void SeriesSender::tell(PublishEvent event, const SeriesCursor& cursor, std::string_view detail) {
  parts_.handler.on_publish_event(event, cursor.text.name(), detail);
}

std::chrono::milliseconds SeriesSender::backoff(std::uint32_t failures) {
  const std::int64_t longest =
      std::min(kLongestBackoffMs, kFirstBackoffMs << std::min<std::uint32_t>(failures, 10));
  std::uniform_int_distribution<std::int64_t> chance(longest / 2, longest);
  return std::chrono::milliseconds(chance(random_));
}

void SeriesSender::retry_later(SeriesIndex series, SeriesCursor& cursor) {
  retry_in(backoff(cursor.failures), series, cursor);
}

void SeriesSender::retry_in(std::chrono::milliseconds pause, SeriesIndex series, SeriesCursor& cursor) {
  ++cursor.epoch;
  cursor.phase = Phase::wants_head;
  cursor.retry_at = Clock::now() + pause;
  retries_.emplace(cursor.retry_at, std::pair(series, cursor.generation));
  arm_retries();
}

void SeriesSender::arm_retries() {
  if (retries_.empty()) return;
  retry_timer_.expires_at(retries_.begin()->first);
  retry_timer_.async_wait([self = self_](const boost::system::error_code& error) {
    if (error || *self == nullptr) return;
    SeriesSender& sender = **self;
    const auto now = Clock::now();
    while (!sender.retries_.empty() && sender.retries_.begin()->first <= now) {
      const auto [at, which] = *sender.retries_.begin();
      sender.retries_.erase(sender.retries_.begin());
      SeriesCursor* cursor = sender.find(which.first, which.second);
      // Only the newest of a series counts: it may have been asked since for another reason.
      if (cursor != nullptr && cursor->phase == Phase::wants_head && cursor->retry_at == at)
        sender.want_turn(which.first, *cursor);
    }
    sender.arm_retries();
  });
}

void SeriesSender::pause_all() {
  if (paused_) return;
  paused_ = careful_ = true;
  pause_timer_.expires_after(backoff(pauses_++));
  pause_timer_.async_wait([self = self_](const boost::system::error_code& error) {
    if (error || *self == nullptr) return;
    (*self)->paused_ = false;
    (*self)->schedule_turns();
  });
}

}  // namespace atcd::state
