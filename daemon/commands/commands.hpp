#pragma once

#include <CLI/CLI.hpp>

namespace atcd::daemon {

/// Exit status of every command.
enum ExitStatus : int { kDone = 0, kFailed = 1, kBadUsage = 2 };

/// Each command has one file here; it adds itself to the program and leaves its exit status in `status`.
void add_bundle_command(CLI::App& app, int& status);
void add_check_command(CLI::App& app, int& status);
void add_compute_command(CLI::App& app, int& status);
/// status, reload, drain, add, remove, snapshot and log-level.
void add_control_commands(CLI::App& app, int& status);
void add_explain_command(CLI::App& app, int& status);
void add_history_command(CLI::App& app, int& status);
void add_pages_command(CLI::App& app, int& status);
void add_redis_setup_command(CLI::App& app, int& status);
void add_replay_command(CLI::App& app, int& status);
void add_run_command(CLI::App& app, int& status);
void add_scan_command(CLI::App& app, int& status);
void add_simulate_command(CLI::App& app, int& status);
void add_sweep_command(CLI::App& app, int& status);
void add_tap_command(CLI::App& app, int& status);
void add_top_command(CLI::App& app, int& status);
void add_verify_command(CLI::App& app, int& status);
void add_warm_command(CLI::App& app, int& status);

}  // namespace atcd::daemon
