#include "daemon/seldom.hpp"

#include <gtest/gtest.h>

namespace atcd::daemon {
namespace {

TEST(Seldom, OfOneTextTheFirstOfAMinuteAreWrittenAndThenHowManyWereNot) {
  Seldom seldom;
  for (int i = 0; i < Seldom::kMostAMinute; ++i) EXPECT_EQ(seldom.take("HTTP 500", i), 0U);
  for (int i = 0; i < 7; ++i) EXPECT_EQ(seldom.take("HTTP 500", 1000), std::nullopt);
  EXPECT_EQ(seldom.take("HTTP 502", 1000), 0U) << "another one";
  EXPECT_EQ(seldom.take("HTTP 500", Seldom::kMinuteMs - 1), std::nullopt);
  EXPECT_EQ(seldom.take("HTTP 500", Seldom::kMinuteMs), 8U);
  EXPECT_EQ(seldom.take("HTTP 500", Seldom::kMinuteMs), 0U);
}

TEST(Seldom, EverOtherTextsAreAllWrittenAndTakeNoMemory) {
  Seldom seldom;
  const auto left_out = [&](const std::string& text, std::int64_t now_ms) {
    bool any = false;
    for (int i = 0; i <= Seldom::kMostAMinute; ++i) any = any || !seldom.take(text, now_ms);
    return any;
  };
  EXPECT_TRUE(left_out("HTTP 500", 0));
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(seldom.take(std::to_string(i), 1000), 0U);
  EXPECT_FALSE(left_out("999", 1000)) << "it was not kept";
  EXPECT_TRUE(left_out("999", 1000 + Seldom::kMinuteMs)) << "those before are forgotten";
}

}  // namespace
}  // namespace atcd::daemon
