#include "daemon/sweep_report.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <numeric>
#include <utility>

#include "daemon/catalogue.hpp"
#include "daemon/commands/table_text.hpp"
#include "daemon/config.hpp"

namespace atcd::daemon {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

double mean(const std::vector<double>& values) {
  if (values.empty()) return kUndefined;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double median(std::vector<double> values) {
  if (values.empty()) return kUndefined;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

SetSummary summary_of(const SweepResult& result, std::size_t set) {
  const std::size_t count = result.series.size();
  std::vector<double> sharpes, gains, turnovers, exposures, trades;
  SetSummary row;
  row.set = set;
  for (std::size_t s = 0; s < count; ++s) {
    const Evaluation& one = result.evaluations[set * count + s];
    if (!std::isnan(one.sharpe)) sharpes.push_back(one.sharpe);
    gains.push_back(one.gain);
    turnovers.push_back(one.turnover);
    exposures.push_back(one.exposure);
    trades.push_back(static_cast<double>(one.trades));
    row.max_drawdown = std::max(row.max_drawdown, one.max_drawdown);
    row.winners += one.gain > 0 ? 1 : 0;
    row.beating += one.gain > result.series[s].holding ? 1 : 0;
  }
  row.winners /= static_cast<double>(count);
  row.beating /= static_cast<double>(count);
  row.sharpe = mean(sharpes);
  row.gain = mean(gains);
  row.median_gain = median(gains);
  row.turnover = mean(turnovers);
  row.exposure = mean(exposures);
  row.trades = mean(trades);
  return row;
}

/// Larger is better.
double worth(const SetSummary& row, SweepSort sort) {
  double value = 0;
  switch (sort) {
    case SweepSort::sharpe:
      value = row.sharpe;
      break;
    case SweepSort::gain:
      value = row.gain;
      break;
    case SweepSort::median:
      value = row.median_gain;
      break;
    case SweepSort::drawdown:
      value = -row.max_drawdown;
      break;
    case SweepSort::winners:
      value = row.winners;
      break;
    case SweepSort::set:
      value = -static_cast<double>(row.set);
      break;
  }
  return std::isnan(value) ? -std::numeric_limits<double>::infinity() : value;
}

std::string shortest(double value, const char* undefined) {
  if (!std::isfinite(value)) return undefined;
  std::array<char, 32> digits{};
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
}

std::string rounded(double value, int decimals, const char* after = "") {
  if (!std::isfinite(value)) return "";
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f%s", decimals, value, after);
  return text.data();
}

std::string percent(double part) { return rounded(100 * part, 1, " %"); }

/// What signals of the set carry (the configuration's hash), where they are as live publishes them.
std::string hash_of(const SweepOptions& options, std::size_t set) {
  ProfileConfig profile;
  profile.parameters = options.sets[set];
  if (options.live_anchors) profile.anchor = options.live_anchors->rule;
  return options.live_anchors ? config_hash(profile) : "";
}

struct Value {
  const char* name;
  double value;
};

std::array<Value, 9> values_of(const SetSummary& row) {
  return {{{"sharpe", row.sharpe},
           {"gain", row.gain},
           {"median_gain", row.median_gain},
           {"max_drawdown", row.max_drawdown},
           {"winners", row.winners},
           {"beating_holding", row.beating},
           {"turnover", row.turnover},
           {"exposure", row.exposure},
           {"trades", row.trades}}};
}

std::array<Value, 7> values_of(const Evaluation& one, const SweptSeries& series) {
  return {{{"sharpe", one.sharpe},
           {"gain", one.gain},
           {"max_drawdown", one.max_drawdown},
           {"turnover", one.turnover},
           {"exposure", one.exposure},
           {"trades", static_cast<double>(one.trades)},
           {"holding_gain", series.holding}}};
}

const Evaluation& evaluation_of(const SweepResult& result, std::size_t set, std::size_t series) {
  return result.evaluations[set * result.series.size() + series];
}

/// A field of a CSV file; those of parameters may have commas.
std::string field(const std::string& text) {
  return text.find_first_of(",\"") == std::string::npos ? text : json_string(text);
}

std::string with_commas(const auto& values) {
  std::string text;
  for (const Value& each : values) text += ',' + shortest(each.value, "");
  return text;
}

std::string names_with_commas(const auto& values) {
  std::string text;
  for (const Value& each : values) text += ',' + std::string(each.name);
  return text;
}

std::string json_members(const auto& values) {
  std::string text;
  for (const Value& each : values)
    text += ",\"" + std::string(each.name) + "\":" + shortest(each.value, "null");
  return text;
}

std::string period_of(const SweptSeries& series) {
  return ",\"bars\":" + std::to_string(series.bars) +
         ",\"first_open_ms\":" + std::to_string(series.first_open_ms) +
         ",\"last_open_ms\":" + std::to_string(series.last_open_ms);
}

using Rows = std::vector<std::vector<std::string>>;

/// Columns as wide as what is in them; text to the left, numbers to the right.
std::string aligned(const Rows& rows, std::size_t text_columns) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string blanks(widths[c] - row[c].size(), ' ');
      const bool left = c > 0 && c <= text_columns;
      text += (c == 0 ? "" : "  ") + (left ? row[c] + blanks : blanks + row[c]);
    }
    text += '\n';
  }
  return text;
}

