#pragma once

#include <span>
#include <string>
#include <string_view>

namespace atcd::daemon {

/// "; did you mean rest_share?" where one of the known words is near to this one, whatever its case; else
/// nothing.
std::string suggestion(std::string_view word, std::span<const std::string_view> known);

}  // namespace atcd::daemon
