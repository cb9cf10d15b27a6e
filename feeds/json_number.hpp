#pragma once

#include <simdjson.h>

#include <string_view>

#include "feeds/decimal.hpp"

namespace atcd::feeds {

/// A number that stands in quotes, as exchanges send prices: a plain decimal in full, 0 or more. False for
/// anything else; then `number` may hold anything.
inline bool read_quoted(const simdjson::dom::element& element, double& number) {
  std::string_view text;
  return element.get(text) == simdjson::SUCCESS && !text.empty() && read_decimal(text, number) == text.size();
}

}  // namespace atcd::feeds
