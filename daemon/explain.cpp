#include "daemon/explain.hpp"

#include <simdjson.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <memory>
#include <utility>

#include "daemon/catalogue.hpp"
#include "daemon/commands/table_text.hpp"
#include "daemon/json_numbers.hpp"
#include "engine/plan.hpp"

namespace atcd::daemon {
namespace {

using engine::kFamilies;
using engine::kLengthsPerFamily;

constexpr double kPineCut = 0.49;

/// What the family's layer-1 value counts in the average: the definition is engine/layers.hpp's.
int cut_of(const engine::Parameters& parameters, double layer1) {
  const bool pine = parameters.dialect == engine::Dialect::pine;
  if (layer1 > (pine ? kPineCut : parameters.long_threshold)) return 1;
  return layer1 < (pine ? -kPineCut : parameters.short_threshold) ? -1 : 0;
}

std::string family_json(const Explanation& explanation, std::size_t family) {
  const engine::Parameters& parameters = explanation.profile.parameters;
  const engine::Signal& signal = explanation.computed.signal;
  std::string json = "{\"family\":\"" + std::string(engine::kFamilyNames[family]) +
                     "\",\"weight\":" + json_number(parameters.weights[family]) +
                     ",\"signal\":" + json_number(signal.layer1[family]) +
                     ",\"equity\":" + json_number(signal.equity[family]) +
                     ",\"cut\":" + std::to_string(cut_of(parameters, signal.layer1[family])) +
                     ",\"averages\":[";
  const auto lengths = engine::family_lengths(parameters.lengths[family], parameters.robustness);
  for (std::size_t i = 0; i < kLengthsPerFamily; ++i) {
    const std::size_t at = family * kLengthsPerFamily + i;
    json += (i == 0 ? "{\"length\":" : ",{\"length\":") + std::to_string(lengths[i]) +
            ",\"average\":" + json_number(explanation.inner.averages[at]) +
            ",\"state\":" + json_number(explanation.inner.states[at]) +
            ",\"equity\":" + json_number(explanation.inner.equities[at]) + "}";
  }
  return json + "]}";
}

std::string formatted(const char* form, ...) __attribute__((format(printf, 1, 2)));
std::string formatted(const char* form, ...) {
  std::array<char, 400> buffer{};
  va_list values;
  va_start(values, form);
  std::vsnprintf(buffer.data(), buffer.size(), form, values);
  va_end(values);
  return buffer.data();
}

using Element = simdjson::simdjson_result<simdjson::dom::element>;

/// As it stands there: a text without its quotes, a number with all its digits; "-" where there is none.
std::string text_of(const Element& element) {
  simdjson::dom::element value;
  if (element.get(value) != simdjson::SUCCESS || value.is_null()) return "-";
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) return std::string(text);
  double number = 0;
  std::int64_t whole = 0;
  if (value.is_int64() && value.get(whole) == simdjson::SUCCESS) return std::to_string(whole);
  return value.get(number) == simdjson::SUCCESS ? json_number(number) : "-";
}

std::string time_of(const Element& element) {
  std::int64_t ms = 0;
  return element.get(ms) == simdjson::SUCCESS ? time_text(ms) : "-";
}

std::string trend_of(const Element& element) {
  std::int64_t trend = 0;
  return element.get(trend) == simdjson::SUCCESS ? trend_text(trend) : "-";
}

std::string heading(const simdjson::dom::element& all) {
  std::string text = text_of(all["series"]) + "\n";
  text += formatted("  close %s at %s UTC; bar %s since bar 0 at %s UTC\n", text_of(all["close"]).c_str(),
                    time_of(all["close_ms"]).c_str(), text_of(all["bar_index"]).c_str(),
                    time_of(all["anchor_ms"]).c_str());
  text += formatted("  average %s; trend %s since %s UTC, before this bar %s\n",
                    text_of(all["average"]).c_str(), trend_of(all["trend"]).c_str(),
                    time_of(all["trend_since_ms"]).c_str(), trend_of(all["previous_trend"]).c_str());
  text += formatted("  dialect %s, configuration %s\n", text_of(all["dialect"]).c_str(),
                    text_of(all["config"]).c_str());
  bool shifted = false;
  if (all["strategy_mode"].get(shifted) == simdjson::SUCCESS && shifted)
    text += "  strategy_mode: the average is that of the bar before\n";
  return text;
}

constexpr const char* kFamilyForm = "%-6s %8s %8s %22s %4s\n";
constexpr const char* kAverageForm = "%-6s %6s %24s %6s %24s\n";

std::string family_rows(const simdjson::dom::array& families) {
  std::string text = formatted(kFamilyForm, "family", "weight", "layer 1", "layer-2 equity", "cut");
  for (const simdjson::dom::element family : families) {
    text += formatted(kFamilyForm, text_of(family["family"]).c_str(), text_of(family["weight"]).c_str(),
                      text_of(family["signal"]).c_str(), text_of(family["equity"]).c_str(),
                      text_of(family["cut"]).c_str());
  }
  text += "\n" + formatted(kAverageForm, "family", "length", "average", "state", "equity");
  for (const simdjson::dom::element family : families) {
    simdjson::dom::array averages;
    if (family["averages"].get(averages) != simdjson::SUCCESS) continue;
    for (const simdjson::dom::element each : averages) {
      text += formatted(kAverageForm, text_of(family["family"]).c_str(), text_of(each["length"]).c_str(),
                        text_of(each["average"]).c_str(), text_of(each["state"]).c_str(),
                        text_of(each["equity"]).c_str());
    }
  }
  return text;
}

}  // namespace

