#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

namespace atcd::feeds {

/// An exchange's clock, by what it tells of its time. A frame was on its way when it
/// came, for a time that nobody knows: the frame that took least tells most, of those of the last half
/// minute. Without such frames the Date headers of answers tell it, to the second. All is measured against
/// the monotonic clock, so that a jump of ours shows at once and nothing measured before it is wrong. What
/// was measured last holds until something new is. Pure; one thread.
class ExchangeTime {
 public:
  /// The exchange's clock showed `event_ms` some time before we had a frame that says so. False where that is
  /// too far in the future to be believed: ten minutes and more beyond what it was known to show. Nothing is
  /// made of it then, unless for five seconds nothing else is told.
  bool on_event(std::int64_t event_ms, std::int64_t monotonic_ms) {
    const std::int64_t ahead_ms = event_ms - monotonic_ms;
    // The first question is the hot path's; what it lets pass the second would too.
    const bool usual = present_.events && ahead_ms <= present_.by_event_ms + kMostAheadMs;
    if (!usual && is_future(ahead_ms) && doubts(monotonic_ms)) return false;
    doubted_since_ms_.reset();
    Window& window = window_at(monotonic_ms);
    window.events = true;
    window.by_event_ms = std::max(window.by_event_ms, ahead_ms);
    return true;
  }

  /// Between the two times (monotonic) the exchange's clock showed something within the second from
  /// `date_ms`.
  void on_answer(std::int64_t date_ms, std::int64_t asked_ms, std::int64_t answered_ms) {
    Window& window = window_at(answered_ms);
    window.answers = true;
    window.least_ms = std::max(window.least_ms, date_ms - answered_ms);
    window.most_ms = std::min(window.most_ms, date_ms + kSecondMs - asked_ms);
  }

  /// What it shows at that time of the monotonic clock, in UTC milliseconds. Empty: nothing was told yet.
  std::optional<std::int64_t> exchange_ms(std::int64_t monotonic_ms) const {
    const auto ahead_ms = ahead_of_monotonic_ms();
    if (!ahead_ms) return std::nullopt;
    return monotonic_ms + *ahead_ms;
  }

 private:
  static constexpr std::int64_t kWindowMs = 15'000;
  static constexpr std::int64_t kSecondMs = 1000;
  static constexpr std::int64_t kMostAheadMs = 600'000;
  static constexpr std::int64_t kLongestDoubtMs = 5000;
  static constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
  static constexpr std::int64_t kHighest = std::numeric_limits<std::int64_t>::max();

  /// The exchange's clock less the monotonic one, as what came in one stretch of time bounds it.
  struct Window {
    std::int64_t begun_ms = 0;
    bool events = false, answers = false;
    std::int64_t by_event_ms = kLowest;                   // at least
    std::int64_t least_ms = kLowest, most_ms = kHighest;  // by answers
  };

  bool is_future(std::int64_t ahead_ms) const {
    const auto known_ms = ahead_of_monotonic_ms();
    return known_ms && ahead_ms > *known_ms + kMostAheadMs;
  }

  /// Of an event from the future: whether those before it may still turn out to be right.
  bool doubts(std::int64_t monotonic_ms) {
    if (!doubted_since_ms_) doubted_since_ms_ = monotonic_ms;
    return monotonic_ms - *doubted_since_ms_ < kLongestDoubtMs;
  }

  Window& window_at(std::int64_t monotonic_ms) {
    const bool begun = present_.events || present_.answers;
    if (begun && monotonic_ms - present_.begun_ms < kWindowMs) return present_;
    const bool adjoins = begun && monotonic_ms - present_.begun_ms < 2 * kWindowMs;
    before_ = adjoins ? present_ : Window{};
    present_ = Window{};
    present_.begun_ms = monotonic_ms;
    return present_;
  }

  std::optional<std::int64_t> ahead_of_monotonic_ms() const {
    if (present_.events || before_.events) return std::max(present_.by_event_ms, before_.by_event_ms);
    if (!present_.answers) return std::nullopt;
    std::int64_t least_ms = std::max(present_.least_ms, before_.least_ms);
    std::int64_t most_ms = std::min(present_.most_ms, before_.most_ms);
    if (least_ms > most_ms) {  // the clock was set in between
      least_ms = present_.least_ms;
      most_ms = present_.most_ms;
    }
    return least_ms + (most_ms - least_ms) / 2;
  }

  Window present_, before_;
  std::optional<std::int64_t> doubted_since_ms_;  // nothing but events from the future since
};

}  // namespace atcd::feeds
