#include "state/redis_places.hpp"

#include <charconv>

#include "state/key_slot.hpp"

namespace atcd::state {
namespace {

constexpr std::int64_t kHighestPort = 65535;

std::optional<std::int64_t> whole(std::string_view text, std::int64_t lowest, std::int64_t highest) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < lowest || value > highest)
    return std::nullopt;
  return value;
}

RedisAddress at(const RedisAddress& from, std::string_view host, std::int64_t port) {
  RedisAddress address = from;
  if (!host.empty()) address.host = host;
  address.port = static_cast<std::uint16_t>(port);
  return address;
}

}  // namespace

std::vector<SlotRange> slot_ranges(const Reply& reply, const RedisAddress& from) {
  std::vector<SlotRange> ranges;
  for (const Reply& range : reply.elements) {
    if (range.elements.size() < 3 || range.elements[2].elements.size() < 2) continue;
    const std::int64_t first = range.elements[0].integer;
    const std::int64_t last = range.elements[1].integer;
    const std::int64_t port = range.elements[2].elements[1].integer;
    const std::string_view host = range.elements[2].elements[0].text;
    if (first < 0 || first > last || last >= kClusterSlots || port < 1 || port > kHighestPort) continue;
    ranges.push_back({static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last),
                      at(from, host == "?" ? std::string_view() : host, port)});
    if (ranges.size() == kClusterSlots) break;
  }
  return ranges;
}

std::optional<Redirection> redirection_of(std::string_view error, const RedisAddress& from) {
  const bool moved = error.starts_with("MOVED ");
  if (!moved && !error.starts_with("ASK ")) return std::nullopt;
  const std::size_t space = error.rfind(' ');
  const std::size_t colon = error.rfind(':');  // an IPv6 address stands without brackets
  if (colon == std::string_view::npos || colon < space) return std::nullopt;
  const std::size_t before_slot = error.find(' ');
  if (before_slot == space) return std::nullopt;
  const auto slot = whole(error.substr(before_slot + 1, space - before_slot - 1), 0, kClusterSlots - 1);
  const auto port = whole(error.substr(colon + 1), 1, kHighestPort);
  if (!slot || !port) return std::nullopt;
  const std::string_view host = error.substr(space + 1, colon - space - 1);
  return Redirection{moved, static_cast<std::uint16_t>(*slot), at(from, host, *port)};
}

std::optional<RedisAddress> master_of(const Reply& reply, const RedisAddress& from) {
  if (reply.elements.size() != 2 || reply.elements[0].text.empty()) return std::nullopt;
  const auto port = whole(reply.elements[1].text, 1, kHighestPort);
  if (!port) return std::nullopt;
  return at(from, reply.elements[0].text, *port);
}

}  // namespace atcd::state
