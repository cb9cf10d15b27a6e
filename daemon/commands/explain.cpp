#include "daemon/explain.hpp"

#include <simdjson.h>

#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "daemon/bar_archive.hpp"
#include "daemon/commands/commands.hpp"
#include "daemon/commands/control_target.hpp"
#include "daemon/commands/table_text.hpp"
#include "daemon/instruments.hpp"
#include "daemon/verification.hpp"
#include "engine/interval.hpp"
#include "state/live_history.hpp"

namespace atcd::daemon {
namespace {

struct Settings {
  ControlTarget target;
  std::string series, config_path;
  bool json = false;
};

/// The series of the configuration that has this name, with what its archive calls its bars.
struct Named {
  engine::SeriesId id;
  ProfileConfig profile;
  std::string archive;
};

Named find_series(const Config& config, const std::string& name) {
  const std::size_t colon = name.rfind(':');
  const std::string archive = name.substr(0, colon);
  for (const FeedConfig& feed : config.feeds) {
    const auto symbol = archived_symbol(*feeds::find_exchange(feed.exchange, feed.market), archive);
    if (!symbol) continue;
    for (const std::string& interval : feed.intervals) {
      for (const ProfileConfig& profile : config.profiles) {
        engine::SeriesId id{feed.exchange, feed.market, *symbol, interval, profile.name};
        if (id.name() == name) return {std::move(id), profile, archive};
      }
    }
  }
  throw std::runtime_error("\"" + name.substr(0, 200) +
                           "\" is no series of this configuration: a name is "
                           "exchange:market:symbol:interval:profile");
}

/// As the daemon would have it, from what it left on the disk.
SelfAudit::Subject subject_of(state::History& history, state::History::Series number, const Named& named) {
  const engine::Interval interval = *engine::Interval::parse(named.id.interval);
  state::StoredBars stored = history.latest(number, 1);
  if (stored.bars.empty()) stored = history.newest(number, stored.covered_from_ms - 1);
  if (stored.bars.empty()) throw std::runtime_error("no bar of " + named.archive + " is held");
  const std::int64_t anchor_ms = earliest_open_ms(named.profile, named.id, stored.bars.back().open_time_ms);
  stored = history.newest(number, anchor_ms);
  const std::int64_t listed_ms = history.instrument(number).value_or(state::Instrument{}).listed_ms;
  // Where the bars reach back to the listing there are none before.
  if (stored.covered_from_ms <= listed_ms)
    stored.covered_from_ms = std::min(stored.covered_from_ms, anchor_ms);
  return {named.profile,        named.id, std::move(stored.bars), interval.ordinal(stored.covered_from_ms),
          history.late(number), {}};
}

/// Read again where the daemon has written so much meanwhile that the newest bars lie elsewhere.
SelfAudit::Subject stored_subject(const Config& config, const Named& named) {
  const std::string directory = config.state_directory + "/history";
  state::LiveHistory live(directory);
  std::optional<SelfAudit::Subject> subject;
  const bool settled = live.read([&](state::History& history) {
    const auto number = history.find(named.archive);
    if (!number) throw std::runtime_error(directory + " holds no series " + named.archive);
    subject.emplace(subject_of(history, *number, named));
    return history.tail_unchanged(*number);
  });
  if (!settled) throw std::runtime_error(live.faster());
  return std::move(*subject);
}

void show(const std::string& explanation, bool json) {
  std::cout << (json ? explanation + "\n" : explanation_table(explanation));
}

int explain_stored(const Config& config, const Settings& settings) {
  const auto explanation = explain(stored_subject(config, find_series(config, settings.series)));
  if (!explanation) {
    throw std::runtime_error("the bars of " + settings.series +
                             " that are held do not reach back to bar 0, or are too few for a signal");
  }
  show(explanation_json(*explanation), settings.json);
  return kDone;
}

int explain_running(ControlClient& client, const Settings& settings) {
  ControlRequest request;
  request.command = "explain";
  request.series = settings.series;
  const std::string answer = client.ask(request);
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(answer);
  simdjson::dom::element document;
  if (parser.parse(padded).get(document) != simdjson::SUCCESS)
    throw std::runtime_error("the daemon's answer is no JSON");
  std::string_view error;
  if (document["error"].get(error) == simdjson::SUCCESS) throw std::runtime_error(without_controls(error));
  // Its text as it came: the numbers keep all their digits.
  constexpr std::string_view kBegin = "\"explanation\":";
  const std::size_t begin = answer.find(kBegin);
  if (begin == std::string::npos) throw std::runtime_error("the daemon's answer holds no explanation");
  show(answer.substr(begin + kBegin.size(), answer.size() - begin - kBegin.size() - 1), settings.json);
  bool agrees = true;
  if (document["engine_agrees"].get(agrees) == simdjson::SUCCESS && !agrees) {
    std::cerr << "atcd: the running engine holds another signal than its bars give: atcd verify says more\n";
    return kFailed;
  }
  return kDone;
}

int run_explain(Settings settings) {
  std::optional<Config> config;
  if (!settings.config_path.empty()) {
    const ConfigResult result = load_config(settings.config_path);
    print_errors(settings.config_path, result);
    if (!result.errors.empty()) return kBadUsage;
    config = result.config;
    if (settings.target.instance.empty()) settings.target.instance = config->instance;
  }
  if (settings.target.instance.empty()) settings.target.instance = ControlTarget{}.instance;
  try {
    std::unique_ptr<ControlClient> client;
    try {
      client = std::make_unique<ControlClient>(settings.target);
    } catch (const std::runtime_error& nobody) {
      if (!config)
        throw std::runtime_error(std::string(nobody.what()) +
                                 "; with --config FILE its state directory is read");
    }
    return client ? explain_running(*client, settings) : explain_stored(*config, settings);
  } catch (const std::exception& failure) {
    std::cerr << "atcd: " << failure.what() << '\n';
    return kFailed;
  }
}

}  // namespace

void add_explain_command(CLI::App& app, int& status) {
  auto* command = app.add_subcommand(
      "explain",
      "The averages, states, equities and weights behind a series' newest signal: of the running "
      "daemon, or where none runs of the state directory of --config");
  auto settings = std::make_shared<Settings>();
  settings->target.instance.clear();
  command->add_option("SERIES", settings->series, "As binance:spot:BTCUSDT:1m:default")->required();
  command->add_option("--config", settings->config_path, "The configuration file")->type_name("FILE");
  add_control_options(*command, settings->target);
  command->add_flag("--json", settings->json, "As JSON, numbers with all their digits");
  command->callback([settings, &status] { status = run_explain(*settings); });
}

}  // namespace atcd::daemon
