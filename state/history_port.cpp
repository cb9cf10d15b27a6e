#include "state/history_port.hpp"

#include <utility>

#include "state/history_writer.hpp"

namespace atcd::state {

HistoryPort::Handle HistoryPort::open(const std::string& name) {
  Change change;
  change.kind = Kind::open;
  change.name = name;
  put(std::move(change));
  return next_handle_++;
}

void HistoryPort::append(Handle series, const engine::Bar& bar, std::int64_t covered_from_ms) {
  Change change;
  change.series = series;
  change.bar = bar;
  change.from_ms = covered_from_ms;
  put(std::move(change));
}

void HistoryPort::insert(Handle series, std::vector<engine::Bar> bars, std::int64_t covered_from_ms,
                         std::int64_t covered_to_ms) {
  Change change;
  change.kind = Kind::insert;
  change.series = series;
  change.from_ms = covered_from_ms;
  change.to_ms = covered_to_ms;
  change.bars = std::move(bars);
  put(std::move(change));
}

void HistoryPort::correct(Handle series, const engine::Bar& bar, std::int64_t at_ms) {
  put_bar(Kind::correct, series, bar, at_ms);
}

void HistoryPort::add_missing(Handle series, const engine::Bar& bar, std::int64_t at_ms) {
  put_bar(Kind::missing, series, bar, at_ms);
}

void HistoryPort::keep_late(Handle series, const LateBar& late) {
  put_bar(Kind::late, series, late.bar, late.after_ms);
}

void HistoryPort::put_bar(Kind kind, Handle series, const engine::Bar& bar, std::int64_t time_ms) {
  Change change;
  change.kind = kind;
  change.series = series;
  change.bar = bar;
  change.from_ms = time_ms;
  put(std::move(change));
}

void HistoryPort::set_instrument(const std::string& name, const Instrument& instrument) {
  Change change;
  change.kind = Kind::instrument;
  change.name = name;
  change.instrument = std::make_unique<Instrument>(instrument);
  put(std::move(change));
}

void HistoryPort::begin_anew(const std::string& name, const Instrument& instrument, std::int64_t at_ms) {
  Change change;
  change.kind = Kind::begin_anew;
  change.name = name;
  change.from_ms = at_ms;
  change.instrument = std::make_unique<Instrument>(instrument);
  put(std::move(change));
}

void HistoryPort::put(Change change) {
  // Many at once, as when history is fetched: the thread begins before the queue is full.
  if (++since_wake_ >= kQueued / 4) commit();
  const std::size_t together = change.bars.size();  // a change has its place, these have not
  if (together > 0) {
    if (bars_together_ + together > most_kept_) {
      ++dropped_;
      return;
    }
    bars_together_ += together;
  }
  if (kept_.empty() && queue_.push(change)) return;
  // Bars can be had again, as of a hole. Which series they belong to can't, and what was told of a bar that
  // is held would be missed by nobody: that is always kept, and there is little of it.
  const bool bars = change.kind == Kind::append || change.kind == Kind::insert;
  if (kept_.size() >= most_kept_ && bars) {
    bars_together_ -= together;
    ++dropped_;
    return;
  }
  kept_.push_back(std::move(change));
}

void HistoryPort::move_kept() {
  while (!kept_.empty() && queue_.push(kept_.front())) kept_.pop_front();
}

void HistoryPort::commit() {
  since_wake_ = 0;
  move_kept();
  writer_.wake_.release();
}

}  // namespace atcd::state
