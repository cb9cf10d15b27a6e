#include "feeds/binance_kline.hpp"

#include <array>

namespace atcd::feeds {
namespace {

using engine::Interval;
using Unit = Interval::Unit;

constexpr std::int64_t kYear10000Ms = 253'402'300'800'000;
constexpr std::int64_t kMinuteMs = 60'000, kHourMs = 60 * kMinuteMs, kDayMs = 24 * kHourMs;
constexpr std::array<BinanceInterval, 16> kIntervals = {{{"1m", {1, Unit::minute}, kMinuteMs, 0},
                                                         {"3m", {3, Unit::minute}, 3 * kMinuteMs, 0},
                                                         {"5m", {5, Unit::minute}, 5 * kMinuteMs, 0},
                                                         {"15m", {15, Unit::minute}, 15 * kMinuteMs, 0},
                                                         {"30m", {30, Unit::minute}, 30 * kMinuteMs, 0},
                                                         {"1h", {1, Unit::hour}, kHourMs, 0},
                                                         {"2h", {2, Unit::hour}, 2 * kHourMs, 0},
                                                         {"4h", {4, Unit::hour}, 4 * kHourMs, 0},
                                                         {"6h", {6, Unit::hour}, 6 * kHourMs, 0},
                                                         {"8h", {8, Unit::hour}, 8 * kHourMs, 0},
                                                         {"12h", {12, Unit::hour}, 12 * kHourMs, 0},
                                                         {"1d", {1, Unit::day}, kDayMs, 0},
                                                         {"3d", {3, Unit::day}, 3 * kDayMs, 0},
                                                         {"1w", {1, Unit::week}, 7 * kDayMs, 4 * kDayMs},
                                                         {"1s", {1, Unit::second}, 1000, 0},
                                                         {"1M", {1, Unit::month}, 0, 0}}};

const BinanceInterval* find_interval(std::string_view text) {
  for (const BinanceInterval& known : kIntervals) {
    if (known.text == text) return &known;
  }
  return nullptr;
}

// An event tells of what has been: a bar that is closed in the future would keep out those before it.
constexpr std::int64_t kMostAheadMs = 60'000;

bool in_calendar(std::int64_t time_ms) { return time_ms >= 0 && time_ms < kYear10000Ms; }

const char* check_times(engine::Bar& bar, std::int64_t last_ms, const BinanceInterval& known) {
  if (!in_calendar(bar.open_time_ms)) return "k.t is not a time of our calendar";
  if (!in_calendar(last_ms)) return "k.T is not a time of our calendar";
  bar.close_time_ms = last_ms + 1;
  const bool months = known.length_ms == 0;
  const bool boundary = months ? known.interval.is_boundary(bar.open_time_ms)
                               : (bar.open_time_ms - known.first_ms) % known.length_ms == 0;
  if (!boundary) return "k.t is not a boundary of the interval";
  const std::int64_t close_ms =
      months ? known.interval.close_time_ms(bar.open_time_ms) : bar.open_time_ms + known.length_ms;
  return close_ms == bar.close_time_ms ? nullptr : "k.T is not the last millisecond of the interval";
}

}  // namespace

BinanceKlineCheck::BinanceKlineCheck() : last_interval_(kIntervals.data()) {}

const char* BinanceKlineCheck::refusal(Kline& kline, std::int64_t last_ms) {
  if (kline.interval != last_interval_->text) {
    const BinanceInterval* known = find_interval(kline.interval);
    if (known == nullptr) return "k.i is not an interval that Binance offers";
    last_interval_ = known;
  }
  kline.interval = last_interval_->text;
  if (const char* reason = check_times(kline.bar, last_ms, *last_interval_)) return reason;
  if (!in_calendar(kline.event_time_ms)) return "E is not a time of our calendar";
  if (kline.closed && last_ms > kline.event_time_ms + kMostAheadMs)
    return "k.x is true more than a minute before k.T";
  return engine::is_valid(kline.bar) ? nullptr : "not 0 < low <= open, close <= high with a volume >= 0";
}

}  // namespace atcd::feeds
