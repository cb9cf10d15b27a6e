#include "daemon/gzip_reader.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace atcd::daemon {
namespace {

constexpr std::size_t kPiece = 1 << 16;
constexpr int kGzip = 31;  // zlib: the largest window, a gzip header around it
constexpr unsigned char kMagic[] = {0x1f, 0x8b};

}  // namespace

GzipReader::GzipReader(const std::string& path)
    : file_(path == "-" ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)), bytes_(kPiece) {}

GzipReader::~GzipReader() {
  if (file_ >= 0) ::close(file_);
  if (form_ == Form::packed) inflateEnd(&stream_);
}

/// Adds to what is there. False: the file has ended, or error_ says what went wrong.
bool GzipReader::fill() {
  if (at_ == end_) at_ = end_ = 0;
  ssize_t got = -1;
  do {
    got = ::read(file_, bytes_.data() + end_, bytes_.size() - end_);
  } while (got < 0 && errno == EINTR);
  if (got < 0) error_ = std::strerror(errno);
  end_ += got > 0 ? static_cast<std::size_t>(got) : 0;
  return got > 0;
}

void GzipReader::see_form() {
  while (end_ < sizeof kMagic && fill()) {
  }
  form_ = Form::plain;
  if (end_ < sizeof kMagic || std::memcmp(bytes_.data(), kMagic, sizeof kMagic) != 0) return;
  if (inflateInit2(&stream_, kGzip) != Z_OK) {
    error_ = "out of memory";
    return;
  }
  form_ = Form::packed;
  inside_ = true;
}

std::size_t GzipReader::read(char* to, std::size_t most) {
  if (form_ == Form::unknown) see_form();
  std::size_t given = 0;
  while (given == 0 && error_.empty()) {
    if (at_ == end_ && !fill()) {
      if (inside_ && error_.empty()) error_ = kCutOff;
      break;
    }
    if (form_ == Form::packed) {
      given = unpack(to, most);
    } else {
      given = std::min(most, end_ - at_);
      std::memcpy(to, bytes_.data() + at_, given);
      at_ += given;
    }
  }
  return given;
}

std::size_t GzipReader::unpack(char* to, std::size_t most) {
  if (!inside_) {
    while (at_ < end_ && bytes_[at_] == 0) ++at_;
    if (at_ == end_) return 0;
    inflateReset(&stream_);
    inside_ = true;
  }
  stream_.next_in = bytes_.data() + at_;
  stream_.avail_in = static_cast<unsigned>(end_ - at_);
  stream_.next_out = reinterpret_cast<unsigned char*>(to);
  stream_.avail_out = static_cast<unsigned>(most);
  const int status = inflate(&stream_, Z_NO_FLUSH);
  at_ = end_ - stream_.avail_in;
  inside_ = status != Z_STREAM_END;
  if (inside_ && status != Z_OK && status != Z_BUF_ERROR)
    error_ = stream_.msg != nullptr ? stream_.msg : "it is damaged";
  return most - stream_.avail_out;
}

}  // namespace atcd::daemon
