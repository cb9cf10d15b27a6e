#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "engine/bar.hpp"
#include "engine/interval.hpp"

namespace atcd::feeds {

/// Whether a page of the past is believed. One without its first or last bars is that of a younger listing or
/// a halt, or it is empty or short by mistake, and then it would stay in the history for ever. No later row
/// proves anything there: it is believed when a second answer says the same. One series' pages, one after the
/// other.
class DoubtedPage {
 public:
  /// These bars, in order, were told of the slots `from` to `to`, inclusive.
  bool believed(const engine::Interval& interval, std::int64_t from, std::int64_t to,
                std::span<const engine::Bar> bars) {
    Told page{from, to, 0, 0};
    if (!bars.empty()) {
      page.oldest = interval.ordinal(bars.front().open_time_ms);
      page.newest = interval.ordinal(bars.back().open_time_ms);
    }
    const bool whole = page.oldest == from && page.newest == to;
    if (whole || before_ == page) {
      before_.reset();
      looks_ = 0;
      return true;
    }
    before_ = page;
    ++looks_;
    return false;
  }

  /// Answers in a row that were not believed.
  int looks() const { return looks_; }
  /// What was told before says nothing of the next page.
  void forget() { before_.reset(); }

 private:
  struct Told {
    std::int64_t from, to, oldest, newest;  // ordinals: what was asked for and what came; 0, 0: nothing
    bool operator==(const Told&) const = default;
  };

  std::optional<Told> before_;
  int looks_ = 0;
};

}  // namespace atcd::feeds
