#include "state/series_sender.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "state/publish_function.hpp"

namespace atcd::state {
namespace {

constexpr std::size_t kPage = 256;           // records of one series at a time
constexpr std::size_t kMostInFlight = 4096;  // records of all series, before another page begins
constexpr std::size_t kMostHeadsInFlight = 16'384;
constexpr std::size_t kMostOutputBytes = std::size_t{16} << 20;
constexpr std::size_t kFormingOutputBytes = std::size_t{1} << 20;  // more is waiting: the next update will do
constexpr std::uint32_t kHastyMoves = 3;  // from one server to another without a success in between

std::int64_t utc_us() {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

SeriesSender::SeriesSender(Parts parts)
    : parts_(std::move(parts)),
      retry_timer_(parts_.io),
      pause_timer_(parts_.io),
      random_(std::random_device{}()),
      self_(std::make_shared<SeriesSender*>(this)) {}

SeriesSender::~SeriesSender() { *self_ = nullptr; }

SeriesCursor* SeriesSender::find(SeriesIndex series) {
  const auto found = cursors_.find(series);
  return found == cursors_.end() ? nullptr : found->second.get();
}

SeriesCursor* SeriesSender::find(SeriesIndex series, std::uint32_t generation) {
  SeriesCursor* cursor = find(series);
  return cursor != nullptr && cursor->generation == generation ? cursor : nullptr;
}

StreamTerms SeriesSender::terms(const SeriesCursor& cursor, const SignalRecord& record) const {
  const std::int64_t keep = parts_.options.keep;
  // A twin may have corrected the head, of which the exchange has not told us: what we have computed after it
  // must not go behind it.
  const bool follows = record.prev_close_ms == cursor.position_ms;
  return {keep, parts_.options.group_sizes->kept(*cursor.group_size, keep),
          follows ? cursor.position_rev : std::nullopt};
}

void SeriesSender::on_ready() {
  ready_ = true;
  paused_ = careful_ = false;
  pauses_ = 0;
  told_.clear();
  for (auto& [series, cursor] : cursors_) {
    if (cursor->phase == Phase::unready || cursor->phase == Phase::conflict ||
        cursor->phase == Phase::waiting) {
      continue;
    }
    back_to_head(series, *cursor);
  }
}

void SeriesSender::on_lost() {
  ready_ = false;
  paused_ = false;
  pause_timer_.cancel();
  retries_.clear();
  turns_.clear();
  for (auto& [series, cursor] : cursors_) {
    cursor->queued = false;
    cursor->yielded_ms = 0;  // who goes first has lost its connection too, as like as not
    ++cursor->epoch;
    const Phase phase = cursor->phase;
    if (phase != Phase::conflict) cursor->conflict_ms = 0;  // Redis may have lost what came of the question
    if (phase != Phase::unready && phase != Phase::conflict && phase != Phase::waiting) {
      cursor->phase = Phase::wants_head;
    }
  }
}

void SeriesSender::read_all_heads() {
  for (auto& [series, cursor] : cursors_) {
    const Phase phase = cursor->phase;
    if (phase == Phase::level || phase == Phase::paging || phase == Phase::checking ||
        phase == Phase::stopped) {
      back_to_head(series, *cursor);
    }
  }
}

void SeriesSender::add(SeriesIndex series, PublishedSeries info, bool ready) {
  remove(series);
  auto cursor = std::make_unique<SeriesCursor>(std::move(info), next_generation_++, parts_.options);
  parts_.notices.add_series(cursor->text.name(), cursor->info.catalogue_json);
  cursor->group_size = &parts_.options.group_sizes->add(cursor->info.id.group());
  SeriesCursor& added = *(cursors_[series] = std::move(cursor));
  if (ready) back_to_head(series, added);
}

void SeriesSender::remove(SeriesIndex series) {
  const auto found = cursors_.find(series);
  if (found == cursors_.end()) return;
  parts_.notices.remove_series(found->second->text.name());
  parts_.options.group_sizes->remove(found->second->info.id.group());
  cursors_.erase(found);
}

std::unique_ptr<SeriesCursor> SeriesSender::release(SeriesIndex series, std::uint32_t generation) {
  if (find(series, generation) == nullptr) return nullptr;
  return std::move(cursors_.extract(series).mapped());
}

void SeriesSender::adopt(SeriesIndex series, std::unique_ptr<SeriesCursor> released, bool asking) {
  SeriesCursor& cursor = *(cursors_[series] = std::move(released));
  cursor.generation = next_generation_++;
  cursor.asking = asking;
  cursor.queued = false;
  cursor.heads_in_flight = 0;
  cursor.in_flight = {};
  // This server may not have what came of a question.
  if (cursor.phase != Phase::conflict) cursor.conflict_ms = 0;
  if (cursor.phase == Phase::unready || cursor.phase == Phase::waiting || cursor.phase == Phase::conflict) {
    return;
  }
  // While servers disagree it may be sent to and fro: not ever faster.
  ++cursor.failures <= kHastyMoves ? back_to_head(series, cursor) : retry_later(series, cursor);
}

std::vector<std::pair<SeriesIndex, std::uint32_t>> SeriesSender::strays(
    const std::function<bool(const SeriesCursor&)>& at_home) const {
  std::vector<std::pair<SeriesIndex, std::uint32_t>> found;
  for (const auto& [series, cursor] : cursors_) {
    if (!at_home(*cursor)) found.emplace_back(series, cursor->generation);
  }
  return found;
}

void SeriesSender::resume(SeriesIndex series) {
  SeriesCursor* cursor = find(series);
  if (cursor == nullptr) return;
  if (cursor->phase == Phase::unready || cursor->phase == Phase::waiting ||
      cursor->phase == Phase::conflict) {
    back_to_head(series, *cursor);
  } else if (cursor->phase == Phase::level) {
    cursor->phase = Phase::paging;
    want_turn(series, *cursor);
  }
}

void SeriesSender::answered(SeriesIndex series) {
  if (find(series) == nullptr) return;
  ++parts_.counters.repaired;
  resume(series);
}

void SeriesSender::correct(SeriesIndex series, std::int64_t close_ms) {
  SeriesCursor* cursor = find(series);
  if (cursor == nullptr) return;
  cursor->yielded_ms = cursor->proven_ms = close_ms;
  if (cursor->phase != Phase::unready && cursor->phase != Phase::waiting && cursor->phase != Phase::stopped)
    back_to_head(series, *cursor);
}

bool SeriesSender::idle() const {
  if (cursors_.empty()) return true;
  return ready_ && !paused_ && turns_.empty() && retries_.empty() && in_flight_ == 0 && heads_in_flight_ == 0;
}

std::size_t SeriesSender::unpublished() const {
  std::size_t count = 0;
  for (const auto& [series, cursor] : cursors_) count += cursor->unpublished();
  return count;
}

std::optional<std::int64_t> SeriesSender::oldest_unpublished_us() const {
  std::optional<std::int64_t> oldest;
  for (const auto& [series, cursor] : cursors_) {
    const bool waits = cursor->remembered > 0 && cursor->stopped_for.empty();
    if (waits && (!oldest || cursor->first_remembered_us < *oldest)) oldest = cursor->first_remembered_us;
  }
  return oldest;
}

bool SeriesSender::settled() {
  const auto on_its_way = [](const auto& entry) {
    return !entry.second->settled && entry.second->phase != Phase::unready;
  };
  // Asked again and again: the one that was not settled the last time most often is not yet.
  if (const auto last = cursors_.find(unsettled_); last != cursors_.end() && on_its_way(*last)) return false;
  const auto found = std::find_if(cursors_.begin(), cursors_.end(), on_its_way);
  if (found != cursors_.end()) unsettled_ = found->first;
  return found == cursors_.end();
}

// ---- bars as they close

void SeriesSender::publish(SeriesIndex series, const SignalRecord& record) {
  SeriesCursor* cursor = find(series);
  if (cursor == nullptr) return;
  const std::int64_t close_ms = record.bar.close_time_ms;
  if (record.correction) cursor->correct(close_ms, record.before, record.bar);
  if (close_ms > cursor->newest_ms && !record.correction) {
    cursor->newest_ms = close_ms;
    if (close_ms > cursor->acknowledged_ms && cursor->remembered++ == 0) {
      cursor->first_remembered_ms = close_ms;
      cursor->first_remembered_us = record.received_us;
    }
  }
  if (cursor->phase == Phase::stopped) return back_to_head(series, *cursor);  // it may be gone by now
  // The head was compared already, or is about to be, as it was before.
  const bool compared = cursor->phase == Phase::paging || cursor->phase == Phase::checking;
  if (record.correction && compared) return back_to_head(series, *cursor);
  if (cursor->phase == Phase::level) publish_level(series, *cursor, record);
}

void SeriesSender::publish_level(SeriesIndex series, SeriesCursor& cursor, const SignalRecord& record) {
  const std::int64_t close_ms = record.bar.close_time_ms;
  // A twin may have told a correction already, a newer one even: the head has its prices.
  if (record.correction && close_ms >= cursor.position_ms) return back_to_head(series, cursor);
  if (close_ms <= cursor.position_ms) {
    // The stream has it: another instance was faster and must have said the same.
    if (!record.correction && close_ms > cursor.own_ms) send(series, cursor, record, false);
    return;
  }
  if (cursor.yields && cursor.stands_ms == record.anchor_ms) return yield(series, cursor);
  if (cursor.position_ms == 0 || record.prev_close_ms == cursor.position_ms) {
    send(series, cursor, record, false);
  } else if (record.prev_close_ms > cursor.position_ms) {
    cursor.phase = Phase::paging;
    want_turn(series, cursor);
  } else {
    back_to_head(series, cursor);  // the head is a bar that we have not
  }
}

/// The next command is for a server that is still importing the slot.
void SeriesSender::ask(const SeriesCursor& cursor) {
  if (cursor.asking) parts_.connection.send({"ASKING"}, nullptr);
}

bool SeriesSender::send(SeriesIndex series, SeriesCursor& cursor, const SignalRecord& record, bool check) {
  if (!parts_.connection.can_send()) {
    retry_later(series, cursor);
    return false;
  }
  ask(cursor);
  formatter_.append_command(parts_.connection.output(), cursor.text, record, terms(cursor, record), utc_us());
  cursor.in_flight.push(
      {record.bar.close_time_ms, cursor.epoch, record.source, record.correction, check, record.anchor_ms});
  ++in_flight_;
  cursor.own_ms = std::max(cursor.own_ms, record.bar.close_time_ms);
  if (record.bar.close_time_ms > cursor.position_ms) cursor.stand_at(record.bar.close_time_ms);
  parts_.connection.committed([this, series, generation = cursor.generation](const Reply* reply) {
    on_answer(series, generation, reply);
  });
  return true;
}

void SeriesSender::publish_forming(SeriesIndex series, const SignalRecord& record) {
  SeriesCursor* cursor = find(series);
  if (!ready_ || cursor == nullptr || !cursor->stopped_for.empty() || !parts_.connection.can_send() ||
      parts_.connection.output_bytes() > kFormingOutputBytes) {
    return;
  }
  parts_.connection.send(
      {"PUBLISH", cursor->text.forming_channel(), formatter_.json(cursor->text, record, utc_us())},
      [this](const Reply* reply) {
        if (reply == nullptr || !reply->is_error()) return;
        ++parts_.counters.errors;
        refuse("", reply->text);
      });
}

// ---- turns: what needs history is done piece by piece, so that closing bars are not kept waiting

void SeriesSender::want_turn(SeriesIndex series, SeriesCursor& cursor) {
  if (!ready_ || std::exchange(cursor.queued, true)) return;
  turns_.emplace_back(series, cursor.generation);
  schedule_turns();
}

void SeriesSender::schedule_turns() {
  if (turns_.empty() || !may_send() || std::exchange(turns_scheduled_, true)) return;
  boost::asio::post(parts_.io, [self = self_] {
    if (*self != nullptr) (*self)->take_turns();
  });
}

bool SeriesSender::may_send() const {
  if (!ready_ || paused_) return false;
  // However full the output is: what others wrote there calls nobody when it has gone, our own answer does.
  if (in_flight_ == 0 && heads_in_flight_ == 0) return true;
  return !careful_ && in_flight_ < kMostInFlight && heads_in_flight_ < kMostHeadsInFlight &&
         parts_.connection.output_bytes() <= kMostOutputBytes;
}

void SeriesSender::take_turns() {
  turns_scheduled_ = false;
  bool used_history = false;
  while (!turns_.empty() && may_send() && !used_history) {
    const auto [series, generation] = turns_.front();
    turns_.pop_front();
    SeriesCursor* cursor = find(series, generation);
    if (cursor == nullptr) continue;
    cursor->queued = false;
    used_history = cursor->phase == Phase::checking || cursor->phase == Phase::paging;
    take_turn(series, *cursor);
  }
  schedule_turns();
}

void SeriesSender::take_turn(SeriesIndex series, SeriesCursor& cursor) {
  switch (cursor.phase) {
    case Phase::wants_head:
      return read_head(series, cursor);
    case Phase::checking:
      return check_head(series, cursor);
    case Phase::paging:
      return send_page(series, cursor);
    case Phase::unready:
    case Phase::reading:
    case Phase::level:
    case Phase::waiting:
    case Phase::conflict:
    case Phase::stopped:
      return;
  }
}

void SeriesSender::read_head(SeriesIndex series, SeriesCursor& cursor) {
  ask(cursor);
  const std::string now_us = std::to_string(utc_us());
  const bool sent = parts_.connection.send({"FCALL", kHeadFunction, "2", cursor.text.stream_key(),
                                            cursor.text.last_key(), parts_.options.instance, now_us},
                                           [this, series, generation = cursor.generation](
                                               const Reply* reply) { on_head(series, generation, reply); });
  if (!sent) return retry_later(series, cursor);
  cursor.phase = Phase::reading;
  ++cursor.heads_in_flight;
  ++heads_in_flight_;
}

/// Into page_. False where the answer is yet to come: the series waits, or has its next turn in this phase.
bool SeriesSender::ask_history(SeriesIndex series, SeriesCursor& cursor, std::int64_t after_close_ms,
                               std::size_t limit) {
  page_.clear();
  const HistoryAnswer answer = parts_.history.signals_after(series, after_close_ms, limit, page_);
  if (answer == HistoryAnswer::wait) cursor.settle(Phase::waiting);
  if (answer == HistoryAnswer::again) want_turn(series, cursor);
  return answer == HistoryAnswer::records;
}

void SeriesSender::send_page(SeriesIndex series, SeriesCursor& cursor) {
  if (!begin_after_told_head(series, cursor) || !begin_at_known_head(series, cursor)) return;
  const std::int64_t after_ms = cursor.position_ms;
  if (!ask_history(series, cursor, after_ms, kPage)) return;
  if (!page_.empty() && after_ms != 0 && page_[0].prev_close_ms != after_ms) {
    // The stream goes on from its head, whatever lies between it and what we have.
    // An emptied one begins with its last bar again, before which we stand.
    const bool before_last =
        cursor.begins && (after_ms + 1 == cursor.acknowledged_ms || after_ms + 1 == cursor.known_head_ms);
    if (page_[0].gap_from_ms == 0 && page_[0].prev_close_ms > after_ms)
      page_[0].gap_from_ms = before_last ? after_ms + 1 : after_ms;
    page_[0].prev_close_ms = after_ms;
  }
  // The second bar could arrive although the first was refused, which nothing would bring back.
  cursor.page_was_full = page_.size() >= (cursor.begins ? 2 : kPage);
  for (const SignalRecord& record : page_) {
    if (!send(series, cursor, record, false)) return;
    if (cursor.begins) break;
  }
  if (!cursor.page_was_full) become_level(cursor);
}

void SeriesSender::become_level(SeriesCursor& cursor) {
  cursor.settle(Phase::level);
  if (cursor.newest_ms <= cursor.position_ms && cursor.in_flight.empty()) cursor.remembered = 0;
}

}  // namespace atcd::state
