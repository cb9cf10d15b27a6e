#pragma once

#include <array>
#include <cmath>
#include <string>

#include "state/number_text.hpp"

namespace atcd::daemon {

/// In shortest round-trip form; null where it is undefined.
inline std::string json_number(double value) {
  if (!std::isfinite(value)) return "null";
  std::array<char, state::kLongestNumber> text;
  return {text.data(), state::write_shortest(text.data(), value)};
}

}  // namespace atcd::daemon
