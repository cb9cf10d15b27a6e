// Bars that were thought not to exist, and what is told of a bar beside its block.
#include <algorithm>
#include <utility>
#include <vector>

#include "state/history.hpp"

namespace atcd::state {

std::uint64_t History::corrections(Series series) const {
  const auto& blocks = series_[series].blocks;
  return static_cast<std::uint64_t>(std::count_if(blocks.begin(), blocks.end(), [](const BlockPlace& place) {
    return place.kind == BlockKind::superseded || place.kind == BlockKind::missing;
  }));
}

/// Where the block is damaged that tells what a bar was corrected to, or that it exists, those written before
/// it hold what is known to be untrue of that slot. It becomes a hole in them, so that it is asked for again,
/// and what they told of it is forgotten; what was written later is of what came then.
void History::cut_out_damaged(Entry& entry) {
  const auto tells = [](const BlockPlace& place) {
    return place.kind == BlockKind::patch || place.kind == BlockKind::missing;
  };
  if (std::none_of(entry.blocks.begin(), entry.blocks.end(), tells)) return;
  std::vector<BlockPlace> kept;
  std::vector<engine::Bar> bar;
  for (const BlockPlace& place : entry.blocks) {
    if (!tells(place) || read_block(place, bar)) {
      kept.push_back(place);
      continue;
    }
    for (const BlockPlace& before : std::exchange(kept, {})) {
      if (tells(before) && before.covered_from_ms == place.covered_from_ms) continue;
      if (before.kind != BlockKind::bars) {
        kept.push_back(before);
        continue;
      }
      BlockPlace older = before, newer = before;
      older.covered_to_ms = std::min(before.covered_to_ms, place.covered_from_ms);
      newer.covered_from_ms = std::max(before.covered_from_ms, place.covered_to_ms);
      if (older.covered_from_ms < older.covered_to_ms) kept.push_back(older);
      if (newer.covered_from_ms < newer.covered_to_ms) kept.push_back(newer);
    }
  }
  entry.blocks = std::move(kept);
}

/// What a bar was corrected to, and bars that were missing, among those of blocks.
void History::patch(const Entry& entry, StoredBars& stored) {
  std::vector<engine::Bar> other;
  for (const BlockPlace& place : entry.blocks) {
    const bool here =
        place.covered_from_ms < stored.covered_to_ms && place.covered_to_ms > stored.covered_from_ms;
    const bool missing = place.kind == BlockKind::missing;
    if ((place.kind != BlockKind::patch && !missing) || !here) continue;
    if (!read_block(place, other)) {  // it was there when the history was opened
      stored.covered_from_ms = std::min(stored.covered_to_ms, place.covered_to_ms);
      std::erase_if(stored.bars,
                    [&](const engine::Bar& bar) { return bar.open_time_ms < stored.covered_from_ms; });
      continue;
    }
    const auto at =
        std::lower_bound(stored.bars.begin(), stored.bars.end(), other[0].open_time_ms,
                         [](const engine::Bar& bar, std::int64_t ms) { return bar.open_time_ms < ms; });
    const bool there = at != stored.bars.end() && at->open_time_ms == other[0].open_time_ms;
    if (there && !missing) *at = other[0];
    if (!there && missing) stored.bars.insert(at, other[0]);
  }
}

/// The tail's rows are read where they lie, so that the bar is put among those of blocks: patch().
bool History::add_missing(Series series, const engine::Bar& bar, std::int64_t at_ms) {
  const Entry& entry = series_[series];
  const bool in_tail = entry.tail.magic != 0 && bar.open_time_ms >= entry.tail.covered_from_ms;
  if (in_tail && !seal_tail(series)) return false;
  return write_block(series, BlockKind::missing, {&bar, 1}, bar.open_time_ms, bar.close_time_ms, at_ms);
}

}  // namespace atcd::state
