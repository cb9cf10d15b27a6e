#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "daemon/commands/commands.hpp"
#include "daemon/version.hpp"

int main(int argc, char** argv) {
  using namespace atcd::daemon;
  CLI::App app{"atcd turns exchange websocket feeds into Adaptive Trend Classification signals in Redis"};
  app.set_version_flag(
      "--version", [] { return version_text(); }, "Version, compiler, paths available, CUDA");
  app.require_subcommand(1);
  app.fallthrough(false);
  int status = kDone;
  add_run_command(app, status);
  add_check_command(app, status);
  add_control_commands(app, status);
  add_top_command(app, status);
  add_explain_command(app, status);
  add_bundle_command(app, status);
  add_compute_command(app, status);
  add_replay_command(app, status);
  add_history_command(app, status);
  add_scan_command(app, status);
  add_simulate_command(app, status);
  add_tap_command(app, status);
  add_verify_command(app, status);
  add_warm_command(app, status);
  add_redis_setup_command(app, status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kBadUsage;
  } catch (const std::exception& error) {
    std::cerr << "atcd: " << error.what() << '\n';
    return kFailed;
  }
  return status;
}
