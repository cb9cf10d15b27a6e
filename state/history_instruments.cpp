// Which instrument a series' bars are the prices of, and what happens when the name becomes another's.
#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "engine/anchor.hpp"
#include "state/history.hpp"

namespace atcd::state {
namespace {

std::int64_t place_of(History::Series series) {
  return std::int64_t{series} * std::int64_t{sizeof(InstrumentRecord)};
}

/// False where the text is longer than its room.
template <std::size_t kRoom>
bool put(std::string_view text, std::array<char, kRoom>& room) {
  if (text.size() > kRoom) return false;
  std::copy(text.begin(), text.end(), room.begin());
  return true;
}

template <std::size_t kRoom>
std::string text_of(const std::array<char, kRoom>& room) {
  return {room.data(), static_cast<std::size_t>(std::find(room.begin(), room.end(), '\0') - room.begin())};
}

}  // namespace

bool History::write_instrument(Series series, std::uint64_t name_hash, const Instrument& instrument) {
  InstrumentRecord record{};
  record.magic = kInstrumentMagic;
  record.name_hash = name_hash;
  record.listed_ms = instrument.listed_ms;
  record.contract_size = std::bit_cast<std::uint64_t>(instrument.contract_size);
  record.delivery_ms = instrument.delivery_ms;
  record.replaced_ms = instrument.replaced_ms;
  if (!put(instrument.base, record.base) || !put(instrument.quote, record.quote) ||
      !put(instrument.settle, record.settle)) {
    // Only the list can tell such names then.
    record.base = {};
    record.quote = {};
    record.settle = {};
  }
  record.checksum = record_checksum(record);
  return instruments_.write(place_of(series), &record, sizeof record) || fail(instruments_);
}

/// What was damaged, or never written, is not known: the list is believed the next time.
std::optional<Instrument> History::read_instrument(Series series, std::uint64_t name_hash) {
  const auto bytes = instruments_.view(place_of(series), sizeof(InstrumentRecord));
  if (bytes.empty()) return std::nullopt;
  InstrumentRecord record;
  std::memcpy(&record, bytes.data(), sizeof record);
  const bool intact = record.magic == kInstrumentMagic && record.checksum == record_checksum(record);
  const bool written =
      std::any_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte != std::byte{0}; });
  if (!intact && written) {
    problems_.push_back(directory_ + "/instruments: the record at " + std::to_string(place_of(series)) +
                        " is damaged: what the exchange's list told of that series is taken from it anew");
  }
  // One of another name was written for a series that was not begun.
  if (!intact || record.name_hash != name_hash) return std::nullopt;
  return Instrument{text_of(record.base), text_of(record.quote), text_of(record.settle),
                    record.delivery_ms,   record.listed_ms,      std::bit_cast<double>(record.contract_size),
                    record.replaced_ms};
}

bool History::set_instrument(Series series, const Instrument& instrument) {
  Entry& entry = series_[series];
  if (entry.instrument == instrument) return true;
  if (!write_instrument(series, entry.name_hash, instrument)) return false;
  entry.instrument = instrument;
  return true;
}

/// Of what can't be read any more, or may have been written over, it is not known when its first bar closed.
std::optional<std::int64_t> History::first_close_ms(Series series) {
  const Entry& entry = series_[series];
  std::optional<std::int64_t> first_ms;
  const auto first = std::min_element(
      entry.blocks.begin(), entry.blocks.end(), [](const BlockPlace& a, const BlockPlace& b) {
        const bool a_bars = a.kind == BlockKind::bars, b_bars = b.kind == BlockKind::bars;
        return a_bars != b_bars ? a_bars : a.covered_from_ms < b.covered_from_ms;
      });
  if (first != entry.blocks.end() && first->kind == BlockKind::bars) {
    std::vector<engine::Bar> bars;
    first_ms = read_block(*first, bars) && !bars.empty() ? bars[0].close_time_ms : first->covered_from_ms;
  }
  const auto rows = tail(series);
  if (rows.empty()) return first_ms;
  const std::int64_t tail_ms = tail_unchanged(series) ? rows[0].close_time_ms : entry.tail.covered_from_ms;
  return first_ms ? std::min(*first_ms, tail_ms) : tail_ms;
}

/// The instrument first: a process that dies on the way finds it when it adds the series again.
std::optional<History::Series> History::begin_anew(const std::string& name, const Instrument& instrument,
                                                   std::int64_t at_ms) {
  const auto next = static_cast<Series>(series_.size());
  if (!write_instrument(next, engine::fnv1a_64(name), instrument)) return std::nullopt;
  if (const auto old = find(name)) {
    std::string aside;
    do {
      aside = name + "@set-aside-" + std::to_string(at_ms++);
    } while (by_name_.contains(aside));
    if (!rename(*old, aside)) return std::nullopt;
  }
  return add(name);
}

/// Blocks and tail keep the hash of the name that they were written under.
bool History::rename(Series series, const std::string& name) {
  Entry& entry = series_[series];
  if (name.size() > kLongestName) {
    error_ = "the series " + entry.name + " can't be set aside: " + name + " is longer than " +
             std::to_string(kLongestName);
    return false;
  }
  const std::size_t hashed = entry.hashed_length == 0 ? entry.name.size() : entry.hashed_length;
  if (!write_name(series, name, hashed)) return false;
  entry.hashed_length = hashed;
  by_name_.erase(entry.name);
  by_name_.emplace(name, series);
  entry.name = name;
  return true;
}

}  // namespace atcd::state
