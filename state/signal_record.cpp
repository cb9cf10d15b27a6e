#include "state/signal_record.hpp"

#include <array>

namespace atcd::state {
namespace {

/// The number of bytes of the valid UTF-8 sequence at the front, 0 where there is none.
std::size_t utf8_sequence(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const std::size_t length = lead < 0x80                   ? 1
                             : lead >= 0xc2 && lead < 0xe0 ? 2
                             : lead >= 0xe0 && lead < 0xf0 ? 3
                             : lead >= 0xf0 && lead < 0xf5 ? 4
                                                           : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (lead == 0xe0 && byte(1) < 0xa0) return 0;   // overlong
  if (lead == 0xed && byte(1) >= 0xa0) return 0;  // surrogates
  if (lead == 0xf0 && byte(1) < 0x90) return 0;   // overlong
  if (lead == 0xf4 && byte(1) >= 0x90) return 0;  // past U+10FFFF
  return length;
}

}  // namespace

std::string_view source_name(Source source) {
  constexpr std::array<std::string_view, 3> kNames = {"live", "backfill", "warm"};
  static_assert(static_cast<std::size_t>(Source::warm) + 1 == kNames.size());
  return kNames[static_cast<std::size_t>(source)];
}

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text.front());
    std::size_t length = 1;
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text.front();
    } else if (byte < 0x20 || byte == 0x7f) {
      out.append("\\u00");
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else if (const std::size_t valid = utf8_sequence(text); valid > 0) {
      length = valid;
      const auto second = static_cast<unsigned char>(valid > 1 ? text[1] : 0);
      if (byte == 0xc2 && second < 0xa0) {  // terminals obey these control characters too
        out.append("\\u00");
        out += kHex[second >> 4];
        out += kHex[second & 15];
      } else {
        out.append(text.substr(0, length));
      }
    } else {
      out.append("\\ufffd");
    }
    text.remove_prefix(length);
  }
  out += '"';
}

}  // namespace atcd::state
