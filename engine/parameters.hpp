#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/signal.hpp"

namespace atcd::engine {

/// Whose results are given: of adaptive_trend_LTS, or of the TradingView indicator (design, section 2).
enum class Dialect : std::uint8_t { lts, pine };
/// How far the nine lengths of a family spread.
enum class Robustness : std::uint8_t { narrow, medium, wide };
enum class Family : std::uint8_t { ema, hma, wma, dema, lsma, kama };
/// What averages are taken of.
enum class MaSource : std::uint8_t { close, open, high, low, hl2, hlc3, ohlc4 };

/// Names as in the configuration file, in the order of the enum.
inline constexpr std::array<std::string_view, 2> kDialectNames = {"lts", "pine"};
inline constexpr std::array<std::string_view, 3> kRobustnessNames = {"narrow", "medium", "wide"};
inline constexpr std::array<std::string_view, kFamilies> kFamilyNames = {"ema",  "hma",  "wma",
                                                                         "dema", "lsma", "kama"};
inline constexpr std::array<std::string_view, 7> kMaSourceNames = {"close", "open", "high", "low",
                                                                   "hl2",   "hlc3", "ohlc4"};

/// The parameters of one profile (design, section 2).
struct Parameters {
  Dialect dialect = Dialect::lts;
  /// Those that are computed, at least one: the average signal goes over them. All that is said of another
  /// family is undefined, and its length and weight are not looked at.
  std::array<bool, kFamilies> families = {true, true, true, true, true, true};
  /// Base length per family: at most 5000, and more than the robustness takes off it.
  std::array<int, kFamilies> lengths = {28, 28, 28, 28, 28, 28};
  std::array<double, kFamilies> weights = {1, 1, 1, 1, 1, 1};  // layer-2 start equity, > 0, finite
  Robustness robustness = Robustness::medium;
  double lambda = 0.02;     // "La": growth per bar in thousandths; finite
  double decay = 0.03;      // "De": percent a bar, 0..100
  std::int64_t cutout = 0;  // first bar with an equity, >= 0
  // The trend turns to +1 above long_threshold, to -1 below short_threshold, which is less; both finite.
  double long_threshold = 0.1;
  double short_threshold = -0.1;
  bool strategy_mode = false;  // publishes the average signal one bar late (lts)
  MaSource ma_source = MaSource::close;
};

/// The nine lengths of a family from its base, in the order base, base plus offsets, base minus offsets.
std::array<int, kLengthsPerFamily> family_lengths(int base, Robustness robustness);

/// Chooses the families of these names, in any order. Gives back what is wrong with the names, to be read
/// after their key ("is empty, but ..."), with nothing chosen; empty where all is well.
std::string choose_families(std::span<const std::string> names, Parameters& parameters);

/// Every violation as a sentence that names the key, the value and what is allowed; empty when all is well.
std::vector<std::string> validate(const Parameters& parameters);

/// All parameters as one JSON object with fixed key order and shortest round-trip numbers: what the
/// configuration hash is computed over and what is published under it. Of some families only, it names them
/// and leaves out lengths and weights of the others, which change nothing.
std::string canonical_json(const Parameters& parameters);

}  // namespace atcd::engine
