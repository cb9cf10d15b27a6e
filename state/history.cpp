#include "state/history.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "engine/anchor.hpp"

namespace atcd::state {
namespace {

std::uint64_t hash_of(std::string_view name) { return engine::fnv1a_64(name); }

template <class Record>
Record record_at(std::span<const std::byte> bytes) {
  Record record;
  std::memcpy(&record, bytes.data(), sizeof record);
  return record;
}

std::int64_t block_bytes(const BlockPlace& place) {
  return static_cast<std::int64_t>(sizeof(BlockHeader)) + padded(place.bytes);
}

BlockPlace place_of(std::int64_t offset, const BlockHeader& header) {
  return {offset,       header.covered_from_ms, header.covered_to_ms, header.at_ms,
          header.bytes, header.count,           header.kind};
}

std::uint32_t block_checksum(const BlockHeader& header, std::span<const std::byte> bytes) {
  return checksum_of(bytes.data(), bytes.size(), record_checksum(header));
}

std::int64_t slot_at(History::Series series) { return std::int64_t{series} * kSlotBytes; }

/// Takes from `bars` those that open between the boundaries and appends them to `out`, newest first.
void prepend_reversed(std::span<const engine::Bar> bars, std::int64_t from_ms, std::int64_t boundary_ms,
                      std::vector<engine::Bar>& out) {
  for (std::size_t i = bars.size(); i-- > 0;) {
    if (bars[i].open_time_ms >= from_ms && bars[i].open_time_ms < boundary_ms) out.push_back(bars[i]);
  }
}

}  // namespace

std::optional<History::Series> History::find(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  if (found == by_name_.end()) return std::nullopt;
  return found->second;
}

std::vector<std::string> History::names() const {
  std::vector<std::string> names;
  for (const Entry& entry : series_) {
    if (!entry.name.empty()) names.push_back(entry.name);
  }
  return names;
}

bool History::fail(const MappedFile& file) {
  error_ = file.error();
  return false;
}

// ---- reading

bool History::read_block(const BlockPlace& place, std::vector<engine::Bar>& bars) {
  bars.resize(place.count);
  const auto all = blocks_.readable(place.offset, static_cast<std::size_t>(block_bytes(place)));
  if (!all.empty()) {
    const auto header = record_at<BlockHeader>(all);
    const auto bytes = all.subspan(sizeof header, place.bytes);
    const bool intact = header.magic == kBlockMagic && header.bytes == place.bytes &&
                        header.count == place.count && header.checksum == block_checksum(header, bytes);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (intact && decode_bars(text, bars)) return true;
  }
  problems_.push_back(directory_ + "/blocks: the block at " + std::to_string(place.offset) +
                      " is damaged: its " + std::to_string(place.count) + " bars are left out");
  bars.clear();
  return false;
}

/// The block, of those written last, that holds what lies just before the boundary.
const BlockPlace* History::block_before(const Entry& entry, std::int64_t boundary_ms) const {
  for (auto at = entry.blocks.rbegin(); at != entry.blocks.rend(); ++at) {
    const bool holds = at->covered_from_ms < boundary_ms && boundary_ms <= at->covered_to_ms;
    if (at->kind == BlockKind::bars && holds) return &*at;
  }
  return nullptr;
}

std::span<const engine::Bar> History::tail(Series series) {
  const Entry& entry = series_[series];
  const auto rows = tails_.view(slot_at(series) + kRows, entry.tail_bars * sizeof(engine::Bar));
  // The rows were written as bars and are aligned as bars.
  return {reinterpret_cast<const engine::Bar*>(rows.data()), rows.empty() ? 0 : entry.tail_bars};
}

StoredBars History::newest(Series series, std::int64_t from_ms) {
  const Entry& entry = series_[series];
  StoredBars stored;
  const auto rows = tail(series);
  stored.covered_from_ms = entry.tail.covered_from_ms;
  stored.covered_to_ms = entry.tail_covered_to_ms;
  if (entry.tail.magic == 0) {  // damaged, or never begun
    stored.covered_to_ms = newest_in_blocks(series).to_ms;
    stored.covered_from_ms = stored.covered_to_ms;
  }
  if (from_ms >= stored.covered_from_ms) {
    stored.bars.assign(rows.begin(), rows.end());
    return stored;
  }
  std::vector<engine::Bar> backward(rows.rbegin(), rows.rend());
  reach_back(entry, from_ms, backward, stored);
  return stored;
}

StoredBars History::latest(Series series, std::size_t most) {
  const Entry& entry = series_[series];
  const auto rows = tail(series);
  if (rows.size() <= most) return newest(series, std::numeric_limits<std::int64_t>::max());
  const auto last = rows.last(most);
  return {{last.begin(), last.end()}, rows[rows.size() - most - 1].close_time_ms, entry.tail_covered_to_ms};
}

StoredBars History::newest_before(Series series, std::int64_t boundary_ms, std::int64_t from_ms) {
  const Entry& entry = series_[series];
  StoredBars stored{{}, boundary_ms, boundary_ms};
  std::vector<engine::Bar> backward;
  if (entry.tail.covered_from_ms < boundary_ms && boundary_ms <= entry.tail_covered_to_ms) {
    prepend_reversed(tail(series), entry.tail.covered_from_ms, boundary_ms, backward);
    stored.covered_from_ms = entry.tail.covered_from_ms;
  }
  reach_back(entry, from_ms, backward, stored);
  return stored;
}

/// Block by block from stored.covered_from_ms back; `backward` has the bars from there on, newest first.
void History::reach_back(const Entry& entry, std::int64_t from_ms, std::vector<engine::Bar>& backward,
                         StoredBars& stored) {
  std::vector<engine::Bar> block;
  while (stored.covered_from_ms > from_ms) {
    const BlockPlace* place = block_before(entry, stored.covered_from_ms);
    if (place == nullptr || !read_block(*place, block)) break;
    prepend_reversed(block, place->covered_from_ms, stored.covered_from_ms, backward);
    stored.covered_from_ms = place->covered_from_ms;
  }
  stored.bars.assign(backward.rbegin(), backward.rend());
  patch(entry, stored);
}

Stretch History::newest_in_blocks(Series series) const {
  const Entry& entry = series_[series];
  Stretch held;
  for (const BlockPlace& place : entry.blocks) {
    if (place.kind == BlockKind::bars) held.to_ms = std::max(held.to_ms, place.covered_to_ms);
  }
  held.from_ms = held.to_ms;
  while (const BlockPlace* place = block_before(entry, held.from_ms)) held.from_ms = place->covered_from_ms;
  return held;
}

bool History::read_all(Series series, std::int64_t from_ms,
                       const std::function<void(const StoredBars&)>& take) {
  const Entry& entry = series_[series];
  const auto rows = tail(series);  // copied first of all: another process may write others over them
  const std::vector<engine::Bar> tail_rows(rows.begin(), rows.end());
  if (!tail_unchanged(series)) return false;
  std::vector<BlockPlace> places;
  for (const BlockPlace& place : entry.blocks) {
    if (place.kind == BlockKind::bars && place.covered_to_ms > from_ms) places.push_back(place);
  }
  std::stable_sort(places.begin(), places.end(), [](const BlockPlace& a, const BlockPlace& b) {
    return a.covered_from_ms < b.covered_from_ms;
  });
  std::int64_t told_to_ms = 0;
  std::vector<engine::Bar> block;
  const auto tell = [&](std::span<const engine::Bar> bars, std::int64_t begin_ms, std::int64_t to_ms) {
    if (to_ms <= told_to_ms) return;
    StoredBars stored{{}, std::max(begin_ms, told_to_ms), to_ms};
    for (const engine::Bar& bar : bars) {
      const bool here = bar.open_time_ms >= stored.covered_from_ms && bar.open_time_ms < to_ms;
      if (here) stored.bars.push_back(bar);
    }
    patch(entry, stored);
    told_to_ms = to_ms;
    take(stored);
  };
  for (const BlockPlace& place : places) {
    if (read_block(place, block)) tell(block, place.covered_from_ms, place.covered_to_ms);
  }
  if (!tail_rows.empty()) tell(tail_rows, entry.tail.covered_from_ms, entry.tail_covered_to_ms);
  return true;
}

std::vector<LateBar> History::late(Series series) {
  std::vector<LateBar> found;
  std::vector<engine::Bar> bars;
  for (const BlockPlace& place : series_[series].blocks) {
    if (place.kind == BlockKind::late && read_block(place, bars)) found.push_back({bars[0], place.at_ms});
  }
  return found;
}

void History::read_superseded(Series series,
                              const std::function<void(const engine::Bar&, std::int64_t)>& take) {
  std::vector<engine::Bar> bars;
  for (const BlockPlace& place : series_[series].blocks) {
    if (place.kind == BlockKind::superseded && read_block(place, bars)) take(bars[0], place.at_ms);
  }
}

// ---- writing

std::optional<History::Series> History::add(const std::string& name) {
  if (const auto found = find(name)) return found;
  if (name.empty() || name.size() > kLongestName) {
    error_ = "the series name \"" + name + "\" has " + std::to_string(name.size()) +
             " bytes, allowed are 1 to " + std::to_string(kLongestName);
    return std::nullopt;
  }
  const auto series = static_cast<Series>(series_.size());
  // The slot first: what a full disk refuses shall leave no name without one. Its header tells a series that
  // has no bars yet from one that has lost them.
  TailHeader empty{};
  empty.magic = kTailMagic;
  empty.name_hash = hash_of(name);
  empty.checksum = record_checksum(empty);
  if (!tails_.allocate(slot_at(series + 1)) || !tails_.write(slot_at(series), &empty, sizeof empty)) {
    return fail(tails_), std::nullopt;
  }
  if (!write_name(series, name, 0)) return std::nullopt;
  Entry entry;
  entry.name = name;
  entry.name_hash = hash_of(name);
  entry.instrument = read_instrument(series, entry.name_hash);
  series_.push_back(std::move(entry));
  by_name_.emplace(name, series);
  return series;
}

bool History::write_name(Series series, const std::string& name, std::size_t hashed_length) {
  NameRecord record{};
  record.magic = kNameMagic;
  record.length = static_cast<std::uint32_t>(name.size());
  record.hashed_length = static_cast<std::uint32_t>(hashed_length);
  std::copy(name.begin(), name.end(), record.name.begin());
  record.checksum = record_checksum(record);
  const auto at = static_cast<std::int64_t>(sizeof(HistoryHeader) + series * sizeof record);
  return names_.write(at, &record, sizeof record) || fail(names_);
}

bool History::write_block(Series series, BlockKind kind, std::span<const engine::Bar> bars,
                          std::int64_t covered_from_ms, std::int64_t covered_to_ms, std::int64_t at_ms) {
  Entry& entry = series_[series];
  bytes_.assign(sizeof(BlockHeader), '\0');
  encode_bars(bars, bytes_);
  BlockHeader header{};
  header.magic = kBlockMagic;
  header.name_hash = entry.name_hash;
  header.series = series;
  header.count = static_cast<std::uint16_t>(bars.size());
  header.kind = kind;
  header.bytes = static_cast<std::uint32_t>(bytes_.size() - sizeof header);
  header.covered_from_ms = covered_from_ms;
  header.covered_to_ms = covered_to_ms;
  header.at_ms = at_ms;
  header.checksum = block_checksum(header, std::as_bytes(std::span(bytes_)).subspan(sizeof header));
  std::memcpy(bytes_.data(), &header, sizeof header);
  bytes_.resize(sizeof header + static_cast<std::size_t>(padded(header.bytes)), '\0');

  IndexRecord record{kIndexMagic, 0, blocks_end_, header};
  record.checksum = record_checksum(record);
  if (!blocks_.write(blocks_end_, bytes_.data(), bytes_.size())) return fail(blocks_);
  if (!write_unindexed() || !index_.write(index_end_, &record, sizeof record)) return fail(index_);
  entry.blocks.push_back(place_of(blocks_end_, header));
  blocks_end_ += static_cast<std::int64_t>(bytes_.size());
  index_end_ += static_cast<std::int64_t>(sizeof record);
  return true;
}

bool History::begin_tail(Series series, std::int64_t covered_from_ms) {
  Entry& entry = series_[series];
  TailHeader header{};
  header.magic = kTailMagic;
  header.name_hash = entry.name_hash;
  header.generation = entry.tail.generation + 1;
  header.covered_from_ms = covered_from_ms;
  header.checksum = record_checksum(header);
  if (!tails_.write(slot_at(series), &header, sizeof header)) return fail(tails_);
  entry.tail = header;
  entry.tail_bars = 0;
  entry.tail_covered_to_ms = covered_from_ms;
  return true;
}

bool History::seal_tail(Series series) {
  const Entry& entry = series_[series];
  const auto rows = tail(series);
  if (rows.empty()) return true;
  const std::int64_t end_ms = entry.tail_covered_to_ms;
  // A crash between the two leaves the bars in both places: drop_what_is_in_blocks().
  return write_block(series, BlockKind::bars, rows, entry.tail.covered_from_ms, end_ms, 0) &&
         begin_tail(series, end_ms);
}

bool History::write_row(Series series, std::size_t row, const engine::Bar& bar) {
  const std::uint32_t checksum = row_checksum(series_[series].tail, row, bar);
  const auto number = static_cast<std::int64_t>(row);
  const std::int64_t slot = slot_at(series);
  return (tails_.write(slot + kRows + number * std::int64_t{sizeof bar}, &bar, sizeof bar) &&
          tails_.write(slot + kRowChecksums + number * std::int64_t{sizeof checksum}, &checksum,
                       sizeof checksum)) ||
         fail(tails_);
}

bool History::append(Series series, const engine::Bar& bar, std::int64_t covered_from_ms) {
  Entry& entry = series_[series];
  const bool first = entry.tail.magic == 0;
  if (!first && bar.open_time_ms < entry.tail_covered_to_ms) return true;  // it is held already
  if (first || covered_from_ms > entry.tail_covered_to_ms) {
    if (!first && !seal_tail(series)) return false;
    if (!begin_tail(series, covered_from_ms)) return false;
  }
  if (entry.tail_bars == kBlockBars && !seal_tail(series)) return false;
  if (!write_row(series, entry.tail_bars, bar)) return false;
  ++entry.tail_bars;
  entry.tail_covered_to_ms = bar.close_time_ms;
  return true;
}

bool History::insert(Series series, std::span<const engine::Bar> bars, std::int64_t covered_from_ms,
                     std::int64_t covered_to_ms) {
  while (!bars.empty()) {
    const auto now = bars.first(std::min(bars.size(), kBlockBars));
    bars = bars.subspan(now.size());
    const std::int64_t to_ms = bars.empty() ? covered_to_ms : now.back().close_time_ms;
    if (!write_block(series, BlockKind::bars, now, covered_from_ms, to_ms, 0)) return false;
    covered_from_ms = to_ms;
  }
  return true;
}

bool History::keep_late(Series series, const LateBar& late) {
  return write_block(series, BlockKind::late, {&late.bar, 1}, late.bar.open_time_ms, late.bar.close_time_ms,
                     late.after_ms);
}

bool History::keep_superseded(Series series, const engine::Bar& bar, std::int64_t at_ms) {
  return write_block(series, BlockKind::superseded, {&bar, 1}, bar.open_time_ms, bar.close_time_ms, at_ms);
}

bool History::correct(Series series, const engine::Bar& bar, std::int64_t at_ms) {
  const auto same_open = [&bar](const engine::Bar& held) { return held.open_time_ms == bar.open_time_ms; };
  const auto rows = tail(series);
  if (const auto at = std::find_if(rows.begin(), rows.end(), same_open); at != rows.end()) {
    if (*at == bar) return true;
    if (at + 1 == rows.end())
      return keep_superseded(series, *at, at_ms) && write_row(series, rows.size() - 1, bar);
    // Not written over: half way there it would be damaged, and with it those behind it.
    if (!seal_tail(series)) return false;
  }
  const BlockPlace* place = block_before(series_[series], bar.close_time_ms);
  StoredBars stored;
  if (place == nullptr || !read_block(*place, stored.bars)) return true;
  stored.covered_from_ms = place->covered_from_ms;
  stored.covered_to_ms = place->covered_to_ms;
  patch(series_[series], stored);
  const auto at = std::find_if(stored.bars.begin(), stored.bars.end(), same_open);
  if (at == stored.bars.end() || *at == bar) return true;
  return keep_superseded(series, *at, at_ms) &&
         write_block(series, BlockKind::patch, {&bar, 1}, bar.open_time_ms, bar.close_time_ms, at_ms);
}

bool History::sync() {
  for (MappedFile* file : {&blocks_, &index_, &tails_, &instruments_, &names_}) {
    if (!file->sync()) return fail(*file);
  }
  return true;
}

}  // namespace atcd::state
