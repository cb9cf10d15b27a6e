#include "daemon/secrets.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace atcd::daemon {

std::optional<std::string> read_password(const std::string& password_file, std::string& error) {
  std::string path = password_file;
  if (path.empty()) {
    const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
    if (directory == nullptr) return "";
    path = std::string(directory) + "/redis-password";
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) return "";
  }
  std::ifstream file(path);
  std::string line;
  if (!file || !std::getline(file, line)) {
    error = path + " can't be read: " + (file.eof() ? "it is empty" : std::strerror(errno));
    return std::nullopt;
  }
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

}  // namespace atcd::daemon
