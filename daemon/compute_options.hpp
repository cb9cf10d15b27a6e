#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/anchor.hpp"
#include "engine/kernel.hpp"
#include "engine/parameters.hpp"

namespace atcd::gpu {
class Planner;
}

namespace atcd::daemon {

/// The anchors of one published series, for computing what live publishes.
struct LiveAnchors {
  std::string series;  // exchange:market:symbol:interval:profile, as in Redis
  engine::Interval interval{1, engine::Interval::Unit::minute};
  engine::AnchorRule rule;
};

struct ComputeOptions {
  engine::Parameters parameters;
  std::string path = "auto";  // one of kPathNames
  bool dump = false;
  std::vector<std::string> extras;  // of kExtraNames
  std::optional<LiveAnchors> live_anchors;
  gpu::Planner* planner = nullptr;  // with path "cuda": has the device compute
};

inline constexpr std::string_view kPathNames[] = {"incremental", "baseline", "scalar", "avx2",
                                                  "avx512",      "neon",     "cuda",   "auto"};
/// All but the first two only with live anchors.
inline constexpr std::string_view kExtraNames[] = {"time",      "trend",          "bar_index",
                                                   "anchor_ms", "previous_trend", "trend_since_ms"};

/// Everything wrong with the options, as sentences; empty when all is well.
std::vector<std::string> check_options(const ComputeOptions& options);
std::vector<std::string> check_anchor_rule(const engine::AnchorRule& rule);
/// Why a profile can't have so few history bars, what is to follow their name; empty where it can. Both must
/// be valid by themselves.
std::string check_history_bars(const engine::AnchorRule& rule, const engine::Parameters& parameters);

/// Why a path of these names can't be taken; empty when it can, and for cuda, which a device's start decides.
std::string check_path(const std::string& path, std::span<const std::string_view> names);
/// The kernel of a path that has passed check_path().
const engine::Kernel& kernel_of(const std::string& path);

/// The anchors of a series' name; a sentence in `error` where it is no such name.
std::optional<LiveAnchors> parse_live_anchors(std::string_view series, std::string& error);
/// May stand between the colons of a series' name: A-Z a-z 0-9 . _ / @ - as they are, all else as %XX.
bool is_name_part(std::string_view part);

/// The sentence for a name that is none of those allowed, with the one that it is nearest to.
std::string unknown_name(std::string_view what, std::string_view name, const std::string_view* allowed,
                         std::size_t count);

}  // namespace atcd::daemon
