#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config.hpp"
#include "daemon/signal_series.hpp"
#include "engine/bar.hpp"
#include "engine/interval.hpp"
#include "engine/series_id.hpp"
#include "state/history.hpp"

namespace atcd::daemon {

/// One entry of a series' stream, as text.
struct PublishedEntry {
  std::string id;  // <close_ms>-<rev>
  std::map<std::string, std::string, std::less<>> fields;

  /// Empty where the entry has no such field.
  std::string_view field(std::string_view name) const;
  std::optional<std::int64_t> number(std::string_view name) const;
};

/// Other tellings of some of the bars.
struct OtherTellings {
  std::vector<engine::Bar> superseded;  // as they were before they were corrected
  std::vector<state::LateBar> late;
};

struct Verdict {
  std::size_t equal = 0;    // recomputed, and the same to the last bit
  std::size_t unknown = 0;  // can't be: the bars back to its anchor, or the parameters, are not here
  std::size_t too_new = 0;  // 1 where the stream ends with bars that are not known yet
  std::string last_id;      // of the newest entry that was counted
  std::string difference;   // the first one, a sentence; empty where there is none
};

/// Recomputes what was published of one series from its bars and compares all content (close, everything
/// computed from it, bar index, anchor) bit by bit; and whether a bar between two entries has none. One pass
/// over bars and entries side by side: memory grows with neither. Ends at the first difference.
class Verification {
 public:
  /// More entries, in the stream's order; none: that was all.
  using MoreEntries = std::function<std::vector<PublishedEntry>()>;

  /// `counted`: the ID of an entry that an earlier verification has counted; it is only looked at.
  /// `begins_ms`: bars that closed by then were another instrument's (state::Instrument::begins_ms()): their
  /// entries can't be recomputed.
  Verification(const ProfileConfig& profile, const engine::SeriesId& id, OtherTellings others,
               MoreEntries more, std::string counted = "", std::int64_t begins_ms = 0);

  /// The next bars, in order. Where they begin later than the last ended bars are missing.
  void take(const state::StoredBars& bars);
  /// No more bars are known.
  Verdict finish();

 private:
  struct Entry {
    PublishedEntry published;
    std::int64_t open_ms;
    std::int64_t close_ms;
  };

  void next_entry();
  void read_entry();
  void take_bar(const engine::Bar& bar);
  void compare(const engine::Bar& bar, const std::optional<AnchoredSignal>& computed);
  bool equals_superseded(const engine::Bar& bar);
  bool has_superseded(const engine::Bar& bar) const;
  bool corrected_by_next();
  void count(std::size_t& counter);
  void differ(const std::string& how);
  void trim();

  std::string config_;
  engine::Interval interval_;
  bool fixed_anchor_;
  OtherTellings others_;
  MoreEntries more_;
  std::string counted_;
  std::int64_t begins_ms_;
  SignalSeries signals_;
  SignalSeries::Replay replay_;
  state::StoredBars window_;  // the bars that the next signals can need
  std::vector<PublishedEntry> page_;
  std::size_t next_in_page_ = 0;
  bool begun_ = false;          // bars were taken
  std::optional<Entry> entry_;  // the next to compare; empty: there is none
  std::optional<std::int64_t>
      without_entry_ms_;    // close of the newest bar that follows an entry and has none
  bool following_ = false;  // the entry before was comparable
  Verdict verdict_;
};

/// The open time of the first bar that the signal of the bar with this open time depends on, at the earliest.
std::int64_t earliest_open_ms(const ProfileConfig& profile, const engine::SeriesId& id, std::int64_t open_ms);

}  // namespace atcd::daemon
