#include "daemon/output_file.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace atcd::daemon {

namespace fs = std::filesystem;

OutputFile::~OutputFile() {
  if (file_ != nullptr && file_ != stdout) std::fclose(file_);
  if (!unfinished_.empty()) ::unlink(unfinished_.c_str());
}

bool OutputFile::fail() {
  const int code = errno;
  error_ = "cannot write to " + (path_ == "-" ? "standard output" : path_) + ": " + std::strerror(code);
  return false;
}

bool OutputFile::open() {
  if (path_ == "-") {
    file_ = stdout;
    return true;
  }
  std::error_code none;
  const fs::file_status there = fs::status(path_, none);
  const bool replaced = !fs::exists(there) || fs::is_regular_file(there);
  // A link stays one: what it leads to is replaced.
  if (replaced && fs::exists(there)) path_ = fs::canonical(path_, none).string();
  if (replaced) unfinished_ = path_ + ".unfinished-" + std::to_string(::getpid());
  file_ = std::fopen((replaced ? unfinished_ : path_).c_str(), "wb");
  if (file_ == nullptr) {
    unfinished_.clear();
    return fail();
  }
  if (replaced && fs::exists(there)) fs::permissions(unfinished_, there.permissions(), none);
  return true;
}

bool OutputFile::write(std::string_view text) {
  if (!error_.empty() || (file_ == nullptr && !open())) return false;
  return std::fwrite(text.data(), 1, text.size(), file_) == text.size() || fail();
}

bool OutputFile::commit() {
  if (!error_.empty() || (file_ == nullptr && !open())) return false;
  if (std::fflush(file_) != 0) return fail();
  if (file_ != stdout && std::fclose(std::exchange(file_, nullptr)) != 0) return fail();
  if (unfinished_.empty()) return true;
  if (::rename(unfinished_.c_str(), path_.c_str()) != 0) return fail();
  unfinished_.clear();
  return true;
}

}  // namespace atcd::daemon
