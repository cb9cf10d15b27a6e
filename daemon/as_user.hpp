#pragma once

#include <sys/types.h>

namespace atcd::daemon {

/// Root with no more than the rights of a user and a group to open files, until this goes: for what others
/// name. Other groups of that user do not count. A process of one thread.
class AsUser {
 public:
  /// Throws std::runtime_error with a sentence where that can't be.
  AsUser(uid_t user, gid_t group);
  ~AsUser();
  AsUser(const AsUser&) = delete;
  AsUser& operator=(const AsUser&) = delete;
};

}  // namespace atcd::daemon
