#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "daemon/toml_reader.hpp"
#include "engine/parameters.hpp"

namespace atcd::daemon {

/// Bars that a cutout, an anchor's history or its period may have at most.
inline constexpr std::int64_t kMaxBars = 1'000'000;

/// One key of a set of parameters, the same in a profile and in a file of sets.
struct ParameterKey {
  std::string_view name;
  /// Reads the key into its field, which stays as it is where the file leaves the key out.
  void (*read)(TomlReader& reader, std::string_view key, engine::Parameters& parameters);
  /// Gives `to` the field of `from`.
  void (*copy)(const engine::Parameters& from, engine::Parameters& to);
};

/// All but the MA source, and what has a value a family: families, lengths and weights.
extern const std::array<ParameterKey, 8> kParameterKeys;

/// The list of families under the key `families`.
void read_chosen_families(TomlReader& reader, engine::Parameters& parameters);
/// One family's.
void read_length(TomlReader& reader, std::string_view key, int& length);
void read_weight(TomlReader& reader, std::string_view key, double& weight);

template <typename Enum, std::size_t N>
void read_enum(TomlReader& reader, std::string_view key, const std::array<std::string_view, N>& names,
               Enum& value) {
  auto index = static_cast<std::size_t>(value);
  reader.choice(key, names, index);
  value = static_cast<Enum>(index);
}

/// Of "2024-01-01T00:00:00Z"; empty for text of another form.
std::optional<std::int64_t> parse_utc_time(std::string_view text);

}  // namespace atcd::daemon
