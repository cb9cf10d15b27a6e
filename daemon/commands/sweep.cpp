#include "daemon/sweep.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "daemon/commands/commands.hpp"
#include "daemon/commands/parameter_options.hpp"
#include "daemon/commands/table_text.hpp"
#include "daemon/config.hpp"
#include "daemon/output_file.hpp"
#include "daemon/parameter_keys.hpp"
#include "daemon/sweep_report.hpp"
#include "daemon/sweep_sets.hpp"
#include "engine/plan.hpp"

namespace atcd::daemon {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::array<std::string_view, 3> kSideNames = {"both", "long", "short"};
constexpr std::array<std::string_view, 2> kFillNames = {"next-open", "next-close"};
constexpr std::array<std::string_view, 3> kFormatNames = {"table", "csv", "json"};
enum class Format : std::uint8_t { table, csv, json };

struct Typed {
  std::string directory, sets, profile = "default", history_bars, anchor_period;
  bool no_live_anchors = false;
  std::string from, to, side = "both", fill = "next-open", fee, slippage;
  std::string threads, path = "auto", results, sort = "sharpe", top, format = "table", output = "-";
  bool details = false;
};

/// "2024-01-01T00:00:00Z", or the day alone.
void read_time(const char* option, const std::string& text, std::int64_t& time_ms, OptionReader& reader) {
  if (text.empty()) return;
  const auto read = parse_utc_time(text.size() == 10 ? text + "T00:00:00Z" : text);
  if (read) {
    time_ms = *read;
  } else {
    reader.errors.push_back(std::string(option) + " is \"" + text +
                            "\", but must be a UTC time such as 2024-01-01 or 2024-01-01T00:00:00Z");
  }
}

void read_basis_points(const char* option, const std::string& text, double& value, OptionReader& reader) {
  reader.number(option, text, value, "a number of basis points");
  if (!(value >= 0 && value < 5000))
    reader.errors.push_back(std::string(option) + " is " + text + ", but must be from 0 to below 5000");
}

void read_anchors(const Typed& typed, SweepOptions& options, OptionReader& reader) {
  engine::AnchorRule rule;
  for (const auto& [name, text, value] :
       {std::tuple{"--history-bars", &typed.history_bars, &rule.history_bars},
        {"--anchor-period", &typed.anchor_period, &rule.anchor_period}}) {
    if (typed.no_live_anchors && !text->empty())
      reader.errors.push_back(std::string(name) + " goes with live anchors only");
    reader.number(name, *text, *value, "a whole number");
  }
  if (typed.no_live_anchors) return;
  options.live_anchors = {typed.profile, rule};
  if (!is_name_part(typed.profile))
    reader.errors.push_back("--live-anchors is \"" + typed.profile + "\", which is no profile's name");
  const auto wrong = check_anchor_rule(rule);
  reader.errors.insert(reader.errors.end(), wrong.begin(), wrong.end());
}

struct Output {
  SweepSort sort{};
  Format format{};
  std::size_t top = std::numeric_limits<std::size_t>::max();
};

SweepOptions options_of(const Typed& typed, Output& output, OptionReader& reader) {
  SweepOptions options;
  read_anchors(typed, options, reader);
  read_time("--from", typed.from, options.range.from_ms, reader);
  read_time("--to", typed.to, options.range.to_ms, reader);
  if (options.range.from_ms >= options.range.to_ms)
    reader.errors.push_back("--from is " + typed.from + ", but must be before --to, which is " + typed.to);
  reader.name("--side", typed.side, kSideNames, options.evaluation.side);
  reader.name("--fill", typed.fill, kFillNames, options.evaluation.fill);
  read_basis_points("--fee", typed.fee, options.evaluation.fee_bp, reader);
  read_basis_points("--slippage", typed.slippage, options.evaluation.slippage_bp, reader);
  options.threads = std::max(1U, std::thread::hardware_concurrency());
  reader.number("--threads", typed.threads, options.threads, "a whole number from 1 to 1024");
  if (options.threads < 1 || options.threads > 1024)
    reader.errors.push_back("--threads is " + typed.threads + ", but must be from 1 to 1024");
  ComputeOptions path;
  path.path = typed.path;
  if (typed.path == "incremental") {
    reader.errors.push_back("--path is incremental, but must be a path for batches");
  } else {
    const auto wrong = check_options(path);
    reader.errors.insert(reader.errors.end(), wrong.begin(), wrong.end());
    options.kernel = &kernel_of(typed.path);
    if (typed.path == "auto") options.choice = gpu::Choice::automatic;
    if (typed.path == "cuda") options.choice = gpu::Choice::device;
  }
  options.results = typed.results;
  reader.name("--sort", typed.sort, kSortNames, output.sort);
  reader.number("--top", typed.top, output.top, "a whole number");
  reader.name("--format", typed.format, kFormatNames, output.format);
  if (typed.details && output.format == Format::table)
    reader.errors.push_back("--details needs --format csv or json");
  return options;
}

/// Sets that live could not have, each named with its file's line; false: there are such.
bool read_sets(const Typed& typed, SweepOptions& options) {
  SetsResult sets = load_sets(typed.sets);
  print_errors(typed.sets, sets.read);
  if (!sets.read.errors.empty()) return false;
  options.sets = std::move(sets.sets);
  if (!options.live_anchors) return true;
  const std::int64_t history = options.live_anchors->rule.history_bars;
  bool fit = true;
  for (std::size_t i = 0; i < options.sets.size(); ++i) {
    const std::int64_t least = engine::minimum_bars(options.sets[i]);
    if (least <= history) continue;
    fit = false;
    std::cerr << "atcd sweep: --history-bars is " << history << ", but lengths and cutout of set " << i + 1
              << " need at least " << least << ": " << engine::canonical_json(options.sets[i]) << '\n';
  }
  return fit;
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<long long>(std::ceil(seconds));
  if (whole < 90) return std::to_string(whole) + " s";
  if (whole < 90LL * 60) return std::to_string((whole + 59) / 60) + " min";
  return std::to_string(whole / 3600) + " h " + std::to_string(whole % 3600 / 60) + " min";
}

/// How far the sweep is, and about how long it will take, a few times a second.
class Told {
 public:
  void operator()(const SweepProgress& progress) {
    const Clock::time_point now = Clock::now();
    if (!progress.reading && !computing_since_) computing_since_ = now;
    if (now < next_) return;
    next_ = now + std::chrono::milliseconds(200);
    if (progress.reading) {
      print_progress("read " + std::to_string(progress.done) + " of " + std::to_string(progress.all) +
                     " series");
      return;
    }
    const double part = static_cast<double>(progress.done) / static_cast<double>(progress.all);
    const double seconds = std::chrono::duration<double>(now - *computing_since_).count();
    std::string text = "computed " + std::to_string(static_cast<int>(100 * part)) + " %";
    // What the first call tells of was computed before the clock began.
    if (part > first_part_ && first_part_ > 0)
      text += ", about " + duration_text(seconds * (1 - part) / (part - first_part_)) + " left";
    if (first_part_ == 0) first_part_ = part;
    print_progress(text);
  }

