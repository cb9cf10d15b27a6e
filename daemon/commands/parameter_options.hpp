#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "daemon/compute_options.hpp"
#include "engine/anchor.hpp"
#include "engine/parameters.hpp"

namespace atcd::daemon {

/// The options of a profile as they were typed; all are read by us, so that every error can name what is
/// allowed.
struct TypedParameters {
  std::string dialect = "lts", robustness = "medium";
  std::optional<std::string> families;
  std::string lengths, weights, lambda, decay, cutout, long_threshold, short_threshold;
  bool strategy_mode = false;
  std::string history_bars, anchor_period;
};

void add_parameter_options(CLI::App& command, TypedParameters& typed);

/// Reads typed options and gathers what is wrong with them, as sentences.
class OptionReader {
 public:
  template <class Number>
  void number(const std::string& option, std::string_view text, Number& value, const char* kind) {
    if (text.empty()) return;
    const char* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || at != end)
      errors.push_back(option + " is \"" + std::string(text) + "\", but must be " + kind);
  }

  template <class Name, std::size_t count>
  void name(const std::string& option, std::string_view text,
            const std::array<std::string_view, count>& names, Name& value) {
    const auto found = std::find(names.begin(), names.end(), text);
    if (found == names.end()) {
      errors.push_back(unknown_name(option, text, names.data(), count));
    } else {
      value = static_cast<Name>(found - names.begin());
    }
  }

  /// "ema=28,hma=20": those that are named, in any order, each once.
  template <class Number>
  void per_family(const std::string& option, std::string_view text,
                  std::array<Number, engine::kFamilies>& values, const char* kind) {
    std::array<bool, engine::kFamilies> seen{};
    for (const std::string& item : items(text)) {
      const auto equals = item.find('=');
      if (equals == std::string::npos) {
        errors.push_back(option + " has \"" + item + "\", but must have the form ema=28,hma=28");
        continue;
      }
      auto family = engine::Family::ema;
      const std::size_t before = errors.size();
      name(option, std::string_view(item).substr(0, equals), engine::kFamilyNames, family);
      if (errors.size() != before) continue;
      const auto f = static_cast<std::size_t>(family);
      if (std::exchange(seen[f], true))
        errors.push_back(option + " names " + item.substr(0, equals) + " twice");
      if (equals + 1 == item.size()) errors.push_back(option + " has \"" + item + "\" without a value");
      number(option + ' ' + item.substr(0, equals), std::string_view(item).substr(equals + 1), values[f],
             kind);
    }
  }

  static std::vector<std::string> items(std::string_view text) {
    std::vector<std::string> result;
    while (!text.empty()) {
      const auto end = text.find(',');
      result.emplace_back(text.substr(0, end));
      if (end == std::string_view::npos) break;
      text.remove_prefix(end + 1);
      if (text.empty()) result.emplace_back();
    }
    return result;
  }

  std::vector<std::string> errors;
};

engine::Parameters parameters_of(const TypedParameters& typed, OptionReader& reader);
/// Reads what was typed into `rule`; without live anchors nothing may have been.
void read_anchor_rule(const TypedParameters& typed, bool live_anchors, engine::AnchorRule& rule,
                      OptionReader& reader);

}  // namespace atcd::daemon
