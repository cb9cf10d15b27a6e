#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "state/history.hpp"
#include "state/history_port.hpp"

namespace atcd::state {

/// Writes a history from a thread of its own: what comes through its ports, one for each thread that closes
/// bars. It is brought to the disk about once a second for all series together.
class HistoryWriter {
 public:
  struct Counters {
    std::uint64_t written = 0, dropped = 0, failures = 0, syncs = 0;
  };

  explicit HistoryWriter(std::unique_ptr<History> history, std::size_t ports = 1,
                         std::size_t most_kept = HistoryPort::kMostKept);
  /// Writes what is left, once, and brings it to the disk. The threads that used the ports have ended.
  ~HistoryWriter();
  HistoryWriter(const HistoryWriter&) = delete;
  HistoryWriter& operator=(const HistoryWriter&) = delete;

  HistoryPort& port(std::size_t number) { return *ports_[number]; }

  // From any thread.
  Counters counters() const;
  /// What went wrong since the last call, a sentence each.
  std::vector<std::string> take_problems();

 private:
  friend class HistoryPort;
  using Change = HistoryPort::Change;

  // The writing thread's.
  void run();
  void write_all();
  bool take(HistoryPort& port, Change& change);
  bool write(HistoryPort& port, const Change& change);
  bool write_series(HistoryPort& port, const Change& change);
  bool write_bars(HistoryPort& port, const Change& change);
  void tell(const std::string& problem);

  // Where the threads meet.
  std::vector<std::unique_ptr<HistoryPort>> ports_;
  std::counting_semaphore<> wake_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> written_{0}, failures_{0}, syncs_{0};
  std::mutex problems_lock_;
  std::vector<std::string> problems_;

  // The writing thread's.
  struct Refused {
    HistoryPort* port;
    Change change;
  };
  std::unique_ptr<History> history_;
  std::optional<Refused> refused_;  // by the disk; tried again before anything else
  std::string told_;
  bool dirty_ = false;

  std::thread thread_;
};

}  // namespace atcd::state