 private:
  std::optional<Clock::time_point> computing_since_;
  double first_part_ = 0;
  Clock::time_point next_{};
};

bool write(const std::string& path, const std::string& text) {
  OutputFile file(path);
  if (file.write(text) && file.commit()) return true;
  std::cerr << "atcd sweep: " << file.error() << '\n';
  return false;
}

int sweep(const Typed& typed) {
  OptionReader reader;
  Output output;
  SweepOptions options = options_of(typed, output, reader);
  for (const std::string& error : reader.errors) std::cerr << "atcd sweep: " << error << '\n';
  if (!reader.errors.empty() || !read_sets(typed, options)) return kBadUsage;

  SweepResult result;
  try {
    Told told;
    result = sweep(typed.directory, options, std::ref(told));
  } catch (const std::runtime_error& failure) {
    end_progress();
    std::cerr << "atcd sweep: " << failure.what() << '\n';
    return kFailed;
  }
  end_progress();
  bool written = true;
  if (!result.series.empty()) {
    SweepReport report{options, result, summaries_of(result, options.sets.size(), output.sort)};
    report.rows.resize(std::min(output.top, report.rows.size()));
    written = write(typed.output, output.format == Format::table ? sweep_table(report)
                                  : output.format == Format::csv ? sweep_csv(report, typed.details)
                                                                 : sweep_json(report, typed.details));
  }
  for (const std::string& refusal : result.refused) std::cerr << "atcd sweep: " << refusal << '\n';
  return written && result.refused.empty() ? kDone : kFailed;
}

void add_evaluation_options(CLI::App& command, Typed& typed) {
  command
      .add_option("--from", typed.from,
                  "Evaluate bars that open then or later: 2024-01-01, or with T00:00:00Z")
      ->type_name("TIME");
  command.add_option("--to", typed.to, "Evaluate bars that open before that: what is later is not looked at")
      ->type_name("TIME");
  command.add_option("--side", typed.side, "Which positions are taken")
      ->type_name("both|long|short")
      ->capture_default_str();
  command
      .add_option("--fill", typed.fill,
                  "What a bar's signal says is done at the next bar's open, or its close")
      ->type_name("next-open|next-close")
      ->capture_default_str();
  command.add_option("--fee", typed.fee, "Basis points of what is bought or sold, each time (10)")
      ->type_name("BP");
  command
      .add_option("--slippage", typed.slippage,
                  "Basis points by which buying is dearer and selling cheaper than the price (0)")
      ->type_name("BP");
}

void add_output_options(CLI::App& command, Typed& typed) {
  command
      .add_option("--results", typed.results,
                  "Keep results in this file and go on from those that it holds, when a sweep was cut short")
      ->type_name("FILE");
  command.add_option("--sort", typed.sort, "The best first by this")
      ->type_name("sharpe|gain|median|drawdown|winners|set")
      ->capture_default_str();
  command.add_option("--top", typed.top, "Only so many sets [all]");
  command.add_option("--format", typed.format, "A table, CSV, or a line of JSON a set")
      ->type_name("table|csv|json")
      ->capture_default_str();
  command.add_flag("--details", typed.details, "With csv or json: a line for each series of each set");
  command.add_option("-o,--output", typed.output, "Where to write instead of standard output")
      ->type_name("FILE");
}

}  // namespace

