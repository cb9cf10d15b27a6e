#include "state/number_text.hpp"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>
#include <string>

namespace atcd::state {
namespace {

std::string ours(double value) {
  std::array<char, kLongestNumber> text;
  return {text.data(), write_shortest(text.data(), value)};
}

std::string library(double value) {
  std::array<char, 24> text;
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

TEST(NumberText, EqualsTheLibraryForDecimalsOfEverySize) {
  std::mt19937_64 random(11);
  for (int i = 0; i < 2'000'000; ++i) {
    const auto digits = static_cast<double>(random() % (1ULL << (1 + random() % 56)));
    const double value = digits / std::pow(10, static_cast<double>(random() % 12));
    ASSERT_EQ(ours(value), library(value));
    ASSERT_EQ(ours(-value), library(-value));
  }
}

TEST(NumberText, EqualsTheLibraryForWholeNumbersAndHundredths) {
  for (int i = 0; i < 1'200'000; ++i) {
    ASSERT_EQ(ours(i), library(i));
    ASSERT_EQ(ours(i / 100.0), library(i / 100.0));
    ASSERT_EQ(ours(i * 10.0 + 0.001), library(i * 10.0 + 0.001));
  }
}

TEST(NumberText, EqualsTheLibraryForEveryPatternOfBits) {
  std::mt19937_64 random(12);
  for (int i = 0; i < 1'000'000; ++i) {
    const auto value = std::bit_cast<double>(random());
    if (std::isfinite(value)) {
      ASSERT_EQ(ours(value), library(value));
    }
    const double near_one = std::ldexp(1 + std::ldexp(static_cast<double>(random() >> 12), -52), i % 40 - 14);
    ASSERT_EQ(ours(near_one), library(near_one));
  }
}

TEST(NumberText, EqualsTheLibraryWhereTwoTextsAreAsNear) {
  // Few binary digits in front of many that are 0: their decimals end in a 5 where the shortest text does.
  std::mt19937_64 random(13);
  for (int i = 0; i < 1'000'000; ++i) {
    const auto digits = static_cast<double>(random() >> (11 + random() % 53));
    const double value = std::ldexp(digits, static_cast<int>(random() % 64) - 64);
    ASSERT_EQ(ours(value), library(value));
  }
  for (int exponent = -70; exponent < 70; ++exponent) {
    const double power = std::ldexp(1, exponent);  // below it the doubles are nearer
    ASSERT_EQ(ours(power), library(power));
  }
}

TEST(NumberText, WritesWholeNumbersOfEveryLength) {
  std::mt19937_64 random(14);
  const auto text = [](std::int64_t value) {
    std::array<char, kLongestNumber> digits;
    return std::string(digits.data(), write_whole(digits.data(), value));
  };
  for (std::int64_t power = 1; power <= 1'000'000'000'000'000'000 / 10; power *= 10) {
    for (const std::int64_t value : {power - 1, power, power + 1, 10 * power - 1}) {
      EXPECT_EQ(text(value), std::to_string(value));
      EXPECT_EQ(text(-value), std::to_string(-value));
    }
  }
  for (int i = 0; i < 1'000'000; ++i) {
    const auto value = static_cast<std::int64_t>(random()) >> (random() % 64);
    ASSERT_EQ(text(value), std::to_string(value));
  }
  EXPECT_EQ(text(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
}

TEST(NumberText, EqualsTheLibraryAtTheEdges) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double edge :
       {0.0, 0.0001, 0.001, 0.5, 1.0, 99'999.0, 1e5, 1e6, 1e7, 1e15, 1e16, 0.1, 0.3, 1e-8, 1e22,
        std::numeric_limits<double>::max(), std::numeric_limits<double>::denorm_min()}) {
    for (const double value : {edge, std::nextafter(edge, 0), std::nextafter(edge, kInfinity)}) {
      if (!std::isfinite(value)) continue;
      EXPECT_EQ(ours(value), library(value));
      EXPECT_EQ(ours(-value), library(-value));
    }
  }
}

}  // namespace
}  // namespace atcd::state
