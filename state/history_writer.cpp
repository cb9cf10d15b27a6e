#include "state/history_writer.hpp"

#include <chrono>
#include <utility>

namespace atcd::state {
namespace {

constexpr std::chrono::seconds kPause{1};  // between two syncs, and before what was refused is tried again
constexpr int kWakesAtOnce = 64;

}  // namespace

HistoryWriter::HistoryWriter(std::unique_ptr<History> history, std::size_t ports, std::size_t most_kept)
    : problems_(history->problems()), history_(std::move(history)) {
  for (std::size_t i = 0; i < ports; ++i) ports_.push_back(std::make_unique<HistoryPort>(*this, most_kept));
  thread_ = std::thread([this] { run(); });
}

HistoryWriter::~HistoryWriter() {
  // What a queue had no room for goes in as the thread takes what is before it, unless the disk refuses.
  const std::uint64_t failed_before = failures_;
  for (const auto& port : ports_) {
    while (!port->kept_.empty() && failures_ == failed_before) {
      port->commit();
      std::this_thread::yield();
    }
  }
  stopping_ = true;
  wake_.release();
  thread_.join();
}

HistoryWriter::Counters HistoryWriter::counters() const {
  Counters counters{written_, 0, failures_, syncs_};
  for (const auto& port : ports_) counters.dropped += port->dropped_;
  return counters;
}

std::vector<std::string> HistoryWriter::take_problems() {
  const std::lock_guard lock(problems_lock_);
  return std::exchange(problems_, {});
}

// ---- the writing thread

void HistoryWriter::tell(const std::string& problem) {
  // The same one over and over is said once, until all is on the disk again.
  if (std::exchange(told_, problem) == problem) return;
  const std::lock_guard lock(problems_lock_);
  problems_.push_back(problem);
}

void HistoryWriter::run() {
  using Clock = std::chrono::steady_clock;
  auto next_sync = Clock::now() + kPause;
  while (!stopping_) {
    if (!wake_.try_acquire_for(kPause) && !dirty_ && !refused_) continue;
    // Some, not all: who waits for room in a queue may wake us faster than this takes.
    for (int woken = 0; woken < kWakesAtOnce && wake_.try_acquire(); ++woken) {
    }
    write_all();
    if (Clock::now() < next_sync) continue;
    next_sync = Clock::now() + kPause;
    if (!std::exchange(dirty_, false)) continue;
    ++syncs_;
    if (!history_->sync()) {
      // Tried again, though the kernel may have given up what it could not write: should the machine then
      // lose its power, the checksums find that, and REST is asked for it.
      dirty_ = true;
      ++failures_;
      tell(history_->error());
    } else if (!refused_) {
      told_.clear();
    }
  }
  write_all();
  if (dirty_ && !history_->sync()) ++failures_;
}

void HistoryWriter::write_all() {
  if (refused_) {
    Refused again = std::move(*refused_);
    refused_.reset();
    if (!take(*again.port, again.change)) return;
  }
  Change change;
  for (const auto& port : ports_) {
    while (port->queue_.pop(change)) {
      if (!take(*port, change)) return;
    }
  }
}

/// False where the disk refused it: it is kept until it is tried again.
bool HistoryWriter::take(HistoryPort& port, Change& change) {
  if (!write(port, change)) {
    ++failures_;
    tell(history_->error());
    refused_.emplace(Refused{&port, std::move(change)});
    return false;
  }
  port.bars_together_ -= change.bars.size();
  ++written_;
  dirty_ = true;
  return true;
}

/// False where the disk did not take it.
bool HistoryWriter::write(HistoryPort& port, const Change& change) {
  switch (change.kind) {
    case HistoryPort::Kind::open:
    case HistoryPort::Kind::instrument:
    case HistoryPort::Kind::begin_anew:
      return write_series(port, change);
    default:
      return write_bars(port, change);
  }
}

/// A name that is too long never goes in: it is told, and that was it.
bool HistoryWriter::write_series(HistoryPort& port, const Change& change) {
  const bool anew = change.kind == HistoryPort::Kind::begin_anew;
  std::optional<History::Series> number;
  if (anew) {
    number = history_->begin_anew(change.name, *change.instrument, change.from_ms);
  } else {
    number = history_->add(change.name);
  }
  if (!number && change.name.size() <= (anew ? kLongestToSetAside : kLongestName)) return false;
  if (!number) tell(history_->error());
  if (change.kind == HistoryPort::Kind::open) port.numbers_.push_back(number);
  return !change.instrument || !number || history_->set_instrument(*number, *change.instrument);
}

bool HistoryWriter::write_bars(HistoryPort& port, const Change& change) {
  const auto number = port.numbers_[change.series];
  if (!number) return true;
  switch (change.kind) {
    case HistoryPort::Kind::append:
      return history_->append(*number, change.bar, change.from_ms);
    case HistoryPort::Kind::insert:
      return history_->insert(*number, change.bars, change.from_ms, change.to_ms);
    case HistoryPort::Kind::correct:
      return history_->correct(*number, change.bar, change.from_ms);
    case HistoryPort::Kind::missing:
      return history_->add_missing(*number, change.bar, change.from_ms);
    case HistoryPort::Kind::late:
      return history_->keep_late(*number, {change.bar, change.from_ms});
    case HistoryPort::Kind::open:
    case HistoryPort::Kind::instrument:
    case HistoryPort::Kind::begin_anew:
      break;
  }
  return true;
}

}  // namespace atcd::state
