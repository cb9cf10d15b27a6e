// links: state
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "state/resp_reader.hpp"

// What Redis sends, whole and in pieces: the same replies, within the limits, or the same refusal.

namespace {

using atcd::state::Reply;
using atcd::state::RespReader;

constexpr atcd::state::ReplyLimits kLimits{4096, 64};

std::size_t write(const Reply& reply, std::string& out) {
  std::size_t elements = reply.elements.size();
  out += std::to_string(static_cast<int>(reply.type)) + ":" + std::string(reply.text) + ":" +
         std::to_string(reply.integer) + "[";
  for (const Reply& element : reply.elements) elements += write(element, out);
  out += "]";
  return elements;
}

/// Everything the reader says about the bytes, fed in pieces of the given size.
std::string replies(std::string_view bytes, std::size_t piece) {
  RespReader reader(kLimits);
  std::string out;
  bool refused = false;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    reader.feed(bytes.substr(at, piece));
    for (auto next = reader.next(); !refused && next != RespReader::Next::more; next = reader.next()) {
      if (next == RespReader::Next::error) {
        if (reader.error().empty()) std::abort();
        refused = true;
        break;
      }
      if (write(reader.reply(), out) > kLimits.elements) std::abort();
      static_cast<void>(atcd::state::error_kind(reader.reply().text));
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = replies(bytes, std::max<std::size_t>(1, bytes.size()));
  const std::string pieces = replies(bytes, data[0] % 16U + 1U);
  // A limit may end the pieces earlier or later than the whole; what both say before it is the same.
  const std::size_t common = std::min(whole.size(), pieces.size());
  if (whole.compare(0, common, pieces, 0, common) != 0) std::abort();
  return 0;
}
