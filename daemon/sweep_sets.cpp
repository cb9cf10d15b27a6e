#include "daemon/sweep_sets.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <map>
#include <set>
#include <unordered_set>
#include <utility>

#include "daemon/csv_table.hpp"
#include "daemon/parameter_keys.hpp"
#include "daemon/toml.hpp"
#include "daemon/toml_reader.hpp"

namespace atcd::daemon {
namespace {

using engine::kFamilies;
using engine::Parameters;

constexpr std::size_t kMostFaults = 20;  // of one table

using Read = std::function<void(TomlReader& reader, Parameters& value)>;
using Copy = std::function<void(const Parameters& from, Parameters& to)>;

/// Reads one [[set]]: begins with the defaults and takes the product with each key's values. Where there are
/// too many sets before it, it is only looked at.
class SetTable {
 public:
  SetTable(TomlReader& reader, bool only_look)
      : reader_(reader), only_look_(only_look), too_many_(only_look) {}

  std::vector<Parameters> read() {
    for (const ParameterKey& key : kParameterKeys) {
      multiply(
          reader_, key.name, [&](TomlReader& one, Parameters& value) { key.read(one, key.name, value); },
          key.copy);
    }
    read_families();
    read_per_family("lengths", &Parameters::lengths, read_length);
    read_per_family("weights", &Parameters::weights, read_weight);
    if (too_many_) {
      if (!only_look_) reader_.fault("", "stands for more than " + std::to_string(kMostSets) + " sets");
      return {};
    }
    check();
    return std::move(sets_);
  }

 private:
  void multiply(TomlReader& reader, std::string_view key, const Read& read, const Copy& copy) {
    std::vector<Parameters> values;
    reader.each(key, [&](TomlReader& one) {
      Parameters value;
      read(one, value);
      values.push_back(value);
    });
    multiply(values, copy);
  }

  void multiply(const std::vector<Parameters>& values, const Copy& copy) {
    if (values.empty()) return;
    too_many_ = too_many_ || sets_.size() * values.size() > kMostSets;
    if (too_many_) return;
    std::vector<Parameters> product;
    product.reserve(sets_.size() * values.size());
    for (const Parameters& set : sets_) {
      for (const Parameters& value : values) {
        product.push_back(set);
        copy(value, product.back());
      }
    }
    sets_ = std::move(product);
  }

  /// A list of names is one value, a list of such lists several.
  void read_families() {
    const auto copy = [](const Parameters& from, Parameters& to) { to.families = from.families; };
    const toml::node* found = reader_.node("families", "", "");
    const toml::array* list = found == nullptr ? nullptr : found->as_array();
    if (list != nullptr && !list->empty() && list->get(0)->is_array()) {
      multiply(reader_, "families", read_chosen_families, copy);
    } else if (found != nullptr) {
      Parameters value;
      read_chosen_families(reader_, value);
      multiply({value}, copy);
    }
  }

  template <class Number>
  void read_per_family(std::string_view key, std::array<Number, kFamilies> Parameters::*field,
                       void (*read_one)(TomlReader&, std::string_view, Number&)) {
    const toml::node* found = reader_.node(key, "", "");
    if (found == nullptr || !found->is_table()) {
      return multiply(
          reader_, key,
          [&](TomlReader& one, Parameters& value) {
            Number number = (value.*field)[0];
            read_one(one, key, number);
            (value.*field).fill(number);
          },
          [field](const Parameters& from, Parameters& to) { to.*field = from.*field; });
    }
    reader_.table(key, [&](TomlReader& families) {
      for (std::size_t f = 0; f < kFamilies; ++f) {
        const std::string_view family = engine::kFamilyNames[f];
        multiply(
            families, family,
            [&](TomlReader& one, Parameters& value) { read_one(one, family, (value.*field)[f]); },
            [field, f](const Parameters& from, Parameters& to) { (to.*field)[f] = (from.*field)[f]; });
      }
    });
  }

  /// What is wrong between the keys: each sentence names the values that do not go together, once however
  /// many sets have them.
  void check() {
    std::set<std::string> sentences;
    for (Parameters& set : sets_) {
      for (std::size_t f = 0; f < kFamilies; ++f) {
        if (set.families[f]) continue;
        // Not looked at: one number makes equal sets equal.
        set.lengths[f] = Parameters{}.lengths[f];
        set.weights[f] = Parameters{}.weights[f];
      }
      for (std::string& sentence : engine::validate(set)) sentences.insert(std::move(sentence));
    }
    std::size_t told = 0;
    for (const std::string& sentence : sentences) {
      if (++told <= kMostFaults) reader_.fault("", "has a set that can't be computed: " + sentence);
    }
    if (told > kMostFaults)
      reader_.fault("", "has " + std::to_string(told - kMostFaults) + " further such faults");
  }

