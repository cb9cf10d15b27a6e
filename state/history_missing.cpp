#include <algorithm>

#include "state/history.hpp"

namespace atcd::state {

std::uint64_t History::corrections(Series series) const {
  const auto& blocks = series_[series].blocks;
  return static_cast<std::uint64_t>(std::count_if(blocks.begin(), blocks.end(), [](const BlockPlace& place) {
    return place.kind == BlockKind::superseded || place.kind == BlockKind::missing;
  }));
}

/// The tail's rows are read where they lie, so that the bar is put among those of blocks: patch().
bool History::add_missing(Series series, const engine::Bar& bar, std::int64_t at_ms) {
  const Entry& entry = series_[series];
  const bool in_tail = entry.tail.magic != 0 && bar.open_time_ms >= entry.tail.covered_from_ms;
  if (in_tail && !seal_tail(series)) return false;
  return write_block(series, BlockKind::missing, {&bar, 1}, bar.open_time_ms, bar.close_time_ms, at_ms);
}

}  // namespace atcd::state
