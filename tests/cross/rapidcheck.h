#pragma once

#include <cstdint>
#include <optional>

/// RapidCheck as far as the engine's tests use it, for processors to which Debian's library is not compiled:
/// each property for a few fixed numbers, one after the other.
namespace rc {

inline constexpr int kRuns = 4;
inline int run = 0;

namespace gen {

template <class T>
std::optional<T> arbitrary() {
  return static_cast<T>(run);
}

}  // namespace gen
}  // namespace rc
