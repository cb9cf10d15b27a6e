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

/// The same, and 0 where nothing is quoted: exchanges leave empty what was never traded.
inline bool read_quoted_or_empty(const simdjson::dom::element& element, double& number) {
  std::string_view text;
  if (element.get(text) != simdjson::SUCCESS || !text.empty()) return read_quoted(element, number);
  number = 0;
  return true;
}

}  // namespace atcd::feeds
