#include "daemon/log.hpp"

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <deque>
#include <memory>
#include <mutex>

#include "daemon/catalogue.hpp"

namespace atcd::daemon {
namespace {

constexpr std::array<std::string_view, 4> kLevelNames = {"debug", "info", "warning", "error"};
constexpr std::array<spdlog::level::level_enum, 4> kSpdlogLevels = {spdlog::level::debug, spdlog::level::info,
                                                                    spdlog::level::warn, spdlog::level::err};
constexpr std::string_view kLoggerName = "atcd";

/// The process's logger: set by start_logging before any thread logs, taken away by stop_logging.
struct Running {
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::async_logger> logger;
  std::string format;
};
Running& running() {
  static Running instance;
  return instance;
}

/// Warnings and errors are few, so that a lock does no harm. A flood of one does not wash away the other.
struct Problems {
  std::mutex lock;
  std::deque<LoggedProblem> warnings, errors;
};
Problems& problems() {
  static Problems instance;
  return instance;
}

std::string timestamp(std::int64_t utc_us) {
  const std::time_t seconds = utc_us / 1'000'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 48> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::string micros = std::to_string(utc_us % 1'000'000);
  micros.insert(0, 6 - micros.size(), '0');
  return std::string(text.data(), length) + "." + micros + "Z";
}

bool is_plain(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte >= 0x7f || c == '"' || c == '=' || c == '\\') return false;
  }
  return true;
}

/// In logfmt only what needs quotes gets them; inside quotes JSON's escapes hold.
std::string logfmt_value(const LogField& field) {
  return !field.is_text || is_plain(field.value) ? field.value : json_string(field.value);
}

std::string json_value(const LogField& field) {
  return field.is_text ? json_string(field.value) : field.value;
}

}  // namespace

std::string format_line(std::string_view format, std::int64_t utc_us, Level level, std::string_view event,
                        std::initializer_list<LogField> fields) {
  const std::string_view level_name = kLevelNames[static_cast<std::size_t>(level)];
  std::string line;
  if (format == "json") {
    line = R"({"ts":")" + timestamp(utc_us) + R"(","level":")" + std::string(level_name) + R"(","event":)" +
           json_string(event);
    for (const LogField& field : fields) line += "," + json_string(field.key) + ":" + json_value(field);
    return line + "}";
  }
  line = "ts=" + timestamp(utc_us) + " level=" + std::string(level_name) +
         " event=" + logfmt_value({"event", event});
  for (const LogField& field : fields) line += " " + std::string(field.key) + "=" + logfmt_value(field);
  return line;
}

void start_logging(const LogConfig& config) {
  Running& log = running();
  log.format = config.format;
  log.pool = std::make_shared<spdlog::details::thread_pool>(kMostQueuedLogLines, 1);
  log.logger = std::make_shared<spdlog::async_logger>(
      std::string(kLoggerName), std::make_shared<spdlog::sinks::stderr_sink_mt>(), log.pool,
      spdlog::async_overflow_policy::overrun_oldest);
  log.logger->set_pattern("%v");
  set_log_level(config.level);
  log.logger->flush_on(spdlog::level::info);
}

bool set_log_level(std::string_view level) {
  for (std::size_t i = 0; i < kLevelNames.size(); ++i) {
    if (kLevelNames[i] != level) continue;
    if (running().logger) running().logger->set_level(kSpdlogLevels[i]);
    return true;
  }
  return false;
}

void stop_logging() {
  Running& log = running();
  if (!log.logger) return;
  const std::size_t lost = lost_log_lines();
  if (lost > 0) log_event(Level::warning, "log_lines_lost", {{"count", lost}});
  log.logger->flush();
  log.pool.reset();  // waits until the queue is written: its thread is not the last to let go of the logger
  log.logger.reset();
}

std::size_t queued_log_lines() {
  const Running& log = running();
  return log.pool ? log.pool->queue_size() : 0;
}

std::size_t lost_log_lines() {
  const Running& log = running();
  return log.pool ? log.pool->overrun_counter() : 0;
}

namespace {

void keep_problem(std::int64_t utc_us, Level level, std::string_view event,
                  std::initializer_list<LogField> fields) {
  LoggedProblem problem{utc_us, level, std::string(event), {}};
  for (const LogField& field : fields)
    problem.text += (problem.text.empty() ? "" : " ") + std::string(field.key) + "=" + logfmt_value(field);
  Problems& kept = problems();
  const std::lock_guard guard(kept.lock);
  auto& those = level == Level::error ? kept.errors : kept.warnings;
  those.push_back(std::move(problem));
  if (those.size() > kMostProblems) those.pop_front();
}

}  // namespace

std::vector<LoggedProblem> logged_problems() {
  Problems& kept = problems();
  std::vector<LoggedProblem> all;
  {
    const std::lock_guard guard(kept.lock);
    all.assign(kept.warnings.begin(), kept.warnings.end());
    all.insert(all.end(), kept.errors.begin(), kept.errors.end());
  }
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.at_us < b.at_us; });
  return all;
}

void log_event(Level level, std::string_view event, std::initializer_list<LogField> fields) {
  const Running& log = running();
  const auto spdlog_level = kSpdlogLevels[static_cast<std::size_t>(level)];
  const bool wanted = log.logger && log.logger->should_log(spdlog_level);
  if (!wanted && level < Level::warning) return;
  using namespace std::chrono;
  const auto utc_us = duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
  if (level >= Level::warning) keep_problem(utc_us, level, event, fields);
  if (!wanted) return;
  log.logger->log(spdlog_level, spdlog::string_view_t(format_line(log.format, utc_us, level, event, fields)));
}

}  // namespace atcd::daemon
