// The commands that ask a running daemon for one thing: status, reload, drain, add, remove, snapshot,
// log-level.
#include <simdjson.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <stdexcept>

#include "daemon/clock.hpp"
#include "daemon/commands/commands.hpp"
#include "daemon/commands/control_target.hpp"
#include "daemon/commands/table_text.hpp"

namespace atcd::daemon {
namespace {

using simdjson::dom::element;

constexpr std::chrono::minutes kLongestAnswer{5};

/// Calls `show` with the parsed text; the text is a daemon's answer, which is JSON.
template <typename Show>
void parsed(std::string_view json, const Show& show) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  element answer;
  if (parser.parse(padded).get(answer) != simdjson::SUCCESS)
    throw std::runtime_error("the daemon's answer is no JSON: " + without_controls(json.substr(0, 200)));
  show(answer);
}

std::string text(const element& answer, std::string_view key) {
  std::string_view value;
  return answer[key].get(value) == simdjson::SUCCESS ? without_controls(value) : std::string();
}

std::int64_t number(const element& answer, std::string_view key) {
  std::int64_t value = 0;
  return answer[key].get(value) == simdjson::SUCCESS ? value : 0;
}

bool is_true(const element& answer, std::string_view key) {
  bool value = false;
  return answer[key].get(value) == simdjson::SUCCESS && value;
}

/// Calls take(text) with each of a list.
template <typename Take>
std::size_t each_of(const element& answer, std::string_view key, const Take& take) {
  simdjson::dom::array list;
  if (answer[key].get(list) != simdjson::SUCCESS) return 0;
  for (const element one : list) {
    std::string_view value;
    if (one.get(value) == simdjson::SUCCESS) take(without_controls(value));
  }
  return list.size();
}

std::string duration_text(std::int64_t ms) {
  const std::int64_t minutes = ms / 60'000;
  if (minutes < 1) return std::to_string(ms / 1000) + " s";
  if (minutes < 60) return std::to_string(minutes) + " min";
  if (minutes < 2880) return std::to_string(minutes / 60) + " h " + std::to_string(minutes % 60) + " min";
  return std::to_string(minutes / 1440) + " days";
}

/// Calls take(object) with each of a list of objects.
template <typename Take>
void each_object(const element& answer, std::string_view key, const Take& take) {
  simdjson::dom::array list;
  if (answer[key].get(list) != simdjson::SUCCESS) return;
  for (const element one : list) take(one);
}

/// "4 live, 1 stale": the states that there are.
std::string states_text(const element& answer) {
  std::string line;
  simdjson::dom::object states;
  if (answer["series_by_state"].get(states) != simdjson::SUCCESS) return line;
  for (const auto state : states) {
    std::int64_t count = 0;
    if (state.value.get(count) != simdjson::SUCCESS || count == 0) continue;
    line += (line.empty() ? "" : ", ") + std::to_string(count) + ' ' + without_controls(state.key);
  }
  return line;
}

std::string time_or(const element& answer, std::string_view key, std::string_view none) {
  const std::int64_t at_ms = number(answer, key);
  return at_ms == 0 ? std::string(none) : time_text(at_ms) + " UTC";
}

void show_feed(const element& feed) {
  std::cout << "feed " << text(feed, "exchange") << ' ' << text(feed, "market") << ": "
            << number(feed, "connections") << " of " << number(feed, "connections_wanted")
            << " connections, last message " << time_or(feed, "last_message_ms", "none yet") << ", "
            << number(feed, "bars_closed") << " bars closed, " << number(feed, "bars_backfilled")
            << " backfilled, " << number(feed, "gap_bars") << " missing\n";
}

void show_status(const element& answer) {
  const std::int64_t started_ms = number(answer, "started_ms");
  std::cout << "atcd " << text(answer, "version") << ", instance " << text(answer, "instance") << ", pid "
            << number(answer, "pid") << ", for " << duration_text(utc_ms() - started_ms) << " (since "
            << time_text(started_ms) << " UTC)\n"
            << "configuration: " << text(answer, "config") << '\n'
            << "control socket: " << text(answer, "socket") << '\n'
            << "log level: " << text(answer, "log_level") << '\n'
            << "series: " << number(answer, "series") << " (" << states_text(answer) << ")\n";
  if (number(answer, "warm_up_ends_ms") != 0)
    std::cout << "warm-up ends about " << time_or(answer, "warm_up_ends_ms", "") << '\n';
  each_object(answer, "feeds", show_feed);
  std::cout << "Redis: " << (is_true(answer, "redis_connected") ? "connected" : "not connected") << ", "
            << number(answer, "unpublished") << " bars unpublished\n"
            << "newest snapshot: " << time_or(answer, "snapshot_ms", "none") << '\n';
  each_of(answer, "unhealthy_because",
          [](std::string_view why) { std::cout << "unhealthy: " << why << '\n'; });
  each_of(answer, "not_ready_because",
          [](std::string_view why) { std::cout << "not ready: " << why << '\n'; });
  each_object(answer, "last_problems", [](const element& each) {
    std::cout << time_text(number(each, "at_ms")) << ' ' << text(each, "level") << ' ' << text(each, "event")
              << ' ' << text(each, "text") << '\n';
  });
}

void show_changes(const element& answer) {
  const auto list = [&](std::string_view key, std::string_view word) {
    return each_of(answer, key, [&](std::string_view name) { std::cout << word << ' ' << name << '\n'; });
  };
  const std::size_t added = list("added", "added"), removed = list("removed", "removed");
  const std::size_t problems =
      each_of(answer, "problems", [](std::string_view problem) { std::cerr << "atcd: " << problem << '\n'; });
  std::cout << added << " series added, " << removed << " removed, " << problems << " problems\n";
  if (!is_true(answer, "settled"))
    std::cout << "an exchange's list is still waited for: what it adds is not among these\n";
  if (const std::string note = text(answer, "note"); !note.empty()) std::cout << note << '\n';
}

void show_drained(const element& answer) {
  std::cout << "drained: " << number(answer, "added") << " signals added in this run, "
            << number(answer, "unacknowledged") << " not acknowledged\n";
  if (const std::string problem = text(answer, "snapshot_problem"); !problem.empty())
    std::cerr << "atcd: the last snapshot: " << problem << '\n';
}

struct Command {
  ControlTarget target;
  ControlRequest request;
  bool json = false;
};

/// A subcommand that puts one request to the daemon and shows its answer.
CLI::App* add(CLI::App& app, int& status, const char* name, const char* help,
              void (*show)(const element& answer), const std::shared_ptr<Command>& settings) {
  auto* command = app.add_subcommand(name, help);
  settings->request.command = name;
  add_control_options(*command, settings->target);
  command->add_flag("--json", settings->json, "The daemon's answer as it is");
  command->callback([settings, show, &status] {
    status = control(settings->target, settings->request, settings->json,
                     [show](std::string_view answer) { parsed(answer, show); });
  });
  return command;
}

}  // namespace

