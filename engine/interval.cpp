#include "engine/interval.hpp"

#include <array>
#include <limits>

namespace atcd::engine {
namespace {

constexpr std::string_view kUnitLetters = "smhdwM";
constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::array<std::int64_t, 6> kUnitMs = {1000,       60'000,       3'600'000, kDayMs,
                                                 7 * kDayMs, 2'629'746'000 /* mean Gregorian month */};
constexpr std::int64_t kFirstMondayMs = 4 * kDayMs;  // 1970-01-05

// No time has a month further from the year 0.
constexpr std::int64_t kFurthestMonth = 292'000'000LL * 12;

constexpr std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// The calendar in 64 bits: std::chrono's years end at 32,767, and an anchor may lie beyond. Years here begin
// in March, so that a leap day is a year's last; an era is 400 of them, the first from 0000-03-01.

constexpr std::int64_t kEraMonths = 4'800, kEraDays = 146'097;
constexpr std::int64_t kEpochDay = 719'468;  // 1970-01-01, counted from 0000-03-01

/// Days from a year's beginning to that of its month 0 to 11, which is February.
constexpr std::int64_t days_before(std::int64_t month) { return (153 * month + 2) / 5; }

/// The day since 1970-01-01 on which the month begins; 0 is January of the year 0.
constexpr std::int64_t first_day(std::int64_t month) {
  const std::int64_t from_march = month - 2;
  const std::int64_t era = floor_div(from_march, kEraMonths);
  const std::int64_t year = (from_march - era * kEraMonths) / 12,
                     in_year = (from_march - era * kEraMonths) % 12;
  return era * kEraDays + year * 365 + year / 4 - year / 100 + days_before(in_year) - kEpochDay;
}

/// The month that holds the day.
constexpr std::int64_t month_of(std::int64_t day) {
  const std::int64_t from_march = day + kEpochDay;
  const std::int64_t era = floor_div(from_march, kEraDays);
  const std::int64_t in_era = from_march - era * kEraDays;
  const std::int64_t year = (in_era - in_era / 1460 + in_era / 36'524 - in_era / 146'096) / 365;
  const std::int64_t in_year = in_era - (year * 365 + year / 4 - year / 100);
  return era * kEraMonths + year * 12 + (5 * in_year + 2) / 153 + 2;
}

}  // namespace

std::optional<Interval> Interval::parse(std::string_view text) {
  if (text.size() < 2 || text.size() > 5 || text[0] == '0') return std::nullopt;
  const auto unit = kUnitLetters.find(text.back());
  if (unit == std::string_view::npos) return std::nullopt;
  int count = 0;
  for (const char digit : text.substr(0, text.size() - 1)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    count = count * 10 + (digit - '0');
  }
  if (count > 1000) return std::nullopt;
  return Interval(count, static_cast<Unit>(unit));
}

std::string Interval::text() const {
  return std::to_string(count_) + kUnitLetters[static_cast<std::size_t>(unit_)];
}

std::int64_t Interval::length_ms() const { return count_ * kUnitMs[static_cast<std::size_t>(unit_)]; }

std::int64_t Interval::ordinal(std::int64_t time_ms) const {
  if (unit_ == Unit::month) {
    // Quarters and years begin in January; of single months it is year * 12 + month.
    const std::int64_t month = month_of(floor_div(time_ms, kDayMs));
    return count_ == 1 ? month + 1 : floor_div(month, count_);
  }
  if (unit_ == Unit::week) {
    const std::int64_t least = std::numeric_limits<std::int64_t>::min() + kFirstMondayMs;
    return floor_div((time_ms < least ? least : time_ms) - kFirstMondayMs, length_ms());
  }
  return floor_div(time_ms, length_ms());
}

std::int64_t Interval::open_time_ms(std::int64_t ordinal) const {
  const std::int64_t no_time =
      ordinal < 0 ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
  if (unit_ == Unit::month) {
    const std::int64_t furthest = kFurthestMonth / count_;
    if (ordinal < -furthest || ordinal > furthest) return no_time;
    return first_day(count_ == 1 ? ordinal - 1 : ordinal * count_) * kDayMs;
  }
  std::int64_t open_ms = 0;
  const std::int64_t first_ms = unit_ == Unit::week ? kFirstMondayMs : 0;
  if (__builtin_mul_overflow(ordinal, length_ms(), &open_ms) ||
      __builtin_add_overflow(open_ms, first_ms, &open_ms)) {
    return no_time;
  }
  return open_ms;
}

bool Interval::divides(const Interval& target) const {
  if (unit_ == Unit::month) return target.unit_ == Unit::month && target.count_ % count_ == 0;
  if (unit_ == Unit::week) return target.unit_ == Unit::week && target.count_ % count_ == 0;
  // A month may have any number of days from 28 to 31: only what divides a day divides it.
  if (target.unit_ == Unit::month) return kDayMs % length_ms() == 0;
  const bool weeks = target.unit_ == Unit::week;
  return target.length_ms() % length_ms() == 0 && (!weeks || kFirstMondayMs % length_ms() == 0);
}

}  // namespace atcd::engine
