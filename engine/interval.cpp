#include "engine/interval.hpp"

#include <array>
#include <chrono>

namespace atcd::engine {
namespace {

constexpr std::string_view kUnitLetters = "smhdwM";
constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::array<std::int64_t, 6> kUnitMs = {1000,       60'000,       3'600'000, kDayMs,
                                                 7 * kDayMs, 2'629'746'000 /* mean Gregorian month */};
constexpr std::int64_t kFirstMondayMs = 4 * kDayMs;  // 1970-01-05

constexpr std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

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
    using namespace std::chrono;
    const year_month_day date{floor<days>(sys_time<milliseconds>{milliseconds{time_ms}})};
    const std::int64_t month = static_cast<int>(date.year()) * 12LL + static_cast<unsigned>(date.month());
    return floor_div(month, count_);
  }
  if (unit_ == Unit::week) return floor_div(time_ms - kFirstMondayMs, length_ms());
  return floor_div(time_ms, length_ms());
}

std::int64_t Interval::open_time_ms(std::int64_t ordinal) const {
  if (unit_ == Unit::month) {
    using namespace std::chrono;
    const std::int64_t month = ordinal * count_ - 1;  // months since year 0, January = 0
    const auto date = year_month_day{
        year{static_cast<int>(floor_div(month, 12))},
        std::chrono::month{static_cast<unsigned>(month - floor_div(month, 12) * 12) + 1}, day{1}};
    return duration_cast<milliseconds>(sys_days{date}.time_since_epoch()).count();
  }
  if (unit_ == Unit::week) return ordinal * length_ms() + kFirstMondayMs;
  return ordinal * length_ms();
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
