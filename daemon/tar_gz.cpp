#include "daemon/tar_gz.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <stdexcept>

namespace atcd::daemon {
namespace {

constexpr std::size_t kBlock = 512;
constexpr int kGzip = 31;  // zlib: the largest window, a gzip header around it

std::string header_of(const ArchivedFile& file, std::int64_t time_s) {
  if (file.name.size() > 99) throw std::runtime_error(file.name + ": a name has at most 99 bytes");
  std::string header(kBlock, '\0');
  const auto put = [&](std::size_t at, const std::string& text) {
    std::copy(text.begin(), text.end(), header.begin() + static_cast<std::ptrdiff_t>(at));
  };
  const auto octal = [&](std::size_t at, int digits, std::int64_t value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%0*llo", digits, static_cast<unsigned long long>(value));
    put(at, text.data());
  };
  put(0, file.name);
  octal(100, 7, 0600);
  octal(108, 7, 0);  // owner and group: whoever unpacks it
  octal(116, 7, 0);
  octal(124, 11, static_cast<std::int64_t>(file.content.size()));
  octal(136, 11, time_s);
  put(148, "        ");  // the checksum, while it is summed
  put(156, "0");
  put(257, std::string("ustar\0", 6) + "00");
  std::int64_t sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  octal(148, 6, sum);
  header[154] = '\0';
  return header;
}

std::string gzip(const std::string& bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::runtime_error("zlib can't begin");
  std::string packed(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib only reads it
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  const int result = deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  if (result != Z_STREAM_END) throw std::runtime_error("zlib can't end");
  return packed;
}

}  // namespace

std::string tar_gz(const std::vector<ArchivedFile>& files, std::int64_t time_s) {
  std::string tar;
  for (const ArchivedFile& file : files) {
    tar += header_of(file, time_s) + file.content;
    tar.resize((tar.size() + kBlock - 1) / kBlock * kBlock, '\0');
  }
  tar.resize(tar.size() + 2 * kBlock, '\0');
  return gzip(tar);
}

}  // namespace atcd::daemon
