#pragma once

#include <simdjson.h>

#include <string_view>
#include <utility>

#include "feeds/decimal.hpp"

namespace atcd::feeds {

inline constexpr const char* kNotJson = "not a JSON object in full";

/// Calls `read(key, value)` for each field of an object; `key` points behind its opening quote, raw. What it
/// returns is null, or why the frame is refused; so is what this returns.
template <class Read>
const char* for_each_field(simdjson::ondemand::object& object, Read&& read) {
  for (auto result : object) {
    simdjson::ondemand::field field;
    if (std::move(result).get(field) != simdjson::SUCCESS) return kNotJson;
    if (const char* reason = read(field.key().raw(), field.value())) return reason;
  }
  return nullptr;
}

/// A number that stands in quotes, as in json_number.hpp. `end`: of the frame.
inline bool read_quoted(simdjson::ondemand::value value, const char* end, double& number) {
  simdjson::ondemand::raw_json_string raw;
  if (value.get_raw_json_string().get(raw) != simdjson::SUCCESS) return false;
  const std::string_view text(raw.raw(), static_cast<std::size_t>(end - raw.raw()));
  const std::size_t length = read_decimal(text, number);
  return length > 0 && length < text.size() && text[length] == '"';
}

}  // namespace atcd::feeds
