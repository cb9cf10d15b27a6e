#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace atcd::daemon {

/// The text without secrets, for a report that others read: user and password of every URL, the values of
/// keys that are named like a secret (password, token, ...; a `password_file` is only a path), and wherever
/// they stand the `secrets` themselves, also percent-encoded or as JSON has them. "***" stands in their
/// place. Made for configurations, logs and JSON, also broken ones: in doubt it takes out more.
std::string without_secrets(std::string_view text, const std::vector<std::string>& secrets);

}  // namespace atcd::daemon
