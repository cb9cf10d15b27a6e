#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "daemon/config.hpp"
#include "daemon/control_request.hpp"
#include "daemon/control_server.hpp"
#include "daemon/pipeline.hpp"

namespace atcd::daemon {

/// What reading the configuration again came to.
struct ReloadReport {
  std::vector<std::string> errors;  // of the file, with their lines: nothing was changed
  Changes changes;
};

/// The configuration that runs: what was read last, with the symbols that were added and removed since.
struct RunningConfig {
  Config config;
  std::uint64_t read = 0;  // how many times it was read again
};

/// What the service does for a command, as for a signal.
struct ControlActions {
  std::function<void(std::function<void(const ReloadReport&)>)> reload;
  std::function<void(std::function<void(const Drained&)>)> drain;
};

/// Answers the commands that come over the control socket. Used from the one thread that runs the io_context;
/// whatever it needs of the workers it asks them for.
class Control {
 public:
  Control(boost::asio::io_context& io, const std::string& config_path, RunningConfig& running,
          Pipeline& pipeline, ControlActions actions);
  ~Control();

  /// Listens in the first directory that can be used. Where there is none the log says so, and the service
  /// goes on without.
  void start();
  /// The service ends: from now on commands are refused.
  void refuse() { ending_ = true; }
  /// Hears nobody any more; `done` is called when the answers that were given are written.
  void stop(std::function<void()> done);

 private:
  using Answer = ControlServer::Answer;

  void on_line(std::string_view line, Answer answer);
  void status(const Answer& answer) const;
  void feeds(const Answer& answer);
  void rows(const std::string& after, const Answer& answer);
  void explain(const std::string& series, const Answer& answer);
  void reload(const Answer& answer);
  void drain(const Answer& answer);
  void change_symbols(const ControlRequest& request, const Answer& answer);
  void snapshot(const Answer& answer);
  void set_level(const std::string& level, const Answer& answer);
  bool may_change(const Answer& answer);

  boost::asio::io_context& io_;
  std::string config_path_;
  RunningConfig& running_;
  Pipeline& pipeline_;
  ControlActions actions_;
  std::string level_;
  bool changing_ = false;  // a change of the configuration is under way
  bool ending_ = false;
  ControlServer server_;
  std::vector<std::future<void>> computing_;  // explanations; last: they use the rest
};

}  // namespace atcd::daemon
