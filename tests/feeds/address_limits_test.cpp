#include "feeds/address_limits.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace atcd::feeds {
namespace {

using std::chrono::milliseconds;

TEST(AddressLimits, AllWhoAskTogetherStayWithinTheShare) {
  AddressLimits limits({1000, milliseconds(60'000), {}}, 0.5);
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int request = 0; request < 1000; ++request) {
        if (limits.take(1, 5000) == 5000) ++taken;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken, 500);
  EXPECT_EQ(limits.take(1, 5001), 65'000) << "when the first leave the window";
}

TEST(AddressLimits, ABanHoldsForAllAndIsToldOnce) {
  AddressLimits limits({1000, milliseconds(60'000), {}}, 0.5);
  EXPECT_TRUE(limits.pause_until(9000, 5000));
  EXPECT_FALSE(limits.pause_until(10'000, 5001));
  EXPECT_EQ(limits.take(1, 6000), 10'000);
  EXPECT_EQ(limits.take(1, 10'000), 10'000);
}

TEST(AddressLimits, ConnectsKeepTheirDistance) {
  AddressLimits limits({0, milliseconds(1), {}}, 0.5);
  const auto now = std::chrono::steady_clock::time_point(std::chrono::hours(1));
  EXPECT_EQ(limits.take_connect(now, milliseconds(300), 1), now);
  EXPECT_EQ(limits.take_connect(now, milliseconds(300), 1), now + milliseconds(300));
  EXPECT_EQ(limits.take_connect(now + milliseconds(300), milliseconds(300), 1), now + milliseconds(300));
}

TEST(AddressLimits, ConnectsThatWereNotMadeMayBeMadeAtOnce) {
  AddressLimits limits({0, milliseconds(1), {}}, 0.5);
  const milliseconds spacing(300);
  auto now = std::chrono::steady_clock::time_point(std::chrono::hours(1));
  const auto take = [&] { return limits.take_connect(now, spacing, 3); };
  for (int i = 0; i < 3; ++i) EXPECT_EQ(take(), now);
  EXPECT_EQ(take(), now + spacing);
  now += spacing;
  EXPECT_EQ(take(), now);
  EXPECT_EQ(take(), now + spacing) << "no more than one after each spacing, however long that goes on";
  now += 2 * spacing;
  for (int i = 0; i < 2; ++i) EXPECT_EQ(take(), now);
  EXPECT_EQ(take(), now + spacing);
  now += std::chrono::hours(1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(take(), now);
  EXPECT_EQ(take(), now + spacing) << "nor more than three, however long there were none";
}

TEST(AddressBook, AnotherShareHoldsAtOnceForAll) {
  AddressBook book;
  const RestLimit rest{1000, milliseconds(60'000), {}};
  const auto limits = book.limits("https://api.bybit.com", rest, 0.5);
  EXPECT_EQ(limits->take(500, 5000), 5000);
  EXPECT_EQ(limits->take(100, 5001), 65'000);
  book.limits("https://api.bybit.com", rest, 0.8);
  EXPECT_EQ(limits->take(300, 5001), 5001);
  EXPECT_EQ(limits->take(1, 5002), 65'000) << "what went before counts";
  book.limits("https://api.bybit.com", rest, 0.1);
  EXPECT_EQ(limits->take(100, 65'001), 65'001);
  EXPECT_EQ(limits->take(1, 65'002), 125'001);
}

TEST(AddressBook, OneAddressHasOneSetOfLimits) {
  AddressBook book;
  const auto bybit = book.limits("https://api.bybit.com", {600, milliseconds(5000), {}}, 0.5);
  EXPECT_EQ(book.limits("https://api.bybit.com", {600, milliseconds(5000), {}}, 0.9), bybit);
  EXPECT_NE(book.limits("https://www.okx.com", {40, milliseconds(2000), {}}, 0.5), bybit);
}

TEST(AddressBook, ExchangesBehindOneProxyHaveALimitEach) {
  AddressBook book;
  const RestLimit spot{6000, milliseconds(60'000), {}}, usdm{2400, milliseconds(60'000), {}};
  const auto ours = book.limits("http://127.0.0.1:8080", spot, 0.5);
  const auto others = book.limits("http://127.0.0.1:8080", usdm, 0.5);
  EXPECT_EQ(ours->take(3000, 5000), 5000);
  EXPECT_EQ(others->take(1200, 5000), 5000);
  EXPECT_EQ(others->take(1, 5001), 65'000);
  EXPECT_EQ(book.limits("http://127.0.0.1:8080", spot, 0.5), ours);
}

}  // namespace
}  // namespace atcd::feeds
