#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/interval.hpp"

namespace atcd::engine {

/// Where bar 0 of a series lies: fixed by the calendar, never by the start of the program (design, section
/// 3).
struct AnchorRule {
  std::int64_t history_bars = 1500;   // H: bar slots before a segment's first published bar; 1 or more
  std::int64_t anchor_period = 1500;  // P: bar slots that share one anchor; 1 or more
  std::optional<std::int64_t> fixed_anchor_ms;  // instead of both: bar 0 for ever
};

/// The bar slots whose signals are computed from one bar 0. Ordinals as of Interval::ordinal.
struct Segment {
  std::int64_t anchor_ordinal;  // bar 0 is the first existing bar at or after this slot
  std::int64_t first_ordinal;   // first slot published with this anchor
  std::int64_t end_ordinal;     // first slot of the next segment

  bool operator==(const Segment&) const = default;
};

/// FNV-1a of the bytes, 64 bits.
std::uint64_t fnv1a_64(std::string_view bytes);

/// FNV-1a-64(series name) mod P: spreads the changes of anchor of many series over the period.
std::int64_t anchor_phase(std::string_view series_name, std::int64_t anchor_period);

/// The segment that the bar with this ordinal belongs to:
/// k = floor((n - phase) / P), anchor = k*P + phase - H. A fixed anchor has one segment without end; bars
/// before it have none (empty).
std::optional<Segment> segment_of(const AnchorRule& rule, const Interval& interval, std::int64_t phase,
                                  std::int64_t ordinal);

}  // namespace atcd::engine
