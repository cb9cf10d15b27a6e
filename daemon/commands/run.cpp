#include <malloc.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "daemon/bulk.hpp"
#include "daemon/commands/commands.hpp"
#include "daemon/config.hpp"
#include "daemon/config_checks.hpp"
#include "daemon/control.hpp"
#include "daemon/end_limit.hpp"
#include "daemon/http_listen.hpp"
#include "daemon/http_pages.hpp"
#include "daemon/http_server.hpp"
#include "daemon/log.hpp"
#include "daemon/pipeline.hpp"
#include "daemon/service_manager.hpp"
#include "daemon/watchdog.hpp"
#include "gpu/planner.hpp"

namespace atcd::daemon {
namespace {

constexpr std::chrono::seconds kStatusPeriod{5};
constexpr std::chrono::milliseconds kSameRequest{500};
constexpr std::chrono::milliseconds kWarmLook{2};
// A Redis that is away must not keep the service from being up.
constexpr std::chrono::seconds kLongestStart{5};
constexpr std::chrono::seconds kLongestEnd{10};  // when all is written

void report(const std::string& path, const ConfigResult& result) {
  for (const ConfigError& error : result.errors) {
    log_event(Level::error, "config_error",
              {{"file", path}, {"line", error.line}, {"key", error.key}, {"message", error.message}});
  }
}

/// What asks a running daemon for something would end one that has not come so far: it waits.
void mask_early_signals(int how) {
  sigset_t early;
  sigemptyset(&early);
  sigaddset(&early, SIGHUP);
  sigaddset(&early, SIGUSR1);
  pthread_sigmask(how, &early, nullptr);
}

/// The service while it runs: signals of the process, and what systemd is told.
class Service {
 public:
  Service(const std::string& config_path, const Config& config, const RedisLogin& login)
      : config_path_(config_path),
        running_{config},
        http_(listen(io_, config.http_listen)),
        planner_(planner_options()),
        bulk_(planner_),
        pipeline_(io_, config, login, bulk_),
        watchdog_(io_, manager_, pipeline_.signs_of_life()),
        control_(io_, config_path, running_, pipeline_,
                 {[this](auto told) { reload(std::move(told)); },
                  [this](auto told) { stop("drain", std::move(told)); }}),
        signals_(io_, SIGTERM, SIGINT, SIGHUP),
        status_timer_(io_),
        warm_timer_(io_) {}

  void run() {
    signals_.add(SIGUSR1);
    wait_for_signal();
    mask_early_signals(SIG_UNBLOCK);
    pipeline_.start();
    watchdog_.start();
    control_.start();
    if (http_) {
      http_->serve(http_pages(pipeline_));
      log_event(Level::info, "http_listening", {{"address", http_->address()}});
      if (http_->early())
        log_event(Level::warning, "http_listening",
                  {{"detail",
                    std::string_view("no interface has this address: nobody is answered before one has")}});
    }
    ready_at_latest_ = std::chrono::steady_clock::now() + kLongestStart;
    manager_.tell("STATUS=taking up the last run's history");
    look_whether_warm();
    io_.run();
  }

 private:
  /// Before anything else is begun: a port that is taken ends the start. Null: off.
  static std::unique_ptr<HttpServer> listen(boost::asio::io_context& io, const std::string& text) {
    const auto listen = parse_http_listen(text);
    return listen && listen->endpoint ? std::make_unique<HttpServer>(io, *listen->endpoint) : nullptr;
  }

  /// Of what is replayed in bulk.
  static gpu::Planner::Options planner_options() {
    gpu::Planner::Options options;
    options.threads = std::max(1U, std::thread::hardware_concurrency());
    options.tell = [](std::string_view sentence) {
      log_event(Level::info, "no_device", {{"detail", sentence}});
    };
    return options;
  }

