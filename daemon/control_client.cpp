#include "daemon/control_client.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "daemon/control_path.hpp"

namespace atcd::daemon {
namespace {

using Clock = std::chrono::steady_clock;

/// Where only the service manager puts a socket: it may be of any user, whom the unit names. In a place that
/// anybody can write to somebody else might listen, for root to come.
bool is_service_managers(const std::string& path) { return path.starts_with("/run/atcd"); }

/// The descriptor, or -1 with what is wrong; no sentence where there is simply nobody. `any_user`: root takes
/// whoever listens there.
int connect_to(const std::string& path, bool any_user, ucred& peer, std::string& error) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    error = path + ": a socket's path has at most " + std::to_string(sizeof(address.sun_path) - 1) + " bytes";
    return -1;
  }
  std::copy(path.begin(), path.end(), std::begin(address.sun_path));
  const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor >= 0 &&
      connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    socklen_t size = sizeof(peer);
    const bool known = getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
    if (known && (peer.uid == geteuid() || peer.uid == 0 || (geteuid() == 0 && any_user))) return descriptor;
    error = path + ": another user's process listens there; who knows better names it by --socket";
  } else if (errno == EAGAIN) {
    error = path + ": the daemon does not take connections at present";
  } else if (errno != ENOENT && errno != ECONNREFUSED && errno != ENOTDIR) {
    error = path + ": " + std::strerror(errno) +
            (errno == EACCES ? " (only the daemon's own user and root may control it)" : "");
  }
  if (descriptor >= 0) close(descriptor);
  return -1;
}

std::string nobody(const ControlTarget& target, const std::vector<std::string>& looked_at) {
  std::string list;
  for (const std::string& path : looked_at) list += (list.empty() ? "" : ", ") + path;
  return "no daemon" + (target.socket.empty() ? " of instance \"" + target.instance + "\"" : "") +
         " listens at " + list + ": is it running? --instance or --socket name another";
}

void wait_until(int descriptor, short events, Clock::time_point end) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
    if (left <= 0) throw std::runtime_error("the daemon did not answer in time");
    pollfd waiting{descriptor, events, 0};
    if (poll(&waiting, 1, static_cast<int>(left)) > 0) return;
  }
}

}  // namespace

ControlClient::ControlClient(const ControlTarget& target) {
  const std::vector<std::string> places =
      target.socket.empty() ? control_sockets(target.instance) : std::vector{target.socket};
  std::string trouble;
  for (const std::string& place : places) {
    std::string error;
    ucred peer{};
    descriptor_ = connect_to(place, !target.socket.empty() || is_service_managers(place), peer, error);
    if (descriptor_ >= 0) {
      path_ = place;
      peer_ = {peer.uid, peer.gid};
      return;
    }
    if (trouble.empty()) trouble = error;
  }
  throw std::runtime_error(trouble.empty() ? nobody(target, places) : trouble);
}

ControlClient::~ControlClient() {
  if (descriptor_ >= 0) close(descriptor_);
}

std::string ControlClient::ask(const ControlRequest& request, std::chrono::milliseconds longest) {
  const auto end = Clock::now() + longest;
  const std::string line = control_request_json(request) + "\n";
  for (std::size_t sent = 0; sent < line.size();) {
    const ssize_t count = send(descriptor_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (count > 0) {
      sent += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN) {
      wait_until(descriptor_, POLLOUT, end);
    } else if (errno != EINTR) {
      break;  // it may have said why before it closed
    }
  }
  for (;;) {
    if (const std::size_t length = received_.find('\n'); length != std::string::npos) {
      std::string answer = received_.substr(0, length);
      received_.erase(0, length + 1);
      return answer;
    }
    wait_until(descriptor_, POLLIN, end);
    std::array<char, 65536> buffer;
    const ssize_t count = recv(descriptor_, buffer.data(), buffer.size(), 0);
    if (count > 0) {
      received_.append(buffer.data(), static_cast<std::size_t>(count));
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
      throw std::runtime_error("the daemon closed the connection before it had answered");
    }
  }
}

}  // namespace atcd::daemon
