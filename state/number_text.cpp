#include "state/number_text.hpp"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

namespace atcd::state {
namespace {

static_assert(std::endian::native == std::endian::little,
              "digits are made eight at a time, first digit lowest");

__extension__ using Wide = unsigned __int128;

constexpr std::uint64_t kEightDigits = 100'000'000;
constexpr std::uint64_t kZeros = 0x3030303030303030;

/// The eight digits of a number below 100,000,000, one a byte: halves, quarters, then digits side by side.
std::uint64_t eight_digits(std::uint64_t value) {
  const std::uint64_t fours = value / 10'000 | value % 10'000 << 32;
  const std::uint64_t hundreds = fours * 10'486 >> 20 & 0x0000'007f'0000'007f;  // of each, by 100
  const std::uint64_t twos = hundreds | (fours - 100 * hundreds) << 16;
  const std::uint64_t tens = twos * 103 >> 10 & 0x000f'000f'000f'000f;  // of each, by 10
  return tens | (twos - 10 * tens) << 8;
}

void put_eight(char* at, std::uint64_t digits) {
  digits |= kZeros;
  std::memcpy(at, &digits, sizeof digits);
}

/// Behind the last digit of these eight that is not 0.
char* without_zeros(char* at, std::uint64_t digits) { return at + 8 - std::countl_zero(digits) / 8; }

char* put_whole(char* at, std::uint64_t value) {
  if (value < 10) {
    *at = static_cast<char>('0' + value);
    return at + 1;
  }
  if (value < kEightDigits) {
    const std::uint64_t digits = eight_digits(value);
    const int unused = std::countr_zero(digits) & ~7;  // bits of the zeros in front
    put_eight(at, digits >> unused);
    return at + 8 - unused / 8;
  }
  at = put_whole(at, value / kEightDigits);
  put_eight(at, eight_digits(value % kEightDigits));
  return at + 8;
}

constexpr int kMostDecimals = 19;
constexpr std::array<std::uint64_t, kMostDecimals + 1> kPowers = [] {
  std::array<std::uint64_t, kMostDecimals + 1> powers{1};
  for (std::size_t i = 1; i < powers.size(); ++i) powers[i] = 10 * powers[i - 1];
  return powers;
}();

/// For each b the number of decimals whose unit is at most 2^-b and more than a tenth of it.
constexpr std::array<std::uint8_t, 63> kDecimals = [] {
  std::array<std::uint8_t, 63> decimals{};
  for (std::size_t b = 0; b < decimals.size(); ++b) {
    while (kPowers[decimals[b]] < std::uint64_t{1} << b) ++decimals[b];
  }
  return decimals;
}();

/// "." and a fraction of 10^-19, without the zeros at its end. Not 0.
char* put_fraction(char* at, std::uint64_t fraction) {
  constexpr std::uint64_t kSixteen = kEightDigits * kEightDigits;
  *at++ = '.';
  const std::uint64_t first = eight_digits(fraction / kSixteen * 100'000);  // three of them
  const std::uint64_t middle = eight_digits(fraction % kSixteen / kEightDigits);
  const std::uint64_t last = eight_digits(fraction % kEightDigits);
  put_eight(at, first);
  put_eight(at + 3, middle);
  put_eight(at + 11, last);
  if (last != 0) return without_zeros(at + 11, last);
  return middle != 0 ? without_zeros(at + 3, middle) : without_zeros(at, first);
}

/// The shortest decimal that reads back as significand * 2^-b, in units of 10^-decimals (whose power is
/// `power`). A unit is at most one step of the double, 2^-b, and more than a tenth of it: of the multiples of
/// ten at most one reads back, and then it is the shortest; else the nearest unit is, and it reads back. All
/// in whole numbers: exact. Without branches, which nothing could foretell. What reads back reaches half a
/// step to either side; its ends have more binary digits than a multiple of ten can have here. Below a power
/// of two it reaches less far, but those are decimals that end in zeros themselves.
std::uint64_t shortest_units(std::uint64_t significand, int b, std::uint64_t power) {
  const int shift = b + 1;  // in units of 2^-shift
  const Wide value = Wide{significand} * power * 2;
  const Wide reach = power;
  const auto below = static_cast<std::uint64_t>(value >> shift);
  const std::uint64_t digit = below % 10;
  const Wide above_ten = value - (Wide{below - digit} << shift);
  const Wide unit = Wide{1} << shift;
  const Wide rest = value - (Wide{below} << shift);
  const std::uint64_t up = rest + (below & 1) > unit / 2 ? 1 : 0;  // of two as near the even one
  const std::uint64_t down_to_ten = 0 - std::uint64_t{above_ten <= reach};
  const std::uint64_t up_to_ten = 0 - std::uint64_t{10 * unit - above_ten <= reach};
  const std::uint64_t ten = up_to_ten & 10;
  const std::uint64_t any = down_to_ten | up_to_ten;
  return below - (any & digit) + ten + (~any & up);
}

/// The library takes the form with an exponent where zeros end a large whole number.
bool plain(std::uint64_t whole) { return whole < 100'000 || whole % 10 != 0; }

}  // namespace

char* write_whole(char* at, std::int64_t value) {
  auto size = static_cast<std::uint64_t>(value);
  if (value < 0) {
    *at++ = '-';
    size = 0 - size;
  }
  return put_whole(at, size);
}

char* write_shortest(char* at, double value) {
  char* const first = at;
  const double size = std::fabs(value);
  if (std::signbit(value)) *at++ = '-';
  if (size == 0) {
    *at = '0';
    return at + 1;
  }
  // Below 0.001 the library takes the form with an exponent.
  if (size >= 0.001 && size < 1e7) {
    const auto whole = static_cast<std::uint64_t>(size);
    // Short decimals, as prices and rounded signals are. Up to fifteen digits no two decimals are the same
    // double: one that is exact is the only one as short.
    constexpr auto kUnit = static_cast<double>(kEightDigits);
    const double above = size * kUnit + 0.5;  // cut off, the nearest
    const auto units = static_cast<std::uint64_t>(above);
    if (static_cast<double>(units) / kUnit == size) {
      const std::uint64_t part = units % kEightDigits;
      if (part != 0) {
        at = put_whole(at, units / kEightDigits);
        *at++ = '.';
        const std::uint64_t digits = eight_digits(part);
        put_eight(at, digits);
        return without_zeros(at, digits);
      }
      if (plain(whole)) return put_whole(at, whole);
      return std::to_chars(first, first + kLongestNumber, value).ptr;
    }
    const auto bits = std::bit_cast<std::uint64_t>(size);
    const std::uint64_t leading = std::uint64_t{1} << 52;
    const std::uint64_t significand = (bits & (leading - 1)) | leading;
    const int b = 1075 - static_cast<int>(bits >> 52);
    const std::size_t decimals = kDecimals[static_cast<std::size_t>(b)];
    const std::uint64_t power = kPowers[decimals];
    // A whole number is a double itself: the text is on the same side of it as the value.
    const std::uint64_t fraction = shortest_units(significand, b, power) - whole * power;
    return put_fraction(put_whole(at, whole), fraction * kPowers[kMostDecimals - decimals]);
  }
  return std::to_chars(first, first + kLongestNumber, value).ptr;
}

}  // namespace atcd::state
