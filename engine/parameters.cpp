#include "engine/parameters.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace atcd::engine {
namespace {

constexpr std::int64_t kLargestCutout = 1'000'000'000;  // bars: more than anybody has

constexpr std::array<std::array<int, 4>, 3> kOffsets = {{{1, 2, 3, 4}, {1, 2, 4, 6}, {1, 3, 5, 7}}};

/// Bounds the memory and the work of one series; exchanges give far fewer bars than this for a warm-up.
constexpr int kLongestBase = 5000;

template <class Number>
std::string shortest(Number value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

std::string all_family_names() {
  std::string all;
  for (const std::string_view name : kFamilyNames) all += (all.empty() ? "" : ", ") + std::string(name);
  return all;
}

std::string at_least_one_family() { return "but must name at least one of " + all_family_names(); }

bool any_family(const Parameters& parameters) {
  return std::find(parameters.families.begin(), parameters.families.end(), true) != parameters.families.end();
}

bool every_family(const Parameters& parameters) {
  return std::find(parameters.families.begin(), parameters.families.end(), false) ==
         parameters.families.end();
}

void check_lengths(const Parameters& parameters, std::vector<std::string>& errors) {
  const auto robustness = static_cast<std::size_t>(parameters.robustness);
  const int smallest = kOffsets[robustness].back() + 1;
  for (std::size_t f = 0; f < kFamilies; ++f) {
    const int length = parameters.lengths[f];
    if (!parameters.families[f]) continue;
    if (length >= smallest && length <= kLongestBase) continue;
    errors.push_back("lengths." + std::string(kFamilyNames[f]) + " is " + std::to_string(length) +
                     ", but must be from " + std::to_string(smallest) + " (with robustness " +
                     std::string(kRobustnessNames[robustness]) + ") to " + std::to_string(kLongestBase));
  }
}

void check_weights(const Parameters& parameters, std::vector<std::string>& errors) {
  for (std::size_t f = 0; f < kFamilies; ++f) {
    const double weight = parameters.weights[f];
    if (!parameters.families[f]) continue;
    if (weight > 0 && std::isfinite(weight)) continue;
    errors.push_back("weights." + std::string(kFamilyNames[f]) + " is " + shortest(weight) +
                     ", but must be a finite number above 0");
  }
}

void check_thresholds(const Parameters& parameters, std::vector<std::string>& errors) {
  const double upper = parameters.long_threshold, lower = parameters.short_threshold;
  for (const auto& [name, value] : {std::pair{"long_threshold", upper}, {"short_threshold", lower}}) {
    if (!std::isfinite(value))
      errors.push_back(std::string(name) + " is " + shortest(value) + ", but must be finite");
  }
  if (upper <= lower) {
    errors.push_back("long_threshold is " + shortest(upper) +
                     ", but must be above short_threshold, which is " + shortest(lower));
  }
}

}  // namespace

std::array<int, kLengthsPerFamily> family_lengths(int base, Robustness robustness) {
  std::array<int, kLengthsPerFamily> lengths{base};
  const auto& offsets = kOffsets[static_cast<std::size_t>(robustness)];
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    lengths[1 + i] = base + offsets[i];
    lengths[1 + offsets.size() + i] = base - offsets[i];
  }
  return lengths;
}

std::string choose_families(std::span<const std::string> names, Parameters& parameters) {
  if (names.empty()) return "is empty, " + at_least_one_family();
  std::array<bool, kFamilies> chosen{};
  for (const std::string& name : names) {
    const auto found = std::find(kFamilyNames.begin(), kFamilyNames.end(), name);
    if (found == kFamilyNames.end()) {
      return "has \"" + name.substr(0, 80) + "\", but may only have " + all_family_names();
    }
    if (std::exchange(chosen[static_cast<std::size_t>(found - kFamilyNames.begin())], true)) {
      return "has \"" + name + "\" twice, but may have each of " + all_family_names() + " once";
    }
  }
  parameters.families = chosen;
  return {};
}

std::vector<std::string> validate(const Parameters& parameters) {
  std::vector<std::string> errors;
  if (!any_family(parameters)) errors.push_back("families is empty, " + at_least_one_family());
  check_lengths(parameters, errors);
  check_weights(parameters, errors);
  if (!std::isfinite(parameters.lambda)) {
    errors.push_back("lambda is " + shortest(parameters.lambda) + ", but must be a finite number");
  }
  if (!(parameters.decay >= 0 && parameters.decay <= 100)) {
    errors.push_back("decay is " + shortest(parameters.decay) +
                     ", but must be from 0 to 100 (percent a bar)");
  }
  if (parameters.cutout < 0 || parameters.cutout > kLargestCutout) {
    errors.push_back("cutout is " + std::to_string(parameters.cutout) + ", but must be from 0 to " +
                     std::to_string(kLargestCutout));
  }
  check_thresholds(parameters, errors);
  return errors;
}

std::string canonical_json(const Parameters& parameters) {
  const auto quoted = [](std::string_view text) { return '"' + std::string(text) + '"'; };
  const auto of_families = [&](const auto& text_of) {
    std::string text;
    for (std::size_t f = 0; f < kFamilies; ++f) {
      if (parameters.families[f]) text += (text.empty() ? "" : ",") + text_of(f);
    }
    return text;
  };
  const auto name = [&](std::size_t f) { return quoted(kFamilyNames[f]); };
  const auto per_family = [&](const auto& values) {
    return "{" + of_families([&](std::size_t f) { return name(f) + ":" + shortest(values[f]); }) + "}";
  };
  // Left out where there are all, so that hashes from before there was a choice stay what they were.
  const std::string families =
      every_family(parameters) ? std::string() : ",\"families\":[" + of_families(name) + "]";
  return "{\"dialect\":" + quoted(kDialectNames[static_cast<std::size_t>(parameters.dialect)]) + families +
         ",\"lengths\":" + per_family(parameters.lengths) + ",\"weights\":" + per_family(parameters.weights) +
         ",\"robustness\":" + quoted(kRobustnessNames[static_cast<std::size_t>(parameters.robustness)]) +
         ",\"lambda\":" + shortest(parameters.lambda) + ",\"decay\":" + shortest(parameters.decay) +
         ",\"cutout\":" + shortest(parameters.cutout) +
         ",\"long_threshold\":" + shortest(parameters.long_threshold) +
         ",\"short_threshold\":" + shortest(parameters.short_threshold) +
         ",\"strategy_mode\":" + (parameters.strategy_mode ? "true" : "false") +
         ",\"ma_source\":" + quoted(kMaSourceNames[static_cast<std::size_t>(parameters.ma_source)]) + "}";
}

}  // namespace atcd::engine
