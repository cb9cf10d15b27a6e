#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace atcd::daemon {

/// The bytes of a file, of which gzip is unpacked; "-" is standard input. Behind the end of what is packed
/// more of it may come, or zeros; else the file is damaged: zlib's own gzread() says nothing of what it
/// leaves out there, as where rows were appended to a packed file as they are.
class GzipReader {
 public:
  static constexpr std::string_view kCutOff = "unexpected end of file";

  explicit GzipReader(const std::string& path);
  ~GzipReader();
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;

  /// False: errno says why.
  bool opened() const { return file_ >= 0; }
  /// The next bytes, at most so many. None: that was all, or error() says what went wrong.
  std::size_t read(char* to, std::size_t most);
  /// Empty when all is well.
  const std::string& error() const { return error_; }

 private:
  enum class Form : std::uint8_t { unknown, plain, packed };

  bool fill();
  void see_form();
  std::size_t unpack(char* to, std::size_t most);

  int file_;
  std::vector<unsigned char> bytes_;  // read, of which those from at_ to end_ were not taken
  std::size_t at_ = 0, end_ = 0;
  Form form_ = Form::unknown;
  bool inside_ = false;  // of what is packed, not behind an end of it
  z_stream stream_{};
  std::string error_;
};

}  // namespace atcd::daemon
