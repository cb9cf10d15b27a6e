#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/commands/commands.hpp"
#include "daemon/csv_compute.hpp"
#include "daemon/csv_table.hpp"

namespace atcd::daemon {
namespace {

/// The options as they were typed; all are read by us, so that every error can name what is allowed.
struct Typed {
  std::string input, output;
  std::string dialect = "lts", robustness = "medium", path = "auto";
  std::string families, lengths, weights, lambda, decay, cutout, long_threshold, short_threshold, extra;
  std::string live_anchors, history_bars, anchor_period;
  bool families_given = false;
  bool strategy_mode = false;
  bool dump = false;
};

class Reader {
 public:
  template <class Number>
  void number(const std::string& option, std::string_view text, Number& value, const char* kind) {
    if (text.empty()) return;
    const char* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || at != end)
      errors.push_back(option + " is \"" + std::string(text) + "\", but must be " + kind);
  }

  template <class Name, std::size_t count>
  void name(const std::string& option, std::string_view text,
            const std::array<std::string_view, count>& names, Name& value) {
    const auto found = std::find(names.begin(), names.end(), text);
    if (found == names.end()) {
      errors.push_back(unknown_name(option, text, names.data(), count));
    } else {
      value = static_cast<Name>(found - names.begin());
    }
  }

  /// "ema=28,hma=20": those that are named, in any order, each once.
  template <class Number>
  void per_family(const std::string& option, std::string_view text,
                  std::array<Number, engine::kFamilies>& values, const char* kind) {
    std::array<bool, engine::kFamilies> seen{};
    for (const std::string& item : items(text)) {
      const auto equals = item.find('=');
      if (equals == std::string::npos) {
        errors.push_back(option + " has \"" + item + "\", but must have the form ema=28,hma=28");
        continue;
      }
      auto family = engine::Family::ema;
      const std::size_t before = errors.size();
      name(option, std::string_view(item).substr(0, equals), engine::kFamilyNames, family);
      if (errors.size() != before) continue;
      const auto f = static_cast<std::size_t>(family);
      if (std::exchange(seen[f], true))
        errors.push_back(option + " names " + item.substr(0, equals) + " twice");
      if (equals + 1 == item.size()) errors.push_back(option + " has \"" + item + "\" without a value");
      number(option + ' ' + item.substr(0, equals), std::string_view(item).substr(equals + 1), values[f],
             kind);
    }
  }

  static std::vector<std::string> items(std::string_view text) {
    std::vector<std::string> result;
    while (!text.empty()) {
      const auto end = text.find(',');
      result.emplace_back(text.substr(0, end));
      if (end == std::string_view::npos) break;
      text.remove_prefix(end + 1);
      if (text.empty()) result.emplace_back();
    }
    return result;
  }

