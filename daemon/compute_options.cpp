#include "daemon/compute_options.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "daemon/near_miss.hpp"
#include "engine/dispatch.hpp"
#include "engine/plan.hpp"
#include "engine/series_id.hpp"

namespace atcd::daemon {

bool is_name_part(std::string_view part) {
  if (part.empty()) return false;
  for (std::size_t i = 0; i < part.size(); ++i) {
    const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); };
    if (part[i] == '%') {
      if (i + 2 >= part.size() || !hex(part[i + 1]) || !hex(part[i + 2])) return false;
      i += 2;
    } else if (engine::percent_encode(part.substr(i, 1)).size() != 1) {
      return false;
    }
  }
  return true;
}

std::string unknown_name(std::string_view what, std::string_view name, const std::string_view* allowed,
                         std::size_t count) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += (i == 0 ? "" : ", ") + std::string(allowed[i]);
  const std::string sentence = std::string(what) + " is \"" + std::string(name) + "\", which is not known" +
                               suggestion(name, {allowed, count});
  return sentence + " (allowed: " + all + ")";
}

std::optional<LiveAnchors> parse_live_anchors(std::string_view series, std::string& error) {
  std::vector<std::string_view> parts;
  for (std::string_view rest = series;;) {
    const auto end = rest.find(':');
    parts.push_back(rest.substr(0, end));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  const std::string is = "--live-anchors is \"" + std::string(series) + "\"";
  if (parts.size() != 5) {
    error = is + ", which has " + std::to_string(parts.size()) +
            " parts, but must be exchange:market:symbol:interval:profile";
    return std::nullopt;
  }
  for (const auto part : parts) {
    if (is_name_part(part)) continue;
    error = is + ", of which \"" + std::string(part) +
            "\" is no part of a name: A-Z a-z 0-9 . _ / @ - as they are, all else as %XX";
    return std::nullopt;
  }
  const auto interval = engine::Interval::parse(parts[3]);
  if (!interval) {
    error =
        is + ", of which \"" + std::string(parts[3]) + "\" is no interval such as 1s, 15m, 4h, 1d, 1w, 1M";
    return std::nullopt;
  }
  LiveAnchors anchors;
  anchors.series = std::string(series);
  anchors.interval = *interval;
  return anchors;
}

std::string check_path(const std::string& path, std::span<const std::string_view> names) {
  if (std::find(names.begin(), names.end(), path) == names.end())
    return unknown_name("--path", path, names.data(), names.size());
  if (path == "incremental" || path == "cuda" || engine::find_kernel(path) != nullptr) return {};
  std::string have = names.front() == "incremental" ? "incremental" : "";
  for (const auto* kernel : engine::available_kernels())
    have += (have.empty() ? "" : ", ") + std::string(kernel->name);
  return "--path is " + path + ", but this build on this processor has: " + have;
}

const engine::Kernel& kernel_of(const std::string& path) {
  const engine::Kernel* kernel = engine::find_kernel(path);
  return kernel == nullptr ? engine::best_kernel() : *kernel;  // "incremental" and "cuda" are no kernels
}

std::vector<std::string> check_anchor_rule(const engine::AnchorRule& rule) {
  std::vector<std::string> errors;
  for (const auto& [name, value] :
       {std::pair{"--history-bars", rule.history_bars}, {"--anchor-period", rule.anchor_period}}) {
    if (value < 1 || value > 1'000'000'000)
      errors.push_back(std::string(name) + " is " + std::to_string(value) +
                       ", but must be from 1 to 1000000000");
  }
  return errors;
}

std::string check_history_bars(const engine::AnchorRule& rule, const engine::Parameters& parameters) {
  const std::int64_t least = engine::minimum_bars(parameters);
  if (rule.history_bars >= least) return {};
  return "is " + std::to_string(rule.history_bars) + ": these lengths and cutout need at least " +
         std::to_string(least);
}

std::vector<std::string> check_options(const ComputeOptions& options) {
  std::vector<std::string> errors = engine::validate(options.parameters);
  const auto one_of = [](const auto& names, const std::string& name) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
  };
  if (std::string error = check_path(options.path, kPathNames); !error.empty())
    errors.push_back(std::move(error));
  if (options.path == "cuda" && options.live_anchors)
    errors.emplace_back("--path is cuda, but must be another with --live-anchors, which goes bar by bar");
  for (const auto& extra : options.extras) {
    if (!one_of(kExtraNames, extra)) {
      errors.push_back(unknown_name("--extra", extra, kExtraNames, std::size(kExtraNames)));
    } else if (extra != "time" && extra != "trend" && !options.live_anchors) {
      errors.push_back("--extra is " + extra + ", which needs --live-anchors");
    }
  }
  if (options.live_anchors) {
    const auto wrong = check_anchor_rule(options.live_anchors->rule);
    errors.insert(errors.end(), wrong.begin(), wrong.end());
    if (!errors.empty()) return errors;
    const std::string few = check_history_bars(options.live_anchors->rule, options.parameters);
    if (!few.empty()) errors.push_back("--history-bars " + few);
  }
  return errors;
}

}  // namespace atcd::daemon
