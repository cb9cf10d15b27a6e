// Opening a history: what the files say, and what is done where they are torn or damaged.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include "engine/anchor.hpp"
#include "state/history.hpp"

namespace atcd::state {
namespace {

// In the order in which a reader asks for their sizes, beside a process that writes: a series' slot comes
// before its name, a block before its record, so that what is named is there.
constexpr std::array<const char*, 5> kFiles = {"names", "tails", "index", "blocks", "instruments"};
constexpr std::int64_t kRecordBytes = sizeof(IndexRecord);
constexpr int kTries = 5;
constexpr std::size_t kUnindexedAtOnce = 1024;

template <class Record>
Record record_at(std::span<const std::byte> bytes) {
  Record record;
  std::memcpy(&record, bytes.data(), sizeof record);
  return record;
}

bool is_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte == std::byte{0}; });
}

}  // namespace

History::History(const std::string& directory, Access access) : directory_(directory), access_(access) {
  if (access == Access::write) {
    std::error_code failure;
    std::filesystem::create_directories(directory, failure);
    if (failure) throw std::runtime_error(directory + ": can't be made: " + failure.message());
    lock_ = ::open((directory + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock_ < 0) throw std::runtime_error(directory + "/lock: " + std::strerror(errno));
    if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
      ::close(lock_);
      throw std::runtime_error(directory + ": another process writes here (it holds the file lock)");
    }
  }
  try {
    open_files(access);
  } catch (...) {
    if (lock_ >= 0) ::close(lock_);
    throw;
  }
}

History::History(const History& written)
    : directory_(written.directory_),
      access_(Access::read),
      series_(written.series_),
      by_name_(written.by_name_),
      index_end_(written.index_end_) {
  map_files();
}

History::~History() {
  if (lock_ >= 0) ::close(lock_);
}

void History::map_files() {
  const std::array<MappedFile*, kFiles.size()> files = {&names_, &tails_, &index_, &blocks_, &instruments_};
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string path = directory_ + "/" + kFiles[i];
    // A history that was never written to since there are instruments has none.
    const bool may_lack =
        files[i] == &instruments_ && access_ == Access::read && !std::filesystem::exists(path);
    if (!may_lack && !files[i]->open(path, access_)) throw std::runtime_error(files[i]->error());
    const bool small = files[i] == &names_ || files[i] == &index_;  // and of no use in part
    if (small && files[i]->size() > 0 &&
        files[i]->readable(0, static_cast<std::size_t>(files[i]->size())).empty()) {
      throw std::runtime_error(files[i]->error());
    }
  }
}

void History::open_files(Access access) {
  map_files();
  std::string why;
  if (!usable_header(why)) {
    if (access == Access::read) throw std::runtime_error(directory_ + ": " + why);
    set_aside(why);
    map_files();
  }
  if (names_.size() == 0) {
    if (access == Access::read) return;
    HistoryHeader header{kHistoryMagic, 0, kHistoryVersion, kByteOrder, {}};
    header.checksum = record_checksum(header);
    if (!names_.write(0, &header, sizeof header)) throw std::runtime_error(names_.error());
  }
  read_names();
  read_index();
  for (Entry& entry : series_) cut_out_damaged(entry);
  for (Series series = 0; series < series_.size(); ++series) read_tail(series);
}

/// An empty directory is one to begin in. Anything else must say that it is ours.
bool History::usable_header(std::string& why) {
  const auto bytes = names_.view(0, sizeof(HistoryHeader));
  if (bytes.empty()) {
    why = "names is too short to be a history's";
    return names_.size() == 0 && tails_.size() == 0 && blocks_.size() == 0;
  }
  const auto header = record_at<HistoryHeader>(bytes);
  if (header.magic != kHistoryMagic) {
    why = "names does not begin as a history's (or is of the other byte order)";
  } else if (header.checksum != record_checksum(header)) {
    why = "the first record of names is damaged";
  } else if (header.byte_order != kByteOrder) {
    why = "the byte order is another machine's";
  } else if (header.version != kHistoryVersion) {
    why = "version " + std::to_string(header.version) + " is not " + std::to_string(kHistoryVersion);
  }
  return why.empty();
}

