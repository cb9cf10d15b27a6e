#include "engine/bar.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace atcd::engine {
namespace {

constexpr Bar kGood{0, 60'000, 10, 12, 9, 11, 0};

TEST(BarTest, OnlyFinitePositivePricesInOrderAreValid) {
  EXPECT_TRUE(is_valid(kGood));
  const double infinite = std::numeric_limits<double>::infinity(), missing = std::nan("");
  for (double Bar::*field : {&Bar::open, &Bar::high, &Bar::low, &Bar::close, &Bar::volume}) {
    for (const double value : {infinite, -infinite, missing, -1.0}) {
      Bar bar = kGood;
      bar.*field = value;
      EXPECT_FALSE(is_valid(bar)) << value;
    }
  }
  for (double Bar::*field : {&Bar::open, &Bar::low, &Bar::close}) {
    Bar bar = kGood;
    bar.*field = 0;
    EXPECT_FALSE(is_valid(bar));
    bar.*field = 13;  // above high
    EXPECT_FALSE(is_valid(bar));
  }
  Bar bar = kGood;
  bar.high = 10.5;  // below close
  EXPECT_FALSE(is_valid(bar));
  bar = kGood;
  bar.close_time_ms = bar.open_time_ms;
  EXPECT_FALSE(is_valid(bar));
}

}  // namespace
}  // namespace atcd::engine
