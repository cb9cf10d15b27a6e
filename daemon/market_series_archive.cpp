// What a market series takes over from earlier runs, and what it leaves for later ones.
#include <algorithm>
#include <utility>
#include <vector>

#include "daemon/clock.hpp"
#include "daemon/market_series.hpp"

namespace atcd::daemon {

/// Only the newest bars: a start with thousands of series has no time for more.
void MarketSeries::restore() {
  instrument_ = context_.archive.instrument(archive_name_).value_or(state::Instrument{});
  BarArchive::Opened opened = context_.archive.open(archive_name_);
  archived_ = opened.handle;
  corrections_ = opened.corrections;
  late_ = std::move(opened.late);
  state::StoredBars& stored = opened.bars;
  restored_ = series_.restore(std::move(stored.bars), stored.covered_from_ms, stored.covered_to_ms);
  ask_for_last_tellings();
}

void MarketSeries::leave() {
  context_.router.leave(*this, listens_to_);
  const auto bars = series_.bars();
  if (bars.empty()) return context_.archive.left_unused(archive_name_);
  const engine::Interval& interval = series_.interval();
  state::StoredBars held{{bars.begin(), bars.end()},
                         interval.open_time_ms(series_.covered_from()),
                         interval.open_time_ms(series_.next())};
  context_.archive.left(archive_name_, {archived_, std::move(held), corrections_, std::move(late_)},
                        complete_, monotonic_ms());
}

BarHistory MarketSeries::history() {
  if (!std::exchange(complete_, true) && restored_) {
    const std::int64_t boundary_ms = series_.interval().open_time_ms(series_.covered_from());
    const auto earlier = context_.archive.earlier(archive_name_, boundary_ms, from_ms_);
    series_.restore_earlier(earlier.bars, earlier.covered_from_ms);
    const std::int64_t first_wanted = series_.interval().ordinal(from_ms_);
    read_to_ = series_.covered_from();
    if (first_wanted < series_.covered_from()) series_.require_from(first_wanted, now());
  }
  return known();
}

/// Some signals need more than what is wanted of all: what earlier runs had is not asked for again, and what
/// was published is of these bars. Not once some were forgotten: where they lay others may be by now.
void MarketSeries::read_back_to(std::int64_t ordinal) {
  if (!read_to_ || series_.covered_from() > *read_to_) return;
  const engine::Interval& interval = series_.interval();
  const std::int64_t boundary_ms = interval.open_time_ms(series_.covered_from());
  const auto earlier = context_.archive.earlier(archive_name_, boundary_ms, interval.open_time_ms(ordinal));
  if (earlier.covered_from_ms >= boundary_ms) return;
  series_.restore_earlier(earlier.bars, earlier.covered_from_ms);
  resume_covered();
}

/// Empty when the engine goes on from there, else why it can't.
std::string_view MarketSeries::resume_engine(Output& output, const state::SnapshotEntry& entry) {
  if (entry.config != output.config) return "it was made with another configuration";
  if (entry.corrections != corrections_) return "bars were corrected since";
  if (entry.last_bar.close_time_ms <= instrument_.replaced_ms)
    return "it was made of another instrument's bars";
  const auto bars =
      (entry.last_bar.open_time_ms < series_.bars().front().open_time_ms ? history() : known()).bars;
  const std::size_t at = series_.index_at(entry.last_bar.open_time_ms);
  if (at == bars.size() || bars[at] != entry.last_bar) return "its last bar is not in the history";
  return output.signals.restore(
      {entry.anchor_ordinal, entry.anchor_ms, entry.last_bar.open_time_ms, entry.engine}, bars);
}

void MarketSeries::missing_engines(std::vector<MissingEngine>& missing) {
  if (!restored_) return;
  for (const auto& output : outputs_) {
    if (output->resumed) continue;
    if (auto job = output->signals.replay_to_newest(history()))
      missing.push_back({this, output.get(), std::move(job)});
  }
}

bool MarketSeries::take_up(const MissingEngine& computed) {
  computed.output->resumed = computed.output->signals.go_on_from(*computed.job, known());
  return computed.output->resumed;
}

void MarketSeries::read_archive(const Output& output) {
  const auto bars = history().bars;
  if (bars.empty()) return;
  const auto anchor = output.signals.anchor_slot(series_.interval().ordinal(bars.back().open_time_ms));
  if (anchor && *anchor < series_.covered_from()) read_back_to(*anchor);
}

MarketSeries::Copied MarketSeries::copy_subject(const Output& output, SelfAudit::Subject& subject) const {
  const BarHistory known = this->known();
  if (known.bars.empty()) return Copied::nothing;
  const auto held = output.signals.held(known.bars.back());
  if (!held) return Copied::nothing;
  // Bars before the others, and those that go, move its beginning; any other change is counted.
  if (subject.covered_from != known.covered_from || subject.corrections != corrections_) subject.bars.clear();
  if (subject.bars.empty()) {
    subject.profile = output.profile;
    subject.id = output.id;
    subject.covered_from = known.covered_from;
    subject.corrections = corrections_;
    subject.bars.reserve(known.bars.size() + kCopiedAtOnce);
  }
  const auto left = known.bars.subspan(subject.bars.size());
  const auto now = left.first(std::min(left.size(), kCopiedAtOnce));
  subject.bars.insert(subject.bars.end(), now.begin(), now.end());
  if (now.size() < left.size()) return Copied::some;
  subject.late = late_;
  subject.held = *held;
  return Copied::all;
}

void MarketSeries::save(const Output& output, std::string& bytes) const {
  std::vector<std::byte> engine;
  const auto saved = output.signals.save(engine);
  if (!saved) return;
  const std::size_t at = series_.index_at(saved->last_open_ms);
  if (at == series_.bars().size() || series_.bars()[at].open_time_ms != saved->last_open_ms) return;
  state::append_entry(bytes, {output.name, output.config, saved->anchor_ordinal, saved->anchor_ms,
                              corrections_, series_.bars()[at], saved->engine});
}

void MarketSeries::archive(const engine::Bar& bar) {
  history();  // what is there is read before it is written to
  const auto bars = series_.bars();
  const std::int64_t covered_from_ms = bars.size() > 1
                                           ? bars[bars.size() - 2].close_time_ms
                                           : series_.interval().open_time_ms(series_.covered_from());
  context_.archive.writer().append(archived_, bar, covered_from_ms);
}

void MarketSeries::correct_archived(const engine::Bar& bar) {
  history();  // as above
  ++corrections_;
  context_.archive.writer().correct(archived_, bar, utc_ms());
}

}  // namespace atcd::daemon