void History::set_aside(const std::string& why) {
  std::string aside;
  for (int number = 1; aside.empty() || std::filesystem::exists(aside); ++number) {
    aside = directory_ + "/set-aside-" + std::to_string(number);
  }
  std::filesystem::create_directory(aside);
  for (const char* file : kFiles) std::filesystem::rename(directory_ + "/" + file, aside + "/" + file);
  problems_.push_back(directory_ + ": " + why + ": all files were moved to " + aside);
}

void History::read_names() {
  const std::int64_t count =
      (names_.size() - std::int64_t{sizeof(HistoryHeader)}) / std::int64_t{sizeof(NameRecord)};
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t at = std::int64_t{sizeof(HistoryHeader)} + i * std::int64_t{sizeof(NameRecord)};
    const auto record = record_at<NameRecord>(names_.view(at, sizeof(NameRecord)));
    Entry entry;
    const bool intact = record.magic == kNameMagic && record.checksum == record_checksum(record) &&
                        record.length > 0 && record.length <= kLongestName &&
                        record.hashed_length <= record.length;
    if (intact) entry.name.assign(record.name.data(), record.length);
    if (intact && by_name_.emplace(entry.name, static_cast<Series>(i)).second) {
      entry.hashed_length = record.hashed_length;
      const std::string_view name(entry.name);
      entry.name_hash =
          engine::fnv1a_64(entry.hashed_length == 0 ? name : name.substr(0, entry.hashed_length));
      entry.instrument = read_instrument(static_cast<Series>(i), entry.name_hash);
    } else {
      // Its number stays taken, so that the others keep theirs.
      entry.name.clear();
      problems_.push_back(directory_ + "/names: record " + std::to_string(i) +
                          " is damaged: the bars of that series are left out");
    }
    series_.push_back(std::move(entry));
  }
}

void History::read_index() {
  while (index_end_ + std::int64_t{sizeof(IndexRecord)} <= index_.size()) {
    const auto record = record_at<IndexRecord>(index_.view(index_end_, sizeof(IndexRecord)));
    const BlockHeader& header = record.header;
    const std::int64_t end = record.offset + std::int64_t{sizeof header} + padded(header.bytes);
    const bool intact = record.magic == kIndexMagic && record.checksum == record_checksum(record) &&
                        record.offset >= blocks_end_ && header.count >= 1 && header.count <= kBlockBars;
    if (!intact) {
      problems_.push_back(directory_ + "/index: the record at " + std::to_string(index_end_) +
                          " is damaged: the index was made anew from there on, from the blocks");
      break;  // those before it are whole: years of blocks would take longer than a start may
    }
    if (end > blocks_.size()) {
      problems_.push_back(directory_ + "/blocks: ends at " + std::to_string(blocks_.size()) +
                          ", within or before the block at " + std::to_string(record.offset));
      see_lost_blocks();
      break;
    }
    if (header.series < series_.size() && series_[header.series].name_hash == header.name_hash) {
      series_[header.series].blocks.push_back({record.offset, header.covered_from_ms, header.covered_to_ms,
                                               header.at_ms, header.bytes, header.count, header.kind});
    }
    blocks_end_ = end;
    index_end_ += std::int64_t{sizeof record};
  }
  scan_blocks(blocks_end_);
  if (access_ == Access::read) {
    index_end_ = index_.size() / kRecordBytes * kRecordBytes;
    return;
  }
  // What lies behind belongs to nothing: the next block is written over it.
  if (index_.size() > index_end_ && !index_.truncate(index_end_)) throw std::runtime_error(index_.error());
}

