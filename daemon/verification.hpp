#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "daemon/config.hpp"
#include "engine/bar.hpp"
#include "engine/series_id.hpp"
#include "state/history.hpp"

namespace atcd::daemon {

/// One entry of a series' stream, as text.
struct PublishedEntry {
  std::string id;  // <close_ms>-<rev>
  std::map<std::string, std::string, std::less<>> fields;
};

/// What is known of the bars behind it.
struct KnownBars {
  state::StoredBars current;
  std::vector<engine::Bar> superseded;  // as they were before they were corrected
  std::vector<state::LateBar> late;
};

struct Verdict {
  std::size_t equal = 0;  // recomputed, and the same to the last bit
  std::size_t unknown =
      0;  // can't be recomputed: the bars back to its anchor, or the parameters, are not here
  std::size_t too_new = 0;  // at the end: its bar is not known yet
  std::string difference;   // the first one, a sentence; empty where there is none
};

/// Recomputes what was published of a series from its bars and compares all content (close, everything
/// computed from it, bar index, anchor) bit by bit; and whether a bar between two entries has none. `entries`
/// in the stream's order. Ends at the first difference.
Verdict verify(const ProfileConfig& profile, const engine::SeriesId& id, const KnownBars& bars,
               std::span<const PublishedEntry> entries);

/// The open time of the first bar that the signal of the bar with this open time depends on, at the earliest.
std::int64_t earliest_open_ms(const ProfileConfig& profile, const engine::SeriesId& id, std::int64_t open_ms);

}  // namespace atcd::daemon
