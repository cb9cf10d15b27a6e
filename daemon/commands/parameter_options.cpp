#include "daemon/commands/parameter_options.hpp"

namespace atcd::daemon {

namespace {

constexpr const char* kNumber = "a number";
constexpr const char* kWhole = "a whole number";

}  // namespace

void add_parameter_options(CLI::App& command, TypedParameters& typed) {
  command
      .add_option("--dialect", typed.dialect,
                  "The rules of adaptive_trend_LTS, or of the TradingView indicator")
      ->type_name("lts|pine")
      ->capture_default_str();
  command.add_option("--families", typed.families,
                     "Only these, as in ema,kama: the average goes over them (all six)");
  command.add_option("--lengths", typed.lengths, "Base lengths, as in ema=28,hma=28 (all 28)");
  command.add_option("--weights", typed.weights, "Layer-2 start equities, as in ema=1,hma=2 (all 1)");
  command.add_option("--robustness", typed.robustness, "How far the nine lengths spread")
      ->type_name("narrow|medium|wide")
      ->capture_default_str();
  command.add_option("--lambda", typed.lambda, "Growth per bar in thousandths (0.02)");
  command.add_option("--decay", typed.decay, "Decay in percent a bar, 0 to 100 (0.03)");
  command.add_option("--cutout", typed.cutout, "First bar with an equity (0)");
  command.add_option("--long-threshold", typed.long_threshold, "Trend +1 above this (0.1)");
  command.add_option("--short-threshold", typed.short_threshold, "Trend -1 below this (-0.1)");
  command.add_flag("--strategy-mode", typed.strategy_mode, "lts: publish the average one bar later");
  command.add_option("--history-bars", typed.history_bars, "With --live-anchors: as configured (1500)");
  command.add_option("--anchor-period", typed.anchor_period, "With --live-anchors: as configured (1500)");
}

engine::Parameters parameters_of(const TypedParameters& typed, OptionReader& reader) {
  engine::Parameters p;
  reader.name("--dialect", typed.dialect, engine::kDialectNames, p.dialect);
  reader.name("--robustness", typed.robustness, engine::kRobustnessNames, p.robustness);
  if (typed.families) {
    const std::string fault = engine::choose_families(OptionReader::items(*typed.families), p);
    if (!fault.empty()) reader.errors.push_back("--families " + fault);
  }
  reader.per_family("--lengths", typed.lengths, p.lengths, kWhole);
  reader.per_family("--weights", typed.weights, p.weights, kNumber);
  reader.number("--lambda", typed.lambda, p.lambda, kNumber);
  reader.number("--decay", typed.decay, p.decay, kNumber);
  reader.number("--cutout", typed.cutout, p.cutout, kWhole);
  reader.number("--long-threshold", typed.long_threshold, p.long_threshold, kNumber);
  reader.number("--short-threshold", typed.short_threshold, p.short_threshold, kNumber);
  p.strategy_mode = typed.strategy_mode;
  return p;
}

void read_anchor_rule(const TypedParameters& typed, bool live_anchors, engine::AnchorRule& rule,
                      OptionReader& reader) {
  for (const auto& [name, text, value] :
       {std::tuple{"--history-bars", &typed.history_bars, &rule.history_bars},
        {"--anchor-period", &typed.anchor_period, &rule.anchor_period}}) {
    if (!live_anchors && !text->empty()) reader.errors.push_back(std::string(name) + " needs --live-anchors");
    reader.number(name, *text, *value, kWhole);
  }
}

}  // namespace atcd::daemon
