#include "daemon/as_user.hpp"

#include <grp.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

namespace atcd::daemon {

AsUser::AsUser(uid_t user, gid_t group) {
  if (setgroups(0, nullptr) == 0 && setegid(group) == 0 && seteuid(user) == 0) return;
  throw std::runtime_error("the rights of user " + std::to_string(user) +
                           " can't be taken on: " + std::strerror(errno));
}

AsUser::~AsUser() {
  if (seteuid(0) != 0 || setegid(0) != 0) std::abort();  // never on with half of them
}

}  // namespace atcd::daemon