void add_control_options(CLI::App& command, ControlTarget& target) {
  command.add_option("--instance", target.instance, "Which daemon: the instance of its configuration [main]");
  command.add_option("--socket", target.socket, "Or its control socket")->type_name("PATH");
}

int control(const ControlTarget& target, const ControlRequest& request, bool json,
            const std::function<void(std::string_view)>& show) {
  try {
    ControlClient client(target);
    const std::string answer = client.ask(request, kLongestAnswer);
    int status = kDone;
    parsed(answer, [&](const element& document) {
      if (is_true(document, "ok")) return;
      status = is_true(document, "usage") ? kBadUsage : kFailed;
      std::cerr << "atcd: " << text(document, "error") << '\n';
      each_of(document, "errors", [](std::string_view error) { std::cerr << error << '\n'; });
    });
    if (json) std::cout << answer << '\n';
    if (!json && status == kDone) show(answer);
    return status;
  } catch (const std::exception& failure) {
    std::cerr << "atcd: " << failure.what() << '\n';
    return kFailed;
  }
}

void add_control_commands(CLI::App& app, int& status) {
  const auto made = [] { return std::make_shared<Command>(); };
  add(app, status, "status", "What a running daemon does", show_status, made());
  add(app, status, "reload",
      "A running daemon reads its configuration again, as on SIGHUP, and says what that changed",
      show_changes, made());
  add(app, status, "drain",
      "A running daemon brings what is ready to Redis and ends, as on SIGTERM; waits for it", show_drained,
      made());
  for (const char* name : {"add", "remove"}) {
    const auto settings = made();
    auto* command =
        add(app, status, name,
            std::string_view(name) == "add"
                ? "Adds symbols to a feed of a running daemon, until its next reload or restart"
                : "Removes symbols from a feed of a running daemon, until its next reload or restart",
            show_changes, settings);
    command
        ->add_option("FEED", settings->request.feed, "exchange:market[:interval[:profile]], as binance:spot")
        ->required();
    command->add_option("SYMBOL", settings->request.symbols, "As in the configuration")->required();
  }
  add(
      app, status, "snapshot", "A running daemon writes a snapshot of its engines; waits for it",
      [](const element& answer) {
        std::cout << "the snapshot is written, after " << number(answer, "took_ms") << " ms\n";
      },
      made());
  const auto level = made();
  add(
      app, status, "log-level", "Changes what a running daemon logs, until it is restarted",
      [](const element& answer) {
        std::cout << "the log level is " << text(answer, "level") << ", it was " << text(answer, "before")
                  << '\n';
      },
      level)
      ->add_option("LEVEL", level->request.level, "The least that is written")
      ->required()
      ->type_name("debug|info|warning|error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}).description(""));
}

}  // namespace atcd::daemon
