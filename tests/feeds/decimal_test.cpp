#include "feeds/decimal.hpp"

#include <gtest/gtest.h>

#include <charconv>
#include <random>
#include <string>

namespace atcd::feeds {
namespace {

/// What the library makes of the text between quotes, which is exact.
double nearest(const std::string& text) {
  double value = -1;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  EXPECT_EQ(result.ptr, text.data() + text.size()) << text;
  return value;
}

TEST(Decimal, EqualsTheLibraryForEveryShape) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 300'000; ++i) {
    std::string text;
    const auto digits = [&](std::uint64_t count) {
      while (count-- > 0) text += static_cast<char>('0' + random() % 10);
    };
    digits(1 + random() % 12);
    if (random() % 4 != 0) {
      text += '.';
      digits(1 + random() % 12);
    }
    double value = -1;
    const std::string frame = text + "\",\"c\":\"0123456789012345678901";
    ASSERT_EQ(read_decimal(frame, value), text.size()) << text;
    ASSERT_EQ(value, nearest(text)) << text;
    ASSERT_EQ(read_decimal(text, value), text.size()) << text;
    ASSERT_EQ(value, nearest(text)) << text;
  }
}

TEST(Decimal, EveryByteBehindADigitEndsTheNumberAsInTheLibrary) {
  for (const std::string start : {"1", "12.5", "1234567.12345678", "7.", "0.0"}) {
    for (int byte = 0; byte < 256; ++byte) {
      const std::string text = start + static_cast<char>(byte) + "1\"................................";
      double value = -1, expected = -1;
      const auto result = std::from_chars(text.data(), text.data() + text.size(), expected);
      const std::size_t read = read_decimal(text, value);
      EXPECT_EQ(read, static_cast<std::size_t>(result.ptr - text.data())) << start << " then " << byte;
      EXPECT_EQ(value, expected) << start << " then " << byte;
    }
  }
}

TEST(Decimal, WhatDoesNotBeginWithADigitIsNoNumber) {
  double value = 0;
  for (const char* text : {"", "-1.5", "+1.5", "nan", "inf", ".5", " 1", "\"", "x1.00000000000000000000"}) {
    EXPECT_EQ(read_decimal(text, value), 0U) << text;
  }
}

TEST(Decimal, WhatIsBeyondADoubleIsNoNumber) {
  double value = 0;
  EXPECT_EQ(read_decimal("1e999", value), 0U);
  EXPECT_EQ(read_decimal("1e-999", value), 0U);
  EXPECT_EQ(read_decimal(std::string(400, '9'), value), 0U);
}

}  // namespace
}  // namespace atcd::feeds
