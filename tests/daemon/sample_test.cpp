// deploy/atcd.toml: what it says of every key is what the code does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <charconv>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "daemon/config.hpp"
#include "daemon/toml.hpp"
#include "tests/locations.hpp"

namespace atcd::daemon {
namespace {

/// The sample with the keys that stand behind a # too.
std::string whole_sample() {
  std::ifstream file(ATCD_SOURCE_DIR "/deploy/atcd.toml");
  std::ostringstream text;
  text << file.rdbuf();
  return std::regex_replace(text.str(), std::regex("\n# ([a-z_]+ = )"), "\n$1");
}

std::string number_text(double value) {
  std::array<char, 32> digits{};
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
}

std::string value_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return '"' + text->get() + '"';
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  if (node.is_number()) return number_text(*node.value<double>());
  std::string list;
  for (const toml::node& each : *node.as_array()) list += (list.empty() ? "" : ", ") + value_text(each);
  return '[' + list + ']';
}

void flatten(const toml::table& table, const std::string& path, std::map<std::string, std::string>& values) {
  for (const auto& [key, node] : table) {
    const std::string full = path + (path.empty() ? "" : ".") + std::string(key.str());
    if (const auto* inner = node.as_table()) {
      flatten(*inner, full, values);
    } else if (node.is_array_of_tables()) {
      flatten(*(*node.as_array())[0].as_table(), full + "[0]", values);
    } else {
      values[full] = value_text(node);
    }
  }
}

std::map<std::string, std::string> sample_values() {
  toml::table table;
  ConfigError error;
  EXPECT_TRUE(parse_toml(whole_sample(), table, error)) << error.line << error.message;
  std::map<std::string, std::string> values;
  flatten(table, "", values);
  return values;
}

TEST(Sample, ItHasEveryKeyThatIsReadAndNoOther) {
  const ConfigResult read = parse_config(whole_sample());
  EXPECT_THAT(read.errors, testing::IsEmpty()) << "an unknown key is an error";
  const auto values = sample_values();
  for (const auto& [path, key] : known_keys()) {
    if (key.allowed.empty()) continue;  // a table
    EXPECT_TRUE(values.contains(path)) << path << " is not in deploy/atcd.toml";
  }
}

TEST(Sample, TheDefaultsThatItShowsAreThoseOfTheCode) {
  const ConfigResult active = load_config(ATCD_SOURCE_DIR "/deploy/atcd.toml");
  const ConfigKeys known = known_keys();
  std::set<std::string> required;
  for (const auto& [path, value] : sample_values()) {
    const ConfigKey& key = known.at(path);
    const bool number = key.allowed.find("number") != std::string::npos;
    const std::string expected = number ? number_text(std::stod(key.default_value)) : key.default_value;
    if (active.keys.at(path).line == 0) {
      EXPECT_EQ(key.default_value, "\"\"") << path << " stands behind a #, but has a default";
    } else if (value != expected) {
      required.insert(path);
    }
  }
  EXPECT_THAT(required, testing::ElementsAre("feed[0].exchange", "feed[0].intervals", "feed[0].market",
                                             "feed[0].symbols"));
}

TEST(Sample, EachKeyHasAnExplanationOfItsOwn) {
  std::ifstream file(ATCD_SOURCE_DIR "/deploy/atcd.toml");
  std::string line, before;
  const std::regex with_key("(# )?[a-z_]+ = .*");
  while (std::getline(file, line)) {
    if (std::regex_match(line, with_key)) {
      EXPECT_TRUE(before.starts_with("# ") && !std::regex_match(before, with_key)) << line;
    }
    before = line;
  }
}

}  // namespace
}  // namespace atcd::daemon