  TomlReader& reader_;
  bool only_look_;
  std::vector<Parameters> sets_{1};
  bool too_many_;
};

std::string shortest(double value) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}
std::string shortest(int value) { return std::to_string(value); }

template <class Number>
std::string per_family(const Parameters& set, const std::array<Number, kFamilies>& values) {
  std::string all, first;
  bool same = true;
  for (std::size_t f = 0; f < kFamilies; ++f) {
    if (!set.families[f]) continue;
    const std::string text = shortest(values[f]);
    same = same && (first.empty() || text == first);
    if (first.empty()) first = text;
    all += (all.empty() ? "" : ",") + std::string(engine::kFamilyNames[f]) + "=" + text;
  }
  return same ? first : all;
}

std::string family_names(const Parameters& set) {
  std::string names;
  for (std::size_t f = 0; f < kFamilies; ++f) {
    if (set.families[f]) names += (names.empty() ? "" : ",") + std::string(engine::kFamilyNames[f]);
  }
  return names;
}

}  // namespace

SetsResult parse_sets(std::string_view text) {
  SetsResult result;
  if (text.size() > kLargestConfig) {
    result.read.fault("", "the file has " + std::to_string(text.size()) + " bytes: at most " +
                              std::to_string(kLargestConfig) + " are read");
    return result;
  }
  toml::table document;
  ConfigError error;
  if (!parse_toml(text, document, error)) {
    result.read.errors.push_back(error);
    return result;
  }
  TomlReader top(document, "", result.read);
  std::unordered_set<std::string> known;
  std::size_t read = 0;  // of which some may be there twice
  bool more = false;
  top.tables("set", [&](TomlReader& reader) {
    more = read > kMostSets;
    const auto sets = SetTable(reader, more).read();
    read += sets.size();
    for (const Parameters& set : sets) {
      if (known.insert(engine::canonical_json(set)).second) result.sets.push_back(set);
    }
  });
  top.finish();
  if (result.sets.empty() && result.read.errors.empty())
    result.read.fault("", "the file has no [[set]], but at least one is needed");
  if (more || result.sets.size() > kMostSets) {
    result.read.fault("",
                      "the tables stand for " +
                          (more ? "more than " + std::to_string(read) : std::to_string(result.sets.size())) +
                          " sets: there may be " + std::to_string(kMostSets) + " at most");
  }
  std::stable_sort(result.read.errors.begin(), result.read.errors.end(),
                   [](const ConfigError& a, const ConfigError& b) { return a.line < b.line; });
  return result;
}

SetsResult load_sets(const std::string& path) {
  const TextResult text = read_text(path);
  if (text.error.empty()) return parse_sets(text.text);
  SetsResult result;
  result.read.fault("", text.error.substr(text.error.find(": ") + 2));
  return result;
}

std::vector<SetColumn> columns_of(const std::vector<Parameters>& sets) {
  std::vector<SetColumn> columns;
  const auto add = [&](const char* name, const std::function<std::string(const Parameters&)>& text) {
    columns.push_back({name, {}});
    for (const Parameters& set : sets) columns.back().values.push_back(text(set));
  };
  add("dialect", [](const Parameters& set) {
    return std::string(engine::kDialectNames[static_cast<std::size_t>(set.dialect)]);
  });
  add("families", family_names);
  add("lengths", [](const Parameters& set) { return per_family(set, set.lengths); });
  add("weights", [](const Parameters& set) { return per_family(set, set.weights); });
  add("robustness", [](const Parameters& set) {
    return std::string(engine::kRobustnessNames[static_cast<std::size_t>(set.robustness)]);
  });
  add("lambda", [](const Parameters& set) { return shortest(set.lambda); });
  add("decay", [](const Parameters& set) { return shortest(set.decay); });
  add("cutout", [](const Parameters& set) { return std::to_string(set.cutout); });
  add("long_threshold", [](const Parameters& set) { return shortest(set.long_threshold); });
  add("short_threshold", [](const Parameters& set) { return shortest(set.short_threshold); });
  add("strategy_mode", [](const Parameters& set) { return set.strategy_mode ? "true" : "false"; });
  return columns;
}

std::vector<std::vector<std::size_t>> sets_by_averages(const std::vector<Parameters>& sets) {
  std::vector<std::vector<std::size_t>> groups;
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    Parameters averages;  // of the set, with the layers of all
    averages.dialect = sets[i].dialect;
    averages.families = sets[i].families;
    averages.lengths = sets[i].lengths;
    averages.robustness = sets[i].robustness;
    averages.ma_source = sets[i].ma_source;
    const auto [place, added] = places.emplace(engine::canonical_json(averages), groups.size());
    if (added) groups.emplace_back();
    groups[place->second].push_back(i);
  }
  return groups;
}

}  // namespace atcd::daemon
