#include "daemon/control_path.hpp"

#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace atcd::daemon {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

std::vector<std::string> control_directories() {
  // Several names are separated by colons: the first is as good as any.
  if (const std::string given = variable("RUNTIME_DIRECTORY"); !given.empty())
    return {given.substr(0, given.find(':'))};
  std::vector<std::string> directories;
  if (const std::string given = variable("XDG_RUNTIME_DIR"); !given.empty())
    directories.push_back(given + "/atcd");
  directories.emplace_back("/run/atcd");
  directories.push_back("/tmp/atcd-" + std::to_string(geteuid()));
  return directories;
}

std::string prepare_control_directory(const std::string& directory) {
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    return directory + " can't be made: " + std::strerror(errno);
  struct stat found {};
  // In /tmp anybody could have put a link there; root's are the service manager's (/run/atcd to
  // /run/private/atcd).
  bool looked = lstat(directory.c_str(), &found) == 0;
  if (looked && S_ISLNK(found.st_mode) && found.st_uid == 0) looked = stat(directory.c_str(), &found) == 0;
  if (!looked) return directory + " can't be looked at: " + std::strerror(errno);
  if (!S_ISDIR(found.st_mode)) return directory + " is no directory";
  if (found.st_uid != geteuid()) {
    return directory + " belongs to user " + std::to_string(found.st_uid) + ", but must be our own (user " +
           std::to_string(geteuid()) + ")";
  }
  if ((found.st_mode & 0777) != 0700 && chmod(directory.c_str(), 0700) != 0)
    return directory + " can't be closed to others: " + std::strerror(errno);
  if (access(directory.c_str(), W_OK) != 0)
    return directory + " can't be written to: " + std::strerror(errno);
  return {};
}

std::vector<std::string> control_sockets(const std::string& instance) {
  const std::string file = "/" + instance + ".sock";
  std::vector<std::string> sockets;
  for (const std::string& directory : control_directories()) sockets.push_back(directory + file);
  for (const char* units : {"/run/atcd-*", "/run/atcd/*"}) {
    glob_t found{};
    // An instance's name has no character that a pattern would take for another.
    if (glob((units + file).c_str(), 0, nullptr, &found) == 0) {
      for (std::size_t i = 0; i < found.gl_pathc; ++i) sockets.emplace_back(found.gl_pathv[i]);
    }
    globfree(&found);
  }
  return sockets;
}

}  // namespace atcd::daemon
