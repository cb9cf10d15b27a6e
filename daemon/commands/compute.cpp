#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/clock.hpp"
#include "daemon/commands/commands.hpp"
#include "daemon/commands/parameter_options.hpp"
#include "daemon/compare.hpp"
#include "daemon/csv_compute.hpp"
#include "daemon/csv_doubts.hpp"
#include "daemon/csv_table.hpp"
#include "daemon/output_file.hpp"
#include "gpu/planner.hpp"

namespace atcd::daemon {
namespace {

struct Typed {
  std::string input, output = "-", compare;
  TypedParameters parameters;
  std::string path = "auto", extra, live_anchors;
  bool dump = false;
};

ComputeOptions options_of(const Typed& typed, OptionReader& reader) {
  ComputeOptions options;
  options.parameters = parameters_of(typed.parameters, reader);
  options.path = typed.path;
  options.dump = typed.dump;
  options.extras = OptionReader::items(typed.extra);
  if (!typed.live_anchors.empty()) {
    std::string error;
    options.live_anchors = parse_live_anchors(typed.live_anchors, error);
    if (!options.live_anchors) reader.errors.push_back(error);
  }
  engine::AnchorRule rule;
  read_anchor_rule(typed.parameters, !typed.live_anchors.empty(), rule, reader);
  if (options.live_anchors) options.live_anchors->rule = rule;
  if (!typed.compare.empty() && typed.output != "-")
    reader.errors.emplace_back("--compare writes no rows, so that -o must not be given with it");
  if (reader.errors.empty()) reader.errors = check_options(options);
  return options;
}

/// What is to be known beside the signals that live publishes for the file.
void tell_doubts(const Typed& typed, const ComputeOptions& options, const CsvDoubts& doubts) {
  if (!options.live_anchors || !doubts.any_bars()) return;
  const std::string from = "atcd compute: " + typed.input + ": ";
  if (const std::int64_t whole_ms = doubts.whole_from_ms(*options.live_anchors);
      whole_ms > doubts.first_open_ms()) {
    std::cerr << from << "its bars begin at " << doubts.first_open_ms()
              << ", after the anchors of those that open before " << whole_ms
              << ": live publishes other signals of these, unless nothing was traded before, as with a new "
                 "listing\n";
  }
  const std::string running = doubts.running(options.live_anchors->interval, utc_ms());
  if (!running.empty()) std::cerr << from << running << '\n';
}

/// Prints how the chart's export and what is computed agree.
int compare(const Typed& typed, const ComputeOptions& options) {
  CsvBarFile input(typed.input);
  TextResult chart = read_text(typed.compare);
  std::string error = chart.error;
  if (error.empty()) {
    Comparison comparison(std::move(chart.text));
    std::string refusal = compute_csv(
        options,
        [&](std::size_t most, CsvBars& bars) {
          const std::size_t begin = bars.size();
          std::string wrong = input.read(most, bars);
          comparison.take_bars(bars, begin);
          return wrong;
        },
        [&](std::string_view text) { return comparison.take_rows(text); });
    if (!comparison.error().empty()) error = typed.compare + ": " + comparison.error();
    if (!refusal.empty()) {
      std::cerr << "atcd compute: " << typed.input << ": " << refusal << '\n';
      return kFailed;
    }
    if (error.empty()) {
      std::cout << comparison.report() << std::flush;
      return comparison.agrees() && std::cout ? kDone : kFailed;
    }
  }
  std::cerr << "atcd compute: " << error << '\n';
  return kFailed;
}

int compute(const Typed& typed) {
  OptionReader reader;
  ComputeOptions options = options_of(typed, reader);
  for (const std::string& error : reader.errors) std::cerr << "atcd compute: " << error << '\n';
  if (!reader.errors.empty()) return kBadUsage;

  std::optional<gpu::Planner> planner;
  if (options.path == "cuda") {
    gpu::Planner::Options forced;
    forced.choice = gpu::Choice::device;
    planner.emplace(forced);
    options.planner = &*planner;
    if (const auto outcome = planner->wait_for_device(); !outcome.done()) {
      std::cerr << "atcd compute: --path cuda: " << outcome.sentence << '\n';
      return kFailed;
    }
  }
  if (!typed.compare.empty()) return compare(typed, options);
  CsvBarFile input(typed.input);
  CsvDoubts doubts;
  // What is refused before anything is written leaves no file.
  OutputFile output(typed.output);
  std::string error = compute_csv(
      options,
      [&](std::size_t most, CsvBars& bars) {
        const std::size_t begin = bars.size();
        std::string wrong = input.read(most, bars);
        doubts.take(bars, begin);
        return wrong;
      },
      [&](std::string_view text) { return output.write(text); });
  if (!error.empty()) {
    error = typed.input + ": " + error;
  } else if (!output.commit()) {
    error = output.error();
  } else {
    tell_doubts(typed, options, doubts);
    return kDone;
  }
  std::cerr << "atcd compute: " << error << '\n';
  return kFailed;
}

}  // namespace

void add_compute_command(CLI::App& app, int& status) {
  auto* command = app.add_subcommand("compute", "Signals of a CSV file of closes, offline");
  const auto typed = std::make_shared<Typed>();
  command->add_option("input", typed->input, "CSV with a header row and a column close; gzip too; - is stdin")
      ->required()
      ->type_name("IN.csv");
  command->add_option("-o,--output", typed->output, "Where to write instead of standard output")
      ->type_name("FILE");
  add_parameter_options(*command, typed->parameters);
  command
      ->add_option("--path", typed->path,
                   "Which code computes it: the same bits. cuda is the first CUDA device, for up to 131072 "
                   "bars; auto is the fastest of this processor")
      ->type_name("incremental|baseline|scalar|avx2|avx512|neon|cuda|auto")
      ->capture_default_str();
  command->add_flag("--dump", typed->dump, "All 54 averages, crossing states and equities too");
  command->add_option("--extra", typed->extra,
                      "Further columns: time, trend; with --live-anchors bar_index, anchor_ms, "
                      "previous_trend, trend_since_ms");
  command->add_option(
      "--live-anchors", typed->live_anchors,
      "exchange:market:symbol:interval:profile: the signals that live publishes for it; none, "
      "and so empty, while fewer bars lie since bar 0 than lengths and cutout need");
  command
      ->add_option(
          "--compare", typed->compare,
          "Instead of the rows, how they agree with a chart's export of the same bars (column time, "
          "and columns of these names), to the decimals that it shows; exit status 1 where they do not")
      ->type_name("FILE.csv");
  command->callback([typed, &status] { status = compute(*typed); });
}

}  // namespace atcd::daemon
