#pragma once

#include <optional>
#include <string>

namespace atcd::daemon {

/// The password of Redis: the first line of the file, or where none is named the service manager's credential
/// `redis-password` ($CREDENTIALS_DIRECTORY), or "" where there is neither. Empty with a sentence that names
/// the file when it can't be read; the sentence never holds the password.
std::optional<std::string> read_password(const std::string& password_file, std::string& error);

}  // namespace atcd::daemon
