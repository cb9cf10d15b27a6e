#include "daemon/stored_fold.hpp"

#include <algorithm>
#include <set>

#include "feeds/fold.hpp"

namespace atcd::daemon {
namespace {

// 14 MB of bars, and more than a default profile needs of minutes for its hours.
constexpr std::int64_t kMostParts = 250'000;

/// The first slot that begins at the time or after it.
std::int64_t slot_from(const engine::Interval& interval, std::int64_t time_ms) {
  const std::int64_t slot = interval.ordinal(time_ms);
  return interval.open_time_ms(slot) < time_ms ? slot + 1 : slot;
}

}  // namespace

state::StoredBars fold_whole(const state::StoredBars& parts, std::span<const state::LateBar> late,
                             const engine::Interval& base, const engine::Interval& target) {
  std::set<std::int64_t> doubtful;
  for (const state::LateBar& each : late) doubtful.insert(target.ordinal(each.bar.open_time_ms));
  const std::int64_t end = target.ordinal(parts.covered_to_ms);
  std::int64_t from = slot_from(target, parts.covered_from_ms);  // of what is held
  std::int64_t next = from;                                      // after the last slot that was looked at
  std::vector<engine::Bar> whole;
  for (auto part = parts.bars.begin(); part != parts.bars.end();) {
    const std::int64_t slot = target.ordinal(part->open_time_ms);
    const auto begin = part;
    while (part != parts.bars.end() && target.ordinal(part->open_time_ms) == slot) ++part;
    if (slot < from) continue;
    if (slot >= end) break;
    const std::int64_t wanted =
        base.ordinal(target.open_time_ms(slot + 1)) - base.ordinal(target.open_time_ms(slot));
    const bool held = part - begin == wanted && !doubtful.contains(slot);
    if (slot != next || !held) {
      whole.clear();
      from = held ? slot : slot + 1;
    }
    next = slot + 1;
    if (held) whole.push_back(feeds::fold_rows({begin, part}, target).front());
  }
  if (next != end) whole.clear();
  if (whole.empty()) return {};
  return {std::move(whole), target.open_time_ms(from), target.open_time_ms(end)};
}

bool saves_requests(const FoldQuestion& question, std::int64_t from, std::int64_t to) {
  const auto pages = [&question](std::int64_t slots) {
    return (std::max<std::int64_t>(0, slots) + question.rows_per_request - 1) / question.rows_per_request;
  };
  const std::int64_t after = std::max<std::int64_t>(1, question.running + 1 - to);  // the running one anyway
  const std::int64_t comparing = 1;
  return to > from && comparing + pages(from - question.first) + pages(after) <
                          pages(question.running + 1 - question.first);
}

state::StoredBars read_fold(state::History& history, const FoldQuestion& question) {
  const engine::Interval& target = question.target;
  for (const FoldSource& source : question.sources) {
    const auto series = history.find(source.archive_name);
    if (!series) continue;
    const state::Stretch held = history.newest_in_blocks(*series);
    const engine::Interval& base = source.interval;
    const std::int64_t from_ms = std::max({held.from_ms, target.open_time_ms(question.first),
                                           base.open_time_ms(base.ordinal(held.to_ms) - kMostParts)});
    if (!saves_requests(question, slot_from(target, from_ms), target.ordinal(held.to_ms))) continue;
    const state::StoredBars parts = history.newest_before(*series, held.to_ms, from_ms);
    std::vector<state::LateBar> late = history.late(*series);
    late.insert(late.end(), source.late.begin(), source.late.end());
    state::StoredBars folded = fold_whole(parts, late, base, target);
    if (!folded.bars.empty() && saves_requests(question, target.ordinal(folded.covered_from_ms),
                                               target.ordinal(folded.covered_to_ms)))
      return folded;
  }
  return {};
}

}  // namespace atcd::daemon
