#include <iostream>
#include <memory>
#include <string>

#include "daemon/commands/commands.hpp"
#include "daemon/commands/parameter_options.hpp"
#include "daemon/csv_compute.hpp"
#include "daemon/csv_table.hpp"
#include "daemon/output_file.hpp"

namespace atcd::daemon {
namespace {

struct Typed {
  std::string input, output = "-";
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
  if (reader.errors.empty()) reader.errors = check_options(options);
  return options;
}

int compute(const Typed& typed) {
  OptionReader reader;
  const ComputeOptions options = options_of(typed, reader);
  for (const std::string& error : reader.errors) std::cerr << "atcd compute: " << error << '\n';
  if (!reader.errors.empty()) return kBadUsage;

  CsvBarFile input(typed.input);
  // What is refused before anything is written leaves no file.
  OutputFile output(typed.output);
  std::string error = compute_csv(
      options, [&](std::size_t most, CsvBars& bars) { return input.read(most, bars); },
      [&](std::string_view text) { return output.write(text); });
  if (!error.empty()) {
    error = typed.input + ": " + error;
  } else if (!output.commit()) {
    error = output.error();
  } else {
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
  command->add_option("--path", typed->path, "Which code computes it: the same bits")
      ->type_name("incremental|baseline|scalar|avx2|avx512|neon|auto")
      ->capture_default_str();
  command->add_flag("--dump", typed->dump, "All 54 averages, crossing states and equities too");
  command->add_option("--extra", typed->extra,
                      "Further columns: time, trend; with --live-anchors bar_index, anchor_ms, "
                      "previous_trend, trend_since_ms");
  command->add_option("--live-anchors", typed->live_anchors,
                      "exchange:market:symbol:interval:profile: the signals that live publishes for it");
  command->callback([typed, &status] { status = compute(*typed); });
}

}  // namespace atcd::daemon
