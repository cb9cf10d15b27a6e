#pragma once

#include <map>
#include <string>
#include <string_view>

namespace atcd::feeds::simulator {

/// An HTTP request's target in its parts.
struct Target {
  std::string_view path;                                  // as it came
  std::map<std::string, std::string, std::less<>> query;  // decoded; of two of one name the first

  /// Empty where it is not there.
  std::string_view value(std::string_view name) const {
    const auto found = query.find(name);
    return found == query.end() ? std::string_view{} : std::string_view(found->second);
  }
  bool has(std::string_view name) const { return query.find(name) != query.end(); }
};

Target parse_target(std::string_view target);

}  // namespace atcd::feeds::simulator
