#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "daemon/control_client.hpp"

namespace atcd::daemon {

/// --instance and --socket.
void add_control_options(CLI::App& command, ControlTarget& target);

/// Asks the daemon once. Exit status of the command: where the answer is an error it is on standard error;
/// else `show` is called with the answer, or with --json the answer itself is written.
int control(const ControlTarget& target, const ControlRequest& request, bool json,
            const std::function<void(std::string_view answer)>& show);

}  // namespace atcd::daemon
