#include "daemon/bar_doubt.hpp"

#include <gtest/gtest.h>

namespace atcd::daemon {
namespace {

constexpr std::int64_t kWaitMs = kRestBehindMs, kLongestMs = BarDoubt::kAskAgainAfterMs;

TEST(BarDoubt, WaitsUntilRestShowsTheCorrectionAndIsAboutWhatHadClosedBeforeIt) {
  BarDoubt doubt;
  EXPECT_FALSE(doubt.due(kLongestMs));
  doubt.raise(1000, 7);
  EXPECT_FALSE(doubt.due(1000 + kWaitMs - 1));
  ASSERT_TRUE(doubt.due(1000 + kWaitMs));
  EXPECT_EQ(doubt.take(0, 100), 7);
  EXPECT_FALSE(doubt.due(1000 + kLongestMs)) << "it was taken";
}

TEST(BarDoubt, IsPutOffByAnotherCorrectionButNotForEver) {
  BarDoubt doubt;
  doubt.raise(1000, 7);
  doubt.raise(1000 + kWaitMs - 1, 8);
  EXPECT_FALSE(doubt.due(1000 + kWaitMs)) << "REST need not show the second";
  EXPECT_TRUE(doubt.due(1000 + 2 * kWaitMs - 1));
  for (std::int64_t at = 1000 + kWaitMs; at < 1000 + kLongestMs; at += 1000) doubt.raise(at, 9);
  EXPECT_FALSE(doubt.due(1000 + kLongestMs - 1));
  ASSERT_TRUE(doubt.due(1000 + kLongestMs)) << "an exchange may tell parts again for ever";
  EXPECT_EQ(doubt.take(0, 100), 9);
}

TEST(BarDoubt, ComesAgainLaterWhereTheAnswerWasNone) {
  BarDoubt doubt;
  doubt.raise(0, 7);
  ASSERT_EQ(doubt.take(0, 100), 7);
  doubt.answered(20'000, 7, false, 7);
  EXPECT_FALSE(doubt.due(20'000 + kLongestMs - 1));
  EXPECT_TRUE(doubt.due(20'000 + kLongestMs));
  doubt.raise(30'000, 8);
  EXPECT_FALSE(doubt.due(30'000 + kWaitMs - 1));
  ASSERT_TRUE(doubt.due(30'000 + kWaitMs));
  EXPECT_EQ(doubt.take(0, 100), 8);
  doubt.raise(50'000, 9);  // while the exchange is asked
  doubt.answered(51'000, 8, false, 9);
  EXPECT_EQ(doubt.take(0, 100), 9) << "of those before it too";
}

TEST(BarDoubt, WhatHasJustClosedIsAskedAboutLater) {
  BarDoubt doubt;
  doubt.raise(0, 9);
  EXPECT_EQ(doubt.take(kWaitMs, 7), 7);
  EXPECT_FALSE(doubt.due(2 * kWaitMs - 1));
  ASSERT_TRUE(doubt.due(2 * kWaitMs));
  EXPECT_EQ(doubt.take(2 * kWaitMs, 9), 9);
  EXPECT_FALSE(doubt.due(kLongestMs)) << "all of it was taken";
}

TEST(BarDoubt, ComesAgainWhereTheBarStillWaitedBehindAHole) {
  BarDoubt doubt;
  doubt.raise(0, 9);
  ASSERT_EQ(doubt.take(kWaitMs, 9), 9);
  doubt.answered(kWaitMs, 9, true, 8);
  EXPECT_TRUE(doubt.due(kWaitMs + kLongestMs));
  ASSERT_EQ(doubt.take(kWaitMs + kLongestMs, 9), 9);
  doubt.answered(kWaitMs + kLongestMs, 9, true, 9);
  EXPECT_FALSE(doubt.due(10 * kLongestMs));
}

}  // namespace
}  // namespace atcd::daemon