std::optional<Explanation> explain(const SelfAudit::Subject& subject) {
  if (subject.bars.empty()) return std::nullopt;
  const SignalSeries signals(std::make_shared<const engine::Plan>(subject.profile.parameters),
                             subject.profile.anchor, *engine::Interval::parse(subject.id.interval),
                             subject.id.name());
  SignalSeries::Replay replay(signals);
  const BarHistory history{subject.bars, subject.covered_from, subject.late};
  const auto computed = replay.at(history, subject.bars.size() - 1);
  if (!computed) return std::nullopt;
  return Explanation{subject.profile, subject.id, subject.bars.back(), *computed, replay.inner()};
}

std::string explanation_json(const Explanation& explanation) {
  const engine::Signal& signal = explanation.computed.signal;
  const engine::Parameters& parameters = explanation.profile.parameters;
  std::string json =
      "{\"series\":" + json_string(explanation.id.name()) +
      ",\"open_ms\":" + std::to_string(explanation.bar.open_time_ms) +
      ",\"close_ms\":" + std::to_string(explanation.bar.close_time_ms) +
      ",\"close\":" + json_number(explanation.bar.close) + ",\"average\":" + json_number(signal.average) +
      ",\"trend\":" + std::to_string(signal.trend) +
      ",\"previous_trend\":" + std::to_string(signal.previous_trend) +
      ",\"trend_since_ms\":" + std::to_string(signal.trend_since_ms) +
      ",\"bar_index\":" + std::to_string(signal.bar_index) +
      ",\"anchor_ms\":" + std::to_string(explanation.computed.anchor_ms) + ",\"dialect\":\"" +
      std::string(engine::kDialectNames[static_cast<std::size_t>(parameters.dialect)]) + "\",\"config\":\"" +
      config_hash(explanation.profile) +
      "\",\"strategy_mode\":" + (parameters.strategy_mode ? "true" : "false") + ",\"families\":[";
  bool first = true;
  for (std::size_t family = 0; family < kFamilies; ++family) {
    if (!parameters.families[family]) continue;
    json += (std::exchange(first, false) ? "" : ",") + family_json(explanation, family);
  }
  return json + "]}";
}

std::string explanation_table(std::string_view json) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  simdjson::dom::element all;
  if (parser.parse(padded).get(all) != simdjson::SUCCESS) return {};
  std::string text = heading(all);
  simdjson::dom::array families;
  if (all["families"].get(families) == simdjson::SUCCESS) text += "\n" + family_rows(families);
  return text;
}

}  // namespace atcd::daemon