/// What the index has from here on is not there. Bars of it are a hole as it is; what was told of a bar that
/// is held counts as damaged.
void History::see_lost_blocks() {
  for (std::int64_t at = index_end_; at + kRecordBytes <= index_.size(); at += kRecordBytes) {
    const auto record = record_at<IndexRecord>(index_.view(at, sizeof(IndexRecord)));
    const BlockHeader& header = record.header;
    const bool intact = record.magic == kIndexMagic && record.checksum == record_checksum(record);
    const bool tells = header.kind == BlockKind::patch || header.kind == BlockKind::missing;
    if (!intact || !tells || header.series >= series_.size() ||
        series_[header.series].name_hash != header.name_hash) {
      continue;
    }
    series_[header.series].blocks.push_back({record.offset, header.covered_from_ms, header.covered_to_ms,
                                             header.at_ms, header.bytes, header.count, header.kind});
  }
}

/// Finds the blocks that the index does not have: those of a crash, or all.
void History::scan_blocks(std::int64_t from) {
  std::int64_t at = from;
  std::int64_t skipped = 0;  // before the last block that was found
  while (at + std::int64_t{sizeof(BlockHeader)} <= blocks_.size()) {
    const auto first = blocks_.readable(at, sizeof(BlockHeader));
    const auto header = first.empty() ? BlockHeader{} : record_at<BlockHeader>(first);
    const std::int64_t end = at + std::int64_t{sizeof header} + padded(header.bytes);
    bool intact = header.magic == kBlockMagic && header.count >= 1 && header.count <= kBlockBars &&
                  end <= blocks_.size();
    if (intact) {
      const auto bytes = blocks_.readable(at + std::int64_t{sizeof header}, header.bytes);
      intact = bytes.size() == header.bytes &&
               header.checksum == checksum_of(bytes.data(), bytes.size(), record_checksum(header));
    }
    if (!intact) {
      at += 8;
      continue;
    }
    skipped += at - std::exchange(blocks_end_, end);
    if (header.series < series_.size() && series_[header.series].name_hash == header.name_hash) {
      series_[header.series].blocks.push_back({at, header.covered_from_ms, header.covered_to_ms, header.at_ms,
                                               header.bytes, header.count, header.kind});
    }
    if (access_ == Access::write) {
      IndexRecord record{kIndexMagic, 0, at, header};
      record.checksum = record_checksum(record);
      unindexed_.push_back(record);
      // A start that takes too long is ended: the next one goes on from here.
      if (unindexed_.size() >= kUnindexedAtOnce) write_unindexed();
    }
    at = end;
  }
  write_unindexed();  // what a full disk refuses goes before the next block's
  // Few bytes at the end are a block whose writer died before it was whole: nobody was told that it is
  // written, and sealed bars are in their tail still.
  if (const std::int64_t rest = blocks_.size() - blocks_end_; rest > kLongestBlock) skipped += rest;
  if (skipped > 0) {
    problems_.push_back(directory_ + "/blocks: " + std::to_string(skipped) + " bytes from " +
                        std::to_string(from) + " on are no blocks and were passed over");
  }
}

bool History::write_unindexed() {
  for (; !unindexed_.empty(); unindexed_.pop_front()) {
    if (!index_.write(index_end_, &unindexed_.front(), sizeof(IndexRecord))) return false;
    index_end_ += std::int64_t{sizeof(IndexRecord)};
  }
  return true;
}

void History::read_tail(Series series) {
  std::string damage = read_slot(series);
  // A process that writes may be in the midst of it: what is damaged is so the next time too.
  for (int attempt = 1; access_ == Access::read && !damage.empty() && attempt < kTries; ++attempt)
    damage = read_slot(series);
  if (!damage.empty()) problems_.push_back(std::move(damage));
  drop_what_is_in_blocks(series_[series]);
}

