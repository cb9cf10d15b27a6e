#pragma once

#include <string>
#include <string_view>

namespace atcd::daemon {

/// "0.1.0".
std::string_view version_number();
/// What `atcd --version` prints: version, compiler, computing paths of this machine, CUDA.
std::string version_text();

}  // namespace atcd::daemon
