#include "daemon/late_tellings.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace atcd::daemon {
namespace {

engine::Bar bar(std::int64_t slot, double close, double volume = 1) {
  return {slot * 60'000, slot * 60'000 + 60'000, 100, 200, 50, close, volume};
}

std::vector<state::LateBar> told(const std::vector<engine::Bar>& bars) {
  std::vector<state::LateBar> late;
  for (const engine::Bar& each : bars) late.push_back({each, 600'000});
  return late;
}

TEST(LateTellings, WhatIsToldAsItWasUsedIsNoNews) {
  EXPECT_FALSE(is_news({}, bar(3, 101), bar(3, 101)));
  EXPECT_FALSE(is_news({}, bar(3, 101), bar(3, 101, 1.5))) << "no signal depends on the volume";
  EXPECT_TRUE(is_news({}, bar(3, 101), bar(3, 102)));
}

TEST(LateTellings, TheSameAgainIsNoNews) {
  const auto late = told({bar(3, 102)});
  EXPECT_FALSE(is_news(late, bar(3, 101), bar(3, 102)));
  EXPECT_FALSE(is_news(late, bar(3, 101), bar(3, 102, 7)));
  EXPECT_TRUE(is_news(late, bar(4, 101), bar(4, 102))) << "that was another bar";
}

TEST(LateTellings, WhatWasToldBeforeTheLastTimeIsNewsAgain) {
  EXPECT_TRUE(is_news(told({bar(3, 102)}), bar(3, 101), bar(3, 101))) << "as it was used";
  EXPECT_TRUE(is_news(told({bar(3, 102), bar(3, 103)}), bar(3, 101), bar(3, 102)));
  EXPECT_FALSE(is_news(told({bar(3, 102), bar(3, 101)}), bar(3, 101), bar(3, 101)));
}

TEST(LateTellings, AnExchangeThatDiffersWithItselfForGoodIsBelievedNoMore) {
  const engine::Bar used = bar(3, 101), other = bar(3, 102);
  std::vector<state::LateBar> late = told({bar(4, 5)});
  for (int i = 0; i < 1000; ++i) {
    const engine::Bar& now = i % 2 == 0 ? other : used;
    if (is_news(late, used, now)) late.push_back({now, 600'000});
  }
  EXPECT_EQ(late.size(), 1 + kMostTellings);
}

}  // namespace
}  // namespace atcd::daemon
