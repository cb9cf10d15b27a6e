#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "state/key_slot.hpp"
#include "state/publisher.hpp"
#include "state/ring.hpp"
#include "state/signal_text.hpp"

namespace atcd::state {

/// What is being done about one stream.
enum class Phase : std::uint8_t {
  unready,     // history can't answer yet, until resume()
  wants_head,  // nothing is known of the stream: its newest entry is to be read
  reading,     // that was asked
  checking,    // the head's own bar is to be sent, or was: Redis and we must agree on it
  paging,      // what history has after `position_ms` is to be sent
  level,       // all that history has was sent: publish() sends at once
  waiting,     // history is fetching bars, until resume()
  conflict,    // the daemon asks the exchange, until answered() or resume()
  stopped,     // the stream was begun with other parameters
};

/// One record on its way.
struct InFlight {
  std::int64_t close_ms = 0;
  std::uint32_t epoch = 0;
  Source source = Source::live;
  bool correction = false;
  bool check = false;
  std::int64_t anchor_ms = 0;
};

/// So many tellings of one bar are remembered while Redis may still have any of them.
constexpr std::size_t kTellings = 16;

/// One published series: where its stream stands and what is on the way.
struct SeriesCursor {
  SeriesCursor(PublishedSeries published, std::uint32_t number, const RedisOptions& options)
      : info(std::move(published)),
        text(info, options.instance, options.prefix),
        slot(key_slot(text.stream_key())),
        generation(number) {}

  PublishedSeries info;
  SeriesText text;
  std::uint16_t slot;                            // of all its keys, in a cluster
  const GroupSizes::Size* group_size = nullptr;  // series of its group, wherever they are
  std::uint32_t generation;  // tells a series from one that had the same index, or was elsewhere, before
  bool asking = false;       // it is with a server that is still importing its slot
  Phase phase = Phase::unready;
  /// Counts the errors: answers to what was sent before the newest error are not acted upon.
  std::uint32_t epoch = 0;
  std::uint32_t heads_in_flight = 0;
  Ring<InFlight> in_flight;
  bool queued = false;   // for its turn
  bool settled = false;  // its stream was compared with history, once at least

  std::int64_t position_ms = 0;  // the stream's head once all in flight has arrived; 0: empty
  // Of the entry there that we agree with, or let stand; empty: on its way, or of no entry.
  std::optional<std::int64_t> position_rev;
  std::int64_t own_ms = 0;   // the newest bar that we have sent since the head was read
  std::string head_content;  // of the head that was read, until it is compared
  std::int64_t head_rev = 0;
  engine::Bar head_bar;                 // its prices, as Redis has them
  std::int64_t known_head_ms = 0;       // the newest head that this run has read
  std::int64_t told_head_ms = 0;        // a head named by an answer; where its entry was trimmed or deleted
  std::int64_t conflict_ms = 0;         // the exchange was asked about conflicts up to here: not again
  std::int64_t doubt_ms = 0;            // Redis answered that it has other content for this bar
  std::int64_t stands_ms = 0;           // anchor of the run of which Redis has other signals than ours: told
  std::int64_t correction_ms = 0;       // a correction of this bar is to be sent or not yet acknowledged
  std::int64_t proven_ms = 0;           // one of which the exchange was asked: it replaces whatever Redis has
  std::vector<engine::Bar> superseded;  // what was told of it before: Redis may still have that
  bool yields = false;                  // who published what stands goes first
  std::int64_t yielded_ms = 0;          // with the correction of this bar it did, or need not
  bool other_config = false;            // adopted: the head's content can't be ours
  std::string stopped_for;              // the other configuration, while stopped; until a head says otherwise
  bool begins = false;                  // the stream is empty: it takes whichever bar comes first
  bool page_was_full = false;           // there is more to be sent when all that was sent is answered
  std::uint32_t failures = 0;           // since the last success
  std::chrono::steady_clock::time_point retry_at;  // of the retry that counts, while one is waited for
  std::uint64_t backfilled = 0;                    // acknowledged since it was last level

  // Bars that publish() was given and Redis has not acknowledged.
  std::int64_t newest_ms = 0;
  std::int64_t acknowledged_ms = 0;  // the newest bar that Redis has acknowledged
  std::int64_t first_remembered_ms = 0;
  std::int64_t first_remembered_us = 0;  // when it came, UTC
  std::size_t remembered = 0;

  void stand_at(std::int64_t close_ms, std::optional<std::int64_t> rev = std::nullopt) {
    position_ms = close_ms;
    position_rev = rev;
  }
  /// A correction of this bar; it was told as `before`.
  void correct(std::int64_t close_ms, const engine::Bar& before, const engine::Bar& now) {
    if (correction_ms != close_ms) superseded.clear();
    std::erase_if(superseded, [&now](const engine::Bar& bar) { return same_prices(bar, now); });
    // An exchange may tell anew without end. What is forgotten costs a question to it, no more.
    if (superseded.size() == kTellings) superseded.erase(superseded.begin());
    superseded.push_back(before);
    correction_ms = close_ms;
    yielded_ms = 0;
    conflict_ms = std::min(conflict_ms, close_ms - 1);  // it has spoken anew: it may be asked again
  }
  /// Redis has it. Of a later bar, which Redis lacks, another may be waiting.
  void end_correction(std::int64_t close_ms) {
    if (correction_ms == close_ms) correction_ms = 0;
    if (proven_ms == close_ms) proven_ms = 0;
  }
  /// The head that was read has what our correction replaces. Else a twin may have told a newer one.
  bool head_superseded() const {
    if (proven_ms == position_ms) return true;
    return correction_ms == position_ms &&
           std::any_of(superseded.begin(), superseded.end(),
                       [this](const engine::Bar& bar) { return same_prices(bar, head_bar); });
  }

  /// There is nothing more to be done for now.
  void settle(Phase now) {
    phase = now;
    settled = true;
  }

  std::size_t unpublished() const { return stopped_for.empty() ? std::max(remembered, in_flight.size()) : 0; }
};

}  // namespace atcd::state
