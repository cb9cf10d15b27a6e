// Preloaded into a redis-server of a test: while the folder that ATCD_BAD_DISK names holds a file "slow",
// every fdatasync takes 700 ms; while it holds a file "full", nothing can be written to an append-only file.
#include <dlfcn.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>

namespace {

constexpr useconds_t kSlowUs = 700'000;

bool disk_is(const char* how) {
  const char* folder = std::getenv("ATCD_BAD_DISK");
  return folder != nullptr && ::access((std::string(folder) + "/" + how).c_str(), F_OK) == 0;
}

bool is_append_only_file(int descriptor) {
  std::array<char, 512> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t length = ::readlink(link.c_str(), path.data(), path.size());
  return length > 4 && std::string(path.data(), static_cast<std::size_t>(length)).ends_with(".aof");
}

template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" int fdatasync(int descriptor) {
  static auto* const real = next<int(int)>("fdatasync");
  if (disk_is("slow")) ::usleep(kSlowUs);
  return real(descriptor);
}

extern "C" ssize_t write(int descriptor, const void* bytes, std::size_t count) {
  static auto* const real = next<ssize_t(int, const void*, std::size_t)>("write");
  if (is_append_only_file(descriptor) && disk_is("full")) {
    errno = ENOSPC;
    return -1;
  }
  return real(descriptor, bytes, count);
}
