// links: state
// Seeds: tests/fuzz/resp.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "state/key_slot.hpp"
#include "state/redis_places.hpp"
#include "state/redis_url.hpp"
#include "state/resp_reader.hpp"

// What Redis sends, whole and in pieces: the same replies, within the limits, or the same refusal. Where they
// name other servers these can be had. And the text as Redis' URL: what it names can be named by an URL
// again.

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

bool possible(const atcd::state::RedisAddress& address) { return !address.host.empty() && address.port > 0; }

void look_for_places(const Reply& reply) {
  atcd::state::RedisAddress from;
  from.host = "redis.example";
  const auto ranges = slot_ranges(reply, from);
  if (ranges.size() > std::min<std::size_t>(reply.elements.size(), atcd::state::kClusterSlots)) std::abort();
  for (const auto& range : ranges) {
    if (!possible(range.master) || range.first > range.last || range.last >= atcd::state::kClusterSlots)
      std::abort();
  }
  const auto redirected = redirection_of(reply.text, from);
  if (redirected && (!possible(redirected->address) || redirected->slot >= atcd::state::kClusterSlots))
    std::abort();
  const auto master = master_of(reply, from);
  if (master && !possible(*master)) std::abort();
}

void read_url(std::string_view text) {
  std::string error;
  const auto url = atcd::state::parse_redis_url(text, error);
  if (url.has_value() != error.empty()) std::abort();
  if (!url) return;
  if (url->addresses.empty()) std::abort();
  if (url->kind == atcd::state::RedisKind::single && url->addresses.size() != 1) std::abort();
  if ((url->kind == atcd::state::RedisKind::sentinel) == url->master.empty()) std::abort();
  for (const auto& address : url->addresses) {
    if (!address.path.empty()) continue;
    if (!possible(address)) std::abort();
    if (address.host.find('[') != std::string::npos) continue;  // no host has it
    const auto again = atcd::state::parse_redis_url("redis://" + address.text(), error);
    if (!again || again->addresses[0].host != address.host || again->addresses[0].port != address.port)
      std::abort();
  }
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
      look_for_places(reader.reply());
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  read_url(bytes);
  const std::string whole = replies(bytes, std::max<std::size_t>(1, bytes.size()));
  const std::string pieces = replies(bytes, data[0] % 16U + 1U);
  // A limit may end the pieces earlier or later than the whole; what both say before it is the same.
  const std::size_t common = std::min(whole.size(), pieces.size());
  if (whole.compare(0, common, pieces, 0, common) != 0) std::abort();
  return 0;
}
