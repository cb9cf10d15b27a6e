#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace atcd::daemon {

/// A file that is there whole or not at all: written under a name beside its own (PATH.unfinished-PID) and
/// renamed at the end. Standard output ("-"), devices and pipes are written as they are. One thread.
class OutputFile {
 public:
  explicit OutputFile(std::string path) : path_(std::move(path)) {}
  /// Without commit() nothing is left.
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// False from the first failure on. The file is made by the first call.
  bool write(std::string_view text);
  bool commit();
  const std::string& error() const { return error_; }

 private:
  bool open();
  bool fail();

  std::string path_;
  std::string unfinished_;  // empty: path_ itself is written
  std::FILE* file_ = nullptr;
  std::string error_;
};

}  // namespace atcd::daemon