std::string headline(const SweepReport& report) {
  const auto& series = report.result.series;
  std::size_t bars = 0;
  std::vector<double> holding;
  std::int64_t first_ms = series.front().first_open_ms, last_ms = series.front().last_open_ms;
  for (const SweptSeries& each : series) {
    bars += each.bars;
    holding.push_back(each.holding);
    first_ms = std::min(first_ms, each.first_open_ms);
    last_ms = std::max(last_ms, each.last_open_ms);
  }
  const EvaluationOptions& how = report.options.evaluation;
  constexpr std::array<const char*, 3> kSides = {"long and short", "long only", "short only"};
  return "sets " + std::to_string(report.options.sets.size()) + ", series " + std::to_string(series.size()) +
         ", bars " + std::to_string(bars) + " that open from " + time_text(first_ms) + " to " +
         time_text(last_ms) + " (UTC)\n" + kSides[static_cast<std::size_t>(how.side)] +
         ", at the next bar's " + (how.fill == Fill::next_open ? "open" : "close") + ", fee " +
         shortest(how.fee_bp, "") + " bp, slippage " + shortest(how.slippage_bp, "") +
         " bp; holding instead: mean gain " + percent(mean(holding)) + ", median " +
         percent(median(holding)) + "\n\n";
}

}  // namespace

std::vector<SetSummary> summaries_of(const SweepResult& result, std::size_t sets, SweepSort sort) {
  std::vector<SetSummary> rows;
  for (std::size_t set = 0; set < sets; ++set) rows.push_back(summary_of(result, set));
  std::stable_sort(rows.begin(), rows.end(), [sort](const SetSummary& a, const SetSummary& b) {
    return worth(a, sort) > worth(b, sort);
  });
  return rows;
}

std::string sweep_table(const SweepReport& report) {
  std::vector<SetColumn> differing;
  for (SetColumn& column : columns_of(report.options.sets)) {
    const auto& values = column.values;
    if (std::any_of(values.begin(), values.end(), [&](const auto& each) { return each != values[0]; }))
      differing.push_back(std::move(column));
  }
  Rows rows(1, {"set"});
  for (const SetColumn& column : differing) rows[0].push_back(column.name);
  for (const char* name :
       {"sharpe", "gain", "median", "drawdown", "winners", "beat holding", "turnover", "exposure", "trades"})
    rows[0].push_back(name);
  for (const SetSummary& row : report.rows) {
    rows.push_back({std::to_string(row.set + 1)});
    for (const SetColumn& column : differing) rows.back().push_back(column.values[row.set]);
    for (std::string& text :
         std::vector<std::string>{rounded(row.sharpe, 2), percent(row.gain), percent(row.median_gain),
                                  percent(row.max_drawdown), percent(row.winners), percent(row.beating),
                                  rounded(row.turnover, 1), percent(row.exposure), rounded(row.trades, 1)})
      rows.back().push_back(std::move(text));
  }
  return headline(report) + aligned(rows, differing.size());
}

std::string sweep_csv(const SweepReport& report, bool details) {
  const SweepResult& result = report.result;
  const std::vector<SetColumn> columns = columns_of(report.options.sets);
  std::string text = "set";
  for (const SetColumn& column : columns) text += ',' + column.name;
  text += ",config" +
          (details ? ",series,bars,first_open_ms,last_open_ms" +
                         names_with_commas(values_of(Evaluation{}, SweptSeries{}))
                   : ",series" + names_with_commas(values_of(SetSummary{}))) +
          '\n';
  for (const SetSummary& row : report.rows) {
    std::string begin = std::to_string(row.set + 1);
    for (const SetColumn& column : columns) begin += ',' + field(column.values[row.set]);
    begin += ',' + hash_of(report.options, row.set);
    if (!details) {
      text += begin + ',' + std::to_string(result.series.size()) + with_commas(values_of(row)) + '\n';
      continue;
    }
    for (std::size_t s = 0; s < result.series.size(); ++s) {
      const SweptSeries& series = result.series[s];
      text += begin + ',' + field(series.name) + ',' + std::to_string(series.bars) + ',' +
              std::to_string(series.first_open_ms) + ',' + std::to_string(series.last_open_ms) +
              with_commas(values_of(evaluation_of(result, row.set, s), series)) + '\n';
    }
  }
  return text;
}

std::string sweep_json(const SweepReport& report, bool details) {
  const SweepResult& result = report.result;
  std::string text;
  for (const SetSummary& row : report.rows) {
    const std::string hash = hash_of(report.options, row.set);
    const std::string begin = "{\"set\":" + std::to_string(row.set + 1) +
                              ",\"parameters\":" + engine::canonical_json(report.options.sets[row.set]) +
                              ",\"config\":" + (hash.empty() ? "null" : json_string(hash));
    if (!details) {
      text += begin + ",\"series\":" + std::to_string(result.series.size()) + json_members(values_of(row)) +
              "}\n";
      continue;
    }
    for (std::size_t s = 0; s < result.series.size(); ++s) {
      const SweptSeries& series = result.series[s];
      text += begin + ",\"series\":" + json_string(series.name) + period_of(series) +
              json_members(values_of(evaluation_of(result, row.set, s), series)) + "}\n";
    }
  }
  return text;
}

}  // namespace atcd::daemon