  void wait_for_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int number) {
      if (error) return;
      if (number == SIGHUP) {
        reload({});
      } else if (number == SIGUSR1) {
        pipeline_.take_snapshot();
      } else {
        stop(number == SIGINT ? "SIGINT" : "SIGTERM", [](const Drained&) {});
      }
      wait_for_signal();
    });
  }

  void look_whether_warm() {
    if (pipeline_.warm() || std::chrono::steady_clock::now() >= ready_at_latest_) {
      manager_.tell_state("READY=1");
      pipeline_.fill();
      tell_status();
      return;
    }
    warm_timer_.expires_after(kWarmLook);
    warm_timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error && !stopping_) look_whether_warm();
    });
  }

  /// `told` is called, where there is one, when it is known what the reload came to.
  void reload(const std::function<void(const ReloadReport&)>& told) {
    if (stopping_) {
      return log_event(Level::warning, "reload",
                       {{"detail", std::string_view("the daemon is ending: nothing is taken up any more")}});
    }
    manager_.tell_state("RELOADING=1");
    const ConfigResult result = load_config_to_run(config_path_);
    report(config_path_, result);
    pipeline_.configuration_read(result.errors.empty());
    if (result.errors.empty()) {
      ++running_.read;
      running_.config.feeds = result.config.feeds;
      running_.config.profiles = result.config.profiles;
      const auto ready = [this] { tell_ready(); };
      if (!told) return pipeline_.reload(result.config, ready);
      return pipeline_.reload_and_tell(result.config, ready, [told](const Changes& changes) {
        told({{}, changes});
      });
    }
    log_event(Level::error, "reload_refused", {{"file", config_path_}, {"errors", result.errors.size()}});
    tell_ready();
    if (told) told({error_lines(config_path_, result), {}});
  }

  /// Again: after a reload.
  void tell_ready() {
    if (!stopping_) manager_.tell_state("READY=1");
  }

  void stop(std::string_view cause, const std::function<void(const Drained&)>& told) {
    const auto now = std::chrono::steady_clock::now();
    if (stopping_) {
      // Asked again: at once. Not so where one request came as two signals, as from `timeout`.
      if (now - stopping_since_ > kSameRequest) io_.stop();
      return;
    }
    log_event(Level::info, "stopping", {{"signal", cause}});
    control_.refuse();
    stopping_ = true;
    stopping_since_ = now;
    manager_.tell_state("STOPPING=1\nSTATUS=bringing what is ready to Redis");
    status_timer_.cancel();
    warm_timer_.cancel();
    watchdog_.stop();
    pipeline_.stop([this, told](const Drained& drained) {
      told(drained);
      control_.stop([this] { io_.stop(); });
    });
  }

  void tell_status() {
    const PipelineStatus status = pipeline_.status();
    std::string text = "STATUS=";
    if (!watchdog_.stuck().empty()) text += "stuck: " + watchdog_.stuck() + "; ";
    text += std::to_string(status.live) + " of " + std::to_string(status.series) + " series live, Redis " +
            (status.redis_connected ? "connected" : "not connected") + ", " +
            std::to_string(status.unpublished) + " bars unpublished";
    manager_.tell(text);
    status_timer_.expires_after(kStatusPeriod);
    status_timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error && !stopping_) tell_status();
    });
  }

  std::string config_path_;
  boost::asio::io_context io_{1};
  RunningConfig running_;
  std::unique_ptr<HttpServer> http_;
  gpu::Planner planner_;
  Bulk bulk_;
  EndLimit end_limit_{kLongestEnd};  // before what may hang, behind what writes
  Pipeline pipeline_;
  ServiceManager manager_;
  Watchdog watchdog_;
  Control control_;
  boost::asio::signal_set signals_;
  boost::asio::steady_timer status_timer_, warm_timer_;
  std::chrono::steady_clock::time_point ready_at_latest_{};
  bool stopping_ = false;
  std::chrono::steady_clock::time_point stopping_since_{};
};

/// What a huge message or answer took goes back to the system when it is freed. By itself glibc would keep
/// such blocks on its heap from the second one on.
void give_large_blocks_back() {
  constexpr int kLargeBytes = 128 << 10;
  mallopt(M_MMAP_THRESHOLD, kLargeBytes);
  mallopt(M_TRIM_THRESHOLD, kLargeBytes);
}

int run(const std::string& config_path) {
  mask_early_signals(SIG_BLOCK);
  give_large_blocks_back();
  std::signal(SIGPIPE, SIG_IGN);  // who reads the log may go: signals do not end with it
  ConfigResult result = load_config(config_path);
  if (!result.errors.empty()) {
    print_errors(config_path, result);
    return kBadUsage;
  }
  check_authorities(result);
  if (!result.errors.empty()) {
    print_errors(config_path, result);
    return kFailed;  // a file may be there when the service manager tries again
  }
  std::string error;
  auto login = redis_login(result.config.redis, error);
  if (!login) {
    std::cerr << config_path << ": " << error << '\n';
    return kFailed;  // likewise
  }
  start_logging(result.config.log);
  int status = kDone;
  try {
    Service(config_path, result.config, *login).run();
  } catch (const std::exception& failure) {
    log_event(Level::error, "failed", {{"message", std::string_view(failure.what())}});
    status = kFailed;
  }
  stop_logging();
  return status;
}

}  // namespace

void add_run_command(CLI::App& app, int& status) {
  auto* command = app.add_subcommand("run", "The service: feeds in, signals out to Redis");
  auto* path = command->add_option("--config", "The configuration file")->required()->type_name("FILE");
  command->footer(
      "Signals: SIGHUP reads the configuration again; SIGTERM and SIGINT bring to Redis what is ready and "
      "end,\n"
      "a second one at once; SIGUSR1 takes a snapshot of the engines.");
  command->callback([path, &status] { status = run(path->as<std::string>()); });
}

}  // namespace atcd::daemon
