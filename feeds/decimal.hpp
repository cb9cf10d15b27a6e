#pragma once

#include <array>
#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <system_error>

namespace atcd::feeds {
namespace decimal_detail {

constexpr std::uint64_t kOnes = 0x0101010101010101;

inline std::uint64_t eight_bytes(const char* text) {
  std::uint64_t bytes;
  std::memcpy(&bytes, text, sizeof bytes);
  return bytes;
}

/// Not zero in each byte that is no digit, up to the first such; 0 where all are digits.
inline std::uint64_t no_digits(std::uint64_t bytes) {
  // A byte is a digit when its high half is 3 and adding 6 does not carry out of the low half. A carry out of
  // a byte can only reach bytes behind a first one that is none.
  return ((bytes & (kOnes * 0xf0)) ^ (kOnes * 0x30)) |
         (((bytes & (kOnes * 0x0f)) + kOnes * 0x06) & (kOnes * 0xf0));
}

/// What eight digits say, the first in the lowest byte; bytes of zero are zeros.
inline std::uint64_t number_of(std::uint64_t digits) {
  digits &= kOnes * 0x0f;
  digits = digits * 10 + (digits >> 8);
  constexpr std::uint64_t kPairs = 0x000000ff000000ff;
  digits = ((digits & kPairs) * (100 + (1'000'000ULL << 32)) +
            ((digits >> 16) & kPairs) * (1 + (10'000ULL << 32))) >>
           32;
  return digits & 0xffffffff;
}

struct Digits {
  unsigned count;       // 0 to 8
  std::uint64_t value;  // of those digits
};

/// The digits at the front of eight bytes, without a branch: eight bytes are one register.
inline Digits leading_digits(const char* text) {
  const std::uint64_t bytes = eight_bytes(text);
  const std::uint64_t other = no_digits(bytes);
  const unsigned count = other == 0 ? 8 : static_cast<unsigned>(std::countr_zero(other)) / 8;
  if (count == 0) return {0, 0};
  return {count, number_of(bytes << (64 - 8 * count))};  // zeros in front, the last digit in the highest byte
}

}  // namespace decimal_detail

/// Reads a plain decimal ("29038.46000000", "0.5", "1e-7") from the front of `text` as its nearest double.
/// Returns the number of characters read; 0 for anything that does not begin with a digit (signs, "nan",
/// "inf") and for numbers beyond the range of a double.
inline std::size_t read_decimal(std::string_view text, double& value) {
  if constexpr (std::endian::native == std::endian::little) {
    // What exchanges send: less than eight digits, and at most eight behind the point. Integers up to 2^53
    // and powers of ten up to 10^22 are exact as doubles, so the one division rounds once, to the nearest.
    constexpr std::size_t kReadAhead = 18;
    constexpr std::uint64_t kLargestExact = 1ULL << 53;
    constexpr std::array<std::uint64_t, 9> kPowers = {1,       10,        100,        1'000,      10'000,
                                                      100'000, 1'000'000, 10'000'000, 100'000'000};
    if (text.size() >= kReadAhead) {
      const auto whole = decimal_detail::leading_digits(text.data());
      if (whole.count > 0 && whole.count < 8 && text[whole.count] == '.') {
        const auto part = decimal_detail::leading_digits(text.data() + whole.count + 1);
        const std::size_t length = whole.count + 1 + part.count;
        const char next = text[length];
        const std::uint64_t mantissa = whole.value * kPowers[part.count] + part.value;
        const bool ends = (next < '0' || next > '9') && next != 'e' && next != 'E';
        if (part.count > 0 && ends && mantissa <= kLargestExact) {
          value = static_cast<double>(mantissa) / static_cast<double>(kPowers[part.count]);
          return length;
        }
      }
    }
  }
  if (text.empty() || text[0] < '0' || text[0] > '9') return 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc() ? static_cast<std::size_t>(end - text.data()) : 0;
}

}  // namespace atcd::feeds
