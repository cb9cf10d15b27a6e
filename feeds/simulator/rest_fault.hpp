#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "feeds/simulator/wire.hpp"

namespace atcd::feeds::simulator {

/// What goes wrong with one answer of REST.
struct RestFault {
  enum class How : std::uint8_t { status, empty, truncated, html, cut, hang, stale, unsettled, halved };
  How how = How::status;
  int status = 0;
  std::chrono::seconds seconds{0};  // of Retry-After, or to hang; 0: no Retry-After

  /// "500", "stale", ...: empty for anything that is not known().
  static std::optional<RestFault> parse(std::string_view how, std::chrono::seconds seconds);
  static std::string known();
  RestAnswer applied(RestAnswer answer) const;
};

/// Those of the next answers, in order.
using RestFaults = std::deque<RestFault>;

}  // namespace atcd::feeds::simulator
