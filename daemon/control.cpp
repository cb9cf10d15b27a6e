#include "daemon/control.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "daemon/catalogue.hpp"
#include "daemon/clock.hpp"
#include "daemon/control_path.hpp"
#include "daemon/explain.hpp"
#include "daemon/json_numbers.hpp"
#include "daemon/log.hpp"
#include "daemon/status_json.hpp"
#include "daemon/symbol_changes.hpp"

namespace atcd::daemon {
namespace {

constexpr std::size_t kRowsOfPage = 500;
constexpr std::size_t kMostExplanations = 4;  // at the same time
constexpr std::string_view kLasting =
    "this lasts until the next reload or restart, unless it is also written in the configuration";

std::string row_json(const SeriesRow& row) {
  return "{\"series\":" + json_string(row.name) + ",\"state\":\"" +
         std::string(feeds::state_name(row.state)) + "\",\"close_ms\":" + std::to_string(row.close_ms) +
         ",\"close\":" + json_number(row.close) + ",\"average\":" + json_number(row.average) +
         ",\"trend\":" + std::to_string(row.trend) +
         ",\"trend_since_ms\":" + std::to_string(row.trend_since_ms) +
         ",\"published_ms\":" + std::to_string(row.published_ms) +
         ",\"lag_ms\":" + std::to_string(row.lag_ms) + "}";
}

std::string feed_json(const FeedRow& row) {
  const feeds::FeedCounters& counters = row.counters;
  return "{\"feed\":" + json_string(row.name) + ",\"series\":" + std::to_string(row.series) +
         ",\"connections\":" + std::to_string(counters.connects - counters.disconnects) +
         ",\"connects\":" + std::to_string(counters.connects) +
         ",\"frames\":" + std::to_string(counters.frames) + ",\"bytes\":" + std::to_string(counters.bytes) +
         ",\"malformed\":" + std::to_string(counters.malformed) +
         ",\"rest_requests\":" + std::to_string(counters.rest_requests) +
         ",\"rest_errors\":" + std::to_string(counters.rest_errors) + "}";
}

std::string changes_json(const Changes& changes) {
  return "\"added\":" + json_strings(changes.added) + ",\"removed\":" + json_strings(changes.removed) +
         ",\"problems\":" + json_strings(changes.problems) +
         ",\"settled\":" + (changes.settled ? "true" : "false");
}

std::string place_text(const RowsPlace& place) {
  return std::to_string(place.worker) + "." + std::to_string(place.first);
}

std::optional<RowsPlace> place_of(std::string_view text) {
  RowsPlace place;
  if (text.empty()) return place;
  const char* const end = text.data() + text.size();
  const auto [dot, worker_error] = std::from_chars(text.data(), end, place.worker);
  if (worker_error != std::errc() || dot == end || *dot != '.') return std::nullopt;
  const auto [rest, first_error] = std::from_chars(dot + 1, end, place.first);
  if (first_error != std::errc() || rest != end) return std::nullopt;
  return place;
}

std::string joined(const std::vector<std::string>& sentences) {
  std::string text;
  for (const std::string& each : sentences) text += (text.empty() ? "" : "; ") + each;
  return text;
}

/// One of the problems is that the exchange's list has no instrument of this name, or several.
bool refused(const Changes& changes, const std::string& symbol) {
  return std::any_of(changes.problems.begin(), changes.problems.end(), [&](const std::string& problem) {
    for (const std::string_view before : {" does not list ", " instruments as "}) {
      const std::string named = std::string(before) + symbol;
      const std::size_t at = problem.find(named);
      if (at == std::string::npos) continue;
      const std::string_view after = std::string_view(problem).substr(at + named.size());
      if (after.empty() || after.starts_with(" ") || after.starts_with(",") || after.starts_with(": "))
        return true;
    }
    return false;
  });
}

}  // namespace

Control::Control(boost::asio::io_context& io, const std::string& config_path, RunningConfig& running,
                 Pipeline& pipeline, ControlActions actions)
    : io_(io),
      config_path_(std::filesystem::absolute(config_path)),
      running_(running),
      pipeline_(pipeline),
      actions_(std::move(actions)),
      level_(running.config.log.level),
      server_(io, [this](std::string_view line, Answer answer) { on_line(line, std::move(answer)); }) {}
Control::~Control() = default;

void Control::start() {
  std::vector<std::string> problems;
  for (const std::string& directory : control_directories()) {
    std::string problem = prepare_control_directory(directory);
    if (problem.empty()) problem = server_.listen(directory, running_.config.instance);
    if (problem.empty()) return log_event(Level::info, "control", {{"detail", "socket=" + server_.path()}});
    problems.push_back(std::move(problem));
    // Elsewhere no command would look before it had found the other daemon.
    if (problems.back().starts_with("another daemon")) break;
  }
  log_event(Level::error, "control", {{"detail", "no commands can be taken: " + joined(problems)}});
}

void Control::stop(std::function<void()> done) { server_.stop(std::move(done)); }

void Control::on_line(std::string_view line, Answer answer) {
  const auto [request, error] = parse_control_request(line);
  if (!error.empty()) return answer(control_usage_json(error));
  if (ending_) return answer(control_error_json("the daemon is ending"));
  const std::string& command = request.command;
  if (command == "status") return status(answer);
  if (command == "feeds") return feeds(answer);
  if (command == "series") return rows(request.after, answer);
  if (command == "explain") return explain(request.series, answer);
  log_event(Level::info, "command", {{"detail", control_request_json(request)}});
  if (command == "reload") return reload(answer);
  if (command == "drain") return drain(answer);
  if (command == "snapshot") return snapshot(answer);
  if (command == "log-level") return set_level(request.level, answer);
  change_symbols(request, answer);
}

/// What the service knows itself, what every display wants at once, and the status as HTTP serves it.
void Control::status(const Answer& answer) const {
  const PipelineStatus status = pipeline_.status();
  const std::string report = status_json(status, utc_us());
  answer("{\"ok\":true,\"pid\":" + std::to_string(getpid()) + ",\"config\":" + json_string(config_path_) +
         ",\"socket\":" + json_string(server_.path()) + ",\"log_level\":" + json_string(level_) +
         ",\"live\":" + std::to_string(status.live) +
         ",\"unpublished\":" + std::to_string(status.unpublished) + ",\"redis_connected\":" +
         (status.redis_connected ? "true" : "false") + "," + report.substr(1, report.size() - 2));
}

void Control::feeds(const Answer& answer) {
  pipeline_.feeds([answer](const std::vector<FeedRow>& rows) {
    std::string json = "{\"ok\":true,\"feeds\":[";
    for (const FeedRow& row : rows) json += (json.back() == '[' ? "" : ",") + feed_json(row);
    answer(json + "]}");
  });
}

void Control::rows(const std::string& after, const Answer& answer) {
  const auto place = place_of(after);
  if (!place)
    return answer(control_error_json("after is \"" + after.substr(0, 80) +
                                     "\": it must be the next of the page before"));
  pipeline_.rows(*place, kRowsOfPage, [answer](const RowsPage& page) {
    std::string json = "{\"ok\":true,\"now_ms\":" + std::to_string(utc_ms()) +
                       ",\"next\":" + (page.next ? "\"" + place_text(*page.next) + "\"" : "null") +
                       ",\"rows\":[";
    for (const SeriesRow& row : page.rows) json += (json.back() == '[' ? "" : ",") + row_json(row);
    answer(json + "]}");
  });
}

/// Computed from the bars on a thread of its own.
void Control::explain(const std::string& series, const Answer& answer) {
  std::erase_if(computing_, [](const std::future<void>& each) {
    return each.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  });
  if (computing_.size() >= kMostExplanations)
    return answer(control_error_json("others are being explained: ask again"));
  pipeline_.subject(series, [this, series, answer](std::optional<SelfAudit::Subject> found, auto state) {
    if (!state) {
      return answer(control_error_json("there is no such series here: \"" + series.substr(0, 200) + "\""));
    }
    if (!found) {
      return answer(
          control_error_json(series + " has no signal yet: it is " + std::string(feeds::state_name(*state))));
    }
    try {
      computing_.push_back(std::async(std::launch::async, [this, answer, subject = std::move(*found)] {
        const auto explanation = daemon::explain(subject);
        std::string json =
            explanation ? "{\"ok\":true,\"engine_agrees\":" +
                              std::string(same_bits(explanation->computed, subject.held) ? "true" : "false") +
                              ",\"explanation\":" + explanation_json(*explanation) + "}"
                        : control_error_json("the bars of " + subject.id.name() +
                                             " that are known do not reach back to bar 0");
        boost::asio::post(io_, [answer, json = std::move(json)] { answer(json); });
      }));
    } catch (const std::system_error&) {
      answer(control_error_json("no thread could be had to explain " + series + ": ask again"));
    }
  });
}

bool Control::may_change(const Answer& answer) {
  if (!changing_) return changing_ = true;
  answer(control_error_json("another change is under way: try again when it is done"));
  return false;
}

void Control::reload(const Answer& answer) {
  if (!may_change(answer)) return;
  actions_.reload([this, answer](const ReloadReport& report) {
    changing_ = false;
    if (!report.errors.empty()) {
      return answer(
          "{\"ok\":false,\"usage\":true,\"error\":\"the configuration was refused, nothing was "
          "changed\",\"errors\":" +
          json_strings(report.errors) + "}");
    }
    answer("{\"ok\":true," + changes_json(report.changes) + "}");
  });
}

void Control::drain(const Answer& answer) {
  actions_.drain([answer](const Drained& drained) {
    answer("{\"ok\":true,\"added\":" + std::to_string(drained.added) +
           ",\"unacknowledged\":" + std::to_string(drained.unacknowledged) +
           ",\"snapshot_problem\":" + json_string(drained.snapshot_problem) + "}");
  });
}

void Control::change_symbols(const ControlRequest& request, const Answer& answer) {
  if (!may_change(answer)) return;
  const bool add = request.command == "add";
  Config wanted = running_.config;
  const std::string error = (add ? add_symbols : remove_symbols)(wanted, request.feed, request.symbols);
  if (!error.empty()) {
    changing_ = false;
    return answer(control_usage_json(error));
  }
  const auto nothing = [] {};
  const auto told = [=, this, read = running_.read](const Changes& changes) {
    changing_ = false;
    if (read != running_.read)
      return answer(control_error_json("the configuration was read again meanwhile: it holds"));
    std::vector<std::string> taken = request.symbols;
    if (add) std::erase_if(taken, [&](const std::string& symbol) { return refused(changes, symbol); });
    if (!add && changes.settled && changes.removed.empty()) taken.clear();
    if (taken.size() == request.symbols.size()) {
      running_.config = wanted;
    } else {
      if (!taken.empty()) add_symbols(running_.config, request.feed, taken);
      pipeline_.reload(running_.config, nothing);
    }
    if (taken.empty()) {
      return answer(control_error_json(add ? joined(changes.problems)
                                           : "no series of the feed has such a symbol: nothing was removed"));
    }
    answer("{\"ok\":true," + changes_json(changes) + ",\"note\":" + json_string(kLasting) + "}");
  };
  pipeline_.reload_and_tell(wanted, nothing, told);
}

void Control::snapshot(const Answer& answer) {
  const auto begun = std::chrono::steady_clock::now();
  pipeline_.take_snapshot([answer, begun](const std::string& problem) {
    if (!problem.empty()) return answer(control_error_json(problem));
    using namespace std::chrono;
    const auto took = duration_cast<milliseconds>(steady_clock::now() - begun);
    answer("{\"ok\":true,\"took_ms\":" + std::to_string(took.count()) + "}");
  });
}

void Control::set_level(const std::string& level, const Answer& answer) {
  if (!set_log_level(level)) {
    return answer(control_usage_json("level is \"" + level.substr(0, 80) +
                                     "\": it must be one of debug, info, warning, error"));
  }
  const std::string before = std::exchange(level_, level);
  answer("{\"ok\":true,\"level\":" + json_string(level) + ",\"before\":" + json_string(before) + "}");
}

}  // namespace atcd::daemon
