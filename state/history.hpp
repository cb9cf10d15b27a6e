#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/bar.hpp"
#include "state/history_files.hpp"
#include "state/instrument.hpp"
#include "state/mapped_file.hpp"

namespace atcd::state {

/// Closed bars without a hole: every slot from covered_from_ms to covered_to_ms (exclusive) has its bar here
/// or has none at the exchange.
struct StoredBars {
  std::vector<engine::Bar> bars;
  std::int64_t covered_from_ms = 0;
  std::int64_t covered_to_ms = 0;
};

/// From one boundary to another (exclusive); equal: nothing.
struct Stretch {
  std::int64_t from_ms = 0;
  std::int64_t to_ms = 0;
};

/// Another telling of a bar that had been used already. It holds for runs whose first published bar opens at
/// after_ms or later (design, section 4: it enters with the next anchor).
struct LateBar {
  engine::Bar bar;
  std::int64_t after_ms = 0;

  bool operator==(const LateBar&) const = default;
};

/// The closed bars of all series of one daemon, in one directory (design, section 6):
///   names   a record per series; its place is the series' number
///   tails   a slot per series: its newest bars as they are, each with a checksum
///   blocks  older bars, compressed, in checksummed blocks of up to kBlockBars; bars that were corrected
///   index   where each block lies; made anew from the blocks where it is damaged or behind
///   instruments  of what each series' bars are the prices
/// Few files, so that a start maps five of them however many series there are, and a commit syncs as few.
/// Whatever was torn or damaged costs the bars that it held: it is left out, and problems() says so. Where
/// that is what a bar was corrected to, the bar as it was before is left out too. Blocks are written in order
/// and never changed. A bar that was corrected stays as a superseded one. One thread.
class History {
 public:
  using Access = MappedFile::Access;
  using Series = std::uint32_t;

  /// Throws std::runtime_error with a sentence where the directory can't be used, or, for writing, where
  /// another process writes there.
  History(const std::string& directory, Access access);
  /// What `written` holds at this moment, to be read while that goes on being written by another thread.
  /// Blocks are never changed; a tail may be read until its series is written to. Throws as above.
  explicit History(const History& written);
  ~History();
  History& operator=(const History&) = delete;

  std::optional<Series> find(std::string_view name) const;
  /// Finds or adds; empty when the disk does not take it (error()) or the name is longer than kLongestName.
  std::optional<Series> add(const std::string& name);
  /// The names of all series, in the order of their numbers.
  std::vector<std::string> names() const;

  /// The newest bars of the series that have no hole between them, back to the slot that holds from_ms or
  /// further (whole blocks), or to the newest hole. Equal boundaries: nothing is known.
  StoredBars newest(Series series, std::int64_t from_ms);
  /// The newest bars of the tail, at most so many; where there are none, as newest().
  StoredBars latest(Series series, std::size_t most);
  /// As newest(), but of what lies before a boundary that is held.
  StoredBars newest_before(Series series, std::int64_t boundary_ms, std::int64_t from_ms);
  /// The newest slots without a hole that blocks hold: what newest_before() reads of them it reads from
  /// blocks alone, whatever the series' tail has become since. Reads no block itself.
  Stretch newest_in_blocks(Series series) const;
  /// No bar that is held closed before this time; empty: none is held.
  std::optional<std::int64_t> first_close_ms(Series series);
  /// How many bars were ever corrected, or added between others.
  std::uint64_t corrections(Series series) const;
  /// The bars of the tail where they lie, without a copy; valid until the next change.
  std::span<const engine::Bar> tail(Series series);
  /// For a reader beside a process that writes: false where what was read of the series since this was opened
  /// may not be what there was at one moment, because its tail has become a block and begun anew, or a bar
  /// was corrected. It stays false: open another (state/live_history.hpp).
  bool tail_unchanged(Series series);
  /// All that is held from from_ms on (from the block that holds it), oldest first, block by block: memory
  /// does not grow with the history. A jump of covered_from_ms from one call to the next is a hole. False,
  /// and nothing is given, where the tail is not unchanged.
  bool read_all(Series series, std::int64_t from_ms, const std::function<void(const StoredBars&)>& take);
  /// Bars that were corrected, as they were before, with the time at which that was noticed.
  void read_superseded(Series series,
                       const std::function<void(const engine::Bar&, std::int64_t at_ms)>& take);

