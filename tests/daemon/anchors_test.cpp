// Several profiles on one series, of which each needs other bars.
#include "tests/daemon/series_rig.hpp"

namespace atcd::daemon::testing {
namespace {

class AnchorsTest : public SeriesRig {};

/// It is not taken for that of a series which a wrong clock began.
TEST_F(AnchorsTest, OneThatIsYetToComeCostsNoProfile) {
  open_exchange();
  start(R"("soon", "near")",
        profile("soon", anchor_at(start_ms_ + 60 * kMinuteMs)) + profile("near", period(60)));
  ASSERT_TRUE(has_published("near", 1));
  ASSERT_TRUE(close_a_bar());
  EXPECT_TRUE(has_published("near", 2));
  EXPECT_EQ(seen().outputs, 2U);
  EXPECT_TRUE(published("soon").empty());
}

TEST_F(AnchorsTest, NobodyWaitsForTheBarsThatAnotherProfileNeeds) {
  open_exchange(0);
  constexpr std::int64_t kYearMs =
      365 * 1440 * kMinuteMs;  // ten are more than REST's limit allows in a minute
  start(R"("near", "far", "since")", profile("near", period(60)) + profile("far", period(600)) +
                                         profile("since", anchor_at(start_ms_ - 10 * kYearMs)));
  ASSERT_TRUE(has_published("near", 1));
  EXPECT_TRUE(has_published("far", 1));
  EXPECT_TRUE(published("since").empty()) << "nobody had to wait";
}

TEST_F(AnchorsTest, WhatTheDiskHasOfThemIsNotAskedForAgain) {
  open_exchange();
  constexpr std::int64_t kBack = 3000;
  const std::string profiles =
      profile("near", period(60)) + profile("since", anchor_at(start_ms_ - kBack * kMinuteMs));
  start(R"("near", "since")", profiles);
  ASSERT_TRUE(has_published("since", 1));
  ASSERT_TRUE(close_a_bar());
  ASSERT_TRUE(has_published("since", 2));
  stop();
  control("advance?ms=180000");
  start(R"("near", "since")", profiles);
  EXPECT_TRUE(has_published("since", 5));
  EXPECT_GE(seen().bars, std::size_t{kBack});
  EXPECT_LE(seen().by_history, 4U) << "three closed meanwhile";
}

/// Its engine goes on from the snapshot and needs none of them; who asks for its numbers does.
TEST_F(AnchorsTest, ASnapshotsEngineIsExplainedByTheBarsOfItsOwnAnchor) {
  open_exchange();
  const std::string profiles =
      profile("near", period(60)) + profile("since", anchor_at(start_ms_ - 3000 * kMinuteMs));
  start(R"("near", "since")", profiles);
  ASSERT_TRUE(has_published("near", 1) && has_published("since", 1));
  ASSERT_TRUE(close_a_bar());
  ASSERT_TRUE(has_published("since", 2));
  stop();
  start(R"("near", "since")", profiles);
  ASSERT_TRUE(is_live());
  ASSERT_EQ(seen().resumed, 2U);
  const auto found = subject("since");
  ASSERT_TRUE(found);
  const auto computed = SelfAudit::recompute(*found);
  ASSERT_TRUE(computed) << found->bars.size() << " bars";
  EXPECT_TRUE(same_bits(*computed, found->held));
}

/// Live before its first bar, so that nobody asked for what lies before it.
TEST_F(AnchorsTest, ANewListingsBarsReachBackToEachProfilesAnchor) {
  open_exchange(start_ms_ / kMinuteMs * kMinuteMs);
  start(R"("near", "since")",
        profile("near", period(60)) + profile("since", anchor_at(start_ms_ - 400 * kMinuteMs)));
  ASSERT_TRUE(is_live());
  ASSERT_EQ(seen().bars, 0U);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(close_a_bar());
  EXPECT_TRUE(eventually([&] { return published("near").size() > 1; }));
  EXPECT_TRUE(eventually([&] { return !published("since").empty(); }));
}

/// An engine of a snapshot can't take its last bar back, and needs those since its anchor again.
TEST_F(AnchorsTest, ABarThatIsCorrectedAfterAStartIsToldByEachProfile) {
  open_exchange();
  const std::string profiles =
      profile("near", period(60)) + profile("since", anchor_at(start_ms_ - 500 * kMinuteMs));
  start(R"("near", "since")", profiles);
  ASSERT_TRUE(has_published("near", 1) && has_published("since", 1));
  stop();
  start(R"("near", "since")", profiles);
  ASSERT_TRUE(is_live());
  ASSERT_EQ(seen().resumed, 2U);
  control("correct?symbol=" + symbol_);
  EXPECT_TRUE(has_published("near", 2));
  EXPECT_TRUE(has_published("since", 2));
  ASSERT_TRUE(close_a_bar());
  EXPECT_TRUE(has_published("near", 3));
  EXPECT_TRUE(has_published("since", 3));
}

}  // namespace
}  // namespace atcd::daemon::testing
