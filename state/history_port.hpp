#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "state/bar_queue.hpp"
#include "state/history.hpp"

namespace atcd::state {

class HistoryWriter;

/// One thread's way to a HistoryWriter. The calls only put down what is to be done: they never wait for the
/// disk, nor for other threads. All of them belong to one thread. What is put down is written after commit(),
/// in order. While the disk takes nothing it is kept, up to kMostKept changes, and as many bars that came
/// together; beyond that bars are dropped and counted, and the history has a hole there.
class HistoryPort {
 public:
  /// A caller's number for a series, from open().
  using Handle = std::uint32_t;
  static constexpr std::size_t kMostKept = 1'000'000;
  static constexpr std::size_t kQueued = 8192;  // beside those, on their way to the writing thread

  HistoryPort(HistoryWriter& writer, std::size_t most_kept) : writer_(writer), most_kept_(most_kept) {}
  HistoryPort(const HistoryPort&) = delete;
  HistoryPort& operator=(const HistoryPort&) = delete;

  Handle open(const std::string& name);
  void append(Handle series, const engine::Bar& bar, std::int64_t covered_from_ms);
  void insert(Handle series, std::vector<engine::Bar> bars, std::int64_t covered_from_ms,
              std::int64_t covered_to_ms);
  void correct(Handle series, const engine::Bar& bar, std::int64_t at_ms);
  void add_missing(Handle series, const engine::Bar& bar, std::int64_t at_ms);
  void keep_late(Handle series, const LateBar& late);
  /// As History::set_instrument, of the series of that name, which is added where it is not there.
  void set_instrument(const std::string& name, const Instrument& instrument);
  /// As History::begin_anew. What is put down under an earlier handle belongs to what was set aside.
  void begin_anew(const std::string& name, const Instrument& instrument, std::int64_t at_ms);
  /// Wakes the writing thread; off the hot path.
  void commit();
  /// Changes that are not written yet, at most kMostKept and kQueued. Not from another thread.
  std::size_t waiting() const { return kept_.size() + queue_.size(); }

 private:
  friend class HistoryWriter;
  enum class Kind : std::uint8_t { open, append, insert, correct, late, instrument, begin_anew, missing };
  struct Change {
    Kind kind = Kind::append;
    Handle series = 0;
    engine::Bar bar;
    // Of append and insert; of correct, missing and begin_anew: when it was noticed; of late: after_ms.
    std::int64_t from_ms = 0;
    std::int64_t to_ms = 0;
    std::vector<engine::Bar> bars;
    std::string name;
    std::unique_ptr<Instrument> instrument;  // of few changes: the queue's places stay small
  };

  void put(Change change);
  void put_bar(Kind kind, Handle series, const engine::Bar& bar, std::int64_t time_ms);
  void move_kept();

  HistoryWriter& writer_;
  std::size_t most_kept_;

  // The caller's.
  Handle next_handle_ = 0;
  std::deque<Change> kept_;  // what the queue had no room for
  std::size_t since_wake_ = 0;

  // Where the threads meet.
  BarQueue<Change, kQueued> queue_;
  std::atomic<std::uint64_t> dropped_{0};
  std::atomic<std::size_t> bars_together_{0};  // of the changes that are not written yet

  // The writing thread's.
  std::vector<std::optional<History::Series>> numbers_;  // by handle
};

}  // namespace atcd::state
