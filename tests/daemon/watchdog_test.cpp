#include "daemon/watchdog.hpp"

#include <gtest/gtest.h>

namespace atcd::daemon {
namespace {

constexpr std::int64_t kNow = 1'000'000;

/// Two workers that ticked, and whose feeds gave a sign, so many milliseconds ago.
struct Workers {
  Workers(std::int64_t ticked, std::int64_t feeds_sign) {
    signs[0].ticked_ms = signs[0].feeds_sign_ms = kNow;
    signs[1].ticked_ms = kNow - ticked;
    signs[1].feeds_sign_ms = kNow - feeds_sign;
  }
  std::string stuck(std::int64_t watchdog_ms = 30'000) const {
    return what_is_stuck({&signs[0], &signs[1]}, Patience::with(watchdog_ms), kNow);
  }
  SignsOfLife signs[2];
};

TEST(Watchdog, EveryWorkerMustGiveASignOfLife) {
  EXPECT_EQ(Workers(0, 0).stuck(), "");
  EXPECT_EQ(Workers(10'000, 10'000).stuck(), "");
  EXPECT_EQ(Workers(10'001, 0).stuck(), "worker 1 has given no sign of life for 10 s");
}

TEST(Watchdog, PatienceWithAWorkerIsAThirdOfTheServiceManagers) {
  EXPECT_NE(Workers(20'001, 0).stuck(60'000), "");
  EXPECT_EQ(Workers(20'000, 0).stuck(60'000), "");
  EXPECT_EQ(Workers(3'000, 0).stuck(1'000), "") << "it ticks once a second, and may be busy";
  EXPECT_EQ(Workers(10'000, 0).stuck(0), "") << "without a service manager as with its usual one";
}

TEST(Watchdog, EveryConnectionMustBeReadOrReplaced) {
  EXPECT_EQ(Workers(0, 60'000).stuck(), "")
      << "silence ends a connection after half a minute, and another is tried";
  EXPECT_EQ(Workers(0, 61'000).stuck(), "a connection of worker 1 has not been read for 61 s");
}

TEST(Watchdog, AWorkerThatHasNotBegunIsNotStuck) {
  const SignsOfLife signs;
  EXPECT_EQ(what_is_stuck({&signs}, Patience::with(0), kNow), "");
}

}  // namespace
}  // namespace atcd::daemon
