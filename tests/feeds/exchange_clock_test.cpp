#include "feeds/exchange_clock.hpp"

#include <gtest/gtest.h>

namespace atcd::feeds {
namespace {

constexpr std::int64_t kNoonMs = 1'795'435'200'000;

TEST(ExchangeClock, IsBelievedWhileItGoesAsOursDoes) {
  ExchangeClock clock(2000);
  EXPECT_EQ(clock.believe(kNoonMs, 5000), kNoonMs) << "the first answer has none to be held against";
  EXPECT_EQ(clock.believe(kNoonMs + 60'000, 65'000), kNoonMs + 60'000);
  EXPECT_EQ(clock.believe(kNoonMs + 62'000, 65'000), kNoonMs + 62'000) << "within the tolerance";
}

TEST(ExchangeClock, AJumpAheadIsBelievedOnlyWhenItIsConfirmed) {
  ExchangeClock clock(2000);
  clock.believe(kNoonMs, 0);
  EXPECT_EQ(clock.believe(kNoonMs + 31'000, 1000), kNoonMs + 3000) << "what passed here, and the tolerance";
  EXPECT_EQ(clock.believe(kNoonMs + 32'000, 2000), kNoonMs + 32'000);
}

TEST(ExchangeClock, OneMachineThatIsWrongIsNeverBelieved) {
  ExchangeClock clock(2000);
  for (std::int64_t second = 0; second < 60; second += 2) {
    EXPECT_EQ(clock.believe(kNoonMs + second * 1000, second * 1000), kNoonMs + second * 1000);
    EXPECT_EQ(clock.believe(kNoonMs + second * 1000 + 9000, second * 1000 + 100),
              kNoonMs + second * 1000 + 2100);
  }
}

TEST(ExchangeClock, AJumpBackIsBelievedAtOnce) {
  ExchangeClock clock(2000);
  clock.believe(kNoonMs, 0);
  EXPECT_EQ(clock.believe(kNoonMs - 30'000, 1000), kNoonMs - 30'000);
}

TEST(ExchangeClock, AnAnswerWithoutATimeChangesNothing) {
  ExchangeClock clock(2000);
  clock.believe(kNoonMs, 0);
  EXPECT_EQ(clock.believe(0, 1000), 0);
  EXPECT_EQ(clock.believe(kNoonMs + 60'000, 1000), kNoonMs + 3000);
}

}  // namespace
}  // namespace atcd::feeds
