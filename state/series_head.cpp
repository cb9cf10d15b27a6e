// Redis and we must agree on the head of a stream before it goes on.
#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "state/series_sender.hpp"

namespace atcd::state {
namespace {

constexpr std::chrono::seconds kYield{1};

std::int64_t utc_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

void SeriesSender::check_head(SeriesIndex series, SeriesCursor& cursor) {
  // From just before the head: its own bar comes first, where history has it.
  const std::int64_t head_ms = cursor.position_ms;
  if (!ask_history(series, cursor, head_ms - 1, 1)) return;
  const std::string head_content = std::exchange(cursor.head_content, "");
  cursor.phase = Phase::paging;
  const bool overtaken = cursor.doubt_ms != 0 && cursor.doubt_ms < head_ms;
  if (overtaken && cursor.doubt_ms > cursor.conflict_ms) {
    ++parts_.counters.different;
    return conflict(series, cursor, std::exchange(cursor.doubt_ms, 0), "reason=\"Redis has later bars too\"");
  }
  cursor.doubt_ms = 0;
  if (page_.empty() || page_[0].bar.close_time_ms != head_ms) {
    // Without a gap, bars before and after the head but not the head: the exchange is to be asked about it.
    const bool unknown_here =
        !page_.empty() && page_[0].gap_from_ms == 0 && page_[0].prev_close_ms < head_ms - 1;
    if (unknown_here && head_ms > cursor.conflict_ms) {
      return conflict(series, cursor, head_ms, "reason=\"Redis has a bar that our history does not have\"");
    }
    return want_turn(series, cursor);
  }
  SignalRecord head = page_[0];
  head.gap_from_ms = 0;
  if (same_prices(cursor.head_bar, head.bar)) cursor.end_correction(head_ms);
  if (!cursor.head_superseded()) return compare_head(series, cursor, head, head_content);
  // Whose telling stands corrects it first, or the bar would be told three times.
  const bool waits = cursor.yields && cursor.stands_ms == head.anchor_ms;
  if (waits && std::exchange(cursor.yielded_ms, head_ms) != head_ms) return yield(series, cursor);
  // Until it is acknowledged; to send it again does nothing.
  head.correction = true;
  head.replaces = cursor.head_rev;
  head.prev_close_ms = std::min(head.prev_close_ms, head_ms - 1);
  cursor.phase = Phase::checking;
  send(series, cursor, head, true);
}

/// A signal depends on its bar and on those before it. Where the head's own prices are the same here and
/// there an older bar was another one: a second telling of this bar, and of each that follows, would only
/// contradict the first.
void SeriesSender::compare_head(SeriesIndex series, SeriesCursor& cursor, const SignalRecord& ours,
                                const std::string& head_content) {
  const std::int64_t head_ms = cursor.position_ms;
  if (cursor.other_config) return want_turn(series, cursor);
  if (formatter_.content(cursor.text, ours) == head_content) {
    says_the_same(series, cursor, head_ms);
  } else if (same_prices(cursor.head_bar, ours.bar)) {
    ++parts_.counters.different;
    let_stand(cursor, ours);
  } else if (head_ms > cursor.conflict_ms) {
    ++parts_.counters.different;
    return conflict(series, cursor, head_ms, "rev=" + std::to_string(cursor.head_rev));
  }
  want_turn(series, cursor);
}

/// The head's bar is the same here and there, its signal is not. Told once a run: with the next anchor the
/// older bars are those that the exchange tells now.
void SeriesSender::let_stand(SeriesCursor& cursor, const SignalRecord& ours) {
  const std::int64_t head_ms = ours.bar.close_time_ms;
  cursor.acknowledged_ms = std::max(cursor.acknowledged_ms, head_ms);
  cursor.yields = true;
  if (std::exchange(cursor.stands_ms, ours.anchor_ms) == ours.anchor_ms) return;
  ++parts_.counters.conflicts;
  tell(PublishEvent::conflict, cursor,
       "close_ms=" + std::to_string(head_ms) + " rev=" + std::to_string(cursor.head_rev) + " anchor_ms=" +
           std::to_string(ours.anchor_ms) + " reason=\"the bar is the same, the signal is not\"");
  parts_.notices.event(
      "conflict", utc_ms(), cursor.text.name(),
      "Redis has another signal for a bar that we have with the same prices: the bars before it "
      "were others. What was published stands, until the next anchor at the latest");
}

/// Of two daemons that tell otherwise now this, now that one would be first, and the stream would be
/// neither's. So the one whose telling does not stand publishes only what the other leaves out.
void SeriesSender::yield(SeriesIndex series, SeriesCursor& cursor) { retry_in(kYield, series, cursor); }

/// An answer may have named a head of which there is no entry: it was trimmed or deleted, and Redis takes
/// nothing that is not after it. False while history's answer is yet to come.
bool SeriesSender::begin_after_told_head(SeriesIndex series, SeriesCursor& cursor) {
  if (cursor.told_head_ms <= cursor.position_ms) return true;
  if (!ask_history(series, cursor, cursor.told_head_ms - 1, 1)) return false;
  // Where no bar of ours reaches it, none can be added before it is gone.
  if (!page_.empty()) cursor.stand_at(std::exchange(cursor.told_head_ms, 0));
  return true;
}

/// An emptied stream goes on from a head that was read and not compared yet, where our bars reach it. False
/// while history's answer is yet to come.
bool SeriesSender::begin_at_known_head(SeriesIndex series, SeriesCursor& cursor) {
  if (!cursor.begins || cursor.known_head_ms <= cursor.position_ms + 1) return true;
  if (!ask_history(series, cursor, cursor.known_head_ms - 1, 1)) return false;
  if (!page_.empty()) cursor.stand_at(cursor.known_head_ms - 1);
  return true;
}

}  // namespace atcd::state
