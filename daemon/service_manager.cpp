#include "daemon/service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <utility>

namespace atcd::daemon {

ServiceManager::ServiceManager() {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path != nullptr) path_ = path;
  const bool known = path_.starts_with('/') || path_.starts_with('@');  // the latter without a file
  if (!known || path_.size() >= sizeof(sockaddr_un::sun_path)) path_.clear();
  if (!path_.empty()) socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

ServiceManager::~ServiceManager() {
  if (socket_ >= 0) close(socket_);
}

void ServiceManager::tell_state(std::string state) {
  untold_ = std::move(state);
  tell_untold();
}

void ServiceManager::tell(const std::string& text) {
  tell_untold();
  if (!untold_) send(text);
}

void ServiceManager::tell_untold() {
  if (untold_ && send(*untold_)) untold_.reset();
}

/// False where it was not taken.
bool ServiceManager::send(const std::string& text) const {
  if (path_.empty()) return true;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path_.begin(), path_.end(), address.sun_path);
  if (path_[0] == '@') address.sun_path[0] = 0;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
  const ssize_t sent = sendto(socket_, text.data(), text.size(), MSG_NOSIGNAL,
                              reinterpret_cast<const sockaddr*>(&address), length);
  return sent >= 0;
}

}  // namespace atcd::daemon
