#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/interval.hpp"
#include "state/history.hpp"

namespace atcd::daemon {

/// The newest slots of `target` without a hole that `parts`, bars of `base`, hold whole: every one of their
/// parts is there, and none of `late` tells one of them otherwise. What the exchange would say of any other
/// slot nobody knows but itself. Its end is the last boundary that the parts reach, or nothing is held. Pure.
state::StoredBars fold_whole(const state::StoredBars& parts, std::span<const state::LateBar> late,
                             const engine::Interval& base, const engine::Interval& target);

/// A stored history of another interval of the same symbol.
struct FoldSource {
  std::string archive_name;
  engine::Interval interval;
  std::vector<state::LateBar> late;  // beside what the history itself has
};

/// What a series of `target` lacks, and whose history may have it.
struct FoldQuestion {
  std::vector<FoldSource> sources;  // the best first
  engine::Interval target;
  std::int64_t first = 0, running = 0;  // ordinals: of the first slot that is wanted and of the one that runs
  std::int64_t rows_per_request = 0;    // of the target, over REST
};

/// Whether slots from one ordinal to another (exclusive) that need not be asked for make for fewer requests,
/// the one that compares some of them with the exchange's counted.
bool saves_requests(const FoldQuestion& question, std::int64_t from, std::int64_t to);

/// From the first source that saves requests, by what its blocks hold; nothing where none does. Reads the
/// disk.
state::StoredBars read_fold(state::History& history, const FoldQuestion& question);

}  // namespace atcd::daemon