void add_sweep_command(CLI::App& app, int& status) {
  auto* command = app.add_subcommand(
      "sweep", "What trading by the trend would have come to, for many sets of parameters over a directory");
  const auto typed = std::make_shared<Typed>();
  command
      ->add_option("directory", typed->directory,
                   "CSV files (.csv, .csv.gz) with columns open_ms, open and close in it and below, or a "
                   "daemon's [state] directory")
      ->required()
      ->type_name("DIR");
  command
      ->add_option(
          "--sets", typed->sets,
          "TOML: tables [[set]] with keys of a profile (all but ma_source), each a value or a list; every "
          "combination counts")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("--live-anchors", typed->profile,
                   "Each bar's signal as live publishes it under the profile of this name; files are named "
                   "exchange:market:symbol:interval.csv")
      ->type_name("PROFILE")
      ->capture_default_str();
  command->add_flag("--no-live-anchors", typed->no_live_anchors,
                    "Instead: bar 0 is a series' first bar, whatever its name");
  command->add_option("--history-bars", typed->history_bars, "As configured (1500)");
  command->add_option("--anchor-period", typed->anchor_period, "As configured (1500)");
  add_evaluation_options(*command, *typed);
  command->add_option("--threads", typed->threads, "How many [as many as processors]");
  command->add_option("--path", typed->path, "Which code computes it: the same bits")
      ->type_name("baseline|scalar|avx2|avx512|neon|cuda|auto")
      ->capture_default_str();
  add_output_options(*command, *typed);
  command->callback([typed, &status] { status = sweep(*typed); });
}

}  // namespace atcd::daemon
