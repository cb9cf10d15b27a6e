#include "daemon/process_stats.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <system_error>

namespace atcd::daemon {
namespace {

std::uint64_t count_files() {
  std::error_code error;
  const std::filesystem::directory_iterator files("/proc/self/fd", error);
  if (error) return 0;
  const auto found = std::distance(begin(files), end(files));
  return found > 0 ? static_cast<std::uint64_t>(found) - 1 : 0;  // the directory itself was open
}

/// proc(5): behind the command's closing bracket the fields begin with the third.
void read_stat(ProcessStats& stats) {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const auto bracket = line.rfind(')');
  if (bracket == std::string::npos) return;
  std::istringstream fields(line.substr(bracket + 1));
  std::string skipped;
  const auto skip = [&](int count) {
    while (count-- > 0) fields >> skipped;
  };
  std::uint64_t user_ticks = 0, system_ticks = 0, resident_pages = 0;
  skip(11);
  fields >> user_ticks >> system_ticks;  // 14 and 15
  skip(4);
  fields >> stats.threads;  // 20
  skip(2);
  fields >> stats.virtual_bytes >> resident_pages;  // 23 and 24
  stats.cpu_s = static_cast<double>(user_ticks + system_ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
  stats.resident_bytes = resident_pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

ProcessStats process_stats() {
  ProcessStats stats;
  read_stat(stats);
  stats.open_files = count_files();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) stats.most_files = limit.rlim_cur;
  return stats;
}

}  // namespace atcd::daemon
