#include "feeds/rate_limiter.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace atcd::feeds {
namespace {

TEST(RateLimiter, LetsTheShareGoAtOnceAndTheRestWhenTheMinuteIsOver) {
  RateLimiter limiter(100, 60'000, 0.5);
  EXPECT_EQ(limiter.share(), 50);
  EXPECT_EQ(limiter.ready_at_ms(50, 1000), 1000);
  limiter.sent(30, 1000);
  EXPECT_EQ(limiter.ready_at_ms(20, 2000), 2000);
  limiter.sent(20, 2000);
  EXPECT_EQ(limiter.ready_at_ms(1, 3000), 61000) << "when the first 30 are a minute old";
  EXPECT_EQ(limiter.ready_at_ms(31, 3000), 62000);
  EXPECT_EQ(limiter.ready_at_ms(50, 70000), 70000);
}

TEST(RateLimiter, NoMinuteEverSeesMoreThanTheShare) {
  std::mt19937 random(5);
  RateLimiter limiter(200, 60'000, 0.5);
  std::deque<std::pair<std::int64_t, int>> sent;
  std::int64_t now = 0;
  for (int i = 0; i < 20000; ++i) {
    const int weight = 1 + static_cast<int>(random() % 20);
    now = limiter.ready_at_ms(weight, now + static_cast<std::int64_t>(random() % 300));
    ASSERT_EQ(limiter.ready_at_ms(weight, now), now) << "ready means ready";
    limiter.sent(weight, now);
    sent.emplace_back(now, weight);
    while (sent.front().first <= now - 60'000) sent.pop_front();
    int sum = 0;
    for (const auto& each : sent) sum += each.second;
    ASSERT_LE(sum, 100);
  }
}

TEST(RateLimiter, OthersBehindTheSameAddressCount) {
  RateLimiter limiter(1000, 60'000, 0.5);
  limiter.sent(10, 1000);
  limiter.reported(940, 1500);
  EXPECT_EQ(limiter.ready_at_ms(10, 2000), 2000);
  EXPECT_EQ(limiter.ready_at_ms(11, 2000), 61500) << "950 of 1000 are usable";
  limiter.sent(10, 2000);
  EXPECT_EQ(limiter.ready_at_ms(1, 2001), 61500) << "what was sent since the report counts on top";
  limiter.reported(3, 2500);
  EXPECT_EQ(limiter.ready_at_ms(11, 3000), 3000) << "a new minute began";
}

TEST(RateLimiter, AReportIsForgottenAfterAMinute) {
  RateLimiter limiter(1000, 60'000, 0.5);
  limiter.reported(5000, 0);
  EXPECT_EQ(limiter.ready_at_ms(1, 10), 60000);
  EXPECT_EQ(limiter.ready_at_ms(1, 60001), 60001);
  limiter.reported(-1, 70000);
  EXPECT_EQ(limiter.ready_at_ms(1, 70001), 70001) << "nonsense is not taken";
}

TEST(RateLimiter, APauseHoldsEverything) {
  RateLimiter limiter(1000, 60'000, 0.5);
  limiter.pause_until(90'000);
  limiter.pause_until(50'000);
  EXPECT_TRUE(limiter.paused(89'999));
  EXPECT_FALSE(limiter.paused(90'000));
  EXPECT_EQ(limiter.ready_at_ms(1, 1000), 90'000);
}

TEST(RateLimiter, WhatOutweighsTheShareGoesAlone) {
  RateLimiter limiter(100, 60'000, 0.1);
  EXPECT_EQ(limiter.ready_at_ms(20, 0), 0);
  limiter.sent(20, 0);
  EXPECT_EQ(limiter.ready_at_ms(1, 1), 60000);
  EXPECT_EQ(limiter.ready_at_ms(20, 30000), 60000);
}

TEST(RateLimiter, WhatCanWaitLeavesATenthOfTheShareToTheOthers) {
  RateLimiter limiter(200, 60'000, 0.5);
  limiter.sent(89, 1000);
  EXPECT_EQ(limiter.ready_at_ms(1, 2000, true), 2000);
  limiter.sent(1, 2000);
  EXPECT_EQ(limiter.ready_at_ms(1, 3000, true), 61'000);
  EXPECT_EQ(limiter.ready_at_ms(10, 3000), 3000);
  limiter.sent(10, 3000);
  EXPECT_EQ(limiter.ready_at_ms(1, 4000), 61'000);
  EXPECT_EQ(RateLimiter(10, 60'000, 0.5).ready_at_ms(5, 1000, true), 1000) << "of less than ten nothing";
}

TEST(RateLimiter, WithoutALimitNothingWaits) {
  RateLimiter limiter(0, 60'000, 0.5);
  for (int i = 0; i < 100; ++i) limiter.sent(1'000'000, i);
  limiter.reported(1'000'000'000, 100);
  EXPECT_EQ(limiter.ready_at_ms(1'000'000, 200), 200);
}

TEST(RateLimiter, EstimatesInWholeMinutes) {
  RateLimiter limiter(100, 60'000, 0.5);
  EXPECT_EQ(limiter.time_for_ms(50, 0), 0);
  EXPECT_EQ(limiter.time_for_ms(51, 0), 60'000);
  EXPECT_EQ(limiter.time_for_ms(150, 0), 120'000);
  limiter.sent(50, 0);
  EXPECT_EQ(limiter.time_for_ms(50, 1), 60'000);
  limiter.pause_until(10'000);
  EXPECT_EQ(limiter.time_for_ms(50, 0), 70'000);
}

}  // namespace
}  // namespace atcd::feeds
