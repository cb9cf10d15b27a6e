#pragma once

#include <cstdint>
#include <string_view>

namespace atcd::state {

inline constexpr std::uint16_t kClusterSlots = 16384;

/// The hash slot of a key in a Redis Cluster, 0 to 16,383: CRC16 (XMODEM) of what stands between the first {
/// and the next }, where that is not empty, else of the whole key (Redis Cluster specification).
std::uint16_t key_slot(std::string_view key);

}  // namespace atcd::state