/// What is damaged of it, a sentence; empty when all is well.
std::string History::read_slot(Series series) {
  Entry& entry = series_[series];
  entry.tail = {};
  entry.tail_bars = 0;
  entry.tail_covered_to_ms = 0;
  const std::int64_t slot = std::int64_t{series} * kSlotBytes;
  const auto bytes = tails_.readable(slot, kSlotBytes);
  if (entry.name.empty()) return {};
  const auto header = bytes.empty() ? TailHeader{} : record_at<TailHeader>(bytes);
  if (header.magic != kTailMagic || header.name_hash != entry.name_hash ||
      header.checksum != record_checksum(header)) {
    // Generations go on from a place that no row of the lost one can have reached by accident.
    entry.tail.generation = header.generation + 1;
    return directory_ + "/tails: the slot of " + entry.name + " is damaged: its newest bars are left out";
  }
  if (header.generation == 0) return {};  // as add() left it
  entry.tail = header;
  entry.tail_covered_to_ms = header.covered_from_ms;
  const auto checksums = bytes.subspan(kRowChecksums, kBlockBars * sizeof(std::uint32_t));
  const auto rows = bytes.subspan(kRows, kBlockBars * sizeof(engine::Bar));
  std::size_t row = 0;
  for (; row < kBlockBars; ++row) {
    const auto bar = record_at<engine::Bar>(rows.subspan(row * sizeof(engine::Bar)));
    const auto checksum = record_at<std::uint32_t>(checksums.subspan(row * sizeof(std::uint32_t)));
    if (checksum != row_checksum(header, row, bar) || bar.open_time_ms < entry.tail_covered_to_ms) break;
    entry.tail_covered_to_ms = bar.close_time_ms;
  }
  entry.tail_bars = row;
  for (std::size_t later = row + 1; later < kBlockBars; ++later) {
    const auto bytes_of_row = rows.subspan(later * sizeof(engine::Bar), sizeof(engine::Bar));
    const auto bar = record_at<engine::Bar>(bytes_of_row);
    const auto checksum = record_at<std::uint32_t>(checksums.subspan(later * sizeof(std::uint32_t)));
    // A row comes before its checksum: only one can be without. Rows of earlier generations have theirs.
    const bool nothing = checksum == 0 ? is_zero(bytes_of_row) : checksum != row_checksum(header, later, bar);
    if (nothing) continue;
    return directory_ + "/tails: row " + std::to_string(row) + " of " + entry.name +
           " is damaged: it and the bars after it are left out";
  }
  return {};
}

bool History::tail_unchanged(Series series) {
  if (access_ == Access::write) return true;
  // A tail that becomes a block, and a bar that is corrected, are in the index before the slot changes; the
  // header of a new tail is there before its first row.
  std::atomic_thread_fence(std::memory_order_acquire);
  see_new_blocks();
  const Entry& entry = series_[series];
  const auto bytes = tails_.view(std::int64_t{series} * kSlotBytes, sizeof(TailHeader));
  const bool same_tail = entry.tail.magic == 0 ||
                         (!bytes.empty() && std::memcmp(bytes.data(), &entry.tail, sizeof entry.tail) == 0);
  return same_tail && !entry.written_to;
}

void History::see_new_blocks() {
  if (!index_.grow()) {  // made anew, by a daemon that found it damaged
    for (Entry& entry : series_) entry.written_to = true;
    return;
  }
  for (; index_end_ + kRecordBytes <= index_.size(); index_end_ += kRecordBytes) {
    const auto record = record_at<IndexRecord>(index_.view(index_end_, sizeof(IndexRecord)));
    if (record.header.series < series_.size()) series_[record.header.series].written_to = true;
  }
}

/// Where a crash came between the block that a tail was written to and the new tail, both have the bars.
void History::drop_what_is_in_blocks(Entry& entry) {
  if (access_ == Access::read || entry.tail_bars == 0) return;
  const BlockPlace* twin = block_before(entry, entry.tail_covered_to_ms);
  if (twin == nullptr || twin->covered_from_ms != entry.tail.covered_from_ms) return;
  const std::string name = entry.name;
  if (!begin_tail(*find(name), twin->covered_to_ms)) throw std::runtime_error(error_);
}

}  // namespace atcd::state
