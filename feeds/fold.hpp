#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/bar.hpp"
#include "engine/interval.hpp"
#include "feeds/exchange.hpp"

namespace atcd::feeds {

/// `bar` holds a slot's beginning; takes in what follows it.
void extend(engine::Bar& bar, const engine::Bar& next);

/// The bars of a longer interval from rows of one that divides it, oldest first. A slot is what its rows add
/// up to: for those that are not there the exchange has no bar.
std::vector<engine::Bar> fold_rows(std::span<const engine::Bar> rows, const engine::Interval& target);

/// The frames of a longer interval from those of one that divides it. A bar is marked closed only where every
/// one of its parts was, in order; of any other only forming frames come, and REST has to close it. Pure, and
/// of the same size however many parts there are. One thread.
class FrameFold {
 public:
  FrameFold(const engine::Interval& base, const engine::Interval& target);

  /// What the frame comes to; empty for one of the past. Its texts live as long as the frame and this.
  std::optional<Kline> take(const Kline& kline);
  /// The forming bar that take() gave has all its parts, from the first on.
  bool whole() const { return whole_so_far_; }
  /// Whether a bar that was closed already may have changed: the exchange has told one of its parts again,
  /// which is not held any more. Said once.
  bool take_doubt() { return std::exchange(doubt_, false); }
  /// When the last closed part closes; 0: there was none. Parts before it are dropped.
  std::int64_t end_ms() const { return last_ ? last_->close_time_ms : 0; }
  /// Forgets the parts: the next one begins.
  void begin_anew();

 private:
  std::optional<Kline> take_closed(const Kline& kline, std::int64_t part);
  std::optional<Kline> take_forming(const Kline& kline, std::int64_t part);
  std::optional<Kline> told(const Kline& kline, const engine::Bar& bar, bool closed) const;
  bool follows(std::int64_t part, std::int64_t slot) const;
  engine::Bar parts() const;

  engine::Interval base_;
  engine::Interval target_;
  std::string text_;                    // of the target
  std::optional<engine::Bar> earlier_;  // the slot's closed parts but for the last
  std::optional<engine::Bar> last_;     // its last closed part
  std::int64_t slot_ = 0;               // the target's ordinal of the parts held
  std::int64_t next_ = 0;               // the base's ordinal after the last closed part
  bool in_order_ = false;               // every part of the slot up to next_ was closed
  bool whole_so_far_ = false;
  bool doubt_ = false;
};

}  // namespace atcd::feeds
