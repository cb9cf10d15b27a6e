#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config.hpp"
#include "engine/parameters.hpp"

namespace atcd::daemon {

/// Of one sweep at most.
inline constexpr std::size_t kMostSets = 100'000;

struct SetsResult {
  std::vector<engine::Parameters> sets;  // in the file's order, each once
  ConfigResult read;                     // its errors; empty when all is well
};

/// Reads sets of parameters from TOML text: tables [[set]] with the keys of a profile, of which each may have
/// a list of values instead of one. A table stands for every combination of its values, the key that is read
/// last changing first. `lengths` and `weights` may be one number for all families. Never throws for what the
/// text says.
SetsResult parse_sets(std::string_view text);
/// Reads the file, "-" is standard input; a file that can't be read is an error of line 0.
SetsResult load_sets(const std::string& path);

/// A parameter as tables and CSV files show it.
struct SetColumn {
  std::string name;
  std::vector<std::string> values;  // by set
};
/// All of them; lengths and weights are one number where the chosen families have the same, else as in
/// ema=28,hma=20.
std::vector<SetColumn> columns_of(const std::vector<engine::Parameters>& sets);

/// Positions of the sets that have their averages in common, by first appearance (engine::same_averages).
std::vector<std::vector<std::size_t>> sets_by_averages(const std::vector<engine::Parameters>& sets);

}  // namespace atcd::daemon
