#include "daemon/parameter_keys.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "daemon/near_miss.hpp"

namespace atcd::daemon {
namespace {

using engine::Parameters;

constexpr std::int64_t kLongestLength = 512;

template <auto field>
void copy_field(const Parameters& from, Parameters& to) {
  to.*field = from.*field;
}

template <auto field>
void read_any_number(TomlReader& reader, std::string_view key, Parameters& parameters) {
  reader.any_number(key, parameters.*field);
}

void read_dialect(TomlReader& reader, std::string_view key, Parameters& parameters) {
  read_enum(reader, key, engine::kDialectNames, parameters.dialect);
}

void read_robustness(TomlReader& reader, std::string_view key, Parameters& parameters) {
  read_enum(reader, key, engine::kRobustnessNames, parameters.robustness);
}

void read_cutout(TomlReader& reader, std::string_view key, Parameters& parameters) {
  reader.integer(key, parameters.cutout, 0, kMaxBars);
}

void read_strategy_mode(TomlReader& reader, std::string_view key, Parameters& parameters) {
  reader.boolean(key, parameters.strategy_mode);
}

}  // namespace

const std::array<ParameterKey, 8> kParameterKeys = {{
    {"dialect", read_dialect, copy_field<&Parameters::dialect>},
    {"robustness", read_robustness, copy_field<&Parameters::robustness>},
    {"lambda", read_any_number<&Parameters::lambda>, copy_field<&Parameters::lambda>},
    {"decay", read_any_number<&Parameters::decay>, copy_field<&Parameters::decay>},
    {"cutout", read_cutout, copy_field<&Parameters::cutout>},
    {"long_threshold", read_any_number<&Parameters::long_threshold>, copy_field<&Parameters::long_threshold>},
    {"short_threshold", read_any_number<&Parameters::short_threshold>,
     copy_field<&Parameters::short_threshold>},
    {"strategy_mode", read_strategy_mode, copy_field<&Parameters::strategy_mode>},
}};

void read_chosen_families(TomlReader& reader, Parameters& parameters) {
  std::vector<std::string> names(engine::kFamilyNames.begin(), engine::kFamilyNames.end());
  reader.texts("families", names);
  const std::string fault = engine::choose_families(names, parameters);
  if (fault.empty()) return;
  const auto& known = engine::kFamilyNames;
  const auto unknown = std::find_if(names.begin(), names.end(), [&](const std::string& name) {
    return std::find(known.begin(), known.end(), name) == known.end();
  });
  reader.fault("families", fault + (unknown == names.end() ? "" : suggestion(*unknown, known)));
}

void read_length(TomlReader& reader, std::string_view key, int& length) {
  std::int64_t read = length;
  reader.integer(key, read, 1, kLongestLength);
  length = static_cast<int>(read);
}

void read_weight(TomlReader& reader, std::string_view key, double& weight) {
  reader.number(key, weight, 0, std::numeric_limits<double>::max());
}

std::optional<std::int64_t> parse_utc_time(std::string_view text) {
  using namespace std::chrono;
  constexpr std::string_view kForm = "0000-00-00T00:00:00Z";
  if (text.size() != kForm.size()) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {  // sscanf takes signs and blanks for a part of a number
    if (kForm[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != kForm[i]) return std::nullopt;
  }
  unsigned y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0;
  const int fields =
      std::sscanf(std::string(text).c_str(), "%4u-%2u-%2uT%2u:%2u:%2uZ", &y, &mo, &d, &h, &mi, &s);
  const year_month_day date{year{static_cast<int>(y)}, month{mo}, day{d}};
  if (fields != 6 || !date.ok() || h > 23 || mi > 59 || s > 59) return std::nullopt;
  const auto time = sys_days{date} + hours{h} + minutes{mi} + seconds{s};
  return duration_cast<milliseconds>(time.time_since_epoch()).count();
}

}  // namespace atcd::daemon