  /// What the exchange told of bars that had been used already, in the order in which it did.
  std::vector<LateBar> late(Series series);

  /// The next bar of the series. `covered_from_ms`: the boundary from which on no other bar exists. Where
  /// that is not the end of what is held a hole begins. False: error().
  bool append(Series series, const engine::Bar& bar, std::int64_t covered_from_ms);
  /// Older bars, in order, every one between the two boundaries.
  bool insert(Series series, std::span<const engine::Bar> bars, std::int64_t covered_from_ms,
              std::int64_t covered_to_ms);
  /// Other content for a bar that is there; the one that was is kept as superseded.
  bool correct(Series series, const engine::Bar& bar, std::int64_t at_ms);
  /// A bar between those that are held, of which it was thought that it does not exist. Counts as a
  /// correction.
  bool add_missing(Series series, const engine::Bar& bar, std::int64_t at_ms);
  /// A bar as it was before it was corrected at at_ms.
  bool keep_superseded(Series series, const engine::Bar& bar, std::int64_t at_ms);
  /// Beside the bar that is there.
  bool keep_late(Series series, const LateBar& late);
  /// Empty where it is not known.
  const std::optional<Instrument>& instrument(Series series) const { return series_[series].instrument; }
  bool set_instrument(Series series, const Instrument& instrument);
  /// The name is another instrument's now: what is held under it is kept under NAME@set-aside-<at_ms>, and a
  /// new series begins under the name. Empty where it failed (error()); may be called again then.
  std::optional<Series> begin_anew(const std::string& name, const Instrument& instrument, std::int64_t at_ms);

  /// Brings all that was written to the disk.
  bool sync();

  /// What was found damaged since the directory was opened, a sentence each.
  const std::vector<std::string>& problems() const { return problems_; }
  /// Of the last call that failed.
  const std::string& error() const { return error_; }

 private:
  struct Entry {
    std::string name;
    std::uint64_t name_hash = 0;
    std::size_t hashed_length = 0;  // of the name; 0: all
    std::optional<Instrument> instrument;
    std::vector<BlockPlace> blocks;  // in the order in which they were written
    TailHeader tail{};
    std::size_t tail_bars = 0;
    std::int64_t tail_covered_to_ms = 0;
    bool written_to = false;  // blocks of it came since this was opened for reading
  };

  void open_files(Access access);
  void map_files();
  bool usable_header(std::string& why);
  void set_aside(const std::string& why);
  void read_names();
  void read_index();
  void see_lost_blocks();
  void scan_blocks(std::int64_t from);
  bool write_unindexed();
  void read_tail(Series series);
  std::string read_slot(Series series);
  void see_new_blocks();
  void drop_what_is_in_blocks(Entry& entry);
  bool fail(const MappedFile& file);

  void cut_out_damaged(Entry& entry);
  bool read_block(const BlockPlace& place, std::vector<engine::Bar>& bars);
  const BlockPlace* block_before(const Entry& entry, std::int64_t boundary_ms) const;
  void patch(const Entry& entry, StoredBars& stored);
  void reach_back(const Entry& entry, std::int64_t from_ms, std::vector<engine::Bar>& backward,
                  StoredBars& stored);
  bool write_block(Series series, BlockKind kind, std::span<const engine::Bar> bars,
                   std::int64_t covered_from_ms, std::int64_t covered_to_ms, std::int64_t at_ms);
  bool begin_tail(Series series, std::int64_t covered_from_ms);
  bool seal_tail(Series series);
  bool write_name(Series series, const std::string& name, std::size_t hashed_length);
  bool rename(Series series, const std::string& name);
  bool write_instrument(Series series, std::uint64_t name_hash, const Instrument& instrument);
  std::optional<Instrument> read_instrument(Series series, std::uint64_t name_hash);
  bool write_row(Series series, std::size_t row, const engine::Bar& bar);

  std::string directory_;
  Access access_;
  int lock_ = -1;
  MappedFile names_, tails_, blocks_, index_, instruments_;
  std::vector<Entry> series_;
  std::unordered_map<std::string, Series> by_name_;
  std::vector<std::string> problems_;
  std::string error_;
  std::string bytes_;                  // of the block that is being written
  std::deque<IndexRecord> unindexed_;  // of blocks that were found, and not in the index
  std::int64_t blocks_end_ = 0;
  std::int64_t index_end_ = 0;  // of what was written, or looked at
};

}  // namespace atcd::state
