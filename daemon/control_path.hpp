#pragma once

#include <string>
#include <vector>

namespace atcd::daemon {

// Where the control socket of an instance lies: <directory>/<instance>.sock, where the directory is the first
// that can be used of $RUNTIME_DIRECTORY (set by the service manager; alone then), $XDG_RUNTIME_DIR/atcd,
// /run/atcd and /tmp/atcd-<uid>.

/// Those directories, in that order.
std::vector<std::string> control_directories();

/// Makes the directory where it is missing, and sees to it that nobody but us can enter it (mode 0700). A
/// sentence where it can't be used; empty when all is well.
std::string prepare_control_directory(const std::string& directory);

/// The sockets at which the instance may listen, in the order in which a command tries them: as above, and
/// what other units of the service manager have below /run (atcd-*/ and atcd/*/).
std::vector<std::string> control_sockets(const std::string& instance);

}  // namespace atcd::daemon
