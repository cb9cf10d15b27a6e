#pragma once

#define XXH_INLINE_ALL  // most of what is hashed is shorter than a call
#include <xxhash.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "engine/bar.hpp"
#include "state/bar_codec.hpp"

/// The bytes of the history's files (state/history.hpp). All little-endian; every record begins with a magic
/// number and the checksum of what follows that.
namespace atcd::state {

inline constexpr std::uint32_t kHistoryVersion = 2;
inline constexpr std::uint32_t kByteOrder = 0x01020304;
inline constexpr std::uint32_t kHistoryMagic = 0x48435441, kNameMagic = 0x4e435441, kTailMagic = 0x54435441,
                               kBlockMagic = 0x42435441, kIndexMagic = 0x49435441,
                               kInstrumentMagic = 0x53435441;  // "ATCH", "ATCN", ...

inline constexpr std::size_t kLongestName = 240;
/// Of a name that gets "@set-aside-" and a time behind it.
inline constexpr std::size_t kLongestToSetAside = kLongestName - 31;

/// The first record of `names`.
struct HistoryHeader {
  std::uint32_t magic;
  std::uint32_t checksum;
  std::uint32_t version;
  std::uint32_t byte_order;
  std::array<char, 240> unused;
};

struct NameRecord {
  std::uint32_t magic;
  std::uint32_t checksum;
  std::uint32_t length;
  // So much of the name is hashed in the tail and the blocks: what it was before it was set aside. 0: all.
  std::uint32_t hashed_length;
  std::array<char, kLongestName> name;
};
static_assert(sizeof(HistoryHeader) == sizeof(NameRecord));

/// The head of a slot of `tails`; behind it the rows' checksums, then the rows.
struct TailHeader {
  std::uint32_t magic;
  std::uint32_t checksum;
  std::uint64_t name_hash;
  std::uint32_t generation;  // rows of an earlier one fail their checksum; 0: no bar was ever here
  std::uint32_t unused;
  std::int64_t covered_from_ms;
  std::array<char, 32> unused_too;
};
static_assert(sizeof(TailHeader) == 64);

inline constexpr std::int64_t kSlotBytes = 32768;
inline constexpr std::int64_t kRowChecksums = sizeof(TailHeader);
inline constexpr std::int64_t kRows = kRowChecksums + std::int64_t{kBlockBars} * 4;
static_assert(kRows % 64 == 0 && kRows + std::int64_t{kBlockBars} * 56 <= kSlotBytes);

enum class BlockKind : std::uint16_t {
  bars,
  superseded,  // one bar as it was before it was corrected
  patch,       // one bar in the place of that of a block written before
  late,        // one bar as the exchange told it when it had been used already; at_ms: LateBar::after_ms
  missing,     // one bar that blocks written before lack
};

/// Before the bytes of a block, which encode_bars made; they are padded to a multiple of 8.
struct BlockHeader {
  std::uint32_t magic;
  std::uint32_t checksum;  // of what follows in the header, and of the bytes
  std::uint64_t name_hash;
  std::uint32_t series;
  std::uint16_t count;
  BlockKind kind;
  std::uint32_t bytes;
  std::uint32_t unused;
  std::int64_t covered_from_ms;
  std::int64_t covered_to_ms;
  std::int64_t at_ms;
  std::int64_t unused_too;
};
static_assert(sizeof(BlockHeader) == 64);
/// No block takes more bytes: what does not compress is kept as it is.
inline constexpr std::int64_t kLongestBlock = sizeof(BlockHeader) + 2 * kBlockBars * sizeof(engine::Bar);

/// A record of `index`.
struct IndexRecord {
  std::uint32_t magic;
  std::uint32_t checksum;
  std::int64_t offset;
  BlockHeader header;
};
static_assert(sizeof(IndexRecord) == 80);

/// A record of `instruments`, at the place of the series' number.
struct InstrumentRecord {
  std::uint32_t magic;
  std::uint32_t checksum;
  std::uint64_t name_hash;
  std::int64_t listed_ms;
  std::uint64_t contract_size;  // the bits of a double
  std::int64_t delivery_ms;
  std::int64_t replaced_ms;
  std::array<char, 32> base;  // to the first zero
  std::array<char, 24> quote;
  std::array<char, 24> settle;
};
static_assert(sizeof(InstrumentRecord) == 128);

/// Where a block lies.
struct BlockPlace {
  std::int64_t offset;
  std::int64_t covered_from_ms;
  std::int64_t covered_to_ms;
  std::int64_t at_ms;
  std::uint32_t bytes;
  std::uint16_t count;
  BlockKind kind;
};

inline std::int64_t padded(std::uint32_t bytes) { return (std::int64_t{bytes} + 7) / 8 * 8; }

/// The low half of XXH3: a start hashes all tails and the whole snapshot, several hundred MB with thousands
/// of series, where a CRC would take most of the time.
inline std::uint32_t checksum_of(const void* bytes, std::size_t count, std::uint64_t seed = 0) {
  return static_cast<std::uint32_t>(XXH3_64bits_withSeed(bytes, count, seed));
}

/// Of a record: everything behind its magic number and checksum.
template <class Record>
std::uint32_t record_checksum(const Record& record) {
  static_assert(std::is_trivially_copyable_v<Record> && std::has_unique_object_representations_v<Record>);
  return checksum_of(reinterpret_cast<const char*>(&record) + 8, sizeof record - 8);
}

/// Of a row of a tail: a row of another series, place or generation is none.
inline std::uint32_t row_checksum(const TailHeader& header, std::size_t row, const engine::Bar& bar) {
  const std::uint64_t place = (std::uint64_t{header.generation} << 32) | row;
  // An odd factor: no two places of a series have the same seed.
  return checksum_of(&bar, sizeof bar, header.name_hash ^ (place * 0x9e3779b97f4a7c15U));
}

}  // namespace atcd::state
