#pragma once

#include <algorithm>
#include <array>
#include <boost/property_tree/json_parser.hpp>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "engine/parameters.hpp"

/// The expected outputs under golden/: see its README for who made them.
namespace atcd::golden {

struct Table {
  std::vector<std::string> names;
  std::vector<std::vector<double>> columns;  // NaN where the field is empty

  const std::vector<double>& column(std::string_view name) const {
    const auto at = std::find(names.begin(), names.end(), name);
    if (at == names.end()) throw std::runtime_error("no column " + std::string(name));
    return columns[static_cast<std::size_t>(at - names.begin())];
  }
};

/// By the gzip program, so that the tests can be built for a processor that has no zlib here.
inline std::string read_gz(const std::filesystem::path& path) {
  FILE* const unpacked = popen(("gzip -dc '" + path.string() + "'").c_str(), "r");
  if (unpacked == nullptr) throw std::runtime_error("cannot run gzip");
  std::string text;
  std::array<char, 65536> buffer{};
  while (const std::size_t got = fread(buffer.data(), 1, buffer.size(), unpacked)) {
    text.append(buffer.data(), got);
  }
  if (pclose(unpacked) != 0) throw std::runtime_error("gzip cannot read " + path.string());
  return text;
}

inline std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

inline double number(std::string_view text) {
  if (text.empty()) return std::numeric_limits<double>::quiet_NaN();
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    throw std::runtime_error("not a number: " + std::string(text));
  return value;
}

inline Table read_table(const std::filesystem::path& path) {
  const std::string text = read_gz(path);
  Table table;
  for (std::string_view line : split(text, '\n')) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    const auto fields = split(line, ',');
    if (table.names.empty()) {
      table.names.assign(fields.begin(), fields.end());
      table.columns.resize(fields.size());
      continue;
    }
    for (std::size_t i = 0; i < fields.size(); ++i) table.columns.at(i).push_back(number(fields[i]));
  }
  return table;
}

struct Case {
  std::string name;
  engine::Parameters parameters;
  bool known_names = true;  // every name in the parameters is one of ours
  bool refused = false;
  std::int64_t gate_until = std::numeric_limits<std::int64_t>::max();  // bars from here on are counted only
  std::vector<double> closes;                                          // of cases without a file
  std::optional<std::filesystem::path> file;
  std::optional<std::filesystem::path> inner_file;
};

using Json = boost::property_tree::ptree;  // numbers are texts in it, and null is one

inline std::string text_of(const Json& json, const std::string& key) { return json.get<std::string>(key); }
inline double number_of(const Json& json, const std::string& key) { return number(text_of(json, key)); }

/// Nothing where there is no such key or its value is null.
inline std::optional<std::string> optional_text_of(const Json& json, const std::string& key) {
  const auto found = json.get_optional<std::string>(key);
  return found && *found != "null" ? std::optional(*found) : std::nullopt;
}

inline engine::Parameters parameters_of(const Json& json, engine::Dialect dialect, bool& known) {
  engine::Parameters p;
  p.dialect = dialect;
  const bool lts = dialect == engine::Dialect::lts;
  constexpr std::array<std::string_view, 6> kLengthKeys = {"ema", "hull", "wma", "dema", "lsma", "kama"};
  for (std::size_t f = 0; f < engine::kFamilies; ++f) {
    const std::string length(kLengthKeys[f]), weight(engine::kFamilyNames[f]);
    p.lengths[f] = json.get<int>(lts ? length + "_len" : "lengths." + length);
    p.weights[f] = number_of(json, lts ? weight + "_w" : "weights." + weight);
  }
  std::string robustness = text_of(json, "robustness");
  robustness[0] = static_cast<char>(robustness[0] - 'A' + 'a');
  const auto& names = engine::kRobustnessNames;
  const auto at = std::find(names.begin(), names.end(), robustness);
  known = at != names.end();
  if (known) p.robustness = static_cast<engine::Robustness>(at - names.begin());
  p.lambda = number_of(json, "La");
  p.decay = number_of(json, "De");
  p.cutout = json.get<std::int64_t>("cutout");
  if (lts) {
    p.long_threshold = number_of(json, "long_threshold");
    p.short_threshold = number_of(json, "short_threshold");
  }
  p.strategy_mode = json.get<bool>(lts ? "strategy_mode" : "strategy");
  return p;
}

inline std::vector<Case> read_cases(const std::filesystem::path& folder, engine::Dialect dialect) {
  Json document;
  boost::property_tree::read_json((folder / "cases.json").string(), document);
  std::vector<Case> cases;
  for (const auto& [unnamed, json] : document.get_child("cases")) {
    Case made;
    made.name = text_of(json, "name");
    made.parameters = parameters_of(json.get_child("params"), dialect, made.known_names);
    if (const auto file = optional_text_of(json, "file")) made.file = folder / *file;
    const auto inner = optional_text_of(json, dialect == engine::Dialect::lts ? "dump_file" : "inner_file");
    if (inner) made.inner_file = folder / *inner;
    // The reference has silent defaults for some, which the contract refuses instead.
    made.refused = optional_text_of(json, "error") || optional_text_of(json, "kind") == "error_or_default";
    if (const auto closes = json.get_child_optional("close")) {
      for (const auto& [no_key, close] : *closes) made.closes.push_back(number(close.data()));
    }
    made.gate_until = json.get<std::int64_t>("fragile.first_bar", made.gate_until);
    if (made.name == "n_ramp_up") made.gate_until = 0;
    cases.push_back(std::move(made));
  }
  return cases;
}

}  // namespace atcd::golden
