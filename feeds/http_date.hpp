#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace atcd::feeds {

/// The time of an HTTP Date header ("Sun, 06 Nov 1994 08:49:37 GMT") in UTC milliseconds, to the second
/// below. Empty for any other form.
std::optional<std::int64_t> parse_http_date(std::string_view text);

}  // namespace atcd::feeds
