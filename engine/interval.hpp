#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace atcd::engine {

/// A bar length with its boundaries in UTC: multiples of the length since 1970-01-01, weeks from Monday
/// 1970-01-05, months by the calendar. Text form as exchanges write it: "1s", "15m", "4h", "3d", "1w", "1M".
class Interval {
 public:
  enum class Unit : std::uint8_t { second, minute, hour, day, week, month };

  /// `count` from 1 to 1000.
  constexpr Interval(int count, Unit unit) : count_(count), unit_(unit) {}

  /// Empty for text of another form: a count from 1 to 1000 without leading zeros and one of s m h d w M.
  static std::optional<Interval> parse(std::string_view text);
  std::string text() const;

  /// The bar's number since 1970-01-01 for a time inside it. Months count year*12+month with month 1..12.
  std::int64_t ordinal(std::int64_t time_ms) const;
  /// The first millisecond of the bar with that number; of one too far away for 64 bits the nearest end of
  /// what they hold.
  std::int64_t open_time_ms(std::int64_t ordinal) const;
  /// The next boundary, exclusive end of the bar that holds the time.
  std::int64_t close_time_ms(std::int64_t time_ms) const { return open_time_ms(ordinal(time_ms) + 1); }
  bool is_boundary(std::int64_t time_ms) const { return open_time_ms(ordinal(time_ms)) == time_ms; }
  /// Every boundary of the target is one of ours too: its bars can be folded from ours.
  bool divides(const Interval& target) const;

  int count() const { return count_; }
  Unit unit() const { return unit_; }

  /// The length in milliseconds; of months the mean length (for estimates only).
  std::int64_t length_ms() const;

  bool operator==(const Interval&) const = default;

 private:
  int count_;
  Unit unit_;
};

}  // namespace atcd::engine
