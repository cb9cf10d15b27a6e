#include "feeds/seen_trades.hpp"

#include <gtest/gtest.h>

namespace atcd::feeds {
namespace {

constexpr std::int64_t kAtMs = 1'795'737'601'206;

TEST(SeenTrades, ATradeIsNewOnce) {
  SeenTrades seen;
  EXPECT_TRUE(seen.add(7, kAtMs));
  EXPECT_FALSE(seen.add(7, kAtMs));
  EXPECT_TRUE(seen.add(7, kAtMs + 1)) << "made at another time it is another one";
  EXPECT_TRUE(seen.add(7 + SeenTrades::kHeld, kAtMs)) << "of the same place";
  EXPECT_FALSE(seen.add(7, kAtMs));
  EXPECT_FALSE(seen.add(7, kAtMs + 1));
}

TEST(SeenTrades, ARepetitionOfTheLargestFrameIsKnownInFull) {
  SeenTrades seen;
  for (std::uint64_t id = 1; id <= 5 * SeenTrades::kHeld; ++id) EXPECT_TRUE(seen.add(id * 977, kAtMs));
  for (std::uint64_t id = 4 * SeenTrades::kHeld + 1; id <= 5 * SeenTrades::kHeld; ++id)
    EXPECT_FALSE(seen.add(id * 977, kAtMs)) << id;
  EXPECT_TRUE(seen.add(4 * SeenTrades::kHeld * 977, kAtMs)) << "forgotten";
}

TEST(SeenTrades, AllInOnePlaceAreToldApart) {
  SeenTrades seen;
  for (std::uint64_t id = 0; id < SeenTrades::kHeld; ++id)
    EXPECT_TRUE(seen.add(1 + id * SeenTrades::kHeld, kAtMs));
  for (std::uint64_t id = 0; id < SeenTrades::kHeld; ++id)
    EXPECT_FALSE(seen.add(1 + id * SeenTrades::kHeld, kAtMs));
}

TEST(SeenTrades, NothingIsKnownAfterClearing) {
  SeenTrades seen;
  seen.clear();
  for (std::uint64_t id = 1; id < 100; ++id) seen.add(id, kAtMs);
  seen.clear();
  for (std::uint64_t id = 1; id < 100; ++id) EXPECT_TRUE(seen.add(id, kAtMs));
  EXPECT_FALSE(seen.add(99, kAtMs));
}

}  // namespace
}  // namespace atcd::feeds
