#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace atcd::state {

/// One file that is written by position and read through a mapping of what it holds. Writing goes through the
/// kernel, never through the mapping: a full or failing disk is an error here and no signal. Errors are
/// values: false, and error() says what, with the file's name. One thread.
class MappedFile {
 public:
  enum class Access : std::uint8_t { read, write };

  MappedFile() = default;
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  /// Created where it is absent, when it may be written. Another file that was open is closed.
  bool open(const std::string& path, Access access);
  std::int64_t size() const { return size_; }
  const std::string& error() const { return error_; }
  /// Of a file that another process makes longer: asks for its size again. False where it is shorter than it
  /// was, or that can't be said.
  bool grow();

  bool write(std::int64_t offset, const void* bytes, std::size_t count);
  /// Space on the disk for the file up to here; the file has at least this size then, zeros where it grew.
  bool allocate(std::int64_t size);
  bool truncate(std::int64_t size);
  /// All that was written is on the disk.
  bool sync();

  /// The bytes from offset on, empty where the file does not hold all of them. Valid until the next call that
  /// makes the file larger or smaller.
  std::span<const std::byte> view(std::int64_t offset, std::size_t count);
  /// As view(), but empty also where they cannot be read, as from a bad sector or where somebody else has cut
  /// the file off: looking at them would end the program by SIGBUS.
  std::span<const std::byte> readable(std::int64_t offset, std::size_t count);

 private:
  bool fail(const char* what);
  void close();
  void unmap();

  std::string path_;
  std::string error_;
  int descriptor_ = -1;
  std::int64_t size_ = 0;
  const std::byte* mapping_ = nullptr;
  std::size_t mapped_ = 0;
};

}  // namespace atcd::state