  std::vector<std::string> errors;
};

ComputeOptions options_of(const Typed& typed, Reader& reader) {
  constexpr const char* kNumber = "a number";
  constexpr const char* kWhole = "a whole number";
  ComputeOptions options;
  engine::Parameters& p = options.parameters;
  reader.name("--dialect", typed.dialect, engine::kDialectNames, p.dialect);
  reader.name("--robustness", typed.robustness, engine::kRobustnessNames, p.robustness);
  if (typed.families_given) {
    const std::string fault = engine::choose_families(Reader::items(typed.families), p);
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
  options.path = typed.path;
  options.dump = typed.dump;
  options.extras = Reader::items(typed.extra);
  if (typed.live_anchors.empty()) {
    for (const auto& [name, text] :
         {std::pair{"--history-bars", &typed.history_bars}, {"--anchor-period", &typed.anchor_period}}) {
      if (!text->empty()) reader.errors.push_back(std::string(name) + " needs --live-anchors");
    }
  } else {
    std::string error;
    options.live_anchors = parse_live_anchors(typed.live_anchors, error);
    if (options.live_anchors) {
      reader.number("--history-bars", typed.history_bars, options.live_anchors->rule.history_bars, kWhole);
      reader.number("--anchor-period", typed.anchor_period, options.live_anchors->rule.anchor_period, kWhole);
    } else {
      reader.errors.push_back(error);
    }
  }
  if (reader.errors.empty()) reader.errors = check_options(options);
  return options;
}

int fail(const std::string& message) {
  std::cerr << "atcd compute: " << message << '\n';
  return kFailed;
}

int compute(const Typed& typed) {
  Reader reader;
  const ComputeOptions options = options_of(typed, reader);
  for (const std::string& error : reader.errors) std::cerr << "atcd compute: " << error << '\n';
  if (!reader.errors.empty()) return kBadUsage;

  const TextResult text = read_text(typed.input);
  if (!text.error.empty()) return fail(text.error);
  const CsvResult csv = parse_csv_bars(text.text);
  if (!csv.error.empty()) return fail(typed.input + ": " + csv.error);
  const TextResult result = compute_csv(options, csv.bars);
  if (!result.error.empty()) return fail(typed.input + ": " + result.error);

  if (typed.output.empty() || typed.output == "-") {
    std::cout << result.text << std::flush;
    return std::cout ? kDone : fail("cannot write to standard output");
  }
  std::ofstream file(typed.output, std::ios::binary | std::ios::trunc);
  file << result.text;
  file.close();
  return file ? kDone : fail("cannot write to " + typed.output);
}

}  // namespace

void add_compute_command(CLI::App& app, int& status) {
  auto* command = app.add_subcommand("compute", "Signals of a CSV file of closes, offline");
  const auto typed = std::make_shared<Typed>();
  command->add_option("input", typed->input, "CSV with a header row and a column close; gzip too; - is stdin")
      ->required()
      ->type_name("IN.csv");
  command->add_option("-o,--output", typed->output, "Where to write instead of standard output");
  command->add_option("--dialect", typed->dialect, "lts or pine")->capture_default_str();
  auto* const families = command->add_option(
      "--families", typed->families, "Only these, as in ema,kama: the average goes over them (all six)");
  command->add_option("--lengths", typed->lengths, "Base lengths, as in ema=28,hma=28 (all 28)");
  command->add_option("--weights", typed->weights, "Layer-2 start equities, as in ema=1,hma=2 (all 1)");
  command->add_option("--robustness", typed->robustness, "narrow, medium or wide")->capture_default_str();
  command->add_option("--lambda", typed->lambda, "Growth per bar in thousandths (0.02)");
  command->add_option("--decay", typed->decay, "Decay in percent a bar, 0 to 100 (0.03)");
  command->add_option("--cutout", typed->cutout, "First bar with an equity (0)");
  command->add_option("--long-threshold", typed->long_threshold, "Trend +1 above this (0.1)");
  command->add_option("--short-threshold", typed->short_threshold, "Trend -1 below this (-0.1)");
  command->add_flag("--strategy-mode", typed->strategy_mode, "lts: publish the average one bar later");
  command
      ->add_option("--path", typed->path,
                   "incremental, baseline, scalar, avx2, avx512, neon or auto: the same bits")
      ->capture_default_str();
  command->add_flag("--dump", typed->dump, "All 54 averages, crossing states and equities too");
  command->add_option("--extra", typed->extra,
                      "Further columns: time, trend; with --live-anchors bar_index, anchor_ms, "
                      "previous_trend, trend_since_ms");
  command->add_option("--live-anchors", typed->live_anchors,
                      "exchange:market:symbol:interval:profile: the signals that live publishes for it");
  command->add_option("--history-bars", typed->history_bars, "With --live-anchors: as configured (1500)");
  command->add_option("--anchor-period", typed->anchor_period, "With --live-anchors: as configured (1500)");
  command->callback([typed, families, &status] {
    typed->families_given = families->count() != 0;
    status = compute(*typed);
  });
}

}  // namespace atcd::daemon
