#pragma once

#include <simdjson.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
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

inline std::string read_gz(const std::filesystem::path& path) {
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) throw std::runtime_error("cannot open " + path.string());
  std::string text;
  std::array<char, 65536> buffer{};
  int got = 0;
  while ((got = gzread(file, buffer.data(), buffer.size())) > 0)
    text.append(buffer.data(), static_cast<std::size_t>(got));
  gzclose(file);
  if (got < 0) throw std::runtime_error("cannot read " + path.string());
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

inline engine::Parameters parameters_of(simdjson::dom::object json, engine::Dialect dialect, bool& known) {
  engine::Parameters p;
  p.dialect = dialect;
  constexpr std::array<std::string_view, 6> kLengthKeys = {"ema", "hull", "wma", "dema", "lsma", "kama"};
  for (std::size_t f = 0; f < engine::kFamilies; ++f) {
    const std::string length(kLengthKeys[f]), weight(engine::kFamilyNames[f]);
    if (dialect == engine::Dialect::lts) {
      p.lengths[f] = static_cast<int>(json[length + "_len"].get_int64());
      p.weights[f] = json[weight + "_w"].get_double();
    } else {
      p.lengths[f] = static_cast<int>(json["lengths"][length].get_int64());
      p.weights[f] = json["weights"][weight].get_double();
    }
  }
  std::string robustness{std::string_view(json["robustness"])};
  robustness[0] = static_cast<char>(robustness[0] - 'A' + 'a');
  const auto& names = engine::kRobustnessNames;
  const auto at = std::find(names.begin(), names.end(), robustness);
  known = at != names.end();
  if (known) p.robustness = static_cast<engine::Robustness>(at - names.begin());
  p.lambda = json["La"].get_double();
  p.decay = json["De"].get_double();
  p.cutout = json["cutout"].get_int64();
  if (dialect == engine::Dialect::lts) {
    p.long_threshold = json["long_threshold"].get_double();
    p.short_threshold = json["short_threshold"].get_double();
    p.strategy_mode = json["strategy_mode"].get_bool();
  } else {
    p.strategy_mode = json["strategy"].get_bool();
  }
  return p;
}

inline std::vector<Case> read_cases(const std::filesystem::path& folder, engine::Dialect dialect) {
  simdjson::dom::parser parser;
  const simdjson::dom::element document = parser.load((folder / "cases.json").string());
  std::vector<Case> cases;
  for (const simdjson::dom::object json : document["cases"]) {
    Case made;
    made.name = std::string(std::string_view(json["name"]));
    made.parameters = parameters_of(json["params"], dialect, made.known_names);
    std::string_view text;
    if (json["file"].get(text) == simdjson::SUCCESS) made.file = folder / text;
    if (json[dialect == engine::Dialect::lts ? "dump_file" : "inner_file"].get(text) == simdjson::SUCCESS)
      made.inner_file = folder / text;
    made.refused = json["error"].get(text) == simdjson::SUCCESS;
    // The reference has silent defaults for these, which the contract refuses instead.
    std::string_view kind;
    if (json["kind"].get(kind) == simdjson::SUCCESS && kind == "error_or_default") made.refused = true;
    simdjson::dom::array closes;
    if (json["close"].get(closes) == simdjson::SUCCESS) {
      for (const double close : closes) made.closes.push_back(close);
    }
    std::int64_t first_fragile = 0;
    if (json["fragile"]["first_bar"].get(first_fragile) == simdjson::SUCCESS) made.gate_until = first_fragile;
    if (made.name == "n_ramp_up") made.gate_until = 0;
    cases.push_back(std::move(made));
  }
  return cases;
}

}  // namespace atcd::golden
