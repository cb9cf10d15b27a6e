#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace atcd::daemon {

struct ArchivedFile {
  std::string name;  // at most 99 bytes
  std::string content;
};

/// The files as one compressed tar archive (ustar), owner-only. Throws std::runtime_error where memory does
/// not suffice or a name is too long.
std::string tar_gz(const std::vector<ArchivedFile>& files, std::int64_t time_s);

}  // namespace atcd::daemon
