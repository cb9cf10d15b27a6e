#include "state/snapshot.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "engine/incremental.hpp"
#include "state/history_files.hpp"

namespace atcd::state {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kSnapshotMagic = 0x53435441, kEntryMagic = 0x45435441;  // "ATCS", "ATCE"
constexpr std::uint32_t kSnapshotVersion = 2;
constexpr std::size_t kConfigDigits = 16;
constexpr std::int64_t kAlignment = 8;

struct FileHeader {
  std::uint32_t magic;
  std::uint32_t checksum;
  std::uint32_t version;
  std::uint32_t byte_order;
  std::uint32_t engine_version;
  std::uint32_t unused;
  std::int64_t taken_ms;
};
static_assert(sizeof(FileHeader) == 32);

/// Before the name and, at the next multiple of 8, the engine's bytes.
struct EntryHeader {
  std::uint32_t magic;
  std::uint32_t checksum;  // of the rest of the header and all that follows it
  std::uint32_t name_bytes;
  std::uint32_t engine_bytes;
  std::array<char, kConfigDigits> config;
  std::int64_t anchor_ordinal;
  std::int64_t anchor_ms;
  std::uint64_t corrections;
};
static_assert(sizeof(EntryHeader) == 56);

std::int64_t body_bytes(const EntryHeader& header) {
  return std::int64_t{sizeof(engine::Bar)} + padded(header.name_bytes) + padded(header.engine_bytes);
}

template <class Value>
Value value_at(std::span<const std::byte> bytes) {
  Value value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

void append_padded(std::string& bytes, const void* from, std::size_t count) {
  bytes.append(static_cast<const char*>(from), count);
  bytes.append(static_cast<std::size_t>(padded(static_cast<std::uint32_t>(count))) - count, '\0');
}

std::string failed(const std::string& path, const char* what) {
  return path + ": " + what + ": " + std::strerror(errno);
}

std::string write_fresh(const std::string& path, const std::vector<std::string>& pieces) {
  MappedFile file;
  if (!file.open(path, MappedFile::Access::write)) return file.error();
  std::int64_t at = 0;
  for (const std::string& piece : pieces) {
    if (!file.write(at, piece.data(), piece.size())) return file.error();
    at += static_cast<std::int64_t>(piece.size());
  }
  return file.sync() ? "" : file.error();
}

/// The names of a directory are on the disk too only once it is synced itself.
std::string sync_directory(const std::string& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return failed(directory, "opening it");
  const bool synced = ::fsync(descriptor) == 0;
  std::string error = synced ? "" : failed(directory, "bringing it to the disk");
  ::close(descriptor);
  return error;
}

}  // namespace

std::string snapshot_header(std::int64_t taken_ms) {
  FileHeader header{kSnapshotMagic, 0, kSnapshotVersion, kByteOrder, engine::Incremental::kSavedVersion, 0,
                    taken_ms};
  header.checksum = record_checksum(header);
  return {reinterpret_cast<const char*>(&header), sizeof header};
}

void append_entry(std::string& bytes, const SnapshotEntry& entry) {
  EntryHeader header{};
  header.magic = kEntryMagic;
  header.name_bytes = static_cast<std::uint32_t>(entry.series.size());
  header.engine_bytes = static_cast<std::uint32_t>(entry.engine.size());
  entry.config.copy(header.config.data(), header.config.size());
  header.anchor_ordinal = entry.anchor_ordinal;
  header.anchor_ms = entry.anchor_ms;
  header.corrections = entry.corrections;
  const std::size_t begin = bytes.size();
  bytes.append(sizeof header, '\0');
  bytes.append(reinterpret_cast<const char*>(&entry.last_bar), sizeof entry.last_bar);
  append_padded(bytes, entry.series.data(), entry.series.size());
  append_padded(bytes, entry.engine.data(), entry.engine.size());
  const std::size_t body = begin + sizeof header;
  header.checksum = checksum_of(bytes.data() + body, bytes.size() - body, record_checksum(header));
  std::memcpy(bytes.data() + begin, &header, sizeof header);
}

std::string write_snapshot(const std::string& directory, const std::vector<std::string>& pieces) {
  const std::string path = directory + "/snapshot", fresh = path + ".new", previous = path + ".previous";
  std::error_code error;
  fs::remove(fresh, error);
  if (std::string failure = write_fresh(fresh, pieces); !failure.empty()) {
    fs::remove(fresh, error);  // the room is the history's
    return failure;
  }
  if (::rename(path.c_str(), previous.c_str()) != 0 && errno != ENOENT) return failed(path, "renaming it");
  if (::rename(fresh.c_str(), path.c_str()) != 0) return failed(fresh, "renaming it");
  return sync_directory(directory);
}

Snapshot::Snapshot(const std::string& directory) {
  const std::string path = directory + "/snapshot";
  if (!read(path)) read(path + ".previous");
}

void Snapshot::refuse(const std::string& path, const std::string& why, bool damaged) {
  std::string sentence = path + ": " + why;
  if (damaged) {
    std::string aside;
    for (int number = 1; aside.empty() || fs::exists(aside); ++number) {
      aside = path + ".damaged-" + std::to_string(number);
    }
    std::error_code error;
    fs::rename(path, aside, error);
    sentence += error ? ", and could not be set aside: " + error.message() : ": it was set aside as " + aside;
  }
  problems_.push_back(sentence + "; what it lacks is computed from history");
}

bool Snapshot::read(const std::string& path) {
  std::error_code absent;
  if (!fs::exists(path, absent)) return false;
  if (!file_.open(path, MappedFile::Access::read)) return refuse(path, file_.error(), false), false;
  const auto bytes = file_.readable(0, static_cast<std::size_t>(file_.size()));
  if (bytes.size() < sizeof(FileHeader)) return refuse(path, "it is too short", true), false;
  const auto header = value_at<FileHeader>(bytes);
  if (header.magic != kSnapshotMagic || header.checksum != record_checksum(header)) {
    return refuse(path, "its first record is damaged, or no snapshot's", true), false;
  }
  const auto other = [&](const char* what, std::uint32_t theirs, std::uint32_t ours) {
    refuse(path, std::string(what) + " " + std::to_string(theirs) + " is not " + std::to_string(ours), false);
    return false;
  };
  if (header.byte_order != kByteOrder) return other("byte order", header.byte_order, kByteOrder);
  if (header.version != kSnapshotVersion) return other("version", header.version, kSnapshotVersion);
  if (header.engine_version != engine::Incremental::kSavedVersion) {
    return other("engine version", header.engine_version, engine::Incremental::kSavedVersion);
  }
  taken_ms_ = header.taken_ms;
  std::size_t at = sizeof header, skipped = 0;
  while (bytes.size() - at >= sizeof(EntryHeader)) {
    const auto entry = value_at<EntryHeader>(bytes.subspan(at));
    const auto body = bytes.subspan(at + sizeof entry);
    const bool whole = entry.magic == kEntryMagic &&
                       body_bytes(entry) <= static_cast<std::int64_t>(body.size()) &&
                       entry.checksum == checksum_of(body.data(), static_cast<std::size_t>(body_bytes(entry)),
                                                     record_checksum(entry));
    if (!whole) {
      at += kAlignment;
      skipped += kAlignment;
      continue;
    }
    const auto name = body.subspan(sizeof(engine::Bar));
    const auto engine = name.subspan(static_cast<std::size_t>(padded(entry.name_bytes)), entry.engine_bytes);
    const auto text = [](std::span<const std::byte> from, std::size_t count) {
      return std::string_view(reinterpret_cast<const char*>(from.data()), count);
    };
    SnapshotEntry found{text(name, entry.name_bytes),
                        text(bytes.subspan(at + offsetof(EntryHeader, config)), kConfigDigits),
                        entry.anchor_ordinal,
                        entry.anchor_ms,
                        entry.corrections,
                        value_at<engine::Bar>(body),
                        engine};
    entries_.insert_or_assign(found.series, found);
    at += sizeof entry + static_cast<std::size_t>(body_bytes(entry));
  }
  skipped += bytes.size() - at;
  if (skipped > 0) {
    refuse(path, std::to_string(skipped) + " of its " + std::to_string(bytes.size()) + " bytes are damaged",
           true);
  }
  return true;
}

std::optional<SnapshotEntry> Snapshot::find(std::string_view series) const {
  const auto found = entries_.find(series);
  if (found == entries_.end()) return std::nullopt;
  return found->second;
}

}  // namespace atcd::state
