#include "feeds/exchange_time.hpp"

#include <gtest/gtest.h>

namespace atcd::feeds {
namespace {

constexpr std::int64_t kNoonMs = 1'795'435'200'000;

/// Three clocks: `utc_ms` is ours and may be set, `exchange_ms` the exchange's, `monotonic_ms` only passes.
class ExchangeTimeTest : public ::testing::Test {
 protected:
  void pass(std::int64_t ms) {
    monotonic_ms_ += ms;
    utc_ms_ += ms;
    exchange_ms_ += ms;
  }
  /// A frame that is on its way for so long.
  void frame(std::int64_t delay_ms) {
    const std::int64_t event_ms = exchange_ms_;
    pass(delay_ms);
    time_.on_event(event_ms, monotonic_ms_);
  }
  void frames_for(std::int64_t ms, std::int64_t delay_ms) {
    for (std::int64_t end_ms = monotonic_ms_ + ms; monotonic_ms_ < end_ms; pass(100)) frame(delay_ms);
  }
  /// An answer to a question, each on its way for so long.
  void answer(std::int64_t there_ms, std::int64_t back_ms) {
    const std::int64_t asked_ms = monotonic_ms_;
    pass(there_ms);
    const std::int64_t date_ms = exchange_ms_ / 1000 * 1000;
    pass(back_ms);
    time_.on_answer(date_ms, asked_ms, monotonic_ms_);
  }
  /// By how much the exchange's clock is measured to be ahead of ours.
  std::optional<std::int64_t> ahead() const {
    const auto exchange_ms = time_.exchange_ms(monotonic_ms_);
    return exchange_ms ? std::optional(*exchange_ms - utc_ms_) : std::nullopt;
  }

  std::int64_t monotonic_ms_ = 77'000, utc_ms_ = kNoonMs, exchange_ms_ = kNoonMs;
  ExchangeTime time_;
};

TEST_F(ExchangeTimeTest, IsNotKnownBeforeTheExchangeToldAnything) { EXPECT_FALSE(ahead()); }

TEST_F(ExchangeTimeTest, OfManyFramesTheOneThatTookLeastTellsIt) {
  exchange_ms_ += 1300;
  frame(900);
  EXPECT_EQ(ahead(), 400) << "all that one late frame proves";
  frame(40);
  frame(2000);
  EXPECT_EQ(ahead(), 1260);
}

TEST_F(ExchangeTimeTest, AnAnswerTellsItToTheSecondAndMoreOfThemBetter) {
  exchange_ms_ += 5250;
  answer(80, 80);
  ASSERT_TRUE(ahead());
  EXPECT_NEAR(static_cast<double>(*ahead()), 5250, 580);
  for (int i = 0; i < 8; ++i) {
    pass(1130);
    answer(80, 80);
  }
  EXPECT_NEAR(static_cast<double>(*ahead()), 5250, 130);
}

TEST_F(ExchangeTimeTest, FramesTellItBetterThanAnswers) {
  exchange_ms_ -= 700;
  answer(20, 20);
  frame(30);
  answer(20, 20);
  EXPECT_EQ(ahead(), -730);
}

TEST_F(ExchangeTimeTest, AJumpOfOurClockShowsAtOnceAlthoughNothingCame) {
  frame(10);
  constexpr std::int64_t kHourMs = 3'600'000;
  utc_ms_ += kHourMs;
  EXPECT_EQ(ahead(), -3'600'010);
  utc_ms_ -= 2 * kHourMs;
  EXPECT_EQ(ahead(), 3'599'990);
  frame(10);
  EXPECT_EQ(ahead(), 3'599'990);
}

TEST_F(ExchangeTimeTest, AJumpOfTheExchangesClockShowsWithinHalfAMinute) {
  frames_for(40'000, 10);
  exchange_ms_ += 5000;
  frame(10);
  EXPECT_EQ(ahead(), 4990) << "ahead: with the first frame";
  exchange_ms_ -= 8000;
  frames_for(31'000, 10);
  EXPECT_EQ(ahead(), -3010) << "back: once no frame of before counts any more";
}

TEST_F(ExchangeTimeTest, AJumpOfTheExchangesClockBetweenAnswersIsNoContradiction) {
  exchange_ms_ += 250;
  answer(10, 10);
  pass(16'000);
  exchange_ms_ -= 60'000;
  answer(10, 10);
  EXPECT_NEAR(static_cast<double>(*ahead()), -59'750, 510);
}

TEST_F(ExchangeTimeTest, AnEventFromTheFutureIsBelievedOnlyOnceNothingElseWasToldForSeconds) {
  constexpr std::int64_t kMinuteMs = 60'000, kAgeMs = 75LL * 365 * 1440 * kMinuteMs;
  frame(10);
  for (int second = 0; second < 20; ++second) {
    EXPECT_FALSE(time_.on_event(exchange_ms_ + kAgeMs, monotonic_ms_));
    EXPECT_EQ(ahead(), -10);
    pass(990);
    frame(10);
  }
  EXPECT_TRUE(time_.on_event(exchange_ms_ + 10 * kMinuteMs - 11, monotonic_ms_)) << "not so far";
  exchange_ms_ += 30 * kMinuteMs;  // it was set, or we were stopped
  std::int64_t until_believed_ms = 0;
  for (; !time_.on_event(exchange_ms_, monotonic_ms_); pass(100)) until_believed_ms += 100;
  EXPECT_EQ(until_believed_ms, 5000);
  EXPECT_EQ(ahead(), 30 * kMinuteMs);
}

TEST_F(ExchangeTimeTest, WhatWasMeasuredLastHoldsWhileNothingComes) {
  exchange_ms_ += 42;
  frame(2);
  pass(86'400'000);
  EXPECT_EQ(ahead(), 40);
  exchange_ms_ -= 5000;
  frame(2);
  EXPECT_EQ(ahead(), -4960) << "a frame of the day before does not count beside a new one";
}

}  // namespace
}  // namespace atcd::feeds
