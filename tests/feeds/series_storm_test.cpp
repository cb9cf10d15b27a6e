#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "tests/feeds/series_rig.hpp"

namespace atcd::feeds {
namespace {

using namespace testing::scripted_series;

/// An exchange that loses, repeats and delays frames, cuts connections, answers late or not at all, and has
/// no bar in some slots. Whatever it does, the bars that come out are its bars: none missing, none twice, in
/// order.
class Storm {
 public:
  explicit Storm(std::uint32_t seed) : random_(seed) {
    for (std::int64_t slot = 0; slot < 400; ++slot) present_.push_back(chance(93));
    series_.start(now());
  }

  void run() {
    for (slot_ = 6; slot_ < 400; ++slot_) {
      for (after_ms_ = 0; after_ms_ < kMinuteMs; after_ms_ += 5000) step();
    }
    calm_ = true;
    for (std::int64_t end = slot_ + 12; slot_ < end; ++slot_) {
      present_.push_back(true);
      for (after_ms_ = 0; after_ms_ < kMinuteMs; after_ms_ += 5000) step();
    }
    --slot_;
  }

  void expect_every_bar_once() {
    std::vector<Bar> truth;
    for (std::int64_t slot = 0; slot < slot_; ++slot) {
      if (present_[static_cast<std::size_t>(slot)]) truth.push_back(bar_at(slot));
    }
    ASSERT_EQ(recorder_.bars.size(), truth.size());
    EXPECT_EQ(recorder_.bars, truth);
    EXPECT_EQ(series_.state(), SeriesState::live);
    EXPECT_TRUE(recorder_.conflicts.empty());
    EXPECT_TRUE(recorder_.corrections.empty());
  }

 private:
  bool chance(int percent) { return static_cast<int>(random_() % 100) < percent; }
  Now now() const { return at(slot_, after_ms_); }

  void step() {
    if (up_ && !calm_ && chance(4)) {
      up_ = false;
      series_.on_stream_down(now(), "cut");
    } else if (!up_ && (calm_ || chance(40))) {
      up_ = true;
      series_.on_stream_up(now());
    }
    if (up_) frames();
    answers();
    series_.on_timer(now());
  }

  void frames() {
    const auto previous = static_cast<std::size_t>(slot_ - 1);
    if (after_ms_ == 0 && present_[previous] && (calm_ || chance(80))) {
      const int times = chance(20) ? 2 : 1;
      for (int i = 0; i < times; ++i) series_.on_kline(kline_of(bar_at(slot_ - 1), true), 1, now());
    }
    if (present_[static_cast<std::size_t>(slot_)]) series_.on_kline(kline_of(bar_at(slot_), false), 1, now());
  }

  void answers() {
    if (recorder_.fetches.empty() || (!calm_ && chance(30))) return;  // still on its way
    const auto [from_ms, to_ms] = recorder_.fetches.front();
    recorder_.fetches.pop_front();
    HistoryResult result;
    if (!calm_ && chance(15)) {
      result.error = RestError::timeout;
      result.message = "no answer";
    } else {
      result.server_time_ms = now().utc_ms;
      for (std::int64_t open_ms = from_ms; open_ms <= to_ms; open_ms += kMinuteMs) {
        const std::int64_t slot = (open_ms - kStartMs) / kMinuteMs;
        if (slot > slot_ || !present_[static_cast<std::size_t>(slot)]) continue;
        // The running row shows prices that will still change.
        result.rows.push_back(slot == slot_ ? bar_at(slot, 77) : bar_at(slot));
      }
    }
    series_.on_history(result, 1, now());
  }

  std::mt19937 random_;
  std::vector<bool> present_;
  Recorder recorder_;
  std::int64_t slot_ = 5, after_ms_ = 0;
  Series series_{rules(), kStartMs, recorder_};
  bool up_ = false, calm_ = false;
};

TEST(Series, WhateverTheExchangeDoesEveryBarComesOutOnceAndInOrder) {
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    Storm storm(seed);
    storm.run();
    storm.expect_every_bar_once();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace atcd::feeds
