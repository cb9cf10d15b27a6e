#include "feeds/backoff.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace atcd::feeds {
namespace {

using std::chrono::milliseconds;

TEST(Backoff, DoublesUpToTheLongestAndStaysBetweenHalfAndWhole) {
  std::minstd_rand random(1);
  for (int round = 0; round < 100; ++round) {
    Backoff backoff({milliseconds(100), milliseconds(1000)});
    for (const int ceiling : {100, 200, 400, 800, 1000, 1000}) {
      const auto wait = backoff.next(random).count();
      EXPECT_GE(wait, ceiling / 2);
      EXPECT_LE(wait, ceiling);
    }
  }
}

TEST(Backoff, WaitsDiffer) {
  std::minstd_rand random(2);
  std::set<milliseconds> waits;
  for (int i = 0; i < 50; ++i) waits.insert(Backoff({milliseconds(1000), milliseconds(1000)}).next(random));
  EXPECT_GT(waits.size(), 30U);
}

TEST(Backoff, StartsOverAfterAReset) {
  std::minstd_rand random(3);
  Backoff backoff({milliseconds(100), milliseconds(10000)});
  for (int i = 0; i < 5; ++i) backoff.next(random);
  backoff.reset();
  EXPECT_LE(backoff.next(random), milliseconds(100));
}

}  // namespace
}  // namespace atcd::feeds
