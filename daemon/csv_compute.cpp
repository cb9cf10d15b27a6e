#include "daemon/csv_compute.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <numeric>
#include <utility>

#include "engine/batch.hpp"
#include "engine/dispatch.hpp"
#include "engine/incremental.hpp"
#include "engine/plan.hpp"
#include "engine/series_id.hpp"

namespace atcd::daemon {
namespace {

using engine::kAverages;
using engine::kFamilies;

constexpr std::int64_t kLastTimeMs = 253'402'300'799'999;  // the end of the year 9999

/// The columns of the output, by bar.
struct Columns {
  explicit Columns(std::size_t bars, bool dump) : average(bars), trend(bars) {
    for (auto& column : layer1) column.resize(bars);
    for (auto& column : equity) column.resize(bars);
    if (!dump) return;
    for (auto* columns : {&averages, &states, &equities}) columns->resize(bars * kAverages);
  }

  std::array<std::vector<double>, kFamilies> layer1, equity;
  std::vector<double> average;
  std::vector<std::int8_t> trend;
  std::vector<double> averages, states, equities;  // --dump
  // --live-anchors
  std::vector<std::int8_t> previous_trend;
  std::vector<std::int64_t> bar_index, anchor_ms, trend_since_ms;
};

engine::BatchOutput output_of(Columns& columns) {
  engine::BatchOutput output;
  for (std::size_t f = 0; f < kFamilies; ++f) {
    output.layer1[f] = columns.layer1[f];
    output.equity[f] = columns.equity[f];
  }
  output.average = columns.average;
  output.trend = columns.trend;
  output.averages = columns.averages;
  output.states = columns.states;
  output.equities = columns.equities;
  return output;
}

void take(Columns& columns, std::size_t bar, const engine::Signal& signal,
          const engine::Incremental& engine) {
  for (std::size_t f = 0; f < kFamilies; ++f) {
    columns.layer1[f][bar] = signal.layer1[f];
    columns.equity[f][bar] = signal.equity[f];
  }
  columns.average[bar] = signal.average;
  columns.trend[bar] = signal.trend;
  if (columns.averages.empty()) return;
  const auto inner = engine.inner();
  const std::size_t bars = columns.average.size();
  for (std::size_t a = 0; a < kAverages; ++a) {
    columns.averages[a * bars + bar] = inner.averages[a];
    columns.states[a * bars + bar] = inner.states[a];
    columns.equities[a * bars + bar] = inner.equities[a];
  }
}

const engine::Kernel& kernel_of(const std::string& path) {
  const engine::Kernel* kernel = engine::find_kernel(path);
  return kernel == nullptr ? engine::best_kernel() : *kernel;  // "incremental" is no kernel's name
}

std::string shortest(double value) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

std::string check_values(const CsvBars& bars, engine::Dialect dialect) {
  const bool pine = dialect == engine::Dialect::pine;
  const auto refuse = [&](const char* column, std::size_t i, double value, const char* allowed) {
    return "line " + std::to_string(bars.lines[i]) + ": " + column + " is " +
           (std::isnan(value) ? "missing" : shortest(value)) + ", but must be " + allowed;
  };
  for (std::size_t i = 0; i < bars.closes.size(); ++i) {
    const double close = bars.closes[i];
    if (std::isnan(close) ? pine : !(std::isfinite(close) && close > 0)) {
      return refuse("close", i, close,
                    pine ? "a finite number above 0" : "a finite number above 0, or empty");
    }
    if (bars.sources.empty()) continue;
    const double source = bars.sources[i];
    if (std::isinf(source) || (pine && std::isnan(source)))
      return refuse("src", i, source, pine ? "a finite number" : "a finite number, or empty");
  }
  return {};
}

std::string check_times(const CsvBars& bars, const engine::Interval& interval) {
  if (bars.open_ms.empty()) return "--live-anchors needs a column open_ms, which the header does not have";
  for (std::size_t i = 0; i < bars.open_ms.size(); ++i) {
    const std::string where =
        "line " + std::to_string(bars.lines[i]) + ": open_ms is " + std::to_string(bars.open_ms[i]);
    if (std::abs(bars.open_ms[i]) > kLastTimeMs) return where + ", but must lie before the year 10000";
    if (!interval.is_boundary(bars.open_ms[i])) return where + ", which is no boundary of " + interval.text();
    if (i > 0 && bars.open_ms[i] <= bars.open_ms[i - 1])
      return where + ", but must be later than that of the bar before";
  }
  return {};
}

/// Each bar's signal as live publishes it: from bar 0 of the bar's own segment.
void compute_with_anchors(const ComputeOptions& options, const CsvBars& bars,
                          const std::shared_ptr<const engine::Plan>& plan, Columns& columns) {
  const LiveAnchors& anchors = *options.live_anchors;
  const engine::Interval& interval = anchors.interval;
  const std::int64_t phase = engine::anchor_phase(anchors.series, anchors.rule.anchor_period);
  const std::size_t count = bars.closes.size();
  columns.previous_trend.resize(count);
  columns.bar_index.resize(count);
  columns.anchor_ms.resize(count);
  columns.trend_since_ms.resize(count);
  for (std::size_t begin = 0; begin < count;) {
    // The rule has no fixed anchor here, so every bar has a segment.
    const auto segment =
        *engine::segment_of(anchors.rule, interval, phase, interval.ordinal(bars.open_ms[begin]));
    const std::int64_t anchor_ms = interval.open_time_ms(segment.anchor_ordinal);
    const auto first = static_cast<std::size_t>(
        std::lower_bound(bars.open_ms.begin(), bars.open_ms.end(), anchor_ms) - bars.open_ms.begin());
    const std::int64_t end_ms = interval.open_time_ms(segment.end_ordinal);
    engine::Incremental engine(plan, kernel_of(options.path));
    std::size_t i = first;
    for (; i < count && bars.open_ms[i] < end_ms; ++i) {
      const double close = bars.closes[i];
      const engine::Signal signal = engine.update(close, bars.sources.empty() ? close : bars.sources[i],
                                                  interval.close_time_ms(bars.open_ms[i]));
      if (i < begin) continue;
      take(columns, i, signal, engine);
      columns.previous_trend[i] = signal.previous_trend;
      columns.bar_index[i] = signal.bar_index;
      columns.anchor_ms[i] = bars.open_ms[first];
      columns.trend_since_ms[i] = signal.trend_since_ms;
    }
    begin = i;
  }
}

void compute_bar_by_bar(const CsvBars& bars, const std::shared_ptr<const engine::Plan>& plan,
                        Columns& columns) {
  engine::Incremental engine(plan);
  for (std::size_t i = 0; i < bars.closes.size(); ++i) {
    const double close = bars.closes[i];
    take(columns, i, engine.update(close, bars.sources.empty() ? close : bars.sources[i], 0), engine);
  }
}

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(c - 'a' + 'A');
  return result;
}

std::string header_of(const ComputeOptions& options) {
  std::string header = "close";
  for (const char* ending : {"_Signal", "_S"}) {
    for (const auto family : engine::kFamilyNames) header += ',' + upper(family) + ending;
  }
  header += ",Average_Signal";
  if (options.dump) {
    for (const char* beginning : {"", "sig_", "eq_"}) {
      for (std::size_t f = 0; f < kFamilies; ++f) {
        // The base of a family that is not chosen may be any number.
        const std::int64_t base = options.parameters.lengths[f];
        for (const int offset : engine::family_lengths(0, options.parameters.robustness)) {
          header += ',' + std::string(beginning) + upper(engine::kFamilyNames[f]) + '_' +
                    std::to_string(base + offset);
        }
      }
    }
  }
  for (const auto& extra : options.extras) header += ',' + extra;
  return header + '\n';
}

void append(std::string& text, double value) {
  if (std::isnan(value)) return;
  std::array<char, 32> digits{};
  text.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
}

void append_extra(std::string& text, std::string_view extra, const CsvBars& bars, const Columns& columns,
                  std::size_t bar) {
  if (extra == "time") text += std::to_string(bars.open_ms[bar]);
  if (extra == "trend") text += std::to_string(columns.trend[bar]);
  if (extra == "bar_index") text += std::to_string(columns.bar_index[bar]);
  if (extra == "anchor_ms") text += std::to_string(columns.anchor_ms[bar]);
  if (extra == "previous_trend") text += std::to_string(columns.previous_trend[bar]);
  if (extra == "trend_since_ms") text += std::to_string(columns.trend_since_ms[bar]);
}

std::string text_of(const ComputeOptions& options, const CsvBars& bars, const Columns& columns) {
  std::string text = header_of(options);
  const std::size_t count = bars.closes.size();
  for (std::size_t bar = 0; bar < count; ++bar) {
    append(text, bars.closes[bar]);
    const auto next = [&](double value) {
      text += ',';
      append(text, value);
    };
    for (const auto& column : columns.layer1) next(column[bar]);
    for (const auto& column : columns.equity) next(column[bar]);
    next(columns.average[bar]);
    if (options.dump) {
      for (const auto* values : {&columns.averages, &columns.states, &columns.equities}) {
        for (std::size_t a = 0; a < kAverages; ++a) next((*values)[a * count + bar]);
      }
    }
    for (const auto& extra : options.extras) {
      text += ',';
      append_extra(text, extra, bars, columns, bar);
    }
    text += '\n';
  }
  return text;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

bool known_part(std::string_view part) {
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

}  // namespace

std::string unknown_name(std::string_view what, std::string_view name, const std::string_view* allowed,
                         std::size_t count) {
  std::string all;
  std::string_view nearest;
  std::size_t nearest_distance = std::max<std::size_t>(3, name.size() / 2);
  for (std::size_t i = 0; i < count; ++i) {
    all += (i == 0 ? "" : ", ") + std::string(allowed[i]);
    const std::size_t distance = edit_distance(name.substr(0, 64), allowed[i]);
    if (distance < nearest_distance) {
      nearest_distance = distance;
      nearest = allowed[i];
    }
  }
  std::string sentence = std::string(what) + " is \"" + std::string(name) + "\", which is not known";
  if (!nearest.empty()) sentence += "; did you mean " + std::string(nearest) + "?";
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
    if (known_part(part)) continue;
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

std::vector<std::string> check_options(const ComputeOptions& options) {
  std::vector<std::string> errors = engine::validate(options.parameters);
  const auto one_of = [](const auto& names, const std::string& name) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
  };
  if (!one_of(kPathNames, options.path)) {
    errors.push_back(unknown_name("--path", options.path, kPathNames, std::size(kPathNames)));
  } else if (options.path != "incremental" && engine::find_kernel(options.path) == nullptr) {
    std::string have = "incremental";
    for (const auto* kernel : engine::available_kernels()) have += std::string(", ") + kernel->name;
    errors.push_back("--path is " + options.path + ", but this build on this processor has: " + have);
  }
  for (const auto& extra : options.extras) {
    if (!one_of(kExtraNames, extra)) {
      errors.push_back(unknown_name("--extra", extra, kExtraNames, std::size(kExtraNames)));
    } else if (extra != "time" && extra != "trend" && !options.live_anchors) {
      errors.push_back("--extra is " + extra + ", which needs --live-anchors");
    }
  }
  if (options.live_anchors) {
    const engine::AnchorRule& rule = options.live_anchors->rule;
    for (const auto& [name, value] :
         {std::pair{"--history-bars", rule.history_bars}, {"--anchor-period", rule.anchor_period}}) {
      if (value < 1 || value > 1'000'000'000)
        errors.push_back(std::string(name) + " is " + std::to_string(value) +
                         ", but must be from 1 to 1000000000");
    }
  }
  return errors;
}

TextResult compute_csv(const ComputeOptions& options, const CsvBars& bars) {
  TextResult result;
  result.error = check_values(bars, options.parameters.dialect);
  const bool wants_time =
      std::find(options.extras.begin(), options.extras.end(), "time") != options.extras.end();
  if (result.error.empty() && wants_time && bars.open_ms.empty())
    result.error = "--extra time needs a column open_ms, which the header does not have";
  if (result.error.empty() && options.live_anchors)
    result.error = check_times(bars, options.live_anchors->interval);
  if (result.error.empty() && bars.closes.empty())
    result.error = "there are no bars, but at least one is needed";
  if (!result.error.empty()) return result;

  const auto plan = std::make_shared<const engine::Plan>(options.parameters);
  Columns columns(bars.closes.size(), options.dump);
  if (options.live_anchors) {
    compute_with_anchors(options, bars, plan, columns);
  } else {
    const engine::BatchInput input{bars.closes, bars.sources};
    result.error = options.path == "incremental"
                       ? engine::check_batch(*plan, input)
                       : compute_batch(*plan, input, output_of(columns), kernel_of(options.path));
    if (!result.error.empty()) return result;
    if (options.path == "incremental") compute_bar_by_bar(bars, plan, columns);
  }
  result.text = text_of(options, bars, columns);
  return result;
}

}  // namespace atcd::daemon
