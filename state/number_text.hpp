#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>

namespace atcd::state {

/// Writes a finite double in shortest round-trip form, exactly as std::to_chars does, and returns the end. At
/// least 24 characters must be free. Short decimals, as prices and rounded signals are, take a third of the
/// time.
inline char* write_shortest(char* at, double value) {
  constexpr std::uint64_t kUnit = 100'000'000;  // eight digits behind the point
  const double size = std::fabs(value);
  // Up to fifteen digits no two decimals are the same double: one that is exact is the only one as short.
  // to_chars takes the form with an exponent where that is shorter: below 0.001, and where zeros end a large
  // whole number.
  if (size >= 0.001 && size < 1e7) {
    const double above = size * static_cast<double>(kUnit) + 0.5;  // cut off, the nearest
    const auto units = static_cast<std::uint64_t>(above);
    const bool exact = static_cast<double>(units) / static_cast<double>(kUnit) == size;
    if (exact && (size < 1e5 || units % (10 * kUnit) != 0)) {
      if (value < 0) *at++ = '-';
      at = std::to_chars(at, at + 8, units / kUnit).ptr;
      std::uint64_t part = units % kUnit;
      if (part == 0) return at;
      *at = '.';
      int digits = 8;
      for (; part % 10 == 0; part /= 10) --digits;
      for (int i = digits; i > 0; part /= 10) at[i--] = static_cast<char>('0' + part % 10);
      return at + digits + 1;
    }
  }
  return std::to_chars(at, at + 24, value).ptr;
}

}  // namespace atcd::state
