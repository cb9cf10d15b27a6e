#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/bar.hpp"
#include "state/mapped_file.hpp"

namespace atcd::state {

/// The engine of one published series after some bar.
struct SnapshotEntry {
  std::string_view series;  // exchange:market:symbol:interval:profile
  std::string_view config;  // configuration hash, 16 digits
  std::int64_t anchor_ordinal = 0;
  std::int64_t anchor_ms = 0;
  std::uint64_t corrections = 0;      // of its bars, up to then; History::corrections
  engine::Bar last_bar;               // the newest that the engine took
  std::span<const std::byte> engine;  // engine::Incremental::save
};

/// What a snapshot file begins with; its entries follow.
std::string snapshot_header(std::int64_t taken_ms);
void append_entry(std::string& bytes, const SnapshotEntry& entry);

/// Writes `<directory>/snapshot` anew: beside it, synced, renamed; the one before stays as snapshot.previous.
/// A sentence, or empty when all is well.
std::string write_snapshot(const std::string& directory, const std::vector<std::string>& pieces);

/// Reads the newest snapshot that is usable. A damaged file is renamed to snapshot.damaged-N; of its entries
/// those that are whole are given. One thread; entries are valid as long as this object.
class Snapshot {
 public:
  explicit Snapshot(const std::string& directory);

  std::optional<SnapshotEntry> find(std::string_view series) const;
  std::size_t size() const { return entries_.size(); }
  std::int64_t taken_ms() const { return taken_ms_; }
  /// What was damaged or of another version, a sentence each.
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  bool read(const std::string& path);
  void refuse(const std::string& path, const std::string& why, bool damaged);

  MappedFile file_;
  std::unordered_map<std::string_view, SnapshotEntry> entries_;
  std::vector<std::string> problems_;
  std::int64_t taken_ms_ = 0;
};

}  // namespace atcd::state
