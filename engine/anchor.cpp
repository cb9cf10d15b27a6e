#include "engine/anchor.hpp"

#include <limits>

namespace atcd::engine {

std::uint64_t fnv1a_64(std::string_view bytes) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : bytes) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 1099511628211ULL;
  }
  return hash;
}

std::int64_t anchor_phase(std::string_view series_name, std::int64_t anchor_period) {
  return static_cast<std::int64_t>(fnv1a_64(series_name) % static_cast<std::uint64_t>(anchor_period));
}

std::optional<Segment> segment_of(const AnchorRule& rule, const Interval& interval, std::int64_t phase,
                                  std::int64_t ordinal) {
  if (rule.fixed_anchor_ms) {
    // A fixed anchor inside a slot means the first slot that begins at or after it.
    const std::int64_t slot = interval.ordinal(*rule.fixed_anchor_ms - 1) + 1;
    if (ordinal < slot) return std::nullopt;
    return Segment{slot, slot, std::numeric_limits<std::int64_t>::max()};
  }
  const std::int64_t period = rule.anchor_period;
  const std::int64_t since_phase = ordinal - phase;
  const std::int64_t k = since_phase / period - (since_phase % period < 0 ? 1 : 0);
  const std::int64_t first = k * period + phase;
  return Segment{first - rule.history_bars, first, first + period};
}

}  // namespace atcd::engine
