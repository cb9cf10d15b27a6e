#include "daemon/fold_doubt.hpp"

#include <gtest/gtest.h>

namespace atcd::daemon {
namespace {

constexpr std::int64_t kWaitMs = kRestBehindMs, kLongestMs = FoldDoubt::kAskAgainAfterMs;

TEST(FoldDoubt, WaitsUntilRestShowsTheCorrectionAndIsAboutWhatHadClosedBeforeIt) {
  FoldDoubt doubt;
  EXPECT_FALSE(doubt.due(kLongestMs));
  doubt.raise(1000, 7);
  EXPECT_FALSE(doubt.due(1000 + kWaitMs - 1));
  ASSERT_TRUE(doubt.due(1000 + kWaitMs));
  EXPECT_EQ(doubt.take(), 7);
  EXPECT_FALSE(doubt.due(1000 + kLongestMs)) << "it was taken";
}

TEST(FoldDoubt, IsPutOffByAnotherCorrectionButNotForEver) {
  FoldDoubt doubt;
  doubt.raise(1000, 7);
  doubt.raise(1000 + kWaitMs - 1, 8);
  EXPECT_FALSE(doubt.due(1000 + kWaitMs)) << "REST need not show the second";
  EXPECT_TRUE(doubt.due(1000 + 2 * kWaitMs - 1));
  for (std::int64_t at = 1000 + kWaitMs; at < 1000 + kLongestMs; at += 1000) doubt.raise(at, 9);
  EXPECT_FALSE(doubt.due(1000 + kLongestMs - 1));
  ASSERT_TRUE(doubt.due(1000 + kLongestMs)) << "an exchange may tell parts again for ever";
  EXPECT_EQ(doubt.take(), 9);
}

TEST(FoldDoubt, ComesAgainLaterWhereTheAnswerWasNone) {
  FoldDoubt doubt;
  doubt.raise(0, 7);
  ASSERT_EQ(doubt.take(), 7);
  doubt.give_back(20'000, 7);
  EXPECT_FALSE(doubt.due(20'000 + kLongestMs - 1));
  EXPECT_TRUE(doubt.due(20'000 + kLongestMs));
  doubt.raise(30'000, 8);
  EXPECT_FALSE(doubt.due(30'000 + kWaitMs - 1));
  ASSERT_TRUE(doubt.due(30'000 + kWaitMs));
  EXPECT_EQ(doubt.take(), 8);
  doubt.raise(50'000, 9);  // while the exchange is asked
  doubt.give_back(51'000, 8);
  EXPECT_EQ(doubt.take(), 9) << "of those before it too";
}

}  // namespace
}  // namespace atcd::daemon
