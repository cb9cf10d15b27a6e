#include "state/history_writer.hpp"

#include <chrono>
#include <utility>

namespace atcd::state {
namespace {

constexpr std::chrono::seconds kPause{1};  // between two syncs, and before what was refused is tried again

}  // namespace

HistoryWriter::HistoryWriter(std::unique_ptr<History> history)
    : problems_(history->problems()), history_(std::move(history)), thread_([this] { run(); }) {}

HistoryWriter::~HistoryWriter() {
  // What the queue had no room for goes in as the thread takes what is before it, unless the disk refuses.
  const std::uint64_t failed_before = failures_;
  while (!kept_.empty() && failures_ == failed_before) {
    commit();
    std::this_thread::yield();
  }
  stopping_ = true;
  wake_.release();
  thread_.join();
}

// ---- the callers' side
// ----------------------------------------------------------------------------------------------

HistoryWriter::Handle HistoryWriter::open(const std::string& name) {
  Change change;
  change.kind = Kind::open;
  change.name = name;
  put(std::move(change));
  return next_handle_++;
}

void HistoryWriter::append(Handle series, const engine::Bar& bar, std::int64_t covered_from_ms) {
  Change change;
  change.series = series;
  change.bar = bar;
  change.from_ms = covered_from_ms;
  put(std::move(change));
}

void HistoryWriter::insert(Handle series, std::vector<engine::Bar> bars, std::int64_t covered_from_ms,
                           std::int64_t covered_to_ms) {
  Change change;
  change.kind = Kind::insert;
  change.series = series;
  change.from_ms = covered_from_ms;
  change.to_ms = covered_to_ms;
  change.bars = std::move(bars);
  put(std::move(change));
}

void HistoryWriter::correct(Handle series, const engine::Bar& bar, std::int64_t at_ms) {
  Change change;
  change.kind = Kind::correct;
  change.series = series;
  change.bar = bar;
  change.from_ms = at_ms;
  put(std::move(change));
}

void HistoryWriter::keep_late(Handle series, const LateBar& late) {
  Change change;
  change.kind = Kind::late;
  change.series = series;
  change.bar = late.bar;
  change.from_ms = late.after_ms;
  put(std::move(change));
}

void HistoryWriter::put(Change change) {
  // Many at once, as when history is fetched: the thread begins before the queue is full.
  if (++since_wake_ >= kQueued / 4) commit();
  if (kept_.empty() && queue_.push(change)) return;
  // A series that was never opened could take nothing later, so that much is always kept.
  if (kept_.size() >= kMostKept && change.kind != Kind::open) {
    ++dropped_;
    return;
  }
  kept_.push_back(std::move(change));
}

void HistoryWriter::move_kept() {
  while (!kept_.empty() && queue_.push(kept_.front())) kept_.pop_front();
}

void HistoryWriter::commit() {
  since_wake_ = 0;
  move_kept();
  wake_.release();
}

HistoryWriter::Counters HistoryWriter::counters() const { return {written_, dropped_, failures_, syncs_}; }

std::vector<std::string> HistoryWriter::take_problems() {
  const std::lock_guard lock(problems_lock_);
  return std::exchange(problems_, {});
}

// ---- the writing thread
// ---------------------------------------------------------------------------------------------

void HistoryWriter::tell(const std::string& problem) {
  // The same one over and over is said once.
  if (std::exchange(told_, problem) == problem) return;
  const std::lock_guard lock(problems_lock_);
  problems_.push_back(problem);
}

void HistoryWriter::run() {
  using Clock = std::chrono::steady_clock;
  auto next_sync = Clock::now() + kPause;
  while (!stopping_) {
    if (!wake_.try_acquire_for(kPause) && !dirty_ && !refused_) continue;
    while (wake_.try_acquire()) {
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
    }
  }
  write_all();
  if (dirty_ && !history_->sync()) ++failures_;
}

void HistoryWriter::write_all() {
  Change change;
  while (true) {
    if (refused_) {
      change = std::move(*refused_);
      refused_.reset();
    } else if (!queue_.pop(change)) {
      return;
    }
    if (!write(change)) {
      ++failures_;
      tell(history_->error());
      refused_ = std::move(change);
      return;
    }
    ++written_;
    dirty_ = true;
  }
}

/// False where the disk did not take it.
bool HistoryWriter::write(Change& change) {
  if (change.kind == Kind::open) {
    const auto number = history_->add(change.name);
    if (!number && change.name.size() <= kLongestName) return false;
    if (!number) tell(history_->error());
    numbers_.push_back(number);
    return true;
  }
  const auto number = numbers_[change.series];
  if (!number) return true;
  switch (change.kind) {
    case Kind::append:
      return history_->append(*number, change.bar, change.from_ms);
    case Kind::insert:
      return history_->insert(*number, change.bars, change.from_ms, change.to_ms);
    case Kind::correct:
      return history_->correct(*number, change.bar, change.from_ms);
    case Kind::late:
      return history_->keep_late(*number, {change.bar, change.from_ms});
    case Kind::open:
      break;
  }
  return true;
}

}  // namespace atcd::state
