#include "state/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace atcd::state {

MappedFile::~MappedFile() { close(); }

void MappedFile::close() {
  unmap();
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
  size_ = 0;
}

bool MappedFile::fail(const char* what) {
  error_ = path_ + ": " + what + ": " + std::strerror(errno);
  return false;
}

bool MappedFile::open(const std::string& path, Access access) {
  close();
  path_ = path;
  const int flags = access == Access::write ? O_RDWR | O_CREAT | O_CLOEXEC : O_RDONLY | O_CLOEXEC;
  descriptor_ = ::open(path.c_str(), flags, 0600);
  if (descriptor_ < 0) return fail("opening it");
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) return fail("asking for its size");
  size_ = status.st_size;
  return true;
}

bool MappedFile::grow() {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) return fail("asking for its size");
  if (status.st_size < size_) return false;
  size_ = status.st_size;
  return true;
}

bool MappedFile::write(std::int64_t offset, const void* bytes, std::size_t count) {
  const char* from = static_cast<const char*>(bytes);
  std::int64_t at = offset;
  for (std::size_t left = count; left > 0;) {
    const ssize_t written = ::pwrite(descriptor_, from, left, at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return fail("writing to it");
    from += written;
    at += written;
    left -= static_cast<std::size_t>(written);
  }
  size_ = std::max(size_, at);
  return true;
}

bool MappedFile::allocate(std::int64_t size) {
  if (size <= size_) return true;
  const int failure = ::posix_fallocate(descriptor_, size_, size - size_);
  if (failure != 0) {
    errno = failure;
    return fail("making room in it");
  }
  size_ = size;
  return true;
}

bool MappedFile::truncate(std::int64_t size) {
  unmap();
  if (::ftruncate(descriptor_, size) != 0) return fail("shortening it");
  size_ = size;
  return true;
}

bool MappedFile::sync() {
  if (::fdatasync(descriptor_) != 0) return fail("bringing it to the disk");
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) return fail("asking for its size");
  if (status.st_nlink > 0) return true;
  error_ =
      path_ + ": it was removed while it is written to: what is written is lost with the end of this run";
  return false;
}

std::span<const std::byte> MappedFile::view(std::int64_t offset, std::size_t count) {
  if (offset < 0 || count == 0 || offset > size_ || static_cast<std::int64_t>(count) > size_ - offset) {
    return {};
  }
  const std::size_t end = static_cast<std::size_t>(offset) + count;
  if (end > mapped_) {
    unmap();
    void* mapping = ::mmap(nullptr, static_cast<std::size_t>(size_), PROT_READ, MAP_SHARED, descriptor_, 0);
    if (mapping == MAP_FAILED) {
      fail("mapping it");
      return {};
    }
    mapping_ = static_cast<const std::byte*>(mapping);
    mapped_ = static_cast<std::size_t>(size_);
  }
  return {mapping_ + offset, count};
}

std::span<const std::byte> MappedFile::readable(std::int64_t offset, std::size_t count) {
  const auto bytes = view(offset, count);
  if (bytes.empty()) return bytes;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t begin = static_cast<std::size_t>(offset) / page * page;
  const std::size_t size = static_cast<std::size_t>(offset) + count - begin;
  void* const pages = const_cast<std::byte*>(mapping_ + begin);
  // Only what would be a SIGBUS counts: want of memory is no damage, and kernels before 5.14 do not know the
  // question.
  if (::madvise(pages, size, MADV_POPULATE_READ) == 0 || (errno != EFAULT && errno != EHWPOISON))
    return bytes;
  fail("reading it");
  return {};
}

void MappedFile::unmap() {
  if (mapping_ != nullptr) ::munmap(const_cast<std::byte*>(mapping_), mapped_);
  mapping_ = nullptr;
  mapped_ = 0;
}

}  // namespace atcd::state
