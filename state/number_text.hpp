#pragma once

#include <cstddef>
#include <cstdint>

namespace atcd::state {

/// Room for any number: at most 24 characters stay, what is written meanwhile reaches further.
inline constexpr std::size_t kLongestNumber = 32;

/// Writes a whole number in decimal and returns the end. kLongestNumber characters must be free.
char* write_whole(char* at, std::int64_t value);

/// Writes a finite double in shortest round-trip form, exactly as std::to_chars does, and returns the end.
/// Faster where 0.001 <= |value| < 10,000,000: there a price takes a third of the library's time.
/// kLongestNumber characters must be free.
char* write_shortest(char* at, double value);

}  // namespace atcd::state
