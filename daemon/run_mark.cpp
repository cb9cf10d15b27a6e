#include "daemon/run_mark.hpp"

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace atcd::daemon {

RunMark::RunMark(const std::string& directory) : path_(directory + "/running") {
  std::error_code ignored;
  last_run_ended_ = !std::filesystem::exists(path_, ignored);
  std::ofstream file(path_, std::ios::trunc);
  file << getpid() << '\n';
  if (!file.flush()) problem_ = path_ + " can't be written: the next start will not know how this run ended";
}

void RunMark::ended() {
  // Another daemon may have begun here since the history was closed: its mark stays.
  std::int64_t owner = 0;
  if (!(std::ifstream(path_) >> owner) || owner != getpid()) return;
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

}  // namespace atcd::daemon
