#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>

#include "daemon/commands/commands.hpp"
#include "daemon/help_words.hpp"
#include "daemon/version.hpp"

namespace {

/// What is opened takes the lowest free number: where a stream was closed by whoever started us, a file of
/// the history would take its place, and have our texts written over it. Reading or writing it fails as
/// before.
void keep_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(stream, F_GETFD) != -1) continue;
    const int mode = stream == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    if (open("/dev/null", mode) != stream) std::_Exit(atcd::daemon::kFailed);
  }
}

}  // namespace

int main(int argc, char** argv) {
  using namespace atcd::daemon;
  keep_standard_streams();
  CLI::App app{"atcd turns exchange websocket feeds into Adaptive Trend Classification signals in Redis"};
  app.formatter(std::make_shared<HelpWords>());
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
  add_sweep_command(app, status);
  add_simulate_command(app, status);
  add_tap_command(app, status);
  add_verify_command(app, status);
  add_warm_command(app, status);
  add_redis_setup_command(app, status);
  add_pages_command(app, status);
  // Last, or the commands would inherit it.
  app.footer(
      "Exit status: 0 done, 1 failed, 2 bad usage or configuration.\n"
      "See also: atcd.toml(5) for every key of a configuration, atcd-redis(7) for what is written to Redis.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    // Where a word is mistyped, that is what is wrong, not that another one is missing.
    const auto unknown = app.remaining(true);
    if (unknown.empty()) {
      app.exit(error);
    } else {
      app.exit(CLI::ExtrasError({unknown.rbegin(), unknown.rend()}));
    }
    return kBadUsage;
  } catch (const CLI::ParseError& error) {
    status = app.exit(error) == 0 ? kDone : kBadUsage;
  } catch (const std::exception& error) {
    std::cerr << "atcd: " << error.what() << '\n';
    return kFailed;
  }
  if (status == kDone && (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)) {
    std::cerr << "atcd: cannot write to standard output\n";
    return kFailed;
  }
  return status;
}
