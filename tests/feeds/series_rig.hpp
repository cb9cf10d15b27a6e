#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "feeds/series.hpp"

/// A series, and an exchange that the test plays: minutes, counted from kStartMs as slots 0, 1, 2 and so on.
namespace atcd::feeds::testing::scripted_series {

using engine::Bar;
using engine::Interval;

inline constexpr std::int64_t kMinuteMs = 60'000;
inline constexpr std::int64_t kStartMs = 1'700'000'040'000;  // a minute boundary
inline const Interval kMinute(1, Interval::Unit::minute);

inline Bar bar_at(std::int64_t slot_from_start, double close = 100) {
  const std::int64_t open_ms = kStartMs + slot_from_start * kMinuteMs;
  return {open_ms, open_ms + kMinuteMs, close, close + 1, close - 1, close, 5};
}

inline Kline kline_of(const Bar& bar, bool closed) {
  return {"BTCUSDT", "1m", bar, bar.close_time_ms, closed};
}

/// Records what a series says and lets the test play the exchange.
struct Recorder final : SeriesHandler {
  std::vector<Bar> bars, earlier;
  std::int64_t earlier_from_ms = 0;
  std::vector<std::pair<Bar, Bar>> corrections, conflicts;
  std::vector<Bar> confirmed;
  std::vector<SeriesState> states;
  std::deque<std::pair<std::int64_t, std::int64_t>> fetches;
  std::vector<int> priorities;  // of all of them
  int covered = 0, resubscribes = 0, asked_listing = 0, unproven = 0;

  void on_bar(const Bar& bar, std::int64_t) override { bars.push_back(bar); }
  void on_correction(const Bar& before, const Bar& now, std::int64_t) override {
    corrections.emplace_back(before, now);
  }
  void on_conflict(const Bar& used, const Bar& other) override { conflicts.emplace_back(used, other); }
  void on_confirmed(const Bar& used) override { confirmed.push_back(used); }
  void on_unproven() override { ++unproven; }
  void on_state(SeriesState state, std::string_view) override { states.push_back(state); }
  void on_earlier(std::span<const Bar> more, std::int64_t covered_from_ms) override {
    earlier.assign(more.begin(), more.end());
    earlier_from_ms = covered_from_ms;
  }
  void on_covered() override { ++covered; }
  void fetch(std::int64_t from_ms, std::int64_t to_ms, int priority) override {
    fetches.emplace_back(from_ms, to_ms);
    priorities.push_back(priority);
  }
  void resubscribe() override { ++resubscribes; }
  void ask_listing() override { ++asked_listing; }
};

inline SeriesRules rules() { return {kMinute, 2000, 10, 3000, 600'000}; }

inline Now at(std::int64_t slot, std::int64_t after_ms = 0) {
  const std::int64_t utc_ms = kStartMs + slot * kMinuteMs + after_ms;
  return {utc_ms - kStartMs + 1'000'000, utc_ms};
}

/// REST's answer for slots [from, to] as the exchange would give it `after_ms` into slot `now_slot`.
inline HistoryResult rows(std::int64_t from, std::int64_t to, std::int64_t now_slot,
                          std::int64_t after_ms = 10'000) {
  HistoryResult result;
  result.server_time_ms = kStartMs + now_slot * kMinuteMs + after_ms;
  for (std::int64_t slot = from; slot <= std::min(to, now_slot); ++slot) result.rows.push_back(bar_at(slot));
  return result;
}

/// A series that is live: slots 0..4 are closed, slot 5 runs.
struct LiveSeries {
  Recorder recorder;
  Series series{rules(), kStartMs, recorder};
  LiveSeries() {
    series.start(at(5));
    series.on_stream_up(at(5));
    series.on_history(rows(0, 6, 5), 1, at(5));
    if (!recorder.fetches.empty()) series.on_history(rows(4, 6, 5), 1, at(5));
    recorder.fetches.clear();
  }
};

/// Answers what a series asks for in 30 seconds of `now_slot`: the exchange has the slots for which `exists`.
/// The answers for which `mistaken`, given their number from 1 on and the second, are empty. How many there
/// were.
template <class Exists, class Mistaken>
int answer_all(Series& series, Recorder& recorder, std::int64_t now_slot, Exists exists, Mistaken mistaken) {
  int answers = 0;
  for (std::int64_t second = 0; second < 30 && answers < 100;) {
    if (recorder.fetches.empty()) {
      series.on_timer(at(now_slot, ++second * 1000));
      continue;
    }
    const auto [from_ms, to_ms] = recorder.fetches.front();
    recorder.fetches.pop_front();
    HistoryResult result = rows((from_ms - kStartMs) / kMinuteMs, (to_ms - kStartMs) / kMinuteMs, now_slot);
    std::erase_if(result.rows,
                  [&](const Bar& bar) { return !exists((bar.open_time_ms - kStartMs) / kMinuteMs); });
    if (mistaken(++answers, second)) result.rows.clear();
    series.on_history(result, 1, at(now_slot, second * 1000));
  }
  return answers;
}

template <class Exists>
int answer_all(Series& series, Recorder& recorder, std::int64_t now_slot, Exists exists) {
  return answer_all(series, recorder, now_slot, exists, [](int, std::int64_t) { return false; });
}

}  // namespace atcd::feeds::testing::scripted_series
