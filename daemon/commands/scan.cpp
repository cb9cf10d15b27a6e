#include "daemon/scan.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>

#include "daemon/catalogue.hpp"
#include "daemon/commands/commands.hpp"
#include "daemon/commands/parameter_options.hpp"
#include "daemon/commands/table_text.hpp"

namespace atcd::daemon {
namespace {

constexpr std::size_t kProgressSeries = 64;

struct Typed {
  std::string directory, live_anchors, format = "table", path = "auto", top, threads;
  bool approximate = false;
  TypedParameters parameters;
};

/// "7.25"; `undefined` for what is not a number.
std::string shortest(double value, const char* undefined) {
  if (std::isnan(value)) return undefined;
  std::array<char, 32> digits{};
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
}

std::string rounded(double value, int decimals) {
  if (std::isnan(value)) return "";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return text.data();
}

/// Names as those of a published signal.
std::string json_of(const ScanRow& row) {
  const auto time = [](const std::optional<std::int64_t>& ms) { return ms ? std::to_string(*ms) : "null"; };
  std::string json =
      "{\"series\":" + json_string(row.series) + ",\"close_ms\":" + time(row.close_time_ms) +
      ",\"close\":" + shortest(row.close, "null") + ",\"average\":" + shortest(row.average, "null") +
      ",\"trend\":" + std::to_string(row.trend) + ",\"trend_since_ms\":" + time(row.trend_since_ms);
  for (std::size_t f = 0; f < engine::kFamilies; ++f) {
    json += ",\"" + std::string(engine::kFamilyNames[f]) + "_signal\":" + shortest(row.layer1[f], "null");
  }
  return json + ",\"bars\":" + std::to_string(row.bars) + "}\n";
}

void print_table(const std::vector<ScanRow>& rows, std::size_t count) {
  std::size_t width = 6;
  for (std::size_t i = 0; i < count; ++i) width = std::max(width, rows[i].series.size());
  const int name_width = static_cast<int>(width);
  std::printf("%-*s %-19s %12s %8s %-5s %-19s", name_width, "series", "close time (UTC)", "close", "average",
              "trend", "since (UTC)");
  for (const auto family : engine::kFamilyNames) std::printf(" %5s", std::string(family).c_str());
  std::printf(" %9s\n", "bars");
  for (std::size_t i = 0; i < count; ++i) {
    const ScanRow& row = rows[i];
    const auto time = [](const std::optional<std::int64_t>& ms) { return ms ? time_text(*ms) : ""; };
    std::printf("%-*s %-19s %12s %8s %-5s %-19s", name_width, row.series.c_str(),
                time(row.close_time_ms).c_str(), shortest(row.close, "").c_str(),
                rounded(row.average, 4).c_str(), trend_text(row.trend).c_str(),
                time(row.trend_since_ms).c_str());
    for (const double signal : row.layer1) std::printf(" %5s", rounded(signal, 2).c_str());
    std::printf(" %9lld\n", static_cast<long long>(row.bars));
  }
}

ScanOptions options_of(const Typed& typed, std::size_t& top, OptionReader& reader) {
  ScanOptions options;
  options.parameters = parameters_of(typed.parameters, reader);
  engine::AnchorRule rule;
  read_anchor_rule(typed.parameters, !typed.live_anchors.empty(), rule, reader);
  if (!typed.live_anchors.empty()) {
    options.live_anchors = {typed.live_anchors, rule};
    if (!is_name_part(typed.live_anchors))
      reader.errors.push_back("--live-anchors is \"" + typed.live_anchors + "\", which is no profile's name");
  }
  options.threads = std::max(1U, std::thread::hardware_concurrency());
  reader.number("--threads", typed.threads, options.threads, "a whole number from 1 to 1024");
  if (options.threads < 1 || options.threads > 1024)
    reader.errors.push_back("--threads is " + typed.threads + ", but must be from 1 to 1024");
  reader.number("--top", typed.top, top, "a whole number");
  if (typed.approximate && (typed.top.empty() || top == 0))
    reader.errors.push_back("--approximate needs --top N, of at least 1");
  if (typed.approximate) options.approximate_top = top;
  if (typed.format != "table" && typed.format != "json")
    reader.errors.push_back("--format is \"" + typed.format + "\", but must be table or json");
  // Bar by bar is for what is too long to be held, whatever the path.
  if (std::string error = check_path(typed.path, std::span(kPathNames).subspan(1)); !error.empty())
    reader.errors.push_back(std::move(error));
  if (typed.path == "auto") options.choice = gpu::Choice::automatic;
  if (typed.path == "cuda") options.choice = gpu::Choice::device;
  options.kernel = &kernel_of(typed.path);
  if (reader.errors.empty()) reader.errors = engine::validate(options.parameters);
  if (reader.errors.empty()) reader.errors = check_anchor_rule(rule);
  if (reader.errors.empty() && options.live_anchors) {
    const std::string few = check_history_bars(rule, options.parameters);
    if (!few.empty()) reader.errors.push_back("--history-bars " + few);
  }
  return options;
}

int scan(const Typed& typed) {
  OptionReader reader;
  std::size_t top = std::numeric_limits<std::size_t>::max();
  const ScanOptions options = options_of(typed, top, reader);
  for (const std::string& error : reader.errors) std::cerr << "atcd scan: " << error << '\n';
  if (!reader.errors.empty()) return kBadUsage;

  std::size_t told = 0;
  ScanResult result;
  try {
    result = scan(typed.directory, options, [&told](std::size_t done, std::size_t all) {
      if (done < told + kProgressSeries) return;
      told = done;
      print_progress(std::to_string(done) + " of " + std::to_string(all) + " series");
    });
  } catch (const std::runtime_error& failure) {
    std::cerr << "atcd scan: " << failure.what() << '\n';
    return kFailed;
  }
  end_progress();
  const std::size_t count = std::min(top, result.rows.size());
  if (typed.format == "table") {
    print_table(result.rows, count);
  } else {
    for (std::size_t i = 0; i < count; ++i) std::fputs(json_of(result.rows[i]).c_str(), stdout);
  }
  const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (!written) std::cerr << "atcd scan: cannot write to standard output\n";
  for (std::size_t i = 0; i < count; ++i) {
    const ScanRow& row = result.rows[i];
    for (const std::string& doubt : row.doubts)
      std::cerr << "atcd scan: " << row.series << ": " << doubt << '\n';
  }
  for (const std::string& refusal : result.refused) std::cerr << "atcd scan: " << refusal << '\n';
  return written && result.refused.empty() ? kDone : kFailed;
}

}  // namespace

void add_scan_command(CLI::App& app, int& status) {
  auto* command =
      app.add_subcommand("scan", "The newest signal of every series of a directory, the largest first");
  const auto typed = std::make_shared<Typed>();
  command
      ->add_option(
          "directory", typed->directory,
          "CSV files (.csv, .csv.gz, as for compute) in it and below, or a daemon's [state] directory")
      ->required()
      ->type_name("DIR");
  add_parameter_options(*command, typed->parameters);
  command->add_option("--live-anchors", typed->live_anchors,
                      "Signals as live publishes them under the profile of this name (of the close): for a "
                      "state directory, and "
                      "for files named exchange:market:symbol:interval.csv with a column open_ms");
  command->add_option("--threads", typed->threads, "How many [as many as processors]");
  command
      ->add_option(
          "--path", typed->path,
          "Which code computes it: the same bits. cuda is the first CUDA device (of a series of more "
          "than 131072 bars the processor); auto is the fastest of this processor, with the device "
          "beside it where a thread has 5000 series or more")
      ->type_name("baseline|scalar|avx2|avx512|neon|cuda|auto")
      ->capture_default_str();
  command->add_option("--top", typed->top, "Only so many rows [all]");
  command->add_flag(
      "--approximate", typed->approximate,
      "With --top: an estimate from the newest bars chooses for which series the signal is computed; "
      "one of a hundred rows may be another than without");
  command->add_option("--format", typed->format, "A table, or a line of JSON a series")
      ->type_name("table|json")
      ->capture_default_str();
  command->callback([typed, &status] { status = scan(*typed); });
}

}  // namespace atcd::daemon
