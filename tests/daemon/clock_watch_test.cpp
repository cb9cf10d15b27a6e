#include "daemon/clock_watch.hpp"

#include <gtest/gtest.h>

namespace atcd::daemon {
namespace {

using Say = ClockWatch::Say;

TEST(ClockWatch, SaysOnlyWhatHasHeldForSomeSeconds) {
  ClockWatch watch;
  EXPECT_EQ(watch.look(1001, 0), Say::nothing);
  EXPECT_EQ(watch.look(-5000, 2000), Say::nothing);
  EXPECT_EQ(watch.look(1000, 2500), Say::nothing) << "a second is no more than a second";
  EXPECT_EQ(watch.look(1001, 3000), Say::nothing) << "it begins anew";
  EXPECT_EQ(watch.look(1001, 6000), Say::apart);
}

TEST(ClockWatch, SaysItAgainEveryTenMinutesOnly) {
  ClockWatch watch;
  int said = 0;
  for (std::int64_t second = 0; second <= 3600; ++second)
    said += watch.look(second % 2 == 0 ? 90'000 : -90'000, second * 1000) == Say::apart ? 1 : 0;
  EXPECT_EQ(said, 6);
}

TEST(ClockWatch, SaysThatAllIsWellOnceAndNotWithoutNeed) {
  ClockWatch watch;
  EXPECT_EQ(watch.look(3, 0), Say::nothing);
  watch.look(-2000, 1000);
  ASSERT_EQ(watch.look(-2000, 4000), Say::apart);
  EXPECT_EQ(watch.look(-900, 5000), Say::nothing) << "around a second it does not say one and the other";
  EXPECT_EQ(watch.look(-1100, 6000), Say::nothing);
  EXPECT_EQ(watch.look(-1100, 60'000), Say::nothing);
  EXPECT_EQ(watch.look(-400, 61'000), Say::together);
  EXPECT_EQ(watch.look(-400, 62'000), Say::nothing);
  watch.look(2000, 63'000);
  EXPECT_EQ(watch.look(2000, 66'000), Say::apart) << "the next time is told at once";
}

}  // namespace
}  // namespace atcd::daemon
