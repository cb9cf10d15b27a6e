#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "state/bar_queue.hpp"
#include "state/history.hpp"

namespace atcd::state {

/// Writes a history from a thread of its own. The calls only put down what is to be done: they never wait for
/// the disk. All of them belong to one thread. What is put down is written after commit(), in order, and
/// brought to the disk about once a second for all series together. While the disk takes nothing it is kept,
/// up to kMostKept changes; beyond that it is dropped and counted, and the history has a hole there.
class HistoryWriter {
 public:
  /// A caller's number for a series, from open().
  using Handle = std::uint32_t;
  static constexpr std::size_t kMostKept = 1'000'000;

  struct Counters {
    std::uint64_t written = 0, dropped = 0, failures = 0, syncs = 0;
  };

  explicit HistoryWriter(std::unique_ptr<History> history);
  /// Writes what is left, once, and brings it to the disk.
  ~HistoryWriter();
  HistoryWriter(const HistoryWriter&) = delete;
  HistoryWriter& operator=(const HistoryWriter&) = delete;

  Handle open(const std::string& name);
  void append(Handle series, const engine::Bar& bar, std::int64_t covered_from_ms);
  void insert(Handle series, std::vector<engine::Bar> bars, std::int64_t covered_from_ms,
              std::int64_t covered_to_ms);
  void correct(Handle series, const engine::Bar& bar, std::int64_t at_ms);
  void keep_late(Handle series, const LateBar& late);
  /// Wakes the thread; off the hot path.
  void commit();

  Counters counters() const;
  /// What went wrong since the last call, a sentence each.
  std::vector<std::string> take_problems();

 private:
  enum class Kind : std::uint8_t { open, append, insert, correct, late };
  struct Change {
    Kind kind = Kind::append;
    Handle series = 0;
    engine::Bar bar;
    std::int64_t from_ms = 0;  // of append and insert; of correct: when it was noticed; of late: after_ms
    std::int64_t to_ms = 0;
    std::vector<engine::Bar> bars;
    std::string name;
  };
  static constexpr std::size_t kQueued = 8192;

  void put(Change change);
  void move_kept();

  // The writing thread's.
  void run();
  void write_all();
  bool write(Change& change);
  void tell(const std::string& problem);

  // The callers'.
  Handle next_handle_ = 0;
  std::deque<Change> kept_;  // what the queue had no room for
  std::size_t since_wake_ = 0;

  // Where the threads meet.
  BarQueue<Change, kQueued> queue_;
  std::counting_semaphore<> wake_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> written_{0}, dropped_{0}, failures_{0}, syncs_{0};
  std::mutex problems_lock_;
  std::vector<std::string> problems_;

  // The writing thread's.
  std::unique_ptr<History> history_;
  std::vector<std::optional<History::Series>> numbers_;
  std::optional<Change> refused_;  // by the disk; tried again before anything else
  std::string told_;
  bool dirty_ = false;

  std::thread thread_;
};

}  // namespace atcd::state
